"""Versions: what was there, who made it so, and the way back, by the entries of then."""

import pytest

from store.keys.envelope import EnvironmentKey
from store.model.command import Edit
from store.model.errors import Conflict, Invalid, NotFound, Unavailable
from store.model.identity import Target
from store.model.request import Change, Request
from store.model.sealed import TAMPERED, Manifest, SealedEntry
from store.model.secret import Secret
from store.redis.environments import Value
from store.redis.epochs import Epochs
from store.redis.versions import Versions
from tests.builders import ANA, BOB, NOW, OWNER, REQ, approve
from tests.store.redis.corridor import Corridor, command_for

PROD = Target.parse("payments/prod")


async def rolled(corridor: Corridor, to: int, *names: str, merged: bool = True) -> Request:
    number = corridor.id()
    outcome = await corridor.asking().rollback(
        REQ, PROD, to, reason="back", ticket=None, command_id=f"back:{number}", names=names
    )
    asked = outcome.request
    assert asked is not None
    return await merge(corridor, asked) if merged else asked


async def merge(corridor: Corridor, asked: Request) -> Request:
    for user in (ANA, BOB):
        asked = await corridor.do(asked, command_for(asked, approve, user, id=f"{asked.id}:{asked.revision}:{user}"))
    return asked


async def held(corridor: Corridor, number: int | None = None) -> dict[str, bytes]:
    """What a version holds, opened."""
    environment = await corridor.environments.ensure("payments/prod")
    manifest = (
        await corridor.environments.head(environment.id)
        if number is None
        else await corridor.versions.manifest(environment.id, number)
    )
    found = {}
    for name, one in manifest.entries.items():
        body = await corridor.redis.hget(corridor.keys.entries(environment.id), one.entry_id)
        assert body is not None
        entry = SealedEntry.from_json(body)
        key = await corridor.environments.key(environment.id, entry.epoch)
        found[name] = key.open(name, entry).reveal()
    return found


async def three(corridor: Corridor) -> str:
    """Versions 2, 3 and 4; the id of their environment."""
    await corridor.approved("change", A="a", B="b")
    await corridor.approved("change", A="a2", C="c")
    await corridor.approved("change", B=None, requester=REQ)
    environment = await corridor.environments.find("payments/prod")
    assert environment is not None
    return environment.id


async def test_the_history_says_who_when_and_what(corridor):
    environment = await three(corridor)
    found = await corridor.versions.history(environment)
    assert [(one.number, one.by, one.added, one.changed, one.removed) for one in found] == [
        (4, REQ, (), (), ("B",)),
        (3, REQ, ("C",), ("A",), ()),
        (2, REQ, ("A", "B"), (), ()),
        (1, "clock", (), (), ()),
    ]
    assert found[0].at_ms == NOW
    assert found[0].request is not None
    assert [one.number for one in await corridor.versions.history(environment, 2, before=4)] == [3, 2]
    assert await corridor.versions.history(environment, 2, before=1) == []


async def test_a_version_holds_what_it_held(corridor):
    await three(corridor)
    assert await held(corridor) == {"A": b"a2", "C": b"c"}
    assert await held(corridor, 3) == {"A": b"a2", "B": b"b", "C": b"c"}
    assert await held(corridor, 2) == {"A": b"a", "B": b"b"}
    assert await held(corridor, 1) == {}


async def test_what_is_another_between_two_versions(corridor):
    environment = await three(corridor)
    assert await corridor.versions.difference(environment, 2, 4) == {"A": "changed", "B": "removed", "C": "new"}
    assert await corridor.versions.difference(environment, 4, 2) == {"A": "changed", "B": "new", "C": "removed"}
    assert await corridor.versions.difference(environment, 3, 4) == {"A": "unchanged", "B": "removed", "C": "unchanged"}


@pytest.mark.parametrize("number", [0, 5, 99, -1])
async def test_a_version_that_is_not_there(corridor, number):
    environment = await three(corridor)
    with pytest.raises(NotFound, match="not there"):
        await corridor.versions.manifest(environment, number)


