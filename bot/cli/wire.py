"""Wire: one question to a server over HTTP, and its answer, or its refusal as this program tells it."""

import json
from collections.abc import Mapping
from typing import Any, Final, Literal

from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.secret import Secret

Method = Literal["GET", "POST", "DELETE"]

TIMEOUT_S: Final = 15.0
KINDS: Final[Mapping[int, type[AccessError]]] = {
    400: Invalid,
    401: Forbidden,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    413: Invalid,
}


async def ask(
    method: Method,
    url: str,
    path: str,
    *,
    body: Mapping[str, Any] | None = None,
    token: Secret | None = None,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, Any]:
    """`url` was checked. No redirect is followed: a token goes nowhere else. Raises `AccessError` as the server says it, or `Unavailable`."""
    import aiohttp

    headers = {} if token is None else {"Authorization": f"Bearer {token.reveal().decode()}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as http,
            http.request(method, url + path, json=body, headers=headers, allow_redirects=False) as response,
        ):
            status, found = response.status, _object(await response.text())
        if status < 300:
            return found
        code, sentence = str(found["code"]), str(found["sentence"])
    except (aiohttp.ClientConnectionError, TimeoutError, OSError):
        raise Unavailable(f"{url} does not answer.", code="no_answer") from None
    except (aiohttp.ClientError, ValueError, KeyError):
        raise Unavailable(f"{url} does not answer as Countersign does.", code="bad_answer") from None
    raise refusal(status, code, sentence)


def refusal(status: int, code: str, sentence: str) -> AccessError:
    """What the server said is somebody else's text: nothing in it moves a terminal's cursor."""
    from bot.slack.views.words import cleaned

    return KINDS.get(status, Unavailable)(cleaned(sentence), code=code)


def _object(text: str) -> dict[str, Any]:
    """Raises `ValueError`."""
    found = json.loads(text)
    if not isinstance(found, dict):
        raise ValueError(type(found).__name__)  # noqa: TRY004 - as for what is no JSON at all
    return found
