"""Reading: the one way out for values, by a script that decides and writes down in one step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.errors import AccessError, Conflict, Forbidden, NotFound, Unavailable
from store.model.sealed import Manifest, SealedEntry, tampered
from store.model.token import Bearer, unknown_token
from store.redis.chain import Chain, Key
from store.redis.clock import Skew
from store.redis.commit import text
from store.redis.keys import Keys
from store.redis.opened import Memory, Opened, Same, Value
from store.redis.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Known:
    """What a program has already and does not want again: these versions ('E-N'), and everything up to `after`."""

    versions: tuple[str, ...] = ()
    after: int = 0


NOTHING_KNOWN: Final = Known()


@dataclass(frozen=True, slots=True)
class Asked:
    """One wish to read. `door` as the script knows it; `proof` is who reads in Slack, or the hash of what was shown."""

    door: str
    subject: str  # of which key: a request or a token
    proof: str
    target: str
    version: int
    known: Known
    entry: str  # for the audit log, with places for what the script knows

    @classmethod
    def in_slack(cls, request: str, reader: str) -> Self:
        return cls("slack", request, reader, "", 0, NOTHING_KNOWN, _entry("", request=True))

    @classmethod
    def by_token(cls, bearer: Bearer, target: str, version: int | None, known: Known) -> Self:
        entry = _entry(bearer.id, request=bearer.kind == "person")
        return cls(bearer.kind, bearer.id, bearer.hash, target, version or 0, known, entry)


class Reading:
    """`key` opens the key of an environment. `fit` answers why nothing may be read now, None where it may."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        skew: Skew,
        key: Key,
        chain: Chain,
        fit: Callable[[], str | None],
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew
        self._key = key
        self._chain = chain
        self._fit = fit
        self.memory = Memory()

    async def read(self, asked: Asked) -> Opened | Same:
        """Audited in the step that decides. Raises `Forbidden`, `Conflict`, `NotFound`, and `Unavailable` where it cannot be opened."""
        if (why := self._fit()) is not None:
            raise Unavailable(why, code="degraded")
        keys = self._keys
        kept = self.memory.head(asked.target)  # by the time of the answer there may be another
        subject = keys.request(asked.subject) if asked.door == "slack" else keys.token(asked.subject)
        reply = await self._scripts.run(
            "read",
            [keys.audit, keys.audit_number, subject],
            [
                *(self._skew(), keys.prefix, asked.entry, asked.door, asked.proof, asked.target, asked.version),
                *(f" {' '.join(asked.known.versions)} ", asked.known.after, kept),
            ],
        )
        status = text(reply[0])
        if status not in ("ok", "same"):
            raise _refused(status, text(reply[1]) if len(reply) > 1 else "", asked.target)
        try:
            now, until, request, environment, number, *head = [text(part) for part in reply[1:7]]
            facts = (environment, int(number), int(now), int(until), request or None)
        except ValueError:
            raise tampered("What says which version is the newest") from None
        if status == "same":
            return Same(*facts)
        return Opened(*facts, await self._values(asked, environment, int(number), kept, head[0], reply[7:]))

    async def _values(
        self, asked: Asked, environment: str, number: int, kept: str, version: str, found: list[Any]
    ) -> dict[str, Value]:
        if not found:
            if (sheaf := self.memory.get(environment, kept.rpartition(" ")[2])) is not None:
                return sheaf.values()
            found = [await self._head(environment, number)]
        manifest = Manifest.from_json(found[0])
        await self._chain.verify(manifest, environment, number)
        if not version:
            await self._chain.demand(manifest)
        mac = manifest.mac or ""
        if (sheaf := self.memory.get(environment, mac)) is None:
            values = await self._opened(manifest, found[1:])
            sheaf = self.memory.keep(environment, mac, values)
        if version and asked.target:
            self.memory.say_newest(asked.target, f"{environment} {version} {mac}")
        return sheaf.values()

    async def _head(self, environment: str, number: int) -> bytes | str:
        """What lay in memory was wiped in this very moment. Raises `Unavailable` where the head has moved, too."""
        body, newest = await self._redis.hmget(self._keys.head(environment), ["body", "number"])
        if body is None or int(newest or 0) != number:
            raise Unavailable("The environment was changed in this very moment. Ask again.", code="moved")
        return body

    async def _opened(self, manifest: Manifest, fields: list[Any]) -> dict[str, Value]:
        bodies = dict(zip(fields[::2], fields[1::2], strict=True))
        ids = [held.entry_id.encode() for held in manifest.entries.values()]
        if missing := [entry for entry in ids if entry not in bodies]:
            found = await self._redis.hmget(self._keys.entries(manifest.environment_id), missing)
            bodies |= dict(zip(missing, found, strict=True))
        values = {}
        for name, held in sorted(manifest.entries.items()):
            if (body := bodies[held.entry_id.encode()]) is None:
                raise Unavailable(f"The sealed value of {name} is missing.", code="missing")
            entry = SealedEntry.from_json(body)
            manifest.admit(name, entry)
            key = await self._key(manifest.environment_id, entry.epoch)
            values[name] = Value(key.open(name, entry), held.mode)
        return values


def _entry(token: str, *, request: bool) -> str:
    """A reading as it is written down, with places for what only the script knows."""
    entry = Audit(
        event="secrets.read", actor="%ACTOR%", at_ms=0, request="%REQUEST%" if request else None, target="%TARGET%",
        details={"version": 0, **({"token": token} if token else {})},
    )  # fmt: skip
    return entry.to_json().replace('"at_ms":0,', '"at_ms":%NOW%,', 1).replace('"version":0', '"version":%VERSION%', 1)


def _refused(status: str, state: str, target: str) -> AccessError:
    match status:
        case "token":
            return unknown_token()
        case "not let":
            return Forbidden(f"This token is not for reading {target}.", code="not_let_in")
        case "none":
            return Forbidden(
                f"You hold no access to {target} now. Ask to open it, and activate it once it is approved.",
                code="no_grant",
            )
        case "holder":
            return Forbidden("Only the person this was approved for can read the values.", code="not_the_beneficiary")
        case "state":
            waiting = {"pending": "It is not approved yet.", "approved": "Activate it first."}
            return Conflict(waiting.get(state, "This access is over."), code="not_active")
        case "over":
            return Conflict("This access is over.", code="not_active")
        case "version":
            return NotFound(f"{target} has no such version.", code="no_version")
        case _:
            return NotFound("There is nothing to read here.")
