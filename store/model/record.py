"""Record: what a stored body looks like on the way in and out."""

import re
from typing import ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from store.model.errors import Unavailable

NEWER: Final = "newer_schema"

_SCHEMA: Final = re.compile(rb'\{"schema":([0-9]{1,9}),')  # first in every body that we write


class Part(BaseModel):
    """A piece of a record: frozen, nothing unknown inside."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class Record(Part):
    """A body of its own in the store. It carries `schema`; one that is newer than ours is refused, never rewritten."""

    SCHEMA: ClassVar[int] = 1
    _BEGINS: ClassVar[bytes]  # nearly every body of this class

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        cls._BEGINS = b'{"schema":%d,' % cls.SCHEMA

    def to_json(self) -> str:
        # What is not there is left out: an old body and a new one that say the same read the same.
        # By pydantic's serializer itself, and below by its validator: what they are wrapped in costs as much as they do.
        fields = self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True).decode()
        return f'{{"schema":{self.SCHEMA},{fields[1:]}'

    @classmethod
    def from_json(cls, body: str | bytes) -> Self:
        """Raises `Unavailable` for a body of a newer schema, or one that is no such record."""
        raw = body.encode() if isinstance(body, str) else body
        behind = len(cls._BEGINS) if raw.startswith(cls._BEGINS) else cls._behind_schema(raw)
        try:
            # What stands behind the schema is read in one step: it is on the way of every click.
            found: Self = cls.__pydantic_validator__.validate_json(b"{" + raw[behind:])
        except ValidationError:
            raise _unreadable(cls) from None
        return found

    @classmethod
    def _behind_schema(cls, raw: bytes) -> int:
        begins = _SCHEMA.match(raw)
        if begins is None:
            raise _unreadable(cls)
        if (schema := int(begins[1])) > cls.SCHEMA:
            raise Unavailable(
                f"This {cls.__name__} was written by a newer Countersign (schema {schema}, this one reads {cls.SCHEMA}). "
                "Upgrade this process.",
                code=NEWER,
            )
        return begins.end()


def _unreadable(record: type[Record]) -> Unavailable:
    return Unavailable(f"A stored {record.__name__} cannot be read.", code="unreadable")
