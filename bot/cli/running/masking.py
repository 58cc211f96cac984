"""Masking: no value, in any of the forms in which programs print one, passes in a stream of bytes."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus

SHORTEST: Final = 4  # characters; a shorter value is in every second word
MASK: Final = b"***"
_HEAD: Final = 8  # looked at first, so that little is copied
_SHORT_IN_BASE64: Final = 6  # of a value's 4 bytes as few as 4 characters are its own; fewer say nothing


def forms(value: bytes) -> set[bytes]:
    """What a program may print of it: as it is, each line of it, in base64, in an address, in JSON."""
    if len(value) < SHORTEST:
        return set()
    found = {value.strip(), *(line.strip() for line in value.splitlines())}
    for one in (value, value.strip()):
        found |= _in_base64(one) | _in_address(one) | _in_json(one.strip())
    return {form for form in found if len(form) >= SHORTEST}


def unmasked(values: Mapping[str, bytes]) -> list[str]:
    """The names of those that are too short to be masked."""
    return sorted(name for name, value in values.items() if 0 < len(value) < SHORTEST)


def _in_base64(value: bytes) -> set[bytes]:
    """At each of the three places that it can have in what is encoded: `Basic` holds it behind a name and a colon."""
    found = set()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + value)
        first = (0, 2, 3)[before]  # what comes before it has a part in these characters
        last = len(encoded) - (0, 3, 2)[(before + len(value)) % 3]
        own = encoded[first:last]
        if len(own) >= _SHORT_IN_BASE64:
            found |= {own, own.translate(bytes.maketrans(b"+/", b"-_"))}
    return found


def _in_address(value: bytes) -> set[bytes]:
    found = {quote(value, safe="").encode(), quote(value).encode(), quote_plus(value).encode()}
    return found | {_lower_escapes(one) for one in found}


def _lower_escapes(quoted: bytes) -> bytes:
    parts = quoted.split(b"%")
    return b"%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _in_json(value: bytes) -> set[bytes]:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return set()
    found = {json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return {one.encode() for one in found | {one.replace("/", "\\/") for one in found}}


class Masker:
    """One stream. What cannot be the beginning of a value leaves at once; `idle` lets go the little that may wait for nothing.

    What was let go is still the beginning of a value: where that follows, its rest is masked.
    """

    def __init__(self, values: Iterable[bytes]) -> None:
        known = {form for value in values for form in forms(value)}
        self._forms = sorted(known, key=lambda form: (-len(form), form))
        self._seen = b""  # what may be the beginning of a value, from its first byte
        self._out = 0  # so much of it has left
        self._masking = False  # the last byte that left was masked

    def feed(self, data: bytes) -> bytes:
        if not self._forms:
            return data
        self._seen += data
        spans, waits = self._spans(), self._waits()
        cut = max(waits, self._out)
        for start, end in spans:
            if start < cut < end:
                cut = end  # masked, whatever it begins
        left = self._let_go(spans, cut)
        keep = min(waits, cut)
        self._seen, self._out = self._seen[keep:], cut - keep
        return left

    def idle(self) -> bytes:
        """When nothing came for a while: fewer characters than a value has, which may be a prompt or an echo."""
        waiting = self._seen[self._out :]
        if len(self._seen) >= SHORTEST or not waiting:
            return b""
        self._out, self._masking = len(self._seen), False
        return waiting

    def end(self) -> bytes:
        """What waited for more, which does not come."""
        rest = self._let_go(self._spans(), len(self._seen))
        self._seen, self._out = b"", 0
        return rest

    def _spans(self) -> list[tuple[int, int]]:
        """Where values are, as few intervals."""
        found = []
        for form in self._forms:
            at = self._seen.find(form)
            while at >= 0:
                found.append((at, at + len(form)))
                at = self._seen.find(form, at + 1)
        joined: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if joined and start <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
            else:
                joined.append((start, end))
        return joined

    def _waits(self) -> int:
        """From where on it may be the beginning of a value."""
        first = len(self._seen)
        for form in self._forms:
            at = max(0, len(self._seen) - len(form) + 1)
            while 0 <= (at := self._seen.find(form[:1], at)) < first:
                if form.startswith(self._seen[at : at + _HEAD]) and form.startswith(self._seen[at:]):
                    first = at
                    break
                at += 1
        return first

    def _let_go(self, spans: list[tuple[int, int]], cut: int) -> bytes:
        out, at = [], self._out
        for start, end in spans:
            if end <= at:
                continue
            if start >= cut:
                break
            if start > at:
                out.append(self._seen[at:start])
                self._masking = False
            if not (self._masking and start < at):
                out.append(MASK)
            self._masking = True
            at = end
        if at < cut:
            out.append(self._seen[at:cut])
            self._masking = False
        return b"".join(out)
