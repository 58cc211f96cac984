"""Rosters: only who was approved is given keys, and nobody makes a roster but those who hold them."""

import asyncio
from typing import Any, Literal

import pytest

from store.keys.ring import Keyring
from store.model.errors import AccessError, Conflict, Invalid, NotFound, Unavailable
from store.model.policy import TargetConfig
from store.model.request import Enrolling, Request
from store.model.roster import ROSTER, Member, Roster
from store.model.sealed import Epoch
from store.redis.commit import Commit, text
from store.redis.epochs import Epochs
from store.redis.rosters import Rosters
from tests import builders
from tests.builders import INSTALLATION
from tests.store.keys.holders import Draws, Memory
from tests.store.redis.corridor import Corridor

PROD = "payments/prod"


class Office:
    """One process, which knows these holders."""

    def __init__(self, corridor: Corridor, *holders: Memory) -> None:
        self.corridor, self.holders = corridor, holders
        names = "".join(holder.name for holder in holders)
        self.ring = Keyring(holders, INSTALLATION, Draws(f"office {names}"), lambda: 0.0)
        place = (corridor.redis, corridor.keys, corridor.scripts, self.ring)
        self.epochs = Epochs(*place, corridor.policies, corridor.skew)
        addresses = {holder.fingerprint: f"/keys/{holder.name}.key" for holder in holders}
        self.rosters = Rosters(*place, self.epochs, addresses, corridor.skew)

    @property
    def admitted(self) -> str:
        return "".join(sorted(self.ring.admitted.values()))

    async def merges(self, what: Literal["add", "remove"], name: str) -> Roster | None:
        """What the commit of an approved request does."""
        commit = Commit(self.corridor.keys, f"{what} {name} {self.rosters.current and self.rosters.current.number}")
        await self.rosters.enrol(commit, asking(self.rosters.asked(what, name)))
        assert (await commit.run(self.corridor.scripts, 0)).status == "ok"
        return await self.rosters.follow()


def asking(payload: Enrolling) -> Request:
    fields = {name: field.default for name, field in Request.model_fields.items() if not field.is_required()}
    return Request.model_construct(**{**fields, "id": "REQVEST001", "kind": "policy", "payload": payload})


@pytest.fixture
def memories() -> dict[str, Memory]:
    return {name: Memory(name) for name in "abcdef"}


@pytest.fixture
def office(corridor: Corridor, memories: dict[str, Memory]) -> Any:
    return lambda names: Office(corridor, *(memories[name] for name in names))


@pytest.fixture
async def begun(office: Any) -> Office:
    found: Office = office("ab")
    await found.rosters.begin()
    return found


async def stored(corridor: Corridor) -> Roster:
    return Roster.from_json(text(await corridor.redis.hget(corridor.keys.roster, "body")))


async def put(corridor: Corridor, roster: Roster) -> None:
    """What somebody who can write to Redis, and nothing else, would do."""
    await corridor.redis.hset(corridor.keys.roster, mapping={"version": roster.number, "body": roster.to_json()})


async def test_the_first_start_takes_what_the_settings_name_and_a_later_one_does_not(corridor, begun, office):
    assert [member.name for member in (await stored(corridor)).members] == ["a", "b"]
    assert await corridor.events() == ["roster.created"]
    later = office("abc")
    await later.rosters.begin()
    assert later.admitted == "ab"
    assert later.rosters.strangers() == ["c"]
    epoch, _ = await later.ring.mint("e" * 24)
    assert {wrap.holder for wrap in epoch.wraps.values()} == {"a", "b"}
    assert (await stored(corridor)).number == 1


async def test_twenty_first_starts_at_once_make_one_roster(corridor, office):
    offices = [office("ab") for _ in range(20)]
    await asyncio.gather(*(one.rosters.begin() for one in offices))
    assert {one.rosters.current for one in offices} == {await stored(corridor)}
    assert await corridor.events() == ["roster.created"]


async def test_one_joins_and_one_leaves_each_in_a_roster_that_follows(corridor, begun, office):
    three = office("abc")
    await three.rosters.begin()
    second = await three.merges("add", "c")
    assert second is not None
    assert (second.number, second.how, three.admitted) == (2, "request", "abc")
    assert second.previous_mac == begun.rosters.current.mac
    added = second.members[2]
    assert (added.name, added.address, added.fingerprint, added.request) == (
        *("c", "/keys/c.key", Memory("c").fingerprint),
        "REQVEST001",
    )
    third = await three.merges("remove", "a")
    assert third is not None
    assert three.admitted == "bc"
    epoch = Epoch.from_json(text(await corridor.redis.get(corridor.keys.epoch(ROSTER, 3))))
    assert {wrap.holder for wrap in epoch.wraps.values()} == {"b", "c"}, "who has left does not hold its key"
    await begun.rosters.follow()
    assert begun.admitted == "b", "of the roster, those that the settings name there"


def forged(real: Roster, **changed: Any) -> Roster:
    return real.model_copy(update=changed)


EVIL = Member(name="evil", address="/evil.key", fingerprint="e" * 32, since_ms=1)


