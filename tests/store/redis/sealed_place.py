"""SealedPlace: all kinds of sealed records in one Redis, every way that uses them, and what each way answers when something was altered."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from redis.asyncio import Redis

from store.keys.ring import Keyring
from store.model.blob import parse
from store.model.command import Activate
from store.model.environment import Environment
from store.model.errors import AccessError
from store.model.request import Change, Request
from store.model.sealed import Held, Manifest, tampered
from store.model.secret import Secret
from store.model.token import Bearer
from store.redis import projection
from store.redis.blobs import Blobs
from store.redis.commit import text
from store.redis.environments import Environments, Value
from store.redis.keys import Keys
from store.redis.opened import Opened
from store.redis.requests import _check_entries
from store.redis.tokens import Tokens
from store.redis.versions import Versions
from tests.builders import ANA, INSTALLATION, NOW, REQ
from tests.store.keys.holders import Draws
from tests.store.redis.corridor import Corridor
from tests.tokens import machine_token, person_token

ELSEWHERE: Final = "elsewhere"
TARGETS: Final = ("payments/prod", "payments/staging")
FILE: Final = "tls/key.pem"
VERSIONS: Final[tuple[dict[str, Value], ...]] = (
    {"A": Value(Secret(b"first")), "B": Value(Secret(b"b")), FILE: Value(Secret(b"pem"), 0o600)},
    {"A": Value(Secret(b"second"))},
)
HOOKS: Final = ("api", "web")
# `other_entries`: an edit finds that what waits is not what the request names. `moved`: a version is not the number that is said.
REFUSALS: Final = frozenset(
    {"tampered", "missing", "keys_missing", "other_entries", "newer_schema", "moved", "not_found", "no_version"}
)
BLOB_REFUSALS: Final = frozenset(
    {"unreadable", "no_such_blob", "bad_reference", "other_environment", "other_name", "bad_name"}
)

Answer = tuple[str, Any]  # "gives" and what, or "refuses" and the code
Way = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Field:
    """One sealed record where it lies. `ways`: the names of those that use it. `plain`: parts of it are not sealed, and give no value."""

    key: str
    name: str | None
    ways: tuple[str, ...]
    plain: bool = False

    @property
    def kind(self) -> str:
        return self.key.split("}:")[1].partition(":")[0]

    @property
    def installation(self) -> str:
        return self.key.partition("{")[2].partition("}")[0]

    async def get(self, redis: Redis) -> bytes:
        body = await redis.get(self.key) if self.name is None else await redis.hget(self.key, self.name)
        assert isinstance(body, bytes), self
        return body

    async def put(self, redis: Redis, body: bytes) -> None:
        if self.name is None:
            await redis.set(self.key, body)
        else:
            await redis.hset(self.key, self.name, body)


class SealedPlace:
    """payments/prod with an active grant and two changes that wait, payments/staging, and another installation of the same bytes."""

    def __init__(self, corridor: Corridor) -> None:
        self.corridor = corridor
        self.redis = corridor.redis
        self.holders = list(corridor.ring._holders.values())
        self.fields: list[Field] = []
        self.ways: dict[str, Way] = {}
        self.before: dict[str, Answer] = {}
        self.bodies: dict[Field, bytes] = {}
        self.refusals = REFUSALS
        self.bearers: dict[str, Bearer] = {}

    async def furnish(self) -> None:
        for target in TARGETS:
            await self._environment(INSTALLATION, self.corridor.random, target)
        await self._environment(ELSEWHERE, Draws("corridor"), TARGETS[0])
        grant = await self.corridor.approved("open")
        await self.corridor.do(grant, Activate(id="use", actor=REQ))
        self.ways["read"] = partial(self._read, grant)
        tokens = Tokens(self.redis, self.corridor.keys, self.corridor.scripts, self.corridor.skew)
        for kind, shown in (
            ("person", await person_token(tokens, REQ, NOW)),
            ("machine", await machine_token(tokens, NOW)),
        ):
            self.bearers[kind] = Bearer.read(shown)
            for version in (None, 2):
                self.ways[f"{kind} {version}"] = partial(self._by_token, self.bearers[kind], version)
        for at, user in enumerate((REQ, REQ, ANA)):
            await self._blob(f"blob {at}", user)
        for at, values in enumerate(({"A": "third", "C": "c"}, {"A": "fourth", "C": "other c"})):
            change = await self.corridor.ask("change", **values)
            await self._payload(f"payload {at}", change)
        self.before = {way: await self.answer(way) for way in self.ways}
        assert {kind for kind, _ in self.before.values()} == {"gives"}
        self.bodies = {field: await field.get(self.redis) for field in self.fields}

    def environments(self, installation: str = INSTALLATION, *, holders: slice = slice(None)) -> Environments:
        """A process that has just started: it remembers neither keys nor epochs."""
        ring = Keyring(
            self.holders[holders], installation, Draws("after"), self.corridor.ring._monotonic, head_start_s=60
        )
        return Environments(
            self.redis, Keys(installation), self.corridor.scripts, ring, self.corridor.skew, Draws("after")
        )

    async def answer(self, way: str) -> Answer:
        """Anything but an answer or a plain refusal breaks the test: nothing crashes."""
        try:
            return "gives", await self.ways[way]()
        except AccessError as error:
            if error.detail not in self.refusals | (BLOB_REFUSALS if way.startswith("blob ") else set()):
                raise
            return "refuses", error.detail

    async def judge(self, touched: tuple[Field, ...], what: object) -> set[str]:
        """The ways that refuse now. What the others give must be what they gave before: never another value."""
        refusing = set()
        for way in sorted({way for field in touched for way in field.ways}):
            now = await self.answer(way)
            if now[0] == "refuses":
                refusing.add(way)
            else:
                assert now == self.before[way], (way, what)
        return refusing

    # -- what lies there, and who uses it -----------------------------------------------------------------------------

    async def _environment(self, installation: str, random: Draws, target: str) -> None:
        ring = Keyring(self.holders, installation, random, self.corridor.ring._monotonic)
        keys = Keys(installation)
        environments = Environments(self.redis, keys, self.corridor.scripts, ring, self.corridor.skew, random)
        environment = await environments.ensure(target)
        for values in VERSIONS:
            await self._merge(environments, keys, environment, values)
        name = f"{installation} {target}"
        for hook in HOOKS:
            await environments.signing_secret(environment, hook)
            self.ways[f"{name} hook {hook}"] = partial(self._hook, installation, environment, hook)
        for entry in VERSIONS[0]:
            self.ways[f"{name} value {entry}"] = partial(self._value, installation, environment, entry)
        self.ways[f"{name} versions"] = partial(self._versions, installation, environment)
        self.ways[f"{name} head"] = partial(self._head, installation, environment)
        self.ways[f"{name} seal"] = partial(self._seal, installation, environment)
        await self._list(name, keys, environment)

    async def _merge(
        self, environments: Environments, keys: Keys, environment: Environment, values: Mapping[str, Value]
    ) -> None:
        """As a commit would; no policy covers the other places."""
        sealing = await environments.seal(environment, values)
        head = await environments.head(environment.id)
        held = {**head.entries, **{touch.name: touch.entry for touch in sealing.touches if touch.entry}}
        after = await environments.sign(head.successor(held), head)
        fields: dict[Any, Any] = {"body": after.to_json(), **projection.head_fields(after)}
        await self.redis.hset(keys.head(environment.id), mapping=fields)
        await self.redis.set(keys.manifest(environment.id, after.number), after.to_json())
        for entry in sealing.entries:
            await self.redis.hset(keys.entries(environment.id), entry.entry_id, entry.to_json())

    async def _list(self, name: str, keys: Keys, environment: Environment) -> None:
        mine = name == f"{INSTALLATION} {TARGETS[0]}"
        read = ("read", "person None", "machine None") if mine else ()
        older = ("person 2", "machine 2") if mine else ()
        self.fields.append(Field(keys.epoch(environment.id, 1), None, (f"{name} head", f"{name} hook api", *read)))
        self.fields.append(Field(keys.manifest(environment.id, 1), None, (f"{name} versions",)))
        self.fields.append(Field(keys.manifest(environment.id, 2), None, (f"{name} versions", *older)))
        self.fields.append(
            Field(keys.head(environment.id), "body", (f"{name} head", f"{name} value B", f"{name} seal", *read))
        )
        head = Manifest.from_json(await self.redis.hget(keys.head(environment.id), "body") or b"")
        of = {held.entry_id: entry for entry, held in head.entries.items()}
        for raw in await self.redis.hkeys(keys.entries(environment.id)):
            at = text(raw)
            if at.startswith("hook:"):
                self.fields.append(Field(keys.entries(environment.id), at, (f"{name} hook {at[5:]}",)))
            elif at in of:
                uses = (f"{name} value {of[at]}", *((f"{name} seal",) if of[at] == "A" else older), *read)
                self.fields.append(Field(keys.entries(environment.id), at, uses))
            else:
                self.fields.append(Field(keys.entries(environment.id), at, older))

    async def _payload(self, name: str, change: Request) -> None:
        self.ways[name] = partial(self._pending, change)
        key = self.corridor.keys.payload(change.id, change.revision)
        for raw in await self.redis.hkeys(key):
            self.fields.append(Field(key, text(raw), (name,)))

    async def _blob(self, name: str, user: str) -> None:
        environments = self.environments()
        environment = await environments.find(TARGETS[0])
        assert environment is not None
        put = await self._blobs(environments, self.corridor.random).put(
            environment, user, Secret(name.encode()), name="A"
        )
        self.ways[name] = partial(self._look, environment, user, put.reference)
        self.fields.append(Field(self.corridor.keys.blob(parse(put.reference) or ""), "body", (name,), plain=True))

    def _blobs(self, environments: Environments, random: Draws) -> Blobs:
        return Blobs(self.redis, self.corridor.keys, self.corridor.scripts, environments, self.corridor.skew, random)

    # -- the ways -----------------------------------------------------------------------------------------------------

    async def _read(self, grant: Request) -> dict[str, tuple[bytes, int | None]]:
        opened = await self.environments().read(grant.id, REQ)
        return {name: (value.secret.reveal(), value.mode) for name, value in opened.values.items() if value.secret}

    async def _by_token(self, bearer: Bearer, version: int | None) -> dict[str, tuple[bytes, int | None]]:
        opened = await self.environments().read_by_token(bearer, TARGETS[0], version)
        assert isinstance(opened, Opened)
        return {name: (value.secret.reveal(), value.mode) for name, value in opened.values.items() if value.secret}

    async def _versions(self, installation: str, environment: Environment) -> dict[str, str]:
        versions = Versions(self.redis, Keys(installation), self.environments(installation))
        return {**await versions.difference(environment.id, 1, 2), **await versions.difference(environment.id, 2, 3)}

    async def _look(self, environment: Environment, user: str, reference: str) -> bytes | None:
        _, value = await self._blobs(self.environments(), Draws("after")).look(environment, user, reference, "A")
        return value.secret.reveal() if value.secret else None

    async def _value(self, installation: str, environment: Environment, name: str) -> bytes:
        found = await self.environments(installation).machine_read(environment.target, name, purpose="test")
        return found.reveal()

    async def _hook(self, installation: str, environment: Environment, hook: str) -> bytes:
        return (await self.environments(installation).signing_secret(environment, hook)).reveal()

    async def _head(self, installation: str, environment: Environment) -> dict[str, Held]:
        return (await self.environments(installation).head(environment.id)).entries

    async def _seal(self, installation: str, environment: Environment) -> dict[str, str]:
        """Two changes are sealed, and told from what is there. What cannot be compared is called changed, so that it can be mended."""
        words = {}
        for value in ("first", "second"):
            wanted = {"A": Value(Secret(value.encode()))}
            words[value] = (await self.environments(installation).seal(environment, wanted)).touches[0].word
        if set(words.values()) == {"changed"}:
            raise tampered("What is there")
        return dict(words)

    async def _pending(self, change: Request) -> dict[str, bytes]:
        """What an edit takes over, and what a merge would put there for a reader to open."""
        assert isinstance(change.payload, Change)
        environments = self.environments()
        sealed = await environments.pending(change)
        ids = [(touch.name, touch.entry.entry_id) for touch in change.payload.touches if touch.entry is not None]
        _check_entries(change.payload, [sealed[entry] for _, entry in ids if entry in sealed])
        opened = {}
        for name, entry in ids:
            key = await environments.key(change.payload.environment_id, sealed[entry].epoch)
            opened[name] = key.open(name, sealed[entry]).reveal()
        return opened


# -- alterations --------------------------------------------------------------------------------------------------------


def flips(body: bytes, *, every: int = 1) -> Iterator[tuple[int, bytes]]:
    """Each with one bit turned. `every` 8: one bit of each byte, not always the same one."""
    for bit in range(8 * len(body)):
        if bit % every == (bit // 8 * 5) % every:
            changed = bytearray(body)
            changed[bit // 8] ^= 1 << bit % 8
            yield bit, bytes(changed)


def leaves(record: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The plain values in a JSON record, and where they are."""
    if isinstance(record, dict):
        for name, part in record.items():
            yield from leaves(part, (*path, name))
    else:
        yield path, record


def put_in(record: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        record = record[name]
    record[path[-1]] = value


def packed(record: Any) -> bytes:
    """Spelled as the store spells it."""
    return json.dumps(record, separators=(",", ":")).encode()
