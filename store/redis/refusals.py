"""Refusals: what Redis will not do, in words. Its own text may repeat arguments, so no more than its first word is shown."""

from typing import Final

from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError, ResponseError

from store.model.errors import Unavailable

# The client takes the first word off what it has a class for.
KNOWN: Final = {OutOfMemoryError: "OOM", ReadOnlyError: "READONLY", NoPermissionError: "NOPERM"}
WRITES_NOTHING: Final = frozenset({"OOM", "READONLY", "MISCONF"})
SENTENCES: Final = {
    "OOM": "Redis is full: nothing new can be recorded until it has room. Taking access away still works.",
    "READONLY": "This Redis is a replica: it must not be written to.",
    "MISCONF": "Redis cannot save to its disk, so it refuses to record anything.",
    "NOPERM": "This Redis user lacks a permission that Countersign needs.",
    "LOADING": "Redis is still loading its data.",
    "BUSY": "Redis is busy.",
}


def word(error: ResponseError) -> str:
    said = str(error).split(maxsplit=1)
    return KNOWN.get(type(error)) or (said[0].strip("-:") if said else "")


def refusal(error: ResponseError) -> Unavailable:
    code = word(error)
    return Unavailable(SENTENCES.get(code, f"Redis refused ({code[:20]})."), code="redis_refused")
