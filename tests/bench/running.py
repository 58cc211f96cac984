"""A bench as it is run, but for its bots: they are forked from where their imports are done."""

import asyncio
import contextlib
import io
import json
from collections.abc import Mapping
from typing import IO, Any

import pytest

from bench import __main__, house
from bench.bot import serve
from tests import forked


def bench(*arguments: str) -> dict[str, Any]:
    """The one line that it prints."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as bots, contextlib.redirect_stdout(out):
        bots.setattr(house, "start", _forked)
        __main__.main(arguments)
    [line] = out.getvalue().splitlines()
    return dict(json.loads(line))


async def _forked(environ: Mapping[str, str], _log: IO[bytes]) -> forked.Forked:
    return await forked.start(_bot, environ=environ, cwd=house.ROOT, given=True)


def _bot(_: list[str]) -> None:
    asyncio.run(serve())
