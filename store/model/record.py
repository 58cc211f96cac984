"""Record: what a stored body looks like on the way in and out."""

import json
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from store.model.errors import Unavailable


class Part(BaseModel):
    """A piece of a record: frozen, nothing unknown inside."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, hide_input_in_errors=True)


class Record(Part):
    """A body of its own in the store. It carries `schema`; one that is newer than ours is refused, never rewritten."""

    SCHEMA: ClassVar[int] = 1

    def to_json(self) -> str:
        # What is not there is left out: an old body and a new one that say the same read the same.
        fields = self.model_dump_json(by_alias=True, exclude_none=True)
        return f'{{"schema":{self.SCHEMA},{fields[1:]}'

    @classmethod
    def from_json(cls, body: str | bytes) -> Self:
        """Raises `Unavailable` for a body of a newer schema, or one that is no such record."""
        try:
            fields = json.loads(body)
            schema = fields.pop("schema")
            if schema > cls.SCHEMA:
                raise Unavailable(
                    f"This {cls.__name__} was written by a newer Countersign (schema {schema}, this one reads {cls.SCHEMA}). "
                    "Upgrade this process.",
                    code="newer_schema",
                )
            return cls.model_validate(fields)
        except (ValidationError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise Unavailable(
                f"A stored {cls.__name__} cannot be read ({type(error).__name__}).", code="unreadable"
            ) from None
