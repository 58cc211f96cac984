"""Requests over HTTP: to ask, to see how it goes, to use and to end, by the same corridor as in Slack."""

from typing import Annotated, Final, Literal, TypedDict

from aiohttp import web
from pydantic import Field

from bot.http.answers import Nothing, Shape, Whole, answer
from bot.http.api import KIB, Call, Operation
from bot.http.auth import Caller
from bot.http.filed import Filed, Filing
from bot.http.shapes import Mode, Name, Ticket, Words, raw
from bot.http.waiting import Wait, Waiting
from bot.slack.conversation import Conversation
from bot.slack.sight import Sight, unseen
from store.model.blob import Pasted
from store.model.command import Activate, Cancel, Command, Deploy, End, Withdraw
from store.model.errors import AccessError, Invalid, NotFound
from store.model.identity import Target, UserId, parse_request_id
from store.model.lifecycle import World
from store.model.request import Door, Machine, State
from store.model.secret import Secret
from store.redis.environments import Value
from store.redis.requests import Outcome

MOST_BYTES: Final = 4 * KIB * KIB  # a request's 1 MiB of values, in base64 and quoted, with room
LISTED: Final = 20
LISTED_MOST: Final = 100
ENTRIES_MOST: Final = 1_000  # looked at before the limit of a request says no in words
LONGEST_MS: Final = 366 * 24 * 3_600_000

Milliseconds = Annotated[Whole, Field(gt=0, le=LONGEST_MS)]


class Wanted(Shape):
    """One name of a change, and one of `value`, `base64`, `reference` and `remove`. With `mode` it is a file."""

    name: Name
    value: Annotated[str, Field(max_length=KIB * KIB)] | None = None
    base64: Annotated[str, Field(max_length=2 * KIB * KIB)] | None = None
    reference: Annotated[str, Field(max_length=100)] | None = None
    remove: Literal[True] | None = None
    mode: Mode | None = None


class Ask(Shape):
    """`open` and `access` take a duration, `change` takes `entries` or `rollback_to`, `deploy` takes `version` and `ref`."""

    kind: Literal["open", "access", "change", "deploy"]
    target: Annotated[str, Field(max_length=200)]
    reason: Words = ""
    ticket: Ticket | None = None
    duration_ms: Milliseconds | None = None
    grant_expiration_ms: Milliseconds | None = None
    beneficiary: UserId | None = None
    entries: Annotated[tuple[Wanted, ...], Field(max_length=ENTRIES_MOST)] | None = None
    rollback_to: Annotated[Whole, Field(ge=1, lt=2**32)] | None = None
    version: Annotated[str, Field(max_length=200, description="What to deploy, as people call it.")] | None = None
    ref: Annotated[str, Field(max_length=200, description="What that is for ever: a commit, a digest.")] | None = None


class RequestsQuery(Shape):
    """`mine`: what the caller asked for or what is for them. `waiting`: what waits for their word."""

    mine: bool = False
    waiting: bool = False
    limit: Annotated[int, Field(ge=1, le=LISTED_MOST)] = LISTED


class RequestQuery(Shape):
    """Waits as long as the state is this one; without `state`, as long as it is what it was. `heard_ms`: and until more is heard of a deploy."""

    wait: Wait = 0
    state: State | None = None
    heard_ms: Annotated[int, Field(ge=0, lt=2**53)] | None = None


class Reason(Shape):
    reason: Words | None = None


class Why(Shape):
    reason: Annotated[Words, Field(min_length=1)]


class Longer(Shape):
    duration_ms: Milliseconds
    reason: Words = ""
    ticket: Ticket | None = None


class Listed(Shape):
    requests: tuple[Filed, ...]


class _Said(TypedDict):
    """What is said with whatever is asked for."""

    reason: str
    ticket: str | None
    command_id: str
    door: Door


