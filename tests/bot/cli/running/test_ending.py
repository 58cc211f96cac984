"""The end of access is said in time, and comes by the clock whether or not the server answers."""

import asyncio

import pytest

from bot.cli.asked import Asked
from bot.cli.running import ending
from bot.cli.running.ending import Ending
from store.model.errors import AccessError, Unavailable

HELD = Asked(
    id="7Q2M4XK9TB",
    kind="open",
    target="payments/prod",
    state="active",
    requester="U1",
    beneficiary="U1",
    until_ms=1_000_000,
)


class Server:
    """Its clock runs a thousand times faster than ours; it tells what `moves` says, or is away."""

    def __init__(self, now_ms: int) -> None:
        self._from_ms, self._began = now_ms, asyncio.get_running_loop().time()
        self.moves: asyncio.Queue[Asked | AccessError] = asyncio.Queue()

    def now_ms(self) -> int:
        return self._from_ms + int((asyncio.get_running_loop().time() - self._began) * 1_000_000)

    async def moved(self, known: Asked, wait_s: int = 30) -> Asked:
        told = await self.moves.get()
        if isinstance(told, AccessError):
            raise told
        return told


class Heard:
    def __init__(self) -> None:
        self.events: list[str] = []
        self.sentences: list[str] = []

    def say(self, event: str, sentence: str, **facts: object) -> None:
        self.events.append(event)
        self.sentences.append(sentence)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "BEAT_S", 0.005)


async def ended(server: Server, on_end: str, held: Asked = HELD) -> tuple[Heard, list[float]]:
    heard = Heard()
    graces: list[float] = []
    async with asyncio.timeout(10):
        await Ending(server, heard, on_end, graces.append).watch(held)  # type: ignore[arg-type]  # as much of each as is used
    return heard, graces


async def test_it_is_said_five_minutes_and_one_minute_before_and_then_it_ends():
    heard, graces = await ended(Server(1_000_000 - 400_000), "term")
    assert heard.events == ["ends_soon", "ends_soon", "over"]
    assert "ends in 5 minutes" in heard.sentences[0]
    assert "countersign request extend 7Q2M4XK9TB" in heard.sentences[0]
    assert graces == [10.0]


async def test_only_warned_it_goes_on():
    heard, graces = await ended(Server(1_000_000 - 20_000), "warn")
    assert heard.events == ["over"]
    assert "goes on with what it has" in heard.sentences[0]
    assert graces == []


async def test_it_ends_by_the_clock_also_where_the_server_is_away():
    server = Server(1_000_000 - 50_000)
    for _ in range(50):
        server.moves.put_nowait(Unavailable("Away."))
    heard, graces = await ended(server, "term")
    assert heard.events == ["over"]
    assert graces == [10.0]


async def test_somebody_ends_it_before():
    server = Server(0)
    server.moves.put_nowait(HELD.model_copy(update={"state": "ended"}))
    heard, graces = await ended(server, "term")
    assert (heard.events, graces) == (["over"], [10.0])
    assert server.now_ms() < 900_000


async def test_an_extension_moves_the_end():
    server = Server(1_000_000 - 30_000)
    later = HELD.model_copy(update={"until_ms": 1_000_000 + 400_000})
    server.moves.put_nowait(later)
    heard, _ = await ended(server, "term")
    assert heard.events == ["extended", "ends_soon", "ends_soon", "over"]
    assert server.now_ms() >= 1_400_000
