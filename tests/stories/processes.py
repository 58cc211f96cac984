"""The program as a process of its own, which a test ends at a named moment and starts again.

    died = await program.start(die="after commit grant.started")

`main` is `countersign serve`, with a clock that a file moves and that moment at which it kills itself
with -9. A moment is `before` or `after`, one of `MOMENTS`, and a word that must stand in what is called there.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests import forked

ROOT: Final = Path(__file__).parents[2]
SKEW_FILE: Final = "TEST_SKEW_FILE"
DIE: Final = "TEST_DIE"
LEASE_MS: Final = 61_000  # a little more than what a dead process still holds

# name → where it is, and what of its arguments the word is looked for in
MOMENTS: Final[dict[str, tuple[str, Callable[..., object]]]] = {
    "commit": ("store.redis.commit:Commit.run", lambda commit, *_, **__: commit._arguments),
    "settle": ("store.redis.outbox:Outbox.settle", lambda _, claimed, **__: claimed.member),
    "keep": ("store.redis.cards:Cards.keep", lambda _, __, card: card.place),
    "slack": ("bot.slack.wire:Slack.call", lambda _, method, **__: method),
    "add": ("scheduler.connectors.scim:ScimGroups.add", lambda *_: ""),
    "remove": ("scheduler.connectors.scim:ScimGroups.remove", lambda *_: ""),
    "deliver": ("scheduler.connectors.hook:deliver", lambda *_, **__: ""),
}


class Program:
    """`environ`: of a house that was opened without processes. `folder`: where the log and the clock's file lie."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._skew = folder / "skew"
        self._process: forked.Forked | None = None
        self.deaths = 0  # that were followed by a start
        self.set_skew(0)

    def set_skew(self, ms: int) -> None:
        aside = self._skew.with_suffix(".new")
        aside.write_text(str(ms), encoding="ascii")
        aside.replace(self._skew)

    @property
    def log(self) -> str:
        return (self._folder / "program.log").read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self, *, die: str = "", moved: bool = True) -> None:
        """`moved` False: the program as it is, on the true time."""
        assert not self.alive
        self.deaths += self._process is not None
        environ = {"PATH": os.environ["PATH"], **self._environ, SKEW_FILE: str(self._skew), DIE: die}
        with (self._folder / "program.log").open("ab") as log:
            program, arguments = (main, ()) if moved else (forked.countersign, ("serve",))
            self._process = await forked.start(program, *arguments, environ=environ, cwd=ROOT, log=log)

    async def http_port(self, within_s: float = 20.0) -> int:
        """Of its newest start, once it is ready."""
        async with asyncio.timeout(within_s):
            while self.log.count('"event": "ready"') <= self.deaths:
                await asyncio.sleep(0.02)  # a file tells nobody
        ready = [json.loads(line) for line in self.log.splitlines() if '"event": "ready"' in line]
        port: int = ready[-1]["http"]
        return port

    async def ended(self, within_s: float = 20.0) -> int:
        """Its exit code; negative for a signal."""
        assert self._process is not None
        async with asyncio.timeout(within_s):
            return await self._process.wait()

    async def kill(self) -> None:
        if self.alive:
            assert self._process is not None
            self._process.kill()
            await self._process.wait()

    async def terminate(self, within_s: float = 15.0) -> int:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return await self.ended(within_s)

    async def while_alive(self, work: Awaitable[Any]) -> bool:
        """Whether the work came to its end before the process did."""
        task, ended = asyncio.ensure_future(work), asyncio.ensure_future(self.ended(60))
        await asyncio.wait((task, ended), return_when=asyncio.FIRST_COMPLETED)
        lived = not ended.done()
        for each in (task, ended):
            each.cancel()
        answers = await asyncio.gather(task, ended, return_exceptions=True)
        if lived and isinstance(answers[0], Exception):
            raise answers[0]
        return lived


def _arm(moment: str) -> None:
    when, name, *words = moment.split(maxsplit=2)
    place, about = MOMENTS[name]
    module, _, path = place.partition(":")
    owner: Any = __import__(module, fromlist=["_"])
    *outer, last = path.split(".")
    for part in outer:
        owner = getattr(owner, part)
    whole = getattr(owner, last)

    async def watched(*args: Any, **kwargs: Any) -> Any:
        fits = all(word in str(about(*args, **kwargs)) for word in words)
        if fits and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await whole(*args, **kwargs)
        if fits:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(owner, last, watched)


@contextlib.contextmanager
def _moved_clock(path: Path) -> Iterator[None]:
    import bot.main

    whole = bot.main.build

    async def build(settings: Any) -> Any:
        return await whole(settings, skew=lambda: int(path.read_text(encoding="ascii")))

    bot.main.build = build  # type: ignore[assignment]  # the same, on another clock
    yield


def main(_: list[str]) -> int:
    from bot import logs
    from bot.cli.serve import serve
    from bot.settings import Settings

    settings = Settings.read(os.environ)
    logs.configure(settings.log)
    if moment := os.environ.get(DIE):
        _arm(moment)
    with _moved_clock(Path(os.environ[SKEW_FILE])):
        return asyncio.run(serve(settings))
