"""Dotenv: values as lines that `sh` and the readers of dotenv files read back as they are."""

import re
from typing import Final

from store.model.errors import Invalid

_PLAIN: Final = re.compile(r"[A-Za-z0-9_./:@%+,-]+")
# Readers of dotenv files put other variables in here, in whatever quotes it stands.
_FILLED_IN: Final = re.compile(r"\$\{[^}:]*(?::-[^}]*)?\}")


def line(name: str, value: bytes) -> str:
    """`NAME='a value'`. Raises `Invalid` (`not_dotenv`) for what they would not all read back the same."""
    if b"\0" in value:
        raise _cannot(name, "it holds a NUL byte")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise _cannot(name, "it is not text in UTF-8") from None
    if "\r" in text:
        raise _cannot(name, "it holds a carriage return, which readers of files take for the end of a line")
    if _FILLED_IN.search(text):
        raise _cannot(name, "it holds ${…}, which readers of dotenv files fill in")
    if _PLAIN.fullmatch(text):
        return f"{name}={text}"
    # `sh` knows no escapes between single quotes, readers of dotenv files know \\ and \' there.
    if "'" not in text and "\\\\" not in text and not text.endswith("\\"):
        return f"{name}='{text}'"
    if "$" not in text and "`" not in text:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{escaped}"'
    raise _cannot(
        name, "it holds a quote or a backslash beside $ or `, which sh and readers of dotenv files take differently"
    )


def _cannot(name: str, why: str) -> Invalid:
    return Invalid(f"{name} cannot be told as dotenv: {why}. Ask for JSON.", code="not_dotenv")
