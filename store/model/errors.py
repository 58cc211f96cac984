"""What can go wrong, as people and machines are told it.

AccessError
├── Invalid       the question itself makes no sense         400, exit 2
├── Forbidden     you may not                                403, exit 3
├── NotFound      it is not there, or not for you to see     404, exit 4
├── Conflict      it was so a moment ago, and is not now     409, exit 5
└── Unavailable   a part we need does not answer             503, exit 6
"""

from typing import ClassVar


class AccessError(Exception):
    """One sentence for a person, and a code that stays the same when the sentence is improved.

    The sentence must not hold anything secret: edges show it, logs keep it.
    """

    code: ClassVar[str] = "error"

    def __init__(self, sentence: str, *, code: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.detail = code or self.code


class Invalid(AccessError):
    code = "invalid"


class Forbidden(AccessError):
    code = "forbidden"


class NotFound(AccessError):
    code = "not_found"


class Conflict(AccessError):
    code = "conflict"


class Unavailable(AccessError):
    """`retry_after_ms`: how long the other side asked us to wait, where it said so."""

    code = "unavailable"

    def __init__(self, sentence: str, *, code: str | None = None, retry_after_ms: int | None = None) -> None:
        super().__init__(sentence, code=code)
        self.retry_after_ms = retry_after_ms
