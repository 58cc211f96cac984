"""Rosters: who was approved to hold keys, and the keyring that follows it."""

from collections.abc import Mapping
from typing import Final, Literal

from cryptography.hazmat.primitives.constant_time import bytes_eq
from redis.asyncio import Redis

from store.keys.ring import SECURE_HOLDERS, Keyring
from store.model.audit import Audit
from store.model.effect import Recovered
from store.model.errors import Conflict, Invalid, NotFound, Unavailable
from store.model.policy import PolicySet
from store.model.request import Enrolling, Request
from store.model.roster import MEMBERS_MOST, ROSTER, Member, Roster
from store.model.sealed import Epoch, tampered
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.epochs import Epochs
from store.redis.keys import Keys
from store.redis.scripts import Scripts

LATE: Final = "Another roster was made meanwhile. Ask again."


class Rosters:
    """`addresses` by fingerprint, of the holders that the settings name. A holder is given keys that the settings name *and* the roster lists."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        ring: Keyring,
        epochs: Epochs,
        addresses: Mapping[str, str],
        skew: Skew,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._ring = ring
        self._epochs = epochs
        self._addresses = addresses
        self._skew = skew
        self.current: Roster | None = None  # the newest that this process has verified
        self.fault: str | None = None  # why none is followed now
        ring.refresh = self.follow

    async def begin(self) -> None:
        """Follows what is there; the first start of an installation takes what the settings name. A fault is kept, for who looks."""
        try:
            if await self.follow() is None:
                await self._first()
        except Unavailable as error:
            if self.fault is None:
                raise
            self.fault = error.sentence

    async def follow(self) -> Roster | None:
        """The newest roster, verified: from now on its members are given keys, and nobody else. None before there is one.

        Raises `Unavailable` where it is not genuine, and where no holder of it that the settings name gives the key that proves it.
        """
        body = await self._redis.hget(self._keys.roster, "body")
        if body is None and self.current is None:
            return None
        try:
            roster = Roster.from_json(text(body)) if body is not None else None
            if roster is None or (
                self.current is not None and roster != self.current and not _after(roster, self.current)
            ):
                raise tampered("The roster of key holders")
            epoch = await self._epoch(roster.number)
            if roster != self.current:
                await self._verify(roster, epoch)
        except Unavailable as error:
            self._ring.admit_nobody()
            self.fault = error.sentence
            raise
        self.current, self.fault = roster, None
        self._ring.admit(roster, epoch)
        return roster

    def strangers(self) -> list[str]:
        """Names of holders that the settings name and nobody approved."""
        listed = self.current.fingerprints if self.current is not None else frozenset[str]()
        if self.current is None and self.fault is None:
            return []
        return [holder.name for one, holder in self._ring.configured.items() if one not in listed]

    def asked(self, what: Literal["add", "remove"], name: str) -> Enrolling:
        """What a request for this holder says. `name`: its name, its address or its fingerprint. Raises `AccessError`."""
        roster = self._known()
        if what == "remove":
            member = roster.named(name) or next((one for one in roster.members if one.address == name), None)
            if member is None:
                raise NotFound(f"No key holder in the roster is called {name[:100]}.", code="unknown_holder")
            return Enrolling(what=what, name=member.name, address=member.address, fingerprint=member.fingerprint)
        for one, holder in self._ring.configured.items():
            if name in (one, holder.name, self._addresses[one]):
                return Enrolling(what=what, name=holder.name, address=self._addresses[one], fingerprint=one)
        raise NotFound(
            f"{name[:100]} is not in COUNTERSIGN_KEYS. Put its address there first, for serve and for this command: "
            "a holder is given keys only where the settings name it and it was approved.",
            code="unknown_holder",
        )

    async def check(self, asked: Enrolling) -> None:
        """Whether it could be done now. Raises `Conflict`, `Invalid`, `Unavailable`."""
        if await self.follow() is None:
            raise NotFound("There is no roster yet: start countersign serve once.", code="no_roster")
        roster = self._known()
        working = {one for one, error in (await self._ring.challenge_configured()).items() if error is None}
        if asked.what == "add":
            if asked.fingerprint in roster.fingerprints:
                raise Conflict(f"{asked.name} is in the roster already.", code="nothing_new")
            if roster.named(asked.name) is not None:
                raise Conflict(f"The roster has another holder called {asked.name}.", code="same_holder")
            if len(roster.members) >= MEMBERS_MOST:
                raise Invalid(f"A roster has at most {MEMBERS_MOST} holders. Remove one first.", code="too_many")
            if asked.fingerprint not in working:
                raise Unavailable(
                    f"{asked.name} with the fingerprint {asked.fingerprint} does not work here: it must be in COUNTERSIGN_KEYS and answer.",
                    code="holder_fails",
                )
            return
        if asked.fingerprint not in roster.fingerprints:
            raise Conflict(f"{asked.name} is not in the roster.", code="nothing_new")
        left = roster.fingerprints & working - {asked.fingerprint}
        if not left:
            raise Conflict(f"{asked.name} is the last holder that works. Add another one first.", code="last_holder")
        if len(left) < SECURE_HOLDERS and (secure := await self._epochs.secured()):
            raise Conflict(
                f"Without {asked.name} only one holder works, and {secure[0]} is secure: it needs two. Add another one first.",
                code="last_holder",
            )
        if alone := await self._epochs.needing(asked.fingerprint, left):
            raise Conflict(
                f"{asked.name} holds the last copy of a key of {alone[0]}. Let another one learn it first: countersign keys list",
                code="last_holder",
            )

    async def enrol(self, commit: Commit, request: Request) -> None:
        """Writes the roster that this request makes into its commit. Raises `AccessError`."""
        asked = request.payload
        if not isinstance(asked, Enrolling):
            raise Invalid("This request is about no key holder.", code="other_kind")
        await self.check(asked)
        roster = self._known()
        at_ms = await now_ms(self._redis, self._skew)
        members = tuple(member for member in roster.members if member.fingerprint != asked.fingerprint)
        if asked.what == "add":
            members += (_member(asked, at_ms, request.id),)
        await self._move(commit, roster, members, "request", at_ms)

    async def able(self, before: PolicySet, after: PolicySet) -> None:
        """Raises `Unavailable` where a target is to be secure anew and fewer than two holders work."""
        secured = {target for target, config in before.targets.items() if config.secure}
        anew = sorted(target for target, config in after.targets.items() if config.secure and target not in secured)
        if not anew:
            return
        challenged = await self._ring.challenge_all()
        working = sum(error is None for error in challenged.values())
        if working < SECURE_HOLDERS:
            why = " ".join(error.sentence for error in challenged.values() if error is not None)
            raise Unavailable(
                f"secure: true for {anew[0]} needs two working key holders, and {'only one works' if working else 'none works'}. "
                f"{why or 'No other is approved.'} Bring it back, or add another: countersign keys add",
                code="holders_missing",
            )

    async def lost(self) -> Roster:
        """The roster that is there, where no holder that the settings name gives its key any more. Raises `Conflict` where one does, and `NotFound`."""
        body = await self._redis.hget(self._keys.roster, "body")
        if body is None:
            raise NotFound("There is no roster to recover.", code="no_roster")
        before = Roster.from_json(text(body))
        try:
            await self._ring.recover(await self._epoch(before.number), before.fingerprints)
        except Unavailable:
            return before
        raise Conflict(
            "A holder of the roster still works: ask for others with countersign keys add.", code="roster_works"
        )

    async def recover(self, actor: str, reason: str, command_id: str) -> Roster:
        """A roster of what the settings name and works, when no holder of the one before gives its key any more. Raises `Conflict`, `Unavailable`."""
        before = await self.lost()
        working = [one for one, error in (await self._ring.challenge_configured()).items() if error is None]
        at_ms = await now_ms(self._redis, self._skew)
        known = self._ring.configured
        members = tuple(
            Member(name=known[one].name, address=self._addresses[one], fingerprint=one, since_ms=at_ms)
            for one in working
        )
        if not members:
            raise Unavailable("No key holder that the settings name works.", code="holders_missing")
        commit = Commit(self._keys, command_id)
        roster = await self._move(commit, before, members, "recovered", at_ms)
        details: dict[str, str | int | None] = {
            "roster": roster.number,
            "holders": ", ".join(member.name for member in members),
            "reason": reason,
        }
        names = tuple(sorted(member.name for member in members))
        commit.put([Recovered(number=roster.number, holders=names, by=actor, reason=reason)])
        commit.audit([Audit(event="keys.recovered", actor=actor, at_ms=at_ms, target="policy:main", details=details)])
        if (await commit.run(self._scripts, self._skew())).status != "ok":
            raise Conflict(LATE, code="moved")
        self.current = None
        await self.follow()
        return roster

    async def _first(self) -> None:
        configured = self._ring.configured
        at_ms = await now_ms(self._redis, self._skew)
        members = tuple(
            Member(name=holder.name, address=self._addresses[one], fingerprint=one, since_ms=at_ms)
            for one, holder in configured.items()
        )
        commit = Commit(self._keys, f"roster-create:{self._keys.installation}:{at_ms}")
        await self._move(commit, None, members, "first", at_ms)
        holders = ", ".join(member.name for member in members)
        commit.audit(
            [Audit(event="roster.created", actor="clock", at_ms=at_ms, details={"roster": 1, "holders": holders})]
        )
        await commit.run(self._scripts, self._skew())
        await self.follow()

    async def _move(
        self,
        commit: Commit,
        before: Roster | None,
        members: tuple[Member, ...],
        how: Literal["first", "request", "recovered"],
        at_ms: int,
    ) -> Roster:
        """The next roster, under a key of its own: who is in it no more cannot authenticate one that comes after."""
        number = before.number + 1 if before is not None else 1
        unsigned = Roster(
            number=number, previous_mac=before.mac if before else None, members=members, how=how, at_ms=at_ms
        )
        epoch, key = await self._ring.mint(ROSTER, number, among=unsigned.fingerprints)
        roster = unsigned.model_copy(update={"mac": key.authenticate(unsigned.canonical(self._keys.installation))})
        commit.write(self._keys.roster, number - 1, roster.to_json())
        commit.set(self._keys.roster_of(number), roster.to_json())
        commit.set(self._keys.epoch(ROSTER, number), epoch.to_json())
        return roster

    async def _epoch(self, number: int) -> Epoch:
        body = await self._redis.get(self._keys.epoch(ROSTER, number))
        if body is None:
            raise tampered("The key of the roster of key holders")
        return Epoch.from_json(text(body))

    async def _verify(self, roster: Roster, epoch: Epoch) -> None:
        if (epoch.environment_id, epoch.number) != (ROSTER, roster.number):
            raise tampered("The key of the roster of key holders")
        try:
            key = await self._ring.recover(epoch, roster.fingerprints)
        except Unavailable as error:
            if error.detail != "keys_missing":
                raise
            names = ", ".join(member.name for member in roster.members)
            raise Unavailable(
                f"No key holder of the roster works here: it lists {names}. {error.sentence} "
                "Where all of them are lost for good: countersign keys recover",
                code="keys_missing",
            ) from None
        mac = key.authenticate(roster.canonical(self._keys.installation))
        key.wipe()
        if not bytes_eq(mac.encode(), (roster.mac or "").encode()):
            raise tampered("The roster of key holders")

    def _known(self) -> Roster:
        if self.current is None:
            raise Unavailable(self.fault or "There is no roster of key holders yet.", code="no_roster")
        return self.current


def _after(roster: Roster, known: Roster) -> bool:
    return roster.number > known.number + 1 or (roster.number == known.number + 1 and roster.previous_mac == known.mac)


def _member(asked: Enrolling, at_ms: int, request: str) -> Member:
    return Member(
        name=asked.name, address=asked.address, fingerprint=asked.fingerprint, since_ms=at_ms, request=request
    )
