"""Environments over HTTP: what there is, by name: versions, differences, and values that are sealed before anybody is asked."""

from typing import Annotated, Final

from aiohttp import web
from pydantic import Field

from bot.http.answers import Shape, answer
from bot.http.api import KIB, Call, Operation
from bot.http.secrets import VersionNumber, environment_of
from bot.http.shapes import Mode, Name, raw
from bot.slack.conversation import Conversation
from store.model.environment import Environment
from store.model.errors import Invalid, NotFound
from store.model.identity import RequestId, Target
from store.model.people import Wanted, not_told
from store.model.policy import PolicySet
from store.model.sealed import Manifest
from store.model.secret import Secret
from store.model.standing import knowing, may_act, may_know
from store.model.versions import Word
from store.redis.blobs import Blobs
from store.redis.environments import Environments
from store.redis.versions import Versions

BLOB_BYTES: Final = 2 * KIB * KIB  # a file of 1 MiB in base64, with room
LISTED: Final = 500
HELD: Final = 100
VERSIONS: Final = 20
VERSIONS_MOST: Final = 100


class Held(Shape):
    request: RequestId
    until_ms: int


class Known(Shape):
    """`actions`: what the caller may ask for there; a machine, what it may do. `grant`: by which they read now."""

    target: str
    actions: tuple[str, ...]
    version: int | None = None
    grant: Held | None = None


class EnvironmentList(Shape):
    environments: tuple[Known, ...]


class NamedEntry(Shape):
    name: str
    file: bool
    mode: int | None = None


class Names(Shape):
    """Of the newest version. `secure`: its keys are kept by two holders at the least, and none of its values is in Slack."""

    target: str
    version: int
    secure: bool
    entries: tuple[NamedEntry, ...]


class VersionsQuery(Shape):
    """The newest first. `before`: from the one below this number on."""

    limit: Annotated[int, Field(ge=1, le=VERSIONS_MOST)] = VERSIONS
    before: VersionNumber | None = None


class VersionLine(Shape):
    version: int
    at_ms: int | None = None
    by: str | None = None
    request: RequestId | None = None
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    back_to: int | None = None


class VersionLines(Shape):
    target: str
    versions: tuple[VersionLine, ...]


class DifferenceQuery(Shape):
    """`to` left out: the newest."""

    from_: Annotated[VersionNumber, Field(alias="from")]
    to: VersionNumber | None = None


class Moved(Shape):
    name: str
    word: Word


class Difference(Shape):
    """Serialized with `from` as the name of the first version."""

    target: str
    first: Annotated[int, Field(serialization_alias="from")]
    to: int
    entries: tuple[Moved, ...]


class Seal(Shape):
    """One of `value` and `base64`. `name` and `mode`: what it is for, where that is known."""

    value: Annotated[str, Field(max_length=KIB * KIB)] | None = None
    base64: Annotated[str, Field(max_length=2 * KIB * KIB)] | None = None
    name: Name | None = None
    mode: Mode | None = None


class Sealed(Shape):
    """`reference` stands for the value, once, until then, for whoever sealed it."""

    reference: str
    expires_ms: int


