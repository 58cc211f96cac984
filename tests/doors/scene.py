"""Scene: a house in which something stands in every state, somebody on every list, and what arrives is dispatched as Bolt does it."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from slack_bolt.request.async_request import AsyncBoltRequest
from structlog.testing import capture_logs

from bot.slack.views.facts import Message
from playground import seed
from playground.house import House
from store.model.command import Activate, Approve, Break, Dispute
from store.model.identity import Target
from store.model.policy import HOUR
from store.model.request import Request
from store.model.secret import Secret
from store.redis.environments import Value
from store.redis.locks import stored_lock
from tests.doors import listing
from tests.doors.probes import Json
from tests.stories import rules
from tests.stories.evidence import everything_in
from tests.stories.people import quiet

# Ana is on every list there is, and owns; Ines is on none.
ANA: Final = "users: [ana@example.com]"
POLICIES: Final = rules.policies(
    *(
        ", ".join([
            f"name: {action} {target}", f"targets: [{target}]", f"actions: [{action}]",
            f"requesters: {{groups: [payments-dev], {ANA}}}",
            f"approvals: [{{count: 1, from: {{groups: [payments-leads], {ANA}}}}}]",
            "enforcement: soft", "bypassers: {users: [omar@example.com, ana@example.com]}", "merge: by-hand",
        ])
        for target in ("payments/prod", "payments/staging")
        for action in ("open", "change")
    ),
    targets=(rules.PROD, rules.PROD.replace("prod", "staging")),
)  # fmt: skip
# What a refusal may leave, what is only known of Slack, and on which page of their own App Home somebody is.
PASSING: Final = (":audit", ":command:", ":facts:", ":cards:", ":lane:slack", ":effect:slack", ":place:", ":count:")
WRONG: Final = ("listener failed", "effect failed")
ROOT: Final = Path(__file__).parents[2]
OURS: Final = tuple(str(ROOT / room) for room in ("bot/", "store/"))
IN_BETWEEN: Final = str(ROOT / "bot/slack/app.py")  # calls Bolt


@dataclass(frozen=True)
class Scene:
    house: House
    requests: dict[str, Request]  # by what became of it
    lock: str  # as a button carries it
    said: list[str]  # users that were answered with a message
    lost: list[str]  # what tasks tripped over

    async def send(self, payload: Json) -> "Answer":
        """As Bolt gets it over a socket; what cannot even be taken in is refused as `/slack/events` does it."""
        self.said.clear()
        self.lost.clear()
        views = _views(self.house)
        with capture_logs() as logs:
            try:
                asked = AsyncBoltRequest(body=payload, mode="socket_mode")
                response = await listing.bolt_of(self.house.app).async_dispatch(asked)
            except (ValueError, TypeError, LookupError, AttributeError) as error:
                return Answer(400, answered=True, wrong=tuple(_ours(error)))
            for _ in range(3):  # what follows from a choice is drawn later still
                await self.house.app.replies.drain(5)
        errors = [entry["exc_info"] for entry in logs if entry["event"] in WRONG]
        wrong = (*(f"{error!r} at {place}" for error in errors for place in _ours(error)[-1:]), *self.lost)
        answered = bool(self.said or response.body or _views(self.house) > views)
        return Answer(response.status, answered, wrong)

    async def kept(self) -> dict[str, bytes]:
        """All that lies in Redis and must not move by what somebody may not do."""
        await quiet(self.house)
        found = await everything_in(self.house.app.redis)
        return {key: held for key, held in found.items() if not any(part in key for part in PASSING)}

    async def refusals(self) -> int:
        return sum(entry.event == "attempt.refused" for _, entry in await self.house.app.audit.newest(most=10_000))


@dataclass(frozen=True)
class Answer:
    """`answered`: the person was told something, in whatever way."""

    status: int
    answered: bool
    wrong: tuple[str, ...]


def _ours(error: BaseException) -> list[str]:
    """Where in our own code it was. What Bolt trips over by itself, in a payload that Slack never sends, is answered and not ours."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename.startswith(OURS)]
    return [place for place in places if not place.startswith(IN_BETWEEN)]


def _views(house: House) -> int:
    return sum(call.method.startswith("views.") for call in house.workspace.calls)


async def staged(open_house: Callable[..., Awaitable[House]]) -> Scene:
    """Hears Slack over HTTP, so that there is every route."""
    house = await open_house(http=True, policies=POLICIES)
    house.workspace.set_group("S0LEADS", [seed.BEN])
    requests = {
        "pending": await _asked(house, "open"),
        "approved": await _approved(house, await _asked(house, "open")),
        "active": await _approved(house, await _asked(house, "open")),
        "change": await _asked(house, "change"),
        "change approved": await _approved(house, await _asked(house, "change")),
        "broken": await _broken(house, await _asked(house, "open")),
        "disputed": await _broken(house, await _asked(house, "open")),
    }
    await _do(house, requests["active"], Activate(id="1:activate", actor=seed.ROSA))
    await _do(house, requests["disputed"], Dispute(id="1:dispute", actor=seed.BEN, reason="no need"))
    lock, _ = await stored_lock(house.app.redis, house.app.requests._keys, seed.OMAR)
    assert lock is not None
    said: list[str] = []
    lost: list[str] = []
    whole = house.app.replies.message

    def message(user: str, channel: str | None, message: Message) -> None:
        said.append(user)
        whole(user, channel, message)

    house.app.replies.message = message  # type: ignore[method-assign]  # to be told of each answer
    asyncio.get_running_loop().set_exception_handler(lambda _, about: lost.append(str(about.get("exception") or about)))
    return Scene(house, requests, f"{seed.OMAR}:{lock.newest.at_ms}", said, lost)


async def _asked(house: House, kind: str) -> Request:
    asking, target = house.app.asking, Target.parse("payments/prod")
    number = len(await house.app.requests.listed(f"mine:{seed.ROSA}", most=50))
    said: Any = {"reason": "INC-7", "ticket": None, "command_id": f"ask:{number}"}
    if kind == "change":
        values = {f"NAME_{number}": Value(Secret(b"x"))}
        outcome = await asking.change(seed.ROSA, target, values, **said)
    else:
        outcome = await asking.open(seed.ROSA, target, duration_ms=HOUR, **said)
    assert outcome.request is not None
    return outcome.request


async def _approved(house: House, asked: Request) -> Request:
    return await _do(
        house, asked, Approve(id=f"{asked.id}:ok", actor=seed.BEN, revision=asked.revision, digest=asked.digest)
    )


async def _broken(house: House, asked: Request) -> Request:
    smash = Break(id=f"{asked.id}:!", actor=seed.OMAR, revision=1, digest=asked.digest, reason="fire")
    return await _do(house, asked, smash)


async def _do(house: House, asked: Request, command: Any) -> Request:
    outcome = await house.app.requests.apply(asked.id, command)
    assert outcome.request is not None
    return outcome.request
