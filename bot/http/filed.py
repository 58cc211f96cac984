"""Filed: a request as it is told over HTTP, with names and a sentence, and where its card is."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from bot.http.answers import Shape
from bot.slack.conversation import Conversation
from bot.slack.views import status
from bot.slack.views.facts import CardFacts
from bot.slack.views.words import joined, utc
from store.model.errors import Conflict, NotFound
from store.model.identity import RequestId, UserId
from store.model.lifecycle import LAPSED, World
from store.model.people import Wanted
from store.model.policy import Threshold
from store.model.request import CLOCK, MERGED, RELAY, Change, Deployment, Extending, Gate, Kind, Machine, Request, State
from store.model.token import MachineActor, MachineName, TokenId, is_machine
from store.redis.cards import CHANNEL, Cards
from store.redis.requests import Outcome

LINKS_KEPT: Final = 1_000


class Named(Shape):
    name: str
    word: str  # new, changed, unchanged or removed


class Deployed(Shape):
    """What is deployed and how that goes, as far as it was heard. `environment_version`: which the job reads. Times in ms."""

    version: str
    ref: str | None = None
    environment_version: int | None = None
    started_by: UserId | None = None
    started_ms: int | None = None
    report_before_ms: int | None = None
    stage: str | None = None
    log: str | None = None
    said: str | None = None
    heard_ms: int | None = None


class AskedBy(Shape):
    """The machine that asked: its token, and what it is called. The requester answers for it."""

    token: TokenId
    name: MachineName


class Filed(Shape):
    """Times in ms. `waits_for`: users and groups whose word is missing, as the policies name them. `link`: its card in Slack.

    `extends`: the request whose access it would make longer. `entries`: what a change does, by name, never a value.
    `by` and `why`: who brought it where it stands, and what they said. `names`: of the people in it, as far as they are known.
    """

    id: RequestId
    kind: Kind
    target: str
    state: State
    requester: UserId
    beneficiary: UserId
    reason: str
    ticket: str | None = None
    revision: int
    created_ms: int
    deadline_ms: int | None = None
    duration_ms: int | None = None
    granted_ms: int | None = None
    until_ms: int | None = None
    version: int | None = None
    deploy: Deployed | None = None
    machine: AskedBy | None = None
    github: Gate | None = None
    extends: RequestId | None = None
    entries: tuple[Named, ...] | None = None
    waits_for: tuple[str, ...] = ()
    link: str | None = None
    note: str | None = None
    by: tuple[UserId | Literal["clock", "relay"] | MachineActor, ...] = ()
    names: dict[str, str] = {}
    why: str | None = None
    sentence: str


class Filing:
    def __init__(self, talk: Conversation, cards: Cards) -> None:
        self._slack = talk.slack
        self._requests = talk.requests
        self._directory = talk.directory
        self._pictures = talk.pictures
        self._policies = talk.policies
        self._cards = cards
        self._links: OrderedDict[str, str] = OrderedDict()

    async def done(self, outcome: Outcome) -> Filed:
        """What was answered, and what it was about. Raises `Conflict` where that is not known any more."""
        if outcome.request is None:
            raise Conflict(
                f"{outcome.answer} That was some time ago, and nobody knows any more for which request.",
                code="answered",
            )
        try:
            world = await self._requests.get(outcome.request.id)
        except NotFound:
            raise Conflict("That was answered before, and the request is gone.", code="answered") from None
        return await self.of(world, outcome.answer)

    async def of(self, world: World, said: str | None = None) -> Filed:
        """`said`: what was just answered, before where it stands."""
        facts = await self._pictures.facts(world)
        names = await self.names([world.request])
        return self.filed(facts, names, link=await self._link(world.request.id), said=said)

    async def names(self, requests: Iterable[Request]) -> dict[str, str]:
        """As the policies name people, else as Slack does, where it has told in time."""
        known = dict((await self._policies.current()).names)
        concerned = {one for request in requests for one in _people(request)} - known.keys()
        people = await self._directory.people(Wanted(users=frozenset(concerned)))
        return known | {one.id: one.name for one in people.persons.values()}

    def filed(
        self, facts: CardFacts, names: Mapping[str, str], *, link: str | None = None, said: str | None = None
    ) -> Filed:
        request, payload = facts.request, facts.request.payload
        pending = request.state == "pending"
        by, why = _last_word(request)
        where = _where(facts, names)
        return Filed(
            id=request.id,
            kind=request.kind,
            target=request.target,
            state=request.state,
            requester=request.requester,
            beneficiary=request.beneficiary,
            reason=request.reason,
            ticket=request.ticket,
            revision=request.revision,
            created_ms=request.created_ms,
            deadline_ms=request.timers.get("deadline") if request.state in ("pending", "approved") else None,
            duration_ms=request.duration_ms,
            granted_ms=request.granted_ms,
            until_ms=request.lease.until_ms if request.lease is not None else None,
            version=request.merged,
            deploy=_deployed(request),
            machine=_asked_by(request),
            github=request.gate,
            extends=payload.parent if isinstance(payload, Extending) else None,
            entries=tuple(Named(name=touch.name, word=touch.word) for touch in payload.touches)
            if isinstance(payload, Change)
            else None,
            waits_for=_asked(facts.needed, names) if pending else (),
            link=link or self._links.get(request.id),
            note=request.note,
            by=by,
            names={one: names[one] for one in sorted(_people(request)) if one in names},
            why=why,
            sentence=f"{said} {where}" if said else where,
        )

    async def _link(self, request_id: str) -> str | None:
        """Where there is a card by now, and Slack says where. It never moves, so it is asked for once."""
        if (known := self._links.get(request_id)) is not None:
            return known
        card = (await self._cards.of(request_id)).get(CHANNEL)
        if card is None:
            return None
        link = await self._slack.link(card.channel, card.ts)
        if link is None:
            return None
        self._links[request_id] = link
        while len(self._links) > LINKS_KEPT:
            self._links.popitem(last=False)
        return link


def _where(facts: CardFacts, names: Mapping[str, str]) -> str:
    """Where it stands, and what is next, in one line without anything that somebody typed."""
    request, stands = facts.request, status.stands(facts)
    deadline = request.timers.get("deadline")
    match request.state:
        case "pending" if facts.rules is None:
            return f"{stands}. No rule covers this any more, so nobody can decide it. Ask an owner."
        case "pending":
            places = joined(f"{each.count} of {joined(_asked((each,), names), 'or')}" for each in facts.needed)
            return f"{stands} by {places or 'nobody any more'}, before {utc(deadline or 0)}."
        case "approved" if request.kind == "deploy" and not status.unusable(facts):
            return f"{stands}. Somebody who may deploy starts it, before {utc(deadline or 0)}."
        case "running":
            return f"{stands}. Its report must come before {utc(deadline or 0)}."
        case "approved" if request.kind not in MERGED and not status.unusable(facts):
            return f"{stands}. Activate it before {utc(deadline or 0)}."
        case "active" | "granting" if request.lease is not None:
            return f"{stands}, until {utc(request.lease.until_ms)}."
        case _:
            return f"{stands}."


def _last_word(request: Request) -> tuple[tuple[str, ...], str | None]:
    """Of whoever ended it, else of those who decided."""
    if request.ending is not None:
        why = request.ending.reason
        return (request.ending.by,), why if request.state != "expired" or why == LAPSED else None
    if request.decision is None:
        return (), None
    said = [one.reason for one in request.reviews if one.by in request.decision.by and one.reason]
    return request.decision.by, request.decision.reason or (said[-1] if said else None)


def _asked_by(request: Request) -> AskedBy | None:
    machine = request.machine
    return AskedBy(token=machine.token, name=machine.name) if isinstance(machine, Machine) else None


def _people(request: Request) -> set[str]:
    started = (request.run.by,) if request.run is not None else ()
    concerned = {request.requester, request.beneficiary, *started, *_last_word(request)[0]} - {CLOCK, RELAY}
    return {one for one in concerned if not is_machine(one)}


def _deployed(request: Request) -> Deployed | None:
    payload, run = request.payload, request.run
    if not isinstance(payload, Deployment):
        return None
    if run is None:
        return Deployed(version=payload.version, ref=payload.ref)
    return Deployed(
        version=payload.version,
        ref=payload.ref,
        environment_version=run.environment_version,
        started_by=run.by,
        started_ms=run.at_ms,
        report_before_ms=request.timers.get("deadline") if request.state == "running" else None,
        stage=run.stage,
        log=run.log,
        said=run.said,
        heard_ms=run.said_ms,
    )


def _asked(thresholds: tuple[Threshold, ...], names: Mapping[str, str]) -> tuple[str, ...]:
    principals = {one for threshold in thresholds for one in threshold.circle.principals}
    return tuple(sorted(names.get(one, one) for one in principals))
