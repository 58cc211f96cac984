"""Progress: what happens meanwhile, on stderr: sentences for people, one line that moves at a terminal, JSON lines for programs."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from bot.cli.output import Form

BEAT_S: Final = 1.0
CLEAR: Final = "\r\x1b[2K"


class Progress:
    def __init__(self, form: Form) -> None:
        self._json = form == "json"
        self._live = not self._json and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._line = ""
        self._words: Callable[[], str] = str
        self.beside = False  # a program writes to the same terminal, which may be raw

    def say(self, event: str, sentence: str, **facts: Any) -> None:
        """`facts` are for programs, the sentence for people."""
        if self._json:
            known = {key: value for key, value in facts.items() if value is not None}
            self._write(json.dumps({"event": event, **known, "sentence": sentence}, ensure_ascii=False) + "\n")
        else:
            before, after = ("\r\n", "\r\n") if self.beside and self._live else (CLEAR if self._line else "", "\n")
            self._line = self._fresh() if self._line else ""
            self._write(before + sentence + after + self._line)

    def note(self, event: str, **facts: Any) -> None:
        """For programs alone: people see it."""
        if self._json:
            self._write(json.dumps({"event": event, **facts}) + "\n")

    @asynccontextmanager
    async def meanwhile(self, words: Callable[[], str]) -> AsyncIterator[None]:
        """A line that says what is waited for; only where somebody looks at it."""
        if not self._live:
            yield
            return
        self._words = words
        task = asyncio.create_task(self._moves())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self._write(CLEAR if self._line else "")
            self._line = ""

    def _fresh(self) -> str:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        return self._words()[: columns - 1]

    async def _moves(self) -> None:
        while True:
            self._line = self._fresh()
            self._write(CLEAR + self._line)
            await asyncio.sleep(BEAT_S)

    def _write(self, text: str) -> None:
        with suppress(OSError):  # nobody reads it any more: what is done matters more
            sys.stderr.write(text)
            sys.stderr.flush()