class EnvironmentOperations:
    def __init__(self, talk: Conversation, *, environments: Environments, versions: Versions, blobs: Blobs) -> None:
        self._environments = environments
        self._versions = versions
        self._blobs = blobs
        self._requests = talk.requests
        self._policies = talk.policies
        self._directory = talk.directory
        self._pictures = talk.pictures

    def operations(self) -> tuple[Operation, ...]:
        one = "/v1/environments/{project}/{env}"
        return (
            Operation(
                method="GET", path="/v1/environments", name="listEnvironments",
                summary="Those that the caller may ask for, or reads now.", handle=self.listed, answer=EnvironmentList,
            ),
            Operation(
                method="GET", path=one, name="showEnvironment", summary="The names in the newest version, never a value.",
                handle=self.show, answer=Names,
            ),
            Operation(
                method="GET", path=f"{one}/versions", name="listVersions", summary="How each version came about.",
                handle=self.history, query=VersionsQuery, answer=VersionLines,
            ),
            Operation(
                method="GET", path=f"{one}/diff", name="compareVersions",
                summary="What one version does to the names of another, never a value.", handle=self.diff,
                query=DifferenceQuery, answer=Difference,
            ),
            Operation(
                method="POST", path=f"{one}/blobs", name="seal", summary="Seal a value now, to be named by its reference later.",
                handle=self.seal, body=Seal, answer=Sealed, most_bytes=BLOB_BYTES, status=201,
            ),
        )  # fmt: skip

    async def listed(self, call: Call) -> web.StreamResponse:
        token = call.known.token
        if token.kind == "machine":
            actions: dict[str, list[str]] = {
                target: list(token.actions) for target in token.targets if Target.parse(target).kind == "environment"
            }
            held: dict[str, Held] = {}
        else:
            actions, held = await self._of(call.known.person)
        targets = sorted(actions.keys() | held.keys())[:LISTED]
        numbers = await self._environments.numbers(targets)
        return answer(
            EnvironmentList(
                environments=tuple(
                    Known(
                        target=target,
                        actions=tuple(sorted(actions.get(target, ()))),
                        version=numbers.get(target),
                        grant=held.get(target),
                    )
                    for target in targets
                )
            )
        )

    async def _of(self, user: str) -> tuple[dict[str, list[str]], dict[str, Held]]:
        actions: dict[str, list[str]] = {}
        for offer in await self._pictures.offers(user, await self._policies.current()):
            if Target.parse(offer.target).kind == "environment":
                actions.setdefault(offer.target, []).append(offer.kind)
        live = await self._requests.listed(f"live:{user}", most=HELD)
        held = {
            one.target: Held(request=one.id, until_ms=one.lease.until_ms)
            for one in sorted(live, key=lambda one: one.lease.until_ms if one.lease else 0)
            if one.kind == "open" and one.state == "active" and one.lease is not None
        }
        return actions, held

    async def show(self, call: Call) -> web.StreamResponse:
        target, environment = await self._seen(call)
        head = await self._environments.head(environment.id)
        return answer(Names(target=target.id, version=head.number, secure=environment.secure, entries=_entries(head)))

    async def history(self, call: Call) -> web.StreamResponse:
        target, environment = await self._seen(call)
        found = await self._versions.history(environment.id, call.query.limit, call.query.before)
        lines = tuple(
            VersionLine(
                version=one.number, at_ms=one.at_ms, by=one.by, request=one.request,
                added=one.added, changed=one.changed, removed=one.removed, back_to=one.back_to,
            )
            for one in found
        )  # fmt: skip
        return answer(VersionLines(target=target.id, versions=lines))

    async def diff(self, call: Call) -> web.StreamResponse:
        target, environment = await self._seen(call)
        to = call.query.to or (await self._environments.head(environment.id)).number
        found = await self._versions.difference(environment.id, call.query.from_, to)
        moved = tuple(Moved(name=name, word=word) for name, word in found.items())
        return answer(Difference(target=target.id, first=call.query.from_, to=to, entries=moved))

    async def seal(self, call: Call) -> web.StreamResponse:
        """For who may ask to change it, and nobody else: what is sealed takes room."""
        user, body, target = call.known.person, call.body, environment_of(call)
        if (body.value is None) == (body.base64 is None):
            raise Invalid("Give one of value and base64.", code="bad_body")
        policies = await self._policies.current()
        await self._demand_asker(user, target, policies)
        config = policies.target(target)
        environment = await self._environments.ensure(target.id, secure=config is not None and config.secure)
        secret = Secret(raw(body.value, body.base64))
        put = await self._blobs.put(environment, user, secret, name=body.name, mode=body.mode)
        return answer(Sealed(reference=put.reference, expires_ms=put.expires_ms), 201)

    async def _demand_asker(self, user: str, target: Target, policies: PolicySet) -> None:
        """The same answer for a target that is not there and for one that is not theirs. Raises `NotFound`, `Unavailable`."""
        rule = policies.rule("change", target)
        if rule is None:
            raise _unseen(target)
        wanted = rule.requesters.wanted | Wanted(users=frozenset((user,)))
        people = await self._directory.people(wanted)
        if people.lacks(wanted):
            raise not_told()
        if may_act(user, people).may is not True or rule.requesters.has(user, people) is not True:
            raise _unseen(target)

    async def _seen(self, call: Call) -> tuple[Target, Environment]:
        """Who may ask for it or decide on it, owners, and whoever reads it now. Raises `NotFound`, `Unavailable`."""
        target, caller = environment_of(call), call.known
        if caller.token.kind == "machine":
            if not caller.token.may("read", target.id):
                raise _unseen(target)
        else:
            await self._demand_concerned(caller.person, target)
        environment = await self._environments.find(target.id)
        if environment is None:
            raise _unseen(target)
        return target, environment

    async def _demand_concerned(self, user: str, target: Target) -> None:
        policies = await self._policies.current()
        people = await self._directory.people(knowing(target, policies, user))
        standing = may_know(target, policies, user, people)
        if standing.may or (may_act(user, people).may and await self._reads(user, target)):
            return
        raise not_told() if standing.may is None else _unseen(target)

    async def _reads(self, user: str, target: Target) -> bool:
        held = await self._requests.listed(f"reads:{user}:{target.id}", most=1)
        return bool(held) and held[0].state == "active"


def _entries(head: Manifest) -> tuple[NamedEntry, ...]:
    return tuple(
        NamedEntry(name=name, file=held.mode is not None, mode=held.mode) for name, held in sorted(head.entries.items())
    )


def _unseen(target: Target) -> NotFound:
    return NotFound(f"There is no environment {target} here, or it is not yours to see.", code="no_environment")
