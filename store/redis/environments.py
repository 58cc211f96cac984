"""Environments: sealed values, numbered versions, and the one way out for each reader."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from store.keys.envelope import EnvironmentKey
from store.keys.ring import Keyring
from store.model.audit import Audit
from store.model.environment import Environment
from store.model.errors import NotFound, Unavailable
from store.model.recent import Recent
from store.model.request import Request, Touch
from store.model.sealed import TAMPERED, Epoch, Held, Manifest, SealedEntry, check_names, check_request, tampered
from store.model.secret import Secret
from store.model.token import Bearer
from store.model.versions import VersionInfo
from store.redis import projection
from store.redis.chain import Chain
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.opened import Opened, Same, Value
from store.redis.reading import NOTHING_KNOWN, Asked, Known, Reading
from store.redis.scripts import Scripts
from store.redis.stored import stored

__all__ = ["Environments", "Opened", "Same", "Sealing", "Value"]

KEPT_EPOCHS: Final = 256
# Of no use any more, or as long as its holders are away.
CANNOT_BE_OPENED: Final = frozenset({TAMPERED, "keys_missing"})
FORMER: Final = ".former"  # no hook is called so
SIGNING_BYTES: Final = 24  # of a hook's secret, as Standard Webhooks recommends
HOOK: Final = "hook:"  # so begin the places, beside the entries, of what deliveries to a hook are signed with


@dataclass(frozen=True, slots=True)
class Sealing:
    """A change, sealed: what its request says, and what its payload holds. `back_to`: the version whose entries these are."""

    touches: tuple[Touch, ...]
    entries: tuple[SealedEntry, ...]
    back_to: int | None = None


class Environments:
    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        ring: Keyring,
        skew: Skew,
        random: Callable[[int], bytes],
        fit: Callable[[], str | None] = lambda: None,
    ) -> None:
        """`fit` answers why nothing may be read now, None where it may."""
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._ring = ring
        self._skew = skew
        self._random = random
        self.chain = Chain(redis, keys, self.key, self.head)
        self._reading = Reading(redis, keys, scripts, skew, self.key, self.chain, fit)
        self._epochs: Recent[tuple[str, int], Epoch] = Recent(
            KEPT_EPOCHS
        )  # wraps only: the keys themselves are the ring's to keep

    async def find(self, target: str) -> Environment | None:
        return (await stored(self._redis, self._keys.environment(target), Environment))[0]

    async def numbers(self, targets: Sequence[str]) -> dict[str, int]:
        """The number of the newest version of each that is there: what is said of it, for lists; nothing is built on it."""
        async with self._redis.pipeline(transaction=False) as pipe:
            for target in targets:
                pipe.hget(self._keys.environment(target), "id")
            ids = await pipe.execute() if targets else []
        known = {target: text(one) for target, one in zip(targets, ids, strict=True) if one is not None}
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in known.values():
                pipe.hget(self._keys.head(one), "number")
            numbers = await pipe.execute() if known else []
        return {target: int(number) for target, number in zip(known, numbers, strict=True) if number is not None}

    async def ensure(self, target: str, *, secure: bool = False) -> Environment:
        """The environment of this name; made, empty and with a key of its own, where there is none. Raises `Unavailable`."""
        if (found := await self.find(target)) is not None:
            return found
        environment = Environment(id=self._mint(), target=target, secure=secure)
        epoch, key = await self._ring.mint(environment.id, secure=secure)
        head = key.sign(Manifest(environment_id=environment.id, number=1, entries={}))
        commit = Commit(self._keys, f"environment:{environment.id}")
        commit.write(
            self._keys.environment(target), 0, environment.to_json(), projection.environment_fields(environment)
        )
        commit.set(self._keys.epoch(environment.id, 1), epoch.to_json())
        commit.write(self._keys.head(environment.id), 0, head.to_json(), projection.head_fields(head))
        commit.set(self._keys.manifest(environment.id, 1), head.to_json())
        at_ms = await now_ms(self._redis, self._skew)
        commit.guard(self._keys.roster, self._ring.roster)
        commit.set(self._keys.version(environment.id, 1), VersionInfo(number=1, at_ms=at_ms, by="clock").to_json())
        commit.guard(self._keys.tombstone(environment.id), 0)  # an id is never used again
        commit.rank(self._keys.index("environments"), target, at_ms)
        commit.audit([Audit(event="environment.created", actor="clock", at_ms=at_ms, target=target)])
        if (await commit.run(self._scripts, self._skew())).status == "ok":
            return environment
        found = await self.find(target)
        if found is None:
            raise Unavailable(f"{target} could not be made. Try again.", code="contended")
        return found

    async def head(self, environment_id: str) -> Manifest:
        """The newest version, its MAC verified. Raises `Unavailable`."""
        body, number = await self._redis.hmget(self._keys.head(environment_id), ["body", "number"])
        if body is None:
            raise NotFound("That environment is not there.")
        manifest = Manifest.from_json(body)
        (await self.key(environment_id, manifest.epoch)).verify(manifest)
        if number != str(manifest.number).encode():  # a genuine one, and not the one that was put there last
            raise tampered(f"The newest version of environment {environment_id}")
        return manifest

    async def seal(self, environment: Environment, values: Mapping[str, Value]) -> Sealing:
        """Seals before anybody is asked: what is approved is what is merged. Raises `Invalid`."""
        check_request([len(value.secret) for value in values.values() if value.secret is not None])
        head = await self.head(environment.id)
        kinds = {name: held.mode for name, held in head.entries.items()}
        kinds |= {name: value.mode for name, value in values.items() if value.secret is not None}
        gone = {name for name, value in values.items() if value.secret is None}
        check_names({name: mode for name, mode in kinds.items() if name not in gone})
        if strange := sorted(gone - head.entries.keys()):
            raise NotFound(f"{environment.target} has no {strange[0]} to remove.", code="unknown_name")
        key = await self.key(environment.id, environment.epoch)
        old = await self._current(environment.id, head, values)
        touches, entries = [], []
        for name, value in sorted(values.items()):
            base = head.entry_id(name)
            if value.secret is None:
                touches.append(Touch(name=name, base=base))
                continue
            entry = key.seal(name, self._mint(), value.secret, mode=value.mode)
            entries.append(entry)
            new = Held(entry_id=entry.entry_id, ciphertext_hash=entry.ciphertext_hash, mode=value.mode)
            touches.append(Touch(name=name, base=base, entry=new, same=old.get(name) == value.secret))
        return Sealing(tuple(touches), tuple(entries))

    async def pending(self, request: Request) -> dict[str, SealedEntry]:
        """Entry id -> the sealed values of this revision of a change, as long as they are not merged."""
        bodies = await self._redis.hgetall(self._keys.payload(request.id, request.revision))
        entries = {entry_id: SealedEntry.from_json(body) for entry_id, body in bodies.items()}
        if any(entry_id != entry.entry_id.encode() for entry_id, entry in entries.items()):
            raise tampered("A sealed value that waits for this change")
        return {entry.entry_id: entry for entry in entries.values()}

    async def sign(self, manifest: Manifest, after: Manifest) -> Manifest:
        """With the newest key. `after`: the version before it, which is verified. Raises `Unavailable`."""
        (await self.key(manifest.environment_id, after.epoch)).verify(after)
        newest = await self._redis.hget(self._keys.head(manifest.environment_id), "epoch")
        return (await self.key(manifest.environment_id, max(after.epoch, int(newest or 0)))).sign(manifest)

    async def read(self, request_id: str, reader: str) -> Opened:
        """Values for the holder of an active grant, in Slack. Raises as `Reading.read`."""
        opened = await self._reading.read(Asked.in_slack(request_id, reader))
        if not isinstance(opened, Opened):
            raise NotFound("There is nothing to read here.")
        return opened

    async def read_by_token(
        self, bearer: Bearer, target: str, version: int | None = None, known: Known = NOTHING_KNOWN
    ) -> Opened | Same:
        """Values for whoever shows a token. `target` is canonical, `version` None the newest. Raises as `Reading.read`."""
        return await self._reading.read(Asked.by_token(bearer, target, version, known))

    def forget(self) -> None:
        """Whatever was opened is wiped from memory."""
        self._reading.memory.clear()

    def records(self, read: Same) -> tuple[str, ...]:
        """What moves when there is a newer version than what was read, or when the access by which it was read ends."""
        head = self._keys.head(read.environment)
        return (head, self._keys.request(read.request)) if read.request is not None else (head,)

    async def machine_read(self, target: str, name: str, *, purpose: str) -> Secret:
        """One value for this process itself, a connector's token. Audited. Raises `NotFound`."""
        environment = await self.find(target)
        head = await self.head(environment.id) if environment else None
        if environment is None or head is None or name not in head.entries:
            raise NotFound(f"{target} has no {name}: ask for a change that sets it.", code="no_credentials")
        entry_id = head.entries[name].entry_id
        sealed = await self.sealed(environment.id, [entry_id])
        if entry_id not in sealed:
            raise Unavailable(f"The sealed value of {name} is missing.", code="missing")
        at_ms = await now_ms(self._redis, self._skew)
        commit = Commit(self._keys, f"machine-read:{self._mint()}", frees=True)
        details: dict[str, str | int | None] = {"name": name, "purpose": purpose}
        commit.audit([Audit(event="secrets.used", actor="relay", at_ms=at_ms, target=target, details=details)])
        await commit.run(self._scripts, self._skew())
        head.admit(name, sealed[entry_id])
        return await self.open(environment.id, name, sealed[entry_id])

    async def signing_secret(self, environment: Environment, hook: str) -> Secret:
        """What the deliveries to one hook are signed with, minted at its first use: `whsec_` and base64 of 24 bytes."""
        field, entries = f"{HOOK}{hook}", self._keys.entries(environment.id)
        if (body := await self._redis.hget(entries, field)) is None:
            key = await self.key(environment.id, environment.epoch)
            entry = key.seal(hook_name(field), self._mint(), _signing(self._random(SIGNING_BYTES)), mode=0o600)
            await self._redis.hsetnx(entries, field, entry.to_json())
            body = await self._redis.hget(entries, field) or b""
        return await self.open(environment.id, hook_name(field), SealedEntry.from_json(body))

    async def another_signing_secret(self, environment: Environment, hook: str) -> dict[str, str]:
        """What to write so that a new one takes the place of the present one, which becomes the former one."""
        present = await self.signing_secret(environment, hook)
        key = await self.key(environment.id, environment.epoch)
        fresh = _signing(self._random(SIGNING_BYTES))
        places = {f"{HOOK}{hook}": fresh, self.former_field(hook): present}
        return {
            field: key.seal(hook_name(field), self._mint(), secret, mode=0o600).to_json()
            for field, secret in places.items()
        }

    async def former_signing_secret(self, environment: Environment, hook: str) -> Secret | None:
        field = self.former_field(hook)
        body = await self._redis.hget(self._keys.entries(environment.id), field)
        if body is None:
            return None
        return await self.open(environment.id, hook_name(field), SealedEntry.from_json(body))

    @staticmethod
    def former_field(hook: str) -> str:
        return f"{HOOK}{hook}{FORMER}"

    async def _current(self, environment_id: str, head: Manifest, names: Mapping[str, Value]) -> dict[str, Secret]:
        """The present values of these names, to tell *changed* from *unchanged*; in memory only."""
        ids = {name: head.entries[name].entry_id for name in names if name in head.entries}
        if not ids:
            return {}
        bodies = await self._redis.hmget(self._keys.entries(environment_id), list(ids.values()))
        found = {}
        for name, body in zip(ids, bodies, strict=True):
            if body is None:
                continue
            try:
                entry = SealedEntry.from_json(body)
                head.admit(name, entry)
                found[name] = await self.open(environment_id, name, entry)
            except Unavailable as error:
                if error.detail not in CANNOT_BE_OPENED:
                    raise
                # Whoever reads it is told. Here it is about to be replaced, which is the way to mend it.
        return found

    async def sealed(self, environment_id: str, ids: Sequence[str]) -> dict[str, SealedEntry]:
        """By entry id, of what is there of the sealed values of an environment. Raises `Unavailable`."""
        bodies = await self._redis.hmget(self._keys.entries(environment_id), ids) if ids else []
        return {one: SealedEntry.from_json(body) for one, body in zip(ids, bodies, strict=True) if body is not None}

    async def open(self, environment_id: str, name: str, entry: SealedEntry) -> Secret:
        """What was sealed under this name, whichever epoch it is of. Raises `Unavailable`."""
        return (await self.key(environment_id, entry.epoch)).open(name, entry)

    async def key(self, environment_id: str, number: int) -> EnvironmentKey:
        """Of one epoch. Raises `Unavailable`."""
        if (known := self._epochs.get((environment_id, number))) is not None:
            try:
                return await self._ring.open(known)
            except Unavailable:  # others may have been given it since
                del self._epochs[environment_id, number]
        body = await self._redis.get(self._keys.epoch(environment_id, number))
        if body is None:
            raise wraps_missing(number, "this environment")
        epoch = Epoch.from_json(body)
        key = await self._ring.open(epoch)
        self._epochs[environment_id, number] = epoch
        return key

    def _mint(self) -> str:
        return self._random(12).hex()


def hook_name(field: str) -> str:
    """Under which name it is sealed, what lies in this place."""
    return f"hooks/{field.removeprefix(HOOK)}"


def wraps_missing(number: int, of: str) -> Unavailable:
    return Unavailable(f"The wraps of key {number} of {of} are missing in Redis.", code="keys_missing")


def _signing(key: bytes) -> Secret:
    return Secret(b"whsec_" + base64.b64encode(key))
