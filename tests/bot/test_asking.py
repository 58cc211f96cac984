"""Asking: one wish becomes one request, whichever door it came by and however often."""

import pytest
from redis.asyncio import Redis

from bot.asking import Asking
from store.model.errors import Conflict, Forbidden, Invalid, Unavailable
from store.model.identity import Target
from store.model.policy import HOUR, Access, Reason, TargetConfig
from store.model.request import Change, Joining, Opening
from store.model.secret import Secret
from store.redis.environments import Value
from tests.builders import OWNER, PROD, REQ, ROLE, TARGETS, edit, policy
from tests.store.redis.corridor import Corridor


@pytest.fixture
async def corridor(real_redis: Redis) -> Corridor:
    corridor = Corridor(real_redis)
    await corridor.enact(policy(access=Access(default_ms=HOUR // 2, max_ms=4 * HOUR)))
    corridor.crowd.changed[REQ] = {"email": "req@example.com"}
    return corridor


@pytest.fixture
def asking(corridor: Corridor) -> Asking:
    return corridor.asking()


def wish(command_id: str = "view:1", **changed):
    return {"reason": "because", "ticket": None, "command_id": command_id, **changed}


def value(text: str) -> Value:
    return Value(Secret(text.encode()))


async def test_to_open_an_environment(asking):
    asked = (await asking.open(REQ, PROD, duration_ms=HOUR, **wish())).request
    assert isinstance(asked.payload, Opening)
    assert (asked.kind, asked.target, asked.requester, asked.beneficiary) == ("open", "payments/prod", REQ, REQ)
    assert (asked.payload.duration_ms, asked.reason) == (HOUR, "because")


async def test_who_names_no_duration_gets_the_rules_own(asking):
    assert (await asking.open(REQ, PROD, duration_ms=None, **wish("a"))).request.duration_ms == HOUR // 2
    assert (await asking.access(REQ, ROLE, duration_ms=None, **wish("b"))).request.duration_ms == HOUR // 2


async def test_to_join_a_group_under_the_address_that_slack_knows(asking):
    asked = (await asking.access(REQ, ROLE, duration_ms=HOUR, **wish())).request
    assert isinstance(asked.payload, Joining)
    of = asked.payload.membership
    assert (of.connector, of.group, of.user, of.account) == ("okta", "admins", REQ, "req@example.com")


async def test_to_change_secrets_which_are_sealed_before_anybody_is_asked(asking, corridor):
    asked = (await asking.change(REQ, PROD, {"A": value("kanarienvogel-7"), "B": value("b")}, **wish())).request
    assert isinstance(asked.payload, Change)
    assert [(touch.name, touch.word) for touch in asked.payload.touches] == [("A", "new"), ("B", "new")]
    assert b"kanarienvogel-7" not in repr(await corridor.dump()).encode()


@pytest.mark.parametrize("kind", ["open", "access", "change"])
async def test_a_wish_that_arrives_twice_is_one_request(asking, corridor, kind):
    async def ask(reason: str = "because"):
        if kind == "open":
            return await asking.open(REQ, PROD, duration_ms=HOUR, **wish(reason=reason))
        if kind == "access":
            return await asking.access(REQ, ROLE, duration_ms=HOUR, **wish(reason=reason))
        return await asking.change(REQ, PROD, {"A": value("a")}, **wish(reason=reason))

    first, second = await ask(), await ask()
    assert first.news
    assert not second.news
    assert second.answer == first.answer
    assert (await corridor.events()).count("request.submitted") == 1
    with pytest.raises(Conflict):
        await ask("for another reason")  # under the same id


async def test_two_wishes_are_two_requests(asking):
    first = await asking.open(REQ, PROD, duration_ms=HOUR, **wish("a"))
    second = await asking.open(REQ, PROD, duration_ms=HOUR, **wish("b"))
    assert first.request.id != second.request.id


# -- what cannot be asked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["payments/nowhere", "role:nobody"])
async def test_a_target_that_is_not_there(asking, target):
    kind = asking.access if target.startswith("role:") else asking.open
    with pytest.raises(Invalid):
        await kind(REQ, Target.parse(target), duration_ms=HOUR, **wish())


async def test_an_application_is_no_environment(asking):
    for ask in (
        asking.open(REQ, Target.parse("payments/prod#api"), duration_ms=HOUR, **wish("a")),
        asking.change(REQ, Target.parse("payments/prod#api"), {"A": value("a")}, **wish("b")),
    ):
        with pytest.raises(Invalid, match="not an environment"):
            await ask


async def test_a_role_without_a_group_cannot_be_joined(asking, corridor):
    await corridor.enact(targets={**TARGETS, "role:aws-admin": TargetConfig()})
    with pytest.raises(Invalid) as raised:
        await asking.access(REQ, ROLE, duration_ms=HOUR, **wish())
    assert raised.value.detail == "no_group"


async def test_who_has_no_address_cannot_be_known_outside(asking, corridor):
    corridor.crowd.changed.clear()
    with pytest.raises(Forbidden) as raised:
        await asking.access(REQ, ROLE, duration_ms=HOUR, **wish())
    assert raised.value.detail == "no_account"


async def test_who_is_not_known_in_time_is_told_to_try_again(asking, corridor):
    corridor.crowd.without.add(REQ)
    with pytest.raises(Unavailable) as raised:
        await asking.access(REQ, ROLE, duration_ms=HOUR, **wish())
    assert raised.value.detail == "people_unknown"


async def test_nothing_to_change_is_no_change(asking):
    with pytest.raises(Invalid) as raised:
        await asking.change(REQ, PROD, {}, **wish())
    assert raised.value.detail == "nothing_to_change"


@pytest.mark.parametrize(
    ("user", "changed"),
    [(OWNER, {}), (REQ, {"reason": ""}), (REQ, {"reason": "   "})],
    ids=["not a requester", "no reason", "a reason of spaces"],
)
async def test_the_rule_is_held_whichever_door_it_came_by(asking, corridor, user, changed):
    await corridor.enact(policy(reason=Reason(required=True)))
    with pytest.raises((Forbidden, Invalid)):
        await asking.open(user, PROD, duration_ms=HOUR, **wish(**changed))
    assert "request.submitted" not in await corridor.events()


async def test_without_policies_nothing_can_be_asked(real_redis):
    corridor = Corridor(real_redis)
    asking = corridor.asking()
    with pytest.raises(Unavailable, match="no policies yet"):
        await asking.open(REQ, PROD, duration_ms=HOUR, **wish())


async def test_to_edit_a_change_keeps_what_is_not_named(asking, corridor):
    asked = (await asking.change(REQ, PROD, {"A": value("a"), "B": value("b"), "C": value("c")}, **wish())).request
    after = (await asking.edit(asked, edit(asked), {"B": value("kanarienvogel-8")}, ("C",))).request
    assert isinstance(after.payload, Change)
    before = {touch.name: touch for touch in asked.payload.touches}
    now = {touch.name: touch for touch in after.payload.touches}
    assert (now["A"], list(now)) == (before["A"], ["A", "B"])
    assert now["B"].entry != before["B"].entry
    assert len(await corridor.environments.pending(after)) == 2
    assert b"kanarienvogel-8" not in repr(await corridor.dump()).encode()


async def test_an_edit_that_arrives_twice_is_one_revision_though_it_is_sealed_anew(asking, corridor):
    asked = (await asking.change(REQ, PROD, {"A": value("a"), "B": value("b")}, **wish())).request
    for news in (True, False):
        at = (await corridor.requests.get(asked.id)).request
        outcome = await asking.edit(at, edit(asked), {"B": value("c")}, ())
        assert outcome.news is news
    assert (await corridor.requests.get(asked.id)).request.revision == 2


async def test_without_a_value_only_the_words_are_edited(asking, corridor):
    asked = (await asking.change(REQ, PROD, {"A": value("a")}, **wish())).request
    after = (await asking.edit(asked, edit(asked, reason="another"), {}, ())).request
    assert (after.payload, after.reason) == (asked.payload, "another")


async def test_values_are_not_sealed_for_another_environment_of_that_name(asking):
    asked = (await asking.change(REQ, PROD, {"A": value("a")}, **wish())).request
    old = asked.model_copy(update={"payload": asked.payload.model_copy(update={"environment_id": "old"})})
    with pytest.raises(Conflict, match="another environment"):
        await asking.edit(old, edit(asked), {"A": value("b")}, ())


async def test_what_several_edits_bring_is_not_more_than_one_request_may(asking, corridor):
    large = Value(Secret(bytes(700 * 1024)), 0o600)
    asked = (await asking.change(REQ, PROD, {"a.bin": large, "B": value("b")}, **wish())).request
    with pytest.raises(Invalid, match="carries at most 1 MiB"):
        await asking.edit(asked, edit(asked), {"c.bin": large}, ())
    after = (await asking.edit(asked, edit(asked), {"c.bin": large}, ("a.bin",))).request
    assert [touch.name for touch in after.payload.touches] == ["B", "c.bin"]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"A": Value(Secret(bytes(64 * 1024 + 1)))}, "a value has at most 64 KiB"),
        ({"a": Value(Secret(bytes(1024 * 1024 + 1)), 0o600)}, "at most 1 MiB"),
        ({f"N{number}": value("x") for number in range(101)}, "at most 100 entries"),
        ({f"f{number}": Value(Secret(bytes(600 * 1024)), 0o600) for number in range(2)}, "carries at most 1 MiB"),
        ({"tls/../key": Value(Secret(b"x"), 0o600)}, "is not a path for a file"),
        ({"tls/key": Value(Secret(b"x"))}, "is not a name for a value"),
        ({"a": Value(Secret(b"x"), 0o600), "a/b": Value(Secret(b"x"), 0o600)}, "a file is no folder"),
    ],
)
async def test_what_is_beyond_the_limits_is_refused_in_words(asking, corridor, values, sentence):
    with pytest.raises(Invalid, match=sentence):
        await asking.change(REQ, PROD, values, **wish())
    assert await corridor.redis.keys("*payload*") == []


async def test_an_environment_holds_five_hundred_entries(asking, corridor):
    for part in range(5):
        await corridor.approved("change", **{f"N{part}_{number}": "x" for number in range(100)})
    with pytest.raises(Invalid, match="holds at most 500 entries, and this would make 501"):
        await asking.change(REQ, PROD, {"ONE_MORE": value("x")}, **wish())
