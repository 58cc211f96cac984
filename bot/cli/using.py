"""Using: a grant that can be used now, found, or asked for and waited for, and begun."""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeVar

from bot.cli.asked import WAITING, Asked, Requests, TooLong, decided
from bot.cli.moments import at, spell
from bot.cli.progress import Progress
from bot.cli.running.signals import ENDS, Queue, stop_ourselves
from store.model.errors import AccessError, Conflict, Forbidden

LINK_PAUSES_S: Final = (0.3, 0.7, 1.5)  # until the card is in Slack

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What to ask for where nothing can be used, and how long to wait for it."""

    target: str
    duration_ms: int | None = None
    grant_expiration_ms: int | None = None
    reason: str = ""
    ticket: str | None = None
    request: bool = True
    wait: bool = True
    timeout_ms: int | None = None

    @property
    def body(self) -> dict[str, object]:
        return {
            "kind": "open",
            "target": self.target,
            "duration_ms": self.duration_ms,
            "grant_expiration_ms": self.grant_expiration_ms,
            "reason": self.reason,
            "ticket": self.ticket,
        }


class Interrupted(AccessError):
    """By Ctrl-C, or told to end."""

    code = "interrupted"

    def __init__(self, sentence: str, number: int) -> None:
        super().__init__(sentence)
        self.number = number
        self.exit = 128 + number


async def usable(requests: Requests, user: str, wish: Wish, progress: Progress, signals: Queue) -> Asked:
    """An active grant of this person. Raises `AccessError`."""
    known = [one for one in await requests.mine() if one.opens(wish.target, user)]
    if active := [one for one in known if one.state == "active"]:
        found = max(active, key=lambda one: one.until_ms or 0)
        progress.say(
            "active", f"You have access until {_until(found, requests)}.", request=found.id, until_ms=found.until_ms
        )
        return found
    if approved := [one for one in known if one.state == "approved"]:
        return await begun(requests, approved[0], progress)
    if not wish.request:
        raise Forbidden(
            f"You have no access to {wish.target} now. Ask for it: countersign env open-request {wish.target}",
            code="no_access",
        )
    if waiting := [one for one in known if one.state in WAITING]:
        asked, ours = waiting[0], False
        progress.say("waiting", f"You have asked to open {wish.target} already.", **_facts(asked))
    else:
        asked, ours = await requests.ask(wish.body), True
        length = f" for {spell(asked.duration_ms)}" if asked.duration_ms else ""
        progress.say(
            "filed", f"You ask to open {asked.target}{length}.", request=asked.id, duration_ms=asked.duration_ms
        )
    asked = await introduced(requests, asked, progress)
    return await _approved(requests, asked, wish, progress, signals, ours=ours)


async def introduced(requests: Requests, asked: Asked, progress: Progress) -> Asked:
    """Says what was asked, who decides, and where. The card may not be in Slack yet."""
    for pause in LINK_PAUSES_S:
        if asked.link is not None or asked.state not in WAITING:
            break
        await asyncio.sleep(pause)
        asked = await requests.show(asked.id)
    for name, word in ((entry.name, entry.word) for entry in asked.entries):
        progress.say("entry", f"  {word:<9} {name}", name=name, word=word)
    if asked.state in WAITING:
        where = f": {asked.link}" if asked.link else "."
        until = f" before {at(asked.deadline_ms, requests.now_ms())}" if asked.deadline_ms else ""
        progress.say("asked", f"{asked.who} can decide on request {asked.id}{until}{where}", **_facts(asked))
    return asked


async def _approved(
    requests: Requests, asked: Asked, wish: Wish, progress: Progress, signals: Queue, *, ours: bool
) -> Asked:
    if not wish.wait and asked.state in WAITING:
        raise TooLong(
            f"Request {asked.id} waits for {asked.who}. Once it is approved, the same command uses it.",
            code="not_decided",
        )
    if asked.state in WAITING:
        progress.say(
            "wait", "Ctrl-C withdraws it." if ours else "Ctrl-C stops waiting; the request stays.", request=asked.id
        )
    try:
        asked = await unless_told(signals, decided(requests, asked, progress, wish.timeout_ms))
    except Interrupted as error:
        await _given_up(requests, asked, progress, ours=ours)
        raise error from None
    return asked if asked.state == "active" else await begun(requests, asked, progress)


async def begun(requests: Requests, asked: Asked, progress: Progress) -> Asked:
    """From now on its time runs. Raises `AccessError`."""
    try:
        found = await requests.act(asked.id, "activate")
    except Conflict:
        found = await requests.show(asked.id)  # another program of theirs may have done it
        if found.state != "active":
            raise
    if found.state != "active":
        raise Conflict(f"Request {found.id} is {found.state}: nothing can be read by it.", code=found.state)
    lasts = f" ({spell(found.until_ms - requests.now_ms())})" if found.until_ms is not None else ""
    progress.say(
        "active",
        f"Approved. You have access until {_until(found, requests)}{lasts}.",
        request=found.id,
        until_ms=found.until_ms,
    )
    return found


async def _given_up(requests: Requests, asked: Asked, progress: Progress, *, ours: bool) -> None:
    if not ours:
        progress.say(
            "kept", f"Request {asked.id} stays. Withdraw it: countersign request withdraw {asked.id}", request=asked.id
        )
        return
    try:
        await requests.act(asked.id, "withdraw")
    except AccessError as error:
        progress.say(
            "not_withdrawn",
            f"Request {asked.id} may still wait: {error.sentence} Withdraw it: countersign request withdraw {asked.id}",
            request=asked.id,
        )
    else:
        progress.say("withdrawn", f"Request {asked.id} was withdrawn.", request=asked.id)


async def unless_told(signals: Queue, work: Awaitable[T]) -> T:
    """What `work` comes to. Raises `Interrupted` where we are told to end; Ctrl-Z stops us as it does everybody."""
    task = asyncio.ensure_future(work)
    try:
        while True:
            heard = asyncio.create_task(signals.get())
            await asyncio.wait((task, heard), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                if heard.done():
                    signals.put_nowait(heard.result())  # for what is waited for next
                heard.cancel()
                return task.result()
            came = heard.result()
            if came.number in ENDS:
                raise Interrupted("Stopped waiting.", int(came.number))
            if came.number.name == "SIGTSTP":
                stop_ourselves()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _until(asked: Asked, requests: Requests) -> str:
    return at(asked.until_ms, requests.now_ms()) if asked.until_ms is not None else "it is taken back"


def _facts(asked: Asked) -> dict[str, object]:
    return {
        "request": asked.id,
        "link": asked.link,
        "waits_for": list(asked.waits_for),
        "deadline_ms": asked.deadline_ms,
    }