@pytest.mark.parametrize(
    "changed",
    [
        {"members": (EVIL,)},
        {"number": 2},
        {"how": "recovered"},
        {"at_ms": 1},
        {"previous_mac": "0" * 64},
        {"mac": "0" * 64},
        {"mac": None},
    ],
)
async def test_a_roster_that_was_altered_is_not_followed_and_nobody_is_given_a_key(corridor, begun, office, changed):
    real = await stored(corridor)
    if "number" in changed:
        await corridor.redis.copy(corridor.keys.epoch(ROSTER, 1), corridor.keys.epoch(ROSTER, 2))
    await put(corridor, forged(real, **changed))
    for one in (office("ab"), begun):
        with pytest.raises(Unavailable):
            await one.rosters.follow()
        assert one.admitted == ""
        with pytest.raises(Unavailable, match="none works"):
            await one.ring.mint("e" * 24)
    await put(corridor, real)
    await begun.rosters.follow()
    assert begun.admitted == "ab"


async def test_a_roster_under_a_key_that_no_holder_of_ours_wrapped_is_not_followed(corridor, begun, office, memories):
    """All of it made anew: by somebody who can write to Redis, with a holder of their own."""
    theirs = Office(corridor, Memory("evil"))
    await corridor.redis.delete(corridor.keys.roster, corridor.keys.roster_of(1), corridor.keys.epoch(ROSTER, 1))
    await theirs.rosters.begin()
    ours = office("ab")
    await ours.rosters.begin()
    assert ours.admitted == ""
    assert "No key holder of the roster works here: it lists evil" in ours.rosters.fault


async def test_an_older_roster_that_is_put_back_is_not_followed_by_who_knows_a_newer_one(corridor, begun, office):
    first = await stored(corridor)
    three = office("abc")
    await three.rosters.begin()
    await three.merges("add", "c")
    await put(corridor, first)
    with pytest.raises(Unavailable, match="cannot be trusted"):
        await three.rosters.follow()
    assert three.admitted == ""
    await corridor.redis.delete(corridor.keys.roster)
    with pytest.raises(Unavailable, match="cannot be trusted"):
        await three.rosters.follow()


async def test_what_cannot_be_added(corridor, begun, office, memories):
    three = office("abc")
    await three.rosters.begin()
    with pytest.raises(NotFound, match="is not in COUNTERSIGN_KEYS"):
        three.rosters.asked("add", "d")
    with pytest.raises(Conflict, match="in the roster already"):
        await three.rosters.check(three.rosters.asked("add", "a"))
    memories["c"].off = True
    with pytest.raises(Unavailable, match="does not work here"):
        await three.rosters.check(three.rosters.asked("add", "c"))
    other = three.rosters.asked("add", "c").model_copy(update={"name": "a"})
    with pytest.raises(Conflict, match="another holder called a"):
        await three.rosters.check(other)
    elsewhere = three.rosters.asked("add", "c").model_copy(update={"fingerprint": "d" * 32})
    with pytest.raises(Unavailable, match="does not work here"):
        await three.rosters.check(elsewhere)


async def test_the_last_that_works_stays(corridor, begun, memories):
    memories["b"].off = True
    with pytest.raises(Conflict, match="a is the last holder that works"):
        await begun.rosters.check(begun.rosters.asked("remove", "a"))
    await begun.rosters.check(begun.rosters.asked("remove", "b"))


async def test_two_stay_where_anything_is_secure(corridor, begun):
    await begun.rosters.check(begun.rosters.asked("remove", "b"))
    await corridor.enact(targets={PROD: TargetConfig(secure=True)})
    with pytest.raises(Conflict, match="payments/prod is secure: it needs two"):
        await begun.rosters.check(begun.rosters.asked("remove", "b"))


async def test_who_has_a_last_copy_stays(corridor, begun, memories, office):
    memories["b"].off = True
    corridor.ring = begun.ring
    corridor.environments = corridor.another_environments()
    await corridor.environments.ensure(PROD)
    memories["b"].off = False
    with pytest.raises(Conflict, match="a holds the last copy of a key of payments/prod"):
        await begun.rosters.check(begun.rosters.asked("remove", "a"))
    await begun.epochs.heal([memories["b"].fingerprint])
    await begun.rosters.check(begun.rosters.asked("remove", "a"))


async def test_secure_is_asked_for_only_where_two_work(corridor, begun, memories):
    plain = builders.policies(targets={PROD: TargetConfig()})
    secure = builders.policies(targets={PROD: TargetConfig(secure=True)})
    await begun.rosters.able(plain, secure)
    memories["b"].off = True
    with pytest.raises(Unavailable, match="secure: true for payments/prod needs two working key holders, and only one"):
        await begun.rosters.able(plain, secure)
    await begun.rosters.able(secure, secure)


async def test_a_roster_whose_holders_are_all_lost_is_begun_anew_and_not_before(corridor, begun, office, memories):
    new = office("bc")
    with pytest.raises(Conflict, match="still works"):
        await new.rosters.recover("U0OWNER", "a burned down", "recover:1")
    memories["a"].off = memories["b"].off = True
    last = office("bcd")
    memories["d"].off = True
    await last.rosters.begin()
    assert last.rosters.fault is not None
    roster = await last.rosters.recover("U0OWNER", "both burned down", "recover:2")
    assert [member.name for member in roster.members] == ["c"], "those that work"
    assert (roster.number, roster.how, last.admitted) == (2, "recovered", "c")
    assert (await corridor.events())[-1] == "keys.recovered"


async def test_a_request_about_something_else_makes_no_roster(corridor, begun):
    with pytest.raises(Invalid):
        await begun.rosters.enrol(Commit(corridor.keys, "x"), builders.request("open"))
    with pytest.raises(AccessError):
        await Office(corridor, Memory("a")).rosters.check(begun.rosters.asked("remove", "nobody"))