class RequestOperations:
    def __init__(self, talk: Conversation, *, sight: Sight, filing: Filing, waiting: Waiting) -> None:
        self._requests = talk.requests
        self._policies = talk.policies
        self._asking = talk.asking
        self._pictures = talk.pictures
        self._sight = sight
        self._filing = filing
        self._waiting = waiting

    def operations(self) -> tuple[Operation, ...]:
        one = "/v1/requests/{id}"
        return (
            Operation(
                method="POST", keyed=True, path="/v1/requests", name="ask", summary="Ask for something. An `Idempotency-Key` makes it one request, however often it is sent.",
                handle=self.ask, body=Ask, most_bytes=MOST_BYTES, status=201, answer=Filed,
            ),
            Operation(
                method="GET", path="/v1/requests", name="listRequests", summary="What is mine, or what waits for my word.",
                handle=self.listed, query=RequestsQuery, answer=Listed,
            ),
            Operation(
                method="GET", path=one, name="showRequest", summary="One request. With `wait` it is told when its state is another.",
                handle=self.show, query=RequestQuery, answer=Filed,
            ),
            Operation(
                method="POST", keyed=True, path=f"{one}/withdraw", name="withdraw", summary="Take a request back before it is used.",
                handle=self.withdraw, body=Nothing, wants_body=False, answer=Filed,
            ),
            Operation(
                method="POST", keyed=True, path=f"{one}/activate", name="activate", summary="Begin to use what was approved: its time runs from now.",
                handle=self.activate, body=Nothing, wants_body=False, answer=Filed,
            ),
            Operation(
                method="POST", keyed=True, path=f"{one}/end", name="end", summary="End an access before its time is over.",
                handle=self.end, body=Reason, wants_body=False, answer=Filed,
            ),
            Operation(
                method="POST", keyed=True, path=f"{one}/extend", name="extend", summary="Ask for more time: a request of its own, decided like any other.",
                handle=self.extend, body=Longer, status=201, answer=Filed,
            ),
            Operation(
                method="POST", keyed=True, path=f"{one}/deploy", name="deploy", summary="Start a deploy that was approved.",
                handle=self.deploy, body=Nothing, wants_body=False, answer=Filed,
            ),
            Operation(
                method="POST", keyed=True, path=f"{one}/cancel", name="cancel", summary="Cancel a deploy that was approved, or runs.",
                handle=self.cancel, body=Why, answer=Filed,
            ),
        )  # fmt: skip

    async def ask(self, call: Call) -> web.StreamResponse:
        body: Ask = call.body
        target = Target.parse(body.target, organization=(await self._policies.current()).organization)
        if body.kind == "deploy":
            return answer(await self._filing.done(await self._deploy(call, target)), 201)
        _only(body, "version", "ref")
        user = call.known.person
        said = _Said(reason=body.reason, ticket=body.ticket, command_id=call.command_id, door="terminal")
        if body.kind == "change":
            outcome = await self._change(user, target, body, said)
        else:
            _only(body, "entries", "rollback_to")
            method = self._asking.open if body.kind == "open" else self._asking.access
            outcome = await method(
                user,
                target,
                duration_ms=body.duration_ms,
                use_within_ms=body.grant_expiration_ms,
                beneficiary=body.beneficiary,
                **said,
            )
        return answer(await self._filing.done(outcome), 201)

    async def _deploy(self, call: Call, target: Target) -> Outcome:
        """By a person, or by a machine that was let ask for it: then who asked for its token answers for it."""
        caller, body = call.known, call.body
        _only(body, "entries", "rollback_to", "duration_ms", "grant_expiration_ms", "beneficiary")
        if body.version is None:
            raise Invalid("Say which version is to be deployed.", code="bad_body")
        caller.demand("deploy", target.id)
        token = caller.token
        machine = Machine(token=token.id, name=token.name) if token.kind == "machine" else None
        return await self._asking.deploy(
            token.holder,
            target,
            version=body.version,
            ref=body.ref,
            reason=body.reason,
            ticket=body.ticket,
            command_id=call.command_id,
            door="terminal" if machine is None else "machine",
            machine=machine,
        )

    async def _change(self, user: str, target: Target, body: Ask, said: _Said) -> Outcome:
        _only(body, "duration_ms", "grant_expiration_ms")
        if body.beneficiary not in (None, user):
            raise Invalid("A change is for nobody: leave out the beneficiary.", code="bad_body")
        if body.rollback_to is not None:
            _only(body, "entries")
            return await self._asking.rollback(user, target, body.rollback_to, **said)
        entries = body.entries or ()
        values = {entry.name: _value(entry) for entry in entries}
        if len(values) != len(entries):
            raise Invalid("A change names each secret once.", code="named_twice")
        return await self._asking.change(user, target, values, **said)

    async def listed(self, call: Call) -> web.StreamResponse:
        user, query = call.known.person, call.query
        found = {}
        if query.waiting:
            cards, _ = await self._pictures.waiting(user, most=query.limit)
            found = {facts.request.id: facts for facts in cards}
        if query.mine or not query.waiting:
            found |= {facts.request.id: facts for facts in await self._pictures.mine(user, most=query.limit)}
        names = await self._filing.names(facts.request for facts in found.values())
        return answer(
            Listed(requests=tuple(self._filing.filed(facts, names) for facts in list(found.values())[: query.limit]))
        )

    async def show(self, call: Call) -> web.StreamResponse:
        request_id, query = _id(call), call.query

        async def look() -> World:
            return await self._seen(call.known, request_id)

        known = query.state or (await look()).request.state
        world = await self._waiting.until(
            look,
            news=lambda found: found.request.state != known or _heard(found, query.heard_ms),
            records=lambda found: (self._requests.record(found.request.id),),
            wait_s=query.wait,
            who=call.known.token.id,
            request=call.request,
        )
        return answer(await self._filing.of(world))

    async def withdraw(self, call: Call) -> web.StreamResponse:
        return await self._apply(call, Withdraw(id=call.command_id, actor=call.known.token.actor))

    async def activate(self, call: Call) -> web.StreamResponse:
        return await self._apply(call, Activate(id=call.command_id, actor=call.known.person))

    async def end(self, call: Call) -> web.StreamResponse:
        return await self._apply(call, End(id=call.command_id, actor=call.known.person, reason=call.body.reason))

    async def deploy(self, call: Call) -> web.StreamResponse:
        return await self._apply(call, Deploy(id=call.command_id, actor=call.known.person))

    async def cancel(self, call: Call) -> web.StreamResponse:
        command = Cancel(id=call.command_id, actor=call.known.token.actor, reason=call.body.reason)
        return await self._apply(call, command)

    async def extend(self, call: Call) -> web.StreamResponse:
        user, body = call.known.person, call.body
        world = await self._seen(call.known, _id(call))
        outcome = await self._asking.extend(
            user,
            world.request.id,
            duration_ms=body.duration_ms,
            reason=body.reason,
            ticket=body.ticket,
            command_id=call.command_id,
            door="terminal",
        )
        return answer(await self._filing.done(outcome), 201)

    async def _apply(self, call: Call, command: Command) -> web.StreamResponse:
        world = await self._seen(call.known, _id(call))
        outcome = await self._requests.apply(world.request.id, command)
        return answer(await self._filing.done(outcome))

    async def _seen(self, caller: Caller, request_id: str) -> World:
        """The same answer for what is not there and for what is not theirs; a machine's is what it asked for. Raises `NotFound`."""
        world = await self._requests.get(request_id)
        if caller.token.kind == "person":
            await self._sight.demand(caller.person, world)
        elif world.request.asker != caller.token.actor:
            raise unseen(request_id)
        return world


def _id(call: Call) -> str:
    """Raises `NotFound`: what is no id is nobody's request."""
    given = call.path("id")
    try:
        return parse_request_id(given)
    except AccessError:
        raise NotFound("There is no such request here, or it is not yours to see.") from None


def _heard(world: World, known_ms: int | None) -> bool:
    """More of how a deploy goes than was known."""
    run = world.request.run
    return known_ms is not None and run is not None and (run.said_ms or 0) > known_ms


def _only(body: Ask, *others: str) -> None:
    """Raises `Invalid`."""
    if given := [name for name in others if getattr(body, name) is not None]:
        raise Invalid(f"This is not asked with {given[0]}.", code="bad_body")


def _value(entry: Wanted) -> Value | Pasted:
    """Raises `Invalid`, without what was given."""
    given = [entry.value, entry.base64, entry.reference, entry.remove]
    if sum(one is not None for one in given) != 1:
        raise Invalid("Each entry has one of value, base64, reference and remove.", code="bad_body")
    if entry.reference is not None:
        return Pasted(entry.reference)
    if entry.remove:
        return Value(None)
    return Value(Secret(raw(entry.value, entry.base64)), entry.mode)
