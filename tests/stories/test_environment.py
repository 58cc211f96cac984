"""One environment: what it holds by name, its versions, and the way back to one of them; and values that never pass through Slack."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from redis.asyncio import Redis

from playground import seed
from playground.house import House
from playground.slack.records import Message, View
from playground.slack.sight import actions_of, text_of
from store.model.errors import Unavailable
from store.model.policy import HOUR
from store.model.secret import Secret
from tests.stories import evidence, rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    again,
    asks,
    card,
    command,
    forged,
    home,
    modal,
    own_card,
    page,
    press,
    request_of,
    says,
)
from tests.stories.test_change import PROD, change, values_in

CANARY = "kanarienvogel-12"
TAKES_NONE = "payments/prod: {channel: C0APPROVALS}"
BACK = "home_roll_back"


async def tap(house: House, user: str, action: str, value: str) -> None:
    """A button of App Home, one of several that do the same with something else."""
    view = house.workspace.home(user)
    assert view is not None
    [block] = [
        block["block_id"]
        for block in view.blocks
        for one in [*block.get("elements", ()), block.get("accessory", {})]
        if (one.get("action_id"), one.get("value")) == (action, value)
    ]
    await house.workspace.home_action(user, action, block_id=block)


async def environment(house: House, user: str, *words: str) -> View:
    """The page of payments/prod."""
    await page(house, user, "environments")
    await tap(house, user, "home_go_environment", f"environment@{PROD}")
    return await home(house, user, "Versions (", *words)


async def merged(house: House, asked: Message, version: int) -> None:
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    await says(house, asked, f"Merged as version {version}")


@pytest.mark.seeded
async def test_two_taps_ask_for_the_way_back_and_two_people_decide(any_house: House) -> None:
    house = any_house
    before = await values_in(house)
    await merged(house, await change(house, lines="STRIPE_KEY=broken\nNEW=x", remove=("SESSION_SECRET",)), 3)
    shown = text_of(await environment(house, seed.ROSA, "Version 3"))
    for words in (
        "holds 3 secrets",
        "STRIPE_KEY\n changed",
        "NEW\n new",
        "SESSION_SECRET\n removed",
        "asked by <@U0ROSA>",
    ):
        assert words in shown
    assert "broken" not in shown

    await tap(house, seed.ROSA, BACK, f"{PROD}@2")
    form = modal(house, seed.ROSA)
    for words in ("Back to version 2", "1 new, 1 changed, 1 removed", "STRIPE_KEY\n changed", "Who is asked"):
        assert words in text_of(form)
    await house.workspace.submit(seed.ROSA, form.id)
    asked = await card(house, "Waiting for approval", "Take it back to version 2")
    assert "Back to version 2, from version 3" in text_of(asked)
    await merged(house, asked, 4)
    assert await values_in(house) == before
    assert "back to version 2" in text_of(await environment(house, seed.ROSA, "Version 4"))


@pytest.mark.seeded
async def test_a_version_that_is_what_is_there_needs_no_way_back(house: House) -> None:
    await merged(house, await change(house, lines="STRIPE_KEY=2"), 3)
    await environment(house, seed.ROSA, "Version 3")
    for version in (4, 5):
        await tap(house, seed.ROSA, BACK, f"{PROD}@2")
        form = modal(house, seed.ROSA)
        if version == 5:
            assert "there is nothing to go back to" in text_of(form)
            assert not form.payload.get("submit")
            return
        await house.workspace.submit(seed.ROSA, form.id)
        await merged(house, await card(house, "Waiting for approval", "Take it back to version 2"), version)


async def test_who_is_named_nowhere_sees_no_names_and_goes_nowhere_back(open_house: OpenHouse) -> None:
    ours = rules.opening("actions: [open, change]", "requesters: {users: [omar@example.com]}")
    house = await open_house(policies=rules.policies(ours))
    asked = await asks(
        house, seed.OMAR, f"change {PROD}", {f"set:{PROD}": {"set": "HIDDEN_NAME=1"}, "reason": {"reason": "x"}}
    )
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Merged as version 2")
    await environment(house, seed.OMAR, "HIDDEN_NAME")
    await house.app.homes.go(seed.ROSA, f"environment@{PROD}")
    shown = await home(house, seed.ROSA, "not yours to see")
    assert "HIDDEN_NAME" not in text_of(shown)

    theirs = house.workspace.home(seed.OMAR)
    assert theirs is not None
    shown.payload = {**shown.payload, "blocks": theirs.blocks}
    await tap(house, seed.ROSA, BACK, f"{PROD}@1")
    await own_card(house, seed.ROSA, "There is no such environment here, or it is not yours to see.")
    assert house.workspace.modals(seed.ROSA) == []


async def test_a_form_that_was_made_up_goes_back_only_where_its_sender_may_ask(open_house: OpenHouse) -> None:
    ours = rules.opening("actions: [open, change]")
    house = await open_house(policies=rules.policies(ours))
    asked = await change(house, lines="A=1")
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Merged as version 2")
    await environment(house, seed.ROSA, "Version 2")
    await tap(house, seed.ROSA, BACK, f"{PROD}@1")
    sent = await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id)

    def by_another(payload: dict[str, Any]) -> None:
        payload["user"]["id"] = seed.BEN
        payload["view"]["id"] += "F"

    ack = await house.workspace.deliver(forged(sent.envelope, by_another))
    assert "does not name you among those who may ask" in str(ack.payload)
    assert len(await house.app.requests.listed(f"mine:{seed.BEN}", most=9)) == 0


# -- references --------------------------------------------------------------------------------------------------------


async def reference(house: House, value: str = CANARY, user: str = seed.ROSA, target: str = PROD, **what: Any) -> str:
    """As `countersign seal` makes one."""
    found = await house.app.environments.ensure(target)
    return (await house.app.blobs.put(found, user, Secret(value.encode()), **what)).reference


async def test_what_was_sealed_is_asked_for_by_its_reference_and_never_passes_through_slack(
    open_house: OpenHouse, real_redis: Redis
) -> None:
    changing = rules.opening("actions: [open, change]", "approvals: [{count: 1, from: {groups: [payments-leads]}}]")
    house = await open_house(policies=rules.policies(changing, targets=(TAKES_NONE,)))
    pasted = await reference(house)
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request change {PROD}")
    form = modal(house, seed.ROSA)
    assert "`countersign seal payments/prod` at your terminal" in text_of(form)
    assert "takes references only" in text_of(form)
    sent = await house.workspace.submit(
        seed.ROSA, form.id, {f"set:{PROD}": {"set": f"TOKEN={pasted.lower()}"}, "reason": {"reason": "INC-7"}}
    )
    assert sent.errors == {}
    asked = await card(house, "Waiting for approval")
    assert "TOKEN\n new" in text_of(asked)
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Merged as version 2")
    assert await values_in(house) == {"TOKEN": CANARY}
    shown = "".join(text_of(message) for message in house.workspace.messages(seed.APPROVALS))
    assert CANARY not in shown
    found = await evidence.everything_in(real_redis)
    assert [key for key, content in found.items() if evidence.holds(content, CANARY)] == []
    assert house.workspace.troubles == []


async def test_a_value_that_is_typed_all_the_same_is_refused_and_not_repeated(open_house: OpenHouse) -> None:
    changing = rules.opening("actions: [change]")
    house = await open_house(policies=rules.policies(changing, targets=(TAKES_NONE,)))
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request change {PROD}")
    values = {f"set:{PROD}": {"set": f"TOKEN={CANARY}"}, "reason": {"reason": "INC-7"}}
    sent = await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, values)
    assert "`countersign seal payments/prod` prints them" in sent.errors[f"set:{PROD}"]
    assert CANARY not in str(sent.errors)


WRONG: dict[str, tuple[Callable[[House], Awaitable[str]], str]] = {
    "never there": (lambda house: _text("sealed:7Q2M4XK9TB"), "is not there: a reference works once"),
    "another's": (lambda house: reference(house, user=seed.OMAR), "only for who made it"),
    "elsewhere": (lambda house: reference(house, target="payments/staging"), "was sealed for payments/staging"),
    "other name": (lambda house: reference(house, name="OTHER"), "was sealed for the name OTHER"),
}


async def _text(text: str) -> str:
    return text


@pytest.mark.parametrize("which", WRONG)
async def test_a_reference_that_does_not_fit_says_beside_its_field_what_to_do(house: House, which: str) -> None:
    make, sentence = WRONG[which]
    pasted = await make(house)
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request change {PROD}")
    values = {f"set:{PROD}": {"set": f"A={pasted}"}, "reason": {"reason": "INC-7"}}
    sent = await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, values)
    assert sentence in sent.errors[f"set:{PROD}"]
    assert sent.errors[f"set:{PROD}"].endswith("OTHER, and this is “A”.") or "countersign seal payments/prod" in str(
        sent.errors
    )


async def test_a_reference_is_over_after_an_hour_and_when_it_was_taken(house: House) -> None:
    old = await reference(house)
    await house.advance(HOUR)
    pasted = await reference(house)
    asked = await change(house, lines=f"A={pasted}")
    assert "A\n new" in text_of(asked)
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"request change {PROD}")
    view = modal(house, seed.ROSA).id
    for gone in (old, pasted):
        values = {f"set:{PROD}": {"set": f"B={gone}"}, "reason": {"reason": "INC-7"}}
        sent = await house.workspace.submit(seed.ROSA, view, values)
        assert "is not there" in sent.errors[f"set:{PROD}"]


@pytest.mark.seeded
async def test_a_request_is_edited_with_a_reference_too(house: House) -> None:
    asked = await change(house, lines="A=1")
    mine = await own_card(house, seed.ROSA, "Waiting for approval", button="edit")
    await press(house, seed.ROSA, mine, "edit")
    pasted = await reference(house)
    await house.workspace.submit(
        seed.ROSA, modal(house, seed.ROSA).id, {f"set:{PROD}": {"set": f"A={pasted}"}, "reason": {"reason": "INC-8"}}
    )
    await says(house, asked, "INC-8")
    await merged(house, asked, 3)
    assert (await values_in(house))["A"] == CANARY
    assert request_of(asked)
    assert "edit" not in actions_of(again(house, asked))


# -- what approvers are told of values that they do not see ------------------------------------------------------------


@pytest.mark.seeded
async def test_approvers_are_told_what_is_worth_a_second_look_and_no_value(house: House) -> None:
    staging = "postgres://payments:staging@db.internal/payments"
    lines = f"EMPTY=\nSPACED={CANARY} \nDATABASE_URL={staging}\nSTRIPE_KEY=sk_live_playground_51Hxyz"
    asked = await change(house, lines=lines)
    shown = await says(house, asked, "Worth a second look")
    for words in (
        "EMPTY\n is empty",
        "SPACED\n begins or ends with white space",
        "STRIPE_KEY\n is the value that is there already",
        "DATABASE_URL\n has the same value as DATABASE_URL in payments/staging",
    ):
        assert words in text_of(shown)
    mine = await own_card(house, seed.ROSA, "Waiting for approval")
    assert "Worth a second look" not in text_of(mine)
    assert "is empty" in await command(house, seed.BEN, f"show {request_of(asked)}")
    assert "is empty" not in await command(house, seed.ROSA, f"show {request_of(asked)}")
    everywhere = "".join(text_of(message) for message in house.workspace.messages(seed.APPROVALS))
    assert [value for value in (CANARY, staging) if value in everywhere] == []
    await merged(house, asked, 3)
    assert "Worth a second look" not in text_of(again(house, asked))


@pytest.mark.seeded
async def test_without_a_key_holder_it_is_said_and_the_decision_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> Any:
        raise Unavailable("No key holder answers.", code="keys_missing")

    real = house.app.environments._ring.open

    asked = await change(house, lines="A=1")
    monkeypatch.setattr(house.app.environments._ring, "open", away)
    await press(house, seed.BEN, asked, "approve")
    shown = await says(house, asked, "1 of 2 approvals", "could not be worked out now")
    monkeypatch.setattr(house.app.environments._ring, "open", real)
    await press(house, seed.INES, shown, "approve")
    await says(house, asked, "Merged as version 3")


# -- an environment that is to be forgotten ----------------------------------------------------------------------------


async def test_an_owner_deletes_what_the_policies_do_not_name_any_more(
    open_house: OpenHouse, real_redis: Redis
) -> None:
    ours = rules.opening("actions: [open, change]")
    house = await open_house(policies=rules.policies(ours))
    old = await house.app.environments.ensure("payments/old")
    await house.app.environments.signing_secret(old, "api")
    assert "Only an owner deletes" in await command(house, seed.ROSA, "delete payments/old")
    assert "stands in the policies" in await command(house, seed.ANA, f"delete {PROD}")
    assert "There is no environment payments/none" in await command(house, seed.ANA, "delete payments/none")

    await house.workspace.slash(seed.ANA, seed.APPROVALS, "/countersign", "delete payments/old")
    form = modal(house, seed.ANA)
    assert "deleted for good" in text_of(form)
    sent = await house.workspace.submit(
        seed.ANA, form.id, {"confirm": {"confirm": "payments/prod"}, "reason": {"reason": "moved"}}
    )
    assert sent.errors == {"confirm": "Type payments/old to confirm."}
    sent = await house.workspace.submit(
        seed.ANA, form.id, {"confirm": {"confirm": "payments/old"}, "reason": {"reason": "moved"}}
    )
    assert await house.app.environments.find("payments/old") is None
    await own_card(house, seed.ANA, "payments/old is deleted")
    left = [key.decode() async for key in real_redis.scan_iter(f"*{old.id}*")]
    assert {key.rpartition("}:")[2].partition(":")[0] for key in left} == {"tombstone", "command"}

    def by_another(payload: dict[str, Any]) -> None:
        payload["user"]["id"] = seed.ROSA
        payload["view"]["id"] += "F"

    await house.app.environments.ensure("payments/old")
    ack = await house.workspace.deliver(forged(sent.envelope, by_another))
    assert "Only an owner deletes" in str(ack.payload)
    assert await house.app.environments.find("payments/old") is not None


# -- files, and what is not kept any more ------------------------------------------------------------------------------


@pytest.mark.seeded
async def test_a_file_is_asked_for_by_its_reference_and_comes_back_with_its_mode(house: House) -> None:
    raw = bytes(range(256)) * 40
    found = await house.app.environments.ensure(PROD)
    pem = (await house.app.blobs.put(found, seed.ROSA, Secret(raw), name="tls/key.pem", mode=0o400)).reference
    await merged(house, await change(house, lines=f"tls/key.pem={pem}"), 3)
    await merged(house, await change(house, remove=("tls/key.pem",)), 4)
    shown = text_of(await environment(house, seed.ROSA, "Version 4"))
    assert "tls/key.pem\n removed" in shown
    await tap(house, seed.ROSA, BACK, f"{PROD}@3")
    await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id)
    await merged(house, await card(house, "Waiting for approval", "Take it back to version 3"), 5)
    assert "tls/key.pem\n file, mode 400" in text_of(await environment(house, seed.ROSA, "Version 5"))
    asked = await asks(house, seed.OMAR, f"open {PROD} for 15m because to look")
    await press(house, seed.BEN, asked, "approve")
    await press(house, seed.OMAR, await own_card(house, seed.OMAR, request_of(asked), button="activate"), "activate")
    await says(house, asked, "has access now")
    value = (await house.app.environments.read(request_of(asked), seed.OMAR)).values["tls/key.pem"]
    assert value.secret is not None
    assert (value.secret.reveal(), value.mode) == (raw, 0o400)


@pytest.mark.seeded
async def test_old_versions_leave_for_a_file_and_are_not_offered_any_more(open_house: OpenHouse) -> None:
    house = await open_house(environ={"COUNTERSIGN_VERSIONS": "2"})
    for version in (3, 4):
        await merged(house, await change(house, lines=f"STRIPE_KEY={CANARY}-{version}"), version)
    await environment(house, seed.ROSA, "Versions (4)")
    await house.app.clock._jobs["retention"][0]()  # its hour has come
    shown = await environment(house, seed.ROSA, "Versions (2)")
    assert [one for one in actions_of(shown) if one == BACK] == [BACK]
    [path] = [path for path in (house.app.settings.data / "exports").iterdir() if f'"{PROD}"' in path.read_text()]
    lines = path.read_text().splitlines()
    assert [f'"version": {number}' in line for number, line in enumerate(lines, start=1)] == [True, True]
    assert CANARY not in path.read_text()
    assert house.workspace.troubles == []


async def test_the_page_says_that_another_of_this_name_was_deleted(open_house: OpenHouse) -> None:
    ours = rules.policies(rules.opening("actions: [open, change]"))
    house = await open_house(policies=ours.replace("payments/prod", "payments/next"))
    await house.app.environments.ensure(PROD)
    await house.workspace.slash(seed.ANA, seed.APPROVALS, "/countersign", f"delete {PROD}")
    typed = {"confirm": {"confirm": PROD}, "reason": {"reason": "moved"}}
    await house.workspace.submit(seed.ANA, modal(house, seed.ANA).id, typed)
    await house.app.homes.go(seed.ANA, f"environment@{PROD}")
    shown = text_of(await home(house, seed.ANA, "Another environment of this name, with 1 version, was deleted"))
    assert "by <@U0ANA>" in shown
    assert "Nothing was set here since." in shown