async def test_a_rollback_uses_the_entries_of_then_again_byte_for_byte(corridor):
    environment = await three(corridor)
    entries = await corridor.redis.hgetall(corridor.keys.entries(environment))
    asked = await rolled(corridor, 2)
    assert (asked.state, asked.merged) == ("merged", 5)
    assert isinstance(asked.payload, Change)
    assert {touch.name: touch.word for touch in asked.payload.touches} == {"A": "changed", "B": "new", "C": "removed"}
    old, new = await corridor.versions.manifest(environment, 2), await corridor.versions.manifest(environment, 5)
    assert new.entries == old.entries
    assert await corridor.redis.hgetall(corridor.keys.entries(environment)) == entries
    [newest, *_] = await corridor.versions.history(environment)
    assert (newest.back_to, newest.added, newest.changed, newest.removed) == (2, ("B",), ("A",), ("C",))


async def test_an_entry_whose_key_was_renewed_meanwhile_stays_as_it_is_by_then(corridor):
    """The payload holds it as it was; what lies with the environment may be wrapped by a newer key."""
    environment = await three(corridor)
    asked = await rolled(corridor, 2, merged=False)
    entry_id = (await corridor.versions.manifest(environment, 2)).entries["B"].entry_id
    entries = corridor.keys.entries(environment)
    entry = SealedEntry.from_json(await corridor.redis.hget(entries, entry_id))
    key = await key_of(corridor, environment)
    renewed = key.rewrap("B", entry, key).to_json()
    assert renewed != entry.to_json()
    await corridor.redis.hset(entries, entry_id, renewed)
    assert (await merge(corridor, asked)).state == "merged"
    assert (await corridor.redis.hget(entries, entry_id)).decode() == renewed
    assert (await held(corridor))["B"] == b"b"


async def test_the_way_back_leads_through_a_rotation(corridor):
    """What was asked before it, and what is asked after it."""
    environment = await three(corridor)
    asked = await rolled(corridor, 2, "B", merged=False)
    epochs = Epochs(corridor.redis, corridor.keys, corridor.scripts, corridor.ring, corridor.policies, corridor.skew)
    async for moved in epochs.rotate("payments/prod", actor=OWNER):
        assert moved.spoiled == ()
    assert (await merge(corridor, asked)).state == "merged"
    await rolled(corridor, 2)
    assert await held(corridor) == {"A": b"a", "B": b"b"}
    assert await held(corridor, 3) == {"A": b"a2", "B": b"b", "C": b"c"}
    old, new = await corridor.versions.manifest(environment, 2), await corridor.versions.manifest(environment, 6)
    assert new.entries == old.entries


async def test_a_rollback_of_some_names(corridor):
    await three(corridor)
    await rolled(corridor, 2, "B")
    assert await held(corridor) == {"A": b"a2", "B": b"b", "C": b"c"}
    with pytest.raises(Invalid, match="“C” is what it was in version 3"):
        await rolled(corridor, 3, "C")


async def test_back_to_what_is_there_already(corridor):
    await three(corridor)
    for number in (4, 3):
        if number == 3:
            await rolled(corridor, 3)
        with pytest.raises(Conflict, match="nothing to roll back"):
            await rolled(corridor, number)


async def test_the_same_value_sealed_again_is_told_as_unchanged(corridor):
    await corridor.approved("change", A="a")
    await corridor.approved("change", A="a", B="b")
    await corridor.approved("change", A="a")
    asked = await rolled(corridor, 2, merged=False)
    assert isinstance(asked.payload, Change)
    assert {touch.name: touch.word for touch in asked.payload.touches} == {"A": "unchanged", "B": "removed"}


async def test_a_rollback_that_somebody_overtakes_is_asked_again_on_top(corridor):
    await three(corridor)
    asked = await rolled(corridor, 2, merged=False)
    await corridor.approved("change", A="a3")
    stale = (await corridor.requests.get(asked.id)).request
    assert stale.state == "stale"
    edit = Edit(id="edit:1", actor=REQ, revision=stale.revision, digest=stale.digest, reason="once more", ticket=None)
    again = (await corridor.requests.apply(stale.id, edit)).request
    assert again.payload.back_to == 2
    assert (await merge(corridor, again)).state == "merged"
    assert await held(corridor) == {"A": b"a", "B": b"b"}


async def test_what_another_rollback_has_done_already_is_left_out(corridor):
    await three(corridor)
    first, second = await rolled(corridor, 2, merged=False), await rolled(corridor, 2, "B", merged=False)
    await merge(corridor, second)
    stale = (await corridor.requests.get(first.id)).request
    edit = Edit(id="edit:1", actor=REQ, revision=1, digest=stale.digest, reason="once more", ticket=None)
    again = (await corridor.requests.apply(stale.id, edit)).request
    assert [touch.name for touch in again.payload.touches] == ["A", "C"]
    assert (await merge(corridor, again)).state == "merged"
    assert await held(corridor) == {"A": b"a", "B": b"b"}


