"""Secret: a value that will not print itself."""

import hmac
from typing import Final, NoReturn

SHOWN: Final = "Secret(…)"


class Secret:
    """Bytes that leave only through `reveal()`: not by print, format, repr, pickle, copy or JSON."""

    __slots__ = ("__value",)

    def __init__(self, value: bytes) -> None:
        self.__value = bytes(value)

    def reveal(self) -> bytes:
        return self.__value

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return SHOWN

    def __len__(self) -> int:
        return len(self.__value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.__value, other.__value)

    __hash__ = None  # type: ignore[assignment]  # a hash of a short value gives it away

    def __reduce__(self) -> NoReturn:
        raise TypeError("A secret does not travel by pickle.")
