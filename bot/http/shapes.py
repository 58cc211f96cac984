"""Shapes: the fields that several operations take, and the bytes that a value stands for."""

import base64
import binascii
from typing import Annotated

from pydantic import Field, StringConstraints

from bot.http.answers import Whole
from store.model.errors import Invalid
from store.model.request import REASON_MOST

Words = Annotated[str, StringConstraints(max_length=REASON_MOST, pattern=r"^[^\x00]*$")]
Ticket = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00]*$")]
Mode = Annotated[Whole, Field(ge=0, le=0o777, description="Permission bits of a file, as a number.")]


def raw(value: str | None, encoded: str | None) -> bytes:
    """Raises `Invalid`, without what was given."""
    if encoded is None:
        return (value or "").encode()
    try:
        return base64.b64decode(encoded.encode(), validate=True)
    except (ValueError, binascii.Error):
        raise Invalid("A value is not base64.", code="bad_body") from None