async def test_a_rollback_that_is_edited_is_no_longer_just_one(corridor):
    await three(corridor)
    asked = await rolled(corridor, 2, merged=False)
    command = Edit(id="edit:1", actor=REQ, revision=1, digest=asked.digest, reason="less", ticket=None)
    after = (await corridor.asking().edit(asked, command, {"D": Value(Secret(b"d"))}, ("C",))).request
    assert after.payload.back_to is None
    assert (await merge(corridor, after)).state == "merged"
    assert await held(corridor) == {"A": b"a", "B": b"b", "C": b"c", "D": b"d"}


async def test_a_file_comes_back_with_its_bytes_and_its_mode(corridor):
    environment = await corridor.environments.ensure("payments/prod")
    asking, pem = corridor.asking(), bytes(range(256))
    for value in (Value(Secret(pem), 0o400), Value(Secret(b"other"), 0o644), Value(None)):
        wish = {"reason": "why", "ticket": None, "command_id": f"set:{corridor.id()}"}
        await merge(corridor, (await asking.change(REQ, PROD, {"tls/key.pem": value}, **wish)).request)
    assert await held(corridor) == {}
    await rolled(corridor, 2)
    assert await held(corridor) == {"tls/key.pem": pem}
    assert (await corridor.environments.head(environment.id)).entries["tls/key.pem"].mode == 0o400


async def test_what_would_change_too_many_names_is_gone_back_in_steps(corridor):
    names = [f"N{number:03}" for number in range(120)]
    for part in (names[:100], names[100:]):
        await corridor.approved("change", **dict.fromkeys(part, "x"))
    with pytest.raises(Invalid, match="120 names would change, and a request changes at most 100"):
        await rolled(corridor, 1)
    await rolled(corridor, 1, *names[:100])
    await rolled(corridor, 1)
    assert await held(corridor) == {}


# -- what is not genuine -----------------------------------------------------------------------------------------------


async def key_of(corridor: Corridor, environment: str) -> EnvironmentKey:
    return await corridor.environments.key(environment, 1)


async def put(corridor: Corridor, environment: str, number: int, manifest: Manifest) -> None:
    await corridor.redis.set(corridor.keys.manifest(environment, number), manifest.to_json())


def another(corridor: Corridor) -> Versions:
    """Those of a process with nothing in memory."""
    return Versions(corridor.redis, corridor.keys, corridor.another_environments())


async def test_a_version_that_was_altered_is_not_used(corridor):
    environment = await three(corridor)
    real = await corridor.versions.manifest(environment, 3)
    entries = {**real.entries, "A": real.entries["B"]}
    await put(corridor, environment, 3, real.model_copy(update={"entries": entries}))
    for versions in (corridor.versions, another(corridor)):
        with pytest.raises(Unavailable) as refused:
            await versions.manifest(environment, 3)
        assert refused.value.detail == TAMPERED


async def test_a_genuine_version_of_another_past_is_none_of_this_one(corridor):
    environment = await three(corridor)
    key = await key_of(corridor, environment)
    second = await corridor.versions.manifest(environment, 2)
    forked = key.sign(second.successor({"A": second.entries["B"]}))
    await put(corridor, environment, 3, forked)
    for number in (2, 3):
        with pytest.raises(Unavailable) as refused:
            await another(corridor).manifest(environment, number)
        assert refused.value.detail == TAMPERED


async def test_a_version_under_another_number_is_not_used(corridor):
    environment = await three(corridor)
    await put(corridor, environment, 3, await corridor.versions.manifest(environment, 2))
    with pytest.raises(Unavailable):
        await corridor.versions.manifest(environment, 3)


async def test_an_entry_that_was_exchanged_is_not_brought_back(corridor):
    environment = await three(corridor)
    manifest = await corridor.versions.manifest(environment, 2)
    entries = corridor.keys.entries(environment)
    other = await corridor.redis.hget(entries, manifest.entries["A"].entry_id)
    await corridor.redis.hset(entries, manifest.entries["B"].entry_id, other)
    with pytest.raises(Unavailable, match="cannot be trusted"):
        await rolled(corridor, 2, "B")
    await corridor.redis.hdel(entries, manifest.entries["B"].entry_id)
    with pytest.raises(Unavailable, match="sealed value of B is missing"):
        await rolled(corridor, 2, "B")
