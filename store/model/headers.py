"""Headers that a hook may carry besides ours: which names are taken, and which hold a secret."""

import re
from typing import Final

NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
VALUE: Final = re.compile(r"[!-~](?:[ -~]{0,498}[!-~])?")
MOST: Final = 20

_OURS: Final = frozenset(
    {
        *("content-type", "content-length", "content-encoding", "host", "connection", "transfer-encoding", "te"),
        *("trailer", "upgrade", "expect", "keep-alive", "user-agent", "accept-encoding"),
    }
)
_SECRET: Final = re.compile(r"authorization|cookie|token|secret|password|api[-_]?key|private", re.IGNORECASE)


def ours(name: str) -> bool:
    """One that nobody else says: ours, and those by which HTTP works."""
    return name.lower().startswith("webhook-") or name.lower() in _OURS


def secret(name: str) -> bool:
    """One that would hold a secret, as far as its name tells."""
    return _SECRET.search(name) is not None


def token_name(hook: str) -> str:
    """By which name the token of a hook lies in its environment: `API_TOKEN` of the hook api."""
    return hook.upper().replace("-", "_") + "_TOKEN"
