"""Changing secrets: sealed when they are sent off, approved by two, merged as a new version, and the hook told."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from redis.asyncio import Redis

from playground import seed
from playground.hooks import HookDelivery
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.model.policy import HOUR, SECOND
from tests.stories import evidence, rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    approved,
    asks,
    forged,
    late,
    modal,
    own_card,
    press,
    request_of,
    says,
    seen,
)

pytestmark = pytest.mark.seeded

PROD = "payments/prod"
SPACED = "  spaces are kept  "
VALUE = "postgres://u:p@ss=w==rd@db/payments?x=1&y=<2>"


async def change(house: House, user: str = seed.ROSA, **what: Any) -> Message:
    """The card of a change that was taken in."""
    target = what.get("target", PROD)
    values: dict[str, dict[str, Any]] = {
        f"set:{target}": {"set": what.get("lines")},
        "reason": {"reason": what.get("reason", "INC-7")},
    }
    if "remove" in what:
        values[f"remove:{target}"] = {"remove": list(what["remove"])}
    return await asks(house, user, f"change {target}", values)


async def values_in(house: House, user: str = seed.OMAR, target: str = PROD) -> Mapping[str, str]:
    """What the environment holds, as somebody reads it who may: asked for, approved, activated."""
    asked = await asks(house, user, f"open {target} for 15m because to look")
    await approved(house, asked, seed.BEN)
    await press(house, user, await own_card(house, user, request_of(asked), button="activate"), "activate")
    await says(house, asked, "has access now")
    opened = await house.app.environments.read(request_of(asked), user)
    return {name: value.secret.reveal().decode() for name, value in opened.values.items() if value.secret is not None}


async def delivered(house: House, version: int) -> list[HookDelivery]:
    """What the receiver got about this version, once it has taken it."""

    def found() -> list[HookDelivery]:
        told = [one for one in house.hooks.deliveries if json.loads(one.body)["data"]["environment_version"] == version]
        return told if told and told[-1].status == 204 else []

    return await house.workspace.wait_for(found)


async def thread_says(house: House, card: Message, *words: str) -> str:
    def found() -> list[str]:
        replies = house.workspace.thread(card.channel, card.ts)[1:]
        return [text_of(reply) for reply in replies if all(word in text_of(reply) for word in words)]

    return (await house.workspace.wait_for(found))[0]


async def test_two_people_approve_a_change_and_the_hook_hears_of_the_new_version(
    any_house: House, real_redis: Redis
) -> None:
    house = any_house
    await delivered(house, 2)  # the first secrets
    asked = await change(house, lines=f"DATABASE_URL={VALUE}\nNEW_KEY={SPACED}\nEMPTY=", remove=("SESSION_SECRET",))
    shown = text_of(asked)
    for line in ("DATABASE_URL\n changed", "NEW_KEY\n new", "EMPTY\n new", "SESSION_SECRET\n removed"):
        assert line in shown
    assert "2 new, 1 changed, 1 removed" in shown
    await nothing_in_plain(real_redis, VALUE, SPACED)

    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2 approvals", "still needed")
    assert len(house.hooks.deliveries) == 1
    await press(house, seed.INES, again(house, asked), "approve")
    await says(house, asked, "Merged as version 3")
    await own_card(house, seed.ROSA, "*Merged as version 3:* your request")

    [told] = await delivered(house, 3)
    assert told.verified
    assert told.id == f"msg_{request_of(asked)}_api_3"
    assert json.loads(told.body)["data"] == {
        "target": PROD,
        "environment": PROD,
        "environment_version": 3,
        "hook": "api",
        "request": request_of(asked),
        "requested_by": seed.ROSA,
        "decided_by": [seed.BEN, seed.INES],
    }
    await thread_says(house, asked, "version 3 of payments/prod", "delivered in", "status 204, 1 attempt")
    assert await values_in(house) == {
        "DATABASE_URL": VALUE,
        "STRIPE_KEY": "sk_live_playground_51Hxyz",
        "NEW_KEY": SPACED,
        "EMPTY": "",
    }
    await nothing_in_plain(real_redis, VALUE, SPACED)


async def nothing_in_plain(redis: Redis, *values: str) -> None:
    found = await evidence.everything_in(redis)
    assert any("INC-7" in content.decode(errors="replace") for content in found.values())  # it finds what is there
    assert [(key, value) for key, content in found.items() for value in values if evidence.holds(content, value)] == []


async def test_a_receiver_that_fails_is_told_again_with_the_same_id(house: House) -> None:
    await delivered(house, 2)
    house.hooks.answer("api", 500, times=2)
    asked = await change(house, lines="STRIPE_KEY=sk_live_2")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    await thread_says(house, asked, "not delivered yet, status 500, 1 attempt")
    await house.advance(20 * SECOND)
    await thread_says(house, asked, "not delivered yet, status 500, 2 attempts")
    await house.advance(HOUR)
    tries = await delivered(house, 3)
    assert [one.status for one in tries] == [500, 500, 204]
    assert all(one.verified for one in tries)
    assert len({one.id for one in tries}) == len({one.body for one in tries}) == 1
    await thread_says(house, asked, "delivered in", "3 attempts")
    assert len(house.workspace.thread(asked.channel, asked.ts)) == 2  # one line a hook, kept true


async def test_of_two_changes_of_one_name_the_second_is_out_of_date(house: House) -> None:
    first = await change(house, lines="STRIPE_KEY=sk_live_2\nA=1")
    second = await change(house, seed.OMAR, lines="STRIPE_KEY=sk_live_3\nB=1", reason="INC-8")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, first), "approve")
    await says(house, first, "Merged as version 3")
    stale = await says(house, second, "Out of date", "Somebody else changed the same secrets meanwhile")
    assert actions_of(stale) == []
    await own_card(house, seed.OMAR, "*Out of date:* your request")
    await press(house, seed.OMAR, await own_card(house, seed.OMAR, "Out of date", button="withdraw"), "withdraw")
    await says(house, second, "Withdrawn by <@U0OMAR>")
    held = await values_in(house)
    assert (held["STRIPE_KEY"], held["A"]) == ("sk_live_2", "1")
    assert "B" not in held


async def test_changes_of_different_names_are_both_merged(house: House) -> None:
    first = await change(house, lines="A=1")
    stale = seen(first)
    second = await change(house, seed.OMAR, lines="B=2", reason="INC-8")
    for asked, version in ((second, 3), (first, 4)):
        for user in (seed.BEN, seed.INES):
            await press(house, user, again(house, asked), "approve")
        await says(house, asked, f"Merged as version {version}")
    held = await values_in(house)
    assert (held["A"], held["B"], len(held)) == ("1", "2", 5)
    told = (await delivered(house, 4))[-1]
    assert told.verified
    sentence = await after(house, seed.ANA, late(house, seed.ANA, stale, "approve"))
    assert sentence == "This was merged already."


TYPED = {
    "EQUALS": "a=b==c",
    "SPACES": "  leading and trailing  ",
    "UNICODE": "žluťoučký 🐎 {\"json\": [1, '2']} \\n",
    "MARKUP": ":white_check_mark: <!channel> &amp; *bold* </script>",
    "LONG": "x" * 2_840,
}


async def test_values_arrive_exactly_as_they_were_typed(house: House) -> None:
    lines = "\n".join(f"{name}={value}" for name, value in TYPED.items())
    assert 2_900 < len(lines) <= 3_000
    asked = await change(house, lines=lines, target="payments/staging")
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Merged as version 3")
    held = await values_in(house, target="payments/staging")
    assert {name: held[name] for name in TYPED} == TYPED
    shown = "".join(text_of(message) for message in house.workspace.messages(seed.APPROVALS))
    assert [value for value in TYPED.values() if value.strip() in shown] == []


REFUSED = (
    ("NO EQUALS HERE", (), "set", "Line 1 has no “=”."),
    ("A=1\n2B=3", (), "set", "Line 2: before the “=” stands a name of letters, digits and _"),
    ("A=1\n\nA=2", (), "set", "Line 3 sets a name that was set above."),
    ("STRIPE_KEY=1", ("STRIPE_KEY",), "remove", "One of these is set above and removed here."),
    (None, (), "set", "Set a value, or choose a name to remove."),
    ("\n".join(f"N{number}=1" for number in range(101)), (), "set", "One request changes at most 100 secrets."),
)


async def test_what_cannot_be_asked_is_refused_beside_its_field_and_never_repeated(house: House) -> None:
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request change {PROD}")
    view = modal(house, seed.ROSA).id
    for lines, remove, field, sentence in REFUSED:
        values: dict[str, dict[str, Any]] = {
            f"set:{PROD}": {"set": lines},
            f"remove:{PROD}": {"remove": list(remove)},
            "reason": {"reason": "INC-7"},
        }
        seen = await house.workspace.submit(seed.ROSA, view, values)
        assert list(seen.errors) == [f"{field}:{PROD}"], lines
        assert sentence in seen.errors[f"{field}:{PROD}"]
        assert "HERE" not in str(seen.errors)
    await house.workspace.submit(
        seed.ROSA,
        view,
        {f"set:{PROD}": {"set": "A=1"}, f"remove:{PROD}": {"remove": []}, "reason": {"reason": " "}},
    )
    assert modal(house, seed.ROSA).errors == {"reason": "Say why: the people who decide need a reason."}


async def test_a_target_that_takes_no_values_in_slack_says_what_to_do_and_who_can_allow_it(
    open_house: OpenHouse,
) -> None:
    changing = rules.opening("actions: [change]", "approvals: [{count: 1, from: {groups: [payments-leads]}}]")
    house = await open_house(policies=rules.policies(changing, targets=("payments/prod: {channel: C0APPROVALS}",)))
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request change {PROD}")
    form = modal(house, seed.ROSA)
    assert "`countersign seal payments/prod` at your terminal" in text_of(form)
    assert "An owner of the policies can allow values here." in text_of(form)
    assert house.workspace.troubles == []


async def test_a_form_that_was_made_up_brings_such_a_target_no_values(open_house: OpenHouse) -> None:
    changing = rules.opening("actions: [change]", "targets: [payments/prod, payments/staging]")
    staging = "payments/staging: {channel: C0APPROVALS}"
    house = await open_house(policies=rules.policies(changing, targets=(rules.PROD, staging)))
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request change {PROD}")
    typed = {f"set:{PROD}": {"set": "A=kanarienvogel-7"}, "reason": {"reason": "INC-7"}}
    sent = await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, typed)

    def to_staging(payload: dict[str, Any]) -> None:
        view = payload["view"]
        view["id"] += "F"
        view["state"]["values"]["target"]["target"]["selected_option"]["value"] = "payments/staging"

    ack = await house.workspace.deliver(forged(sent.envelope, to_staging))
    assert "Values of payments/staging are not entered in Slack" in str(ack.payload)
    assert "kanarienvogel-7" not in str(ack.payload)
    mine = await house.app.requests.listed(f"mine:{seed.ROSA}", most=9)
    assert [request.target for request in mine] == [PROD]


async def test_what_is_refused_in_the_end_leaves_no_sealed_value(house: House, real_redis: Redis) -> None:
    asked = await change(house, lines="STRIPE_KEY=sk_live_2")
    payload = f"*payload:{request_of(asked)}:*"
    assert [key async for key in real_redis.scan_iter(payload)] != []
    await press(house, seed.BEN, asked, "deny")
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "no"}})
    await says(house, asked, "Denied by")
    assert [key async for key in real_redis.scan_iter(payload)] == []
    assert len(house.hooks.deliveries) == 1


async def test_a_change_that_is_merged_by_hand_waits_for_it(open_house: OpenHouse) -> None:
    changing = rules.opening(
        "actions: [change]", "approvals: [{count: 1, from: {groups: [payments-leads]}}]", "merge: by-hand"
    )
    house = await open_house(policies=rules.policies(changing))
    asked = await change(house, lines="A=1")
    await press(house, seed.BEN, asked, "approve")
    waits = await says(house, asked, "Approved, not merged yet", "It is not merged yet.")
    await press(house, seed.INES, waits, "merge")
    await says(house, asked, "Merged as version 2")
    assert house.workspace.troubles == []
