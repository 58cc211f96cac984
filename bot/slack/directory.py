"""What Slack says of people: one dated snapshot a decision, fetched once, shared between replicas, never older than it may be."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final, TypeVar

import structlog

from bot.slack.wire import Slack, SlackRefused
from store.model.errors import Unavailable
from store.model.people import FRESH_MS, Group, People, Person, Wanted
from store.redis.facts import Facts

BUDGET_S: Final = 1.2  # before the ack
PATIENCE_S: Final = 20.0  # where nobody's click waits
# A fact that is about to grow old is fetched again, so that its decision can still be committed.
MARGIN_MS: Final = 5_000
KEPT: Final = 5_000
NOBODY: Final = frozenset({"no_such_subteam", "subteam_not_found", "plan_upgrade_required", "invalid_subteam"})
GONE: Final = frozenset({"user_not_found", "user_not_visible", "users_not_found"})

T = TypeVar("T")

log = structlog.stdlib.get_logger(__name__)


class SlackDirectory:
    """`now_ms` is the clock of the store."""

    def __init__(self, slack: Slack, facts: Facts, *, team_id: Callable[[], str], now_ms: Callable[[], int]) -> None:
        self._slack = slack
        self._facts = facts
        self._team_id = team_id
        self._now_ms = now_ms
        self._known: dict[str, tuple[int, Person | Group]] = {}
        self._changed_ms: dict[str, int] = {}  # when Slack said so; what was known before that is not kept
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._again_ms: dict[bool, int] = {}  # of groups, and of persons: not before then, Slack said
        self._tasks: set[asyncio.Task[None]] = set()

    async def people(self, wanted: Wanted, *, patient: bool = False) -> People:
        """Raises `Unavailable` only where `patient`; otherwise what is missing is left out."""
        names = wanted.users | wanted.groups
        found = self._fresh(names)
        if stale := names - found.keys():
            await self._learn(stale, wanted.groups, PATIENCE_S if patient else BUDGET_S)
            found = self._fresh(names)
        if patient and len(found) < len(names):
            wait_ms = max((at_ms - self._now_ms() for at_ms in self._again_ms.values()), default=0)
            raise Unavailable(
                "Slack does not tell who the people concerned are.",
                code="people_unknown",
                retry_after_ms=wait_ms if wait_ms > 0 else None,
            )
        return People(
            as_of_ms=min((known for known, _ in found.values()), default=self._now_ms()),
            persons={fact.id: fact for _, fact in found.values() if isinstance(fact, Person)},
            groups={fact.id: fact for _, fact in found.values() if isinstance(fact, Group)},
        )

    def bars(self, user: dict[str, Any]) -> bool:
        """Does this user object of Slack's say that the person may do nothing here?"""
        return person(user, self._team_id()).barred is not None

    async def drop(self, name: str) -> None:
        """Slack says that something changed: what is being answered now, by Slack or by Redis, may be from before that."""
        _bounded(self._changed_ms)[name] = self._now_ms()
        self._known.pop(name, None)
        self._asking.pop(name, None)
        await self._facts.drop(name)

    def _fresh(self, names: Iterable[str]) -> dict[str, tuple[int, Person | Group]]:
        """Those of the names that are known well enough: when it was known, and what."""
        now_ms = self._now_ms()
        known = {name: self._known[name] for name in names if name in self._known}
        return {name: fact for name, fact in known.items() if 0 <= now_ms - fact[0] <= FRESH_MS - MARGIN_MS}

    async def _learn(self, names: frozenset[str], groups: frozenset[str], within_s: float) -> None:
        """What another replica has learnt counts; what is being asked already is not asked twice."""
        try:
            shared = await self._facts.get(names)
        except Unavailable:
            shared = {}
        for name, (known_ms, body) in shared.items():
            try:
                self._keep(Group.from_json(body) if name in groups else Person.from_json(body), known_ms)
            except Unavailable as error:
                log.info("shared fact not read", principal=name, code=error.detail)  # then Slack is asked
        missing = names - self._fresh(names).keys()
        tasks = [self._ask(name, is_group=name in groups) for name in missing if self._may_ask(is_group=name in groups)]
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)

    def _may_ask(self, *, is_group: bool) -> bool:
        """To ask before Slack's time is over would only make it longer, for everybody."""
        return self._now_ms() >= self._again_ms.get(is_group, 0)

    def _ask(self, name: str, *, is_group: bool) -> asyncio.Task[None]:
        task = self._asking.get(name)
        if task is None:
            task = asyncio.create_task(self._fetch(name, is_group=is_group))
            self._asking[name] = task
            self._tasks.add(task)
            task.add_done_callback(partial(self._asked, name))
        return task

    def _asked(self, name: str, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._asking.get(name) is task:
            del self._asking[name]

    async def _fetch(self, name: str, *, is_group: bool) -> None:
        asked_ms = self._now_ms()  # it was true no later than when it was asked
        try:
            fact = await self._group(name) if is_group else await self._person(name)
        except (SlackRefused, Unavailable) as error:
            log.warning("slack did not tell who somebody is", principal=name, code=error.detail)
            if isinstance(error, Unavailable) and error.retry_after_ms is not None:
                self._again_ms[is_group] = self._now_ms() + error.retry_after_ms
            return
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            log.warning("slack answered something else", principal=name, error=type(error).__name__)
            return
        if self._asking.get(name) is not asyncio.current_task():
            return  # dropped meanwhile
        self._keep(fact, asked_ms)
        try:
            await self._facts.put(fact, asked_ms)
            if self._changed_ms.get(name, asked_ms) > asked_ms:
                await self._facts.drop(name)  # which came before
        except Unavailable as error:
            log.info("fact not shared", why=error.sentence)

    def _keep(self, fact: Person | Group, known_ms: int) -> None:
        if known_ms >= self._changed_ms.get(fact.id, known_ms):
            _bounded(self._known)[fact.id] = (known_ms, fact)

    async def _person(self, user: str) -> Person:
        if not self._team_id():
            raise Unavailable("Slack has not told us yet which workspace is ours.", code="team_unknown")
        try:
            answer = await self._slack.call("users.info", user=user)
        except SlackRefused as error:
            if error.error in GONE:
                return Person(id=user, name=user, active=False)
            raise
        return person(answer["user"], self._team_id())

    async def _group(self, group: str) -> Group:
        try:
            answer = await self._slack.call("usergroups.users.list", usergroup=group)
        except SlackRefused as error:
            if error.error in NOBODY:
                return Group(id=group, handle=group)
            raise
        return Group(id=group, handle=group, members=frozenset(answer["users"]))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _bounded(memory: dict[str, T]) -> dict[str, T]:
    """With room for one more: the oldest goes."""
    while len(memory) >= KEPT:
        del memory[next(iter(memory))]
    return memory


def person(user: dict[str, Any], team_id: str) -> Person:
    """From Slack's user object. What it does not say counts against the person."""
    profile = user.get("profile", {})
    name = (
        profile.get("display_name")
        or profile.get("real_name")
        or user.get("real_name")
        or user.get("name")
        or user["id"]
    )
    enterprise = user.get("enterprise_user", {}).get("teams", ())
    return Person(
        id=user["id"],
        name=name,
        email=profile.get("email") or None,
        tz=user.get("tz") or None,
        active=user.get("deleted") is False,
        home=(user.get("team_id") == team_id or team_id in enterprise) and not user.get("is_stranger", False),
        human=user.get("is_bot") is False and user["id"] != "USLACKBOT",
        guest=not (user.get("is_restricted") is False and user.get("is_ultra_restricted") is False),
    )
