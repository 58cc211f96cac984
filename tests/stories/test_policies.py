"""Other policies: asked at the terminal of the machine, approved in Slack, and in force from then on."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from bot.cli import applying, recovering
from playground import seed
from playground.house import House
from playground.slack.elements import find
from playground.slack.records import Message
from playground.slack.sight import actions_of, text_of
from store.keys.file import KeyFile
from store.model.errors import AccessError, Conflict, Forbidden
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import (
    after,
    again,
    asks,
    audited,
    card,
    home,
    modal,
    own_card,
    page,
    press,
    quiet,
    request_of,
    says,
)
from tests.stories.test_edit import edits

MAIN = "policy:main: {channel: C0APPROVALS}"
WHO = "requesters: {users: [ana@example.com, rosa@example.com]}"
TWO = "approvals: [{count: 2, from: {groups: [payments-leads], users: [ana@example.com]}}]"
GUARD = f"name: the policies, targets: ['policy:main'], actions: [policy], {WHO}, {TWO}"


def written(*opening: str, guard: str = GUARD) -> str:
    return rules.policies(rules.opening(*opening), guard, targets=(rules.PROD, MAIN))


HARDER = written(rules.TWO_LEADS)


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    return await open_house(policies=written())


async def apply(house: House, text: str, user: str = seed.ANA, **how: Any) -> str | None:
    """What `countersign policy apply` does, with this in the file: the id of the request."""
    file = _file(house, text)
    given = {"reason": "Two leads from now on", "ticket": None, "request": None, "dry_run": False, **how}
    _, outcome = await applying.apply(house.environ(), file, user, **given)
    for app in house.apps:
        app.clock.nudge()
    return outcome.request.id if outcome is not None and outcome.request is not None else None


def _file(house: House, text: str) -> Path:
    file = house.folder / "other.yml"
    file.write_text(text, encoding="utf-8")
    return file


async def applied(house: House, text: str, user: str = seed.ANA, **how: Any) -> Message:
    return await card(house, "Waiting for approval", f"Request `{await apply(house, text, user, **how)}`")


async def in_force(house: House) -> int:
    return await house.app.policies.number()


async def test_two_leads_approve_and_the_new_rule_is_in_force(house: House) -> None:
    asked = await applied(house, HARDER, "ana@example.com")
    text = text_of(asked)
    assert "to version 1: 1 rule changed" in text
    assert "rule “open production”: changed" in text
    assert "approvals: [{count: 1, from: {groups: [payments-leads]}}] → [{count: 2" in text
    assert "at a terminal of the machine" in text
    assert "break_glass" not in actions_of(asked)
    await own_card(house, seed.ANA, request_of(asked), "Waiting for approval")
    waits = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")

    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2 approvals")
    assert await in_force(house) == 1
    await press(house, seed.INES, again(house, asked), "approve")
    await says(house, asked, "Merged as version 2")
    assert await in_force(house) == 2
    assert (await audited(house, "policy.changed", seed.INES))["version"] == 2
    assert (await audited(house, "request.submitted", seed.ANA))["door"] == "terminal"
    await own_card(house, seed.ANA, "*Merged as version 2:*", "the new policies are in force")
    assert "payments-leads]}}] → [{count: 2" in text_of(again(house, asked)), "the card still says what was changed"

    await press(house, seed.BEN, waits, "approve")
    await says(house, waits, "1 of 2 approvals")
    later = await asks(house, seed.OMAR, "open payments/prod for 15m because INC-8")
    assert "0 of 2 approvals" in text_of(later)
    assert house.workspace.troubles == []


async def test_who_asked_does_not_approve_though_the_rule_names_them(house: House) -> None:
    asked = await applied(house, HARDER)
    refused = await after(house, seed.ANA, press(house, seed.ANA, asked, "approve"))
    assert refused == "You cannot review your own request."


@pytest.mark.parametrize("user", [seed.BEN, "U0GIL", "ben@example.com"])
async def test_only_whom_the_rule_names_asks_and_the_attempt_is_noted(house: House, user: str) -> None:
    with pytest.raises(Forbidden):
        await apply(house, HARDER, user)
    entry = await audited(house, "attempt.refused", "U0GIL" if user == "U0GIL" else seed.BEN)
    assert entry["command"] == "submit"
    assert await in_force(house) == 1


async def test_soft_in_the_file_is_hard_for_the_policies(open_house: OpenHouse) -> None:
    soft = f"{GUARD}, enforcement: soft, bypassers: {{users: [omar@example.com]}}"
    house = await open_house(policies=written(guard=soft))
    asked = await applied(house, written(rules.TWO_LEADS, guard=soft))
    assert "break_glass" not in actions_of(asked)


# -- out of date -------------------------------------------------------------------------------------------------------


async def test_the_second_of_two_is_out_of_date_and_is_asked_again_on_what_is_in_force(house: House) -> None:
    first, second = await applied(house, HARDER), await applied(house, written("denials: 2"), seed.ROSA)
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, first), "approve")
    stale = await says(house, second, "Out of date", "Somebody else changed the policies meanwhile")
    assert "approve" not in actions_of(stale)
    await own_card(house, seed.ROSA, f"policy apply FILE --request {request_of(second)}", button="withdraw")
    with pytest.raises(Forbidden, match="Only the person who asked"):
        await apply(house, written(rules.TWO_LEADS, "denials: 2"), seed.ANA, request=request_of(second))
    await apply(house, written(rules.TWO_LEADS, "denials: 2"), seed.ROSA, request=request_of(second))
    await says(house, second, "Waiting for approval", "to version 2: 1 rule changed", "denials: 1 → 2")
    for user in (seed.BEN, seed.ANA):
        await press(house, user, again(house, second), "approve")
    await says(house, second, "Merged as version 3")


async def test_the_words_are_edited_in_slack_and_the_policies_stay(house: House) -> None:
    asked = await applied(house, HARDER)
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "1 of 2 approvals")
    await edits(house, seed.ANA, asked, reason="A better reason")
    await says(house, asked, "A better reason", "earlier votes were dropped", "rule “open production”: changed")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    await says(house, asked, "Merged as version 2")


async def test_by_hand_it_is_merged_by_who_asked(open_house: OpenHouse) -> None:
    by_hand = f"{GUARD}, merge: by-hand"
    house = await open_house(policies=written(guard=by_hand))
    asked = await applied(house, written(rules.TWO_LEADS, guard=by_hand))
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    await says(house, asked, "Approved, not merged yet")
    assert await in_force(house) == 1
    await press(house, seed.ANA, await own_card(house, seed.ANA, request_of(asked), button="merge"), "merge")
    await says(house, asked, "Merged as version 2")
    assert await in_force(house) == 2


async def test_nothing_is_asked_where_nothing_differs_or_nobody_means_it(house: House) -> None:
    assert await apply(house, written()) is None
    assert await apply(house, HARDER, dry_run=True) is None
    await quiet(house)
    assert not [each for each in house.workspace.messages(seed.APPROVALS) if "policies" in text_of(each)]


# -- lock-out and the way back -----------------------------------------------------------------------------------------

ONLY_ANA = GUARD.replace(WHO, "requesters: {users: [ana@example.com]}").replace(
    TWO, "approvals: [{count: 1, from: {users: [ana@example.com]}}]"
)
LOCKED = ":warning: *After this nobody could change the policies: whoever asks for that, too few others are left who may approve it.*"


async def locked_out(house: House) -> None:
    asked = await applied(house, written(guard=ONLY_ANA))
    assert LOCKED in text_of(asked)
    assert "The only way back is then at the terminal of the machine" in text_of(asked)
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    await says(house, asked, "Merged as version 2")


async def recover(house: House, user: str = seed.ANA, **how: Any) -> int:
    given = {"path": None, "version": None, **how}
    async with recovering.recovering(house.environ(), user, **given) as ready:
        number = await ready.commit("Nobody but Ana could approve, and Ana asks")
    for app in house.apps:
        app.clock.nudge()
    return number


async def test_who_locked_everybody_out_was_warned_and_gets_back_loudly(house: House) -> None:
    await locked_out(house)
    with pytest.raises(Conflict, match="Nobody could approve this"):
        await apply(house, HARDER)
    assert await recover(house, version=1) == 3
    told = text_of(await own_card(house, seed.ANA, "changed without an approval"))
    assert "<@U0ANA> put version 3 into force" in told
    assert "It is version 1 again." in told
    assert "Nobody but Ana could approve, and Ana asks" in told
    assert "rule “the policies”: changed" in told
    await card(house, "changed without an approval", "<@U0ANA> put version 3 into force")
    entry = await audited(house, "policy.recovered", seed.ANA)
    assert (entry["version"], entry["replaced"], entry["restored"]) == (3, 2, 1)
    await applied(house, HARDER)
    assert house.workspace.troubles == []


async def test_owners_of_the_old_policies_and_of_the_new_are_told(house: House) -> None:
    file = house.folder / "mine.yml"
    file.write_text(
        written().replace("users: [ana@example.com]}\ntargets", "users: [omar@example.com]}\ntargets"), encoding="utf-8"
    )
    waits = await applied(house, HARDER)
    assert await recover(house, seed.ROSA, path=file) == 2
    for user in (seed.ANA, seed.OMAR, seed.ROSA):
        await own_card(house, user, "changed without an approval", "<@U0ROSA> put version 2 into force")
    await quiet(house)
    assert not [each for each in house.workspace.dm(seed.BEN) if "without an approval" in text_of(each)]
    await says(house, waits, "Version 2 of the policies is in force by now, so this cannot be merged any more.")
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, waits), "approve")
    await says(house, waits, "Out of date")
    assert await in_force(house) == 2


async def test_an_owner_who_cannot_be_told_keeps_it_from_nobody(house: House) -> None:
    file = _file(
        house, HARDER.replace("owners: {users: [ana@example.com]}", "owners: {users: [U0DORA, ana@example.com]}")
    )
    await recover(house, path=file)
    await own_card(house, seed.ANA, "changed without an approval")
    await quiet(house)  # her message does not lie there for ever


@pytest.mark.parametrize(
    ("how", "user", "says"),
    [
        ({"version": 1}, seed.ANA, "There is no version 1 before version 1"),
        ({"path": "policies.yml"}, seed.ANA, "means the same"),
        ({"path": "other.yml"}, "U0GIL", "You are a guest"),
        ({"path": "other.yml"}, "U0DORA", "You are deactivated"),
        ({"path": "other.yml"}, "U0NOBODY", "Slack"),
    ],
)
async def test_what_cannot_be_recovered_changes_nothing(
    house: House, how: dict[str, Any], user: str, says: str
) -> None:
    (house.folder / "other.yml").write_text(HARDER, encoding="utf-8")
    where = {name: house.folder / value if name == "path" else value for name, value in how.items()}
    with pytest.raises(AccessError, match=says):
        await recover(house, user, **where)
    assert await in_force(house) == 1


async def test_the_machine_without_its_keys_recovers_nothing(house: House, tmp_path: Path) -> None:
    (house.folder / "other.yml").write_text(HARDER, encoding="utf-8")
    await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    strange = [tmp_path / name for name in ("one.key", "two.key")]
    for path in strange:
        await KeyFile.load_or_make(path, random=secrets.token_bytes)
    for keys in (strange, [tmp_path / "nowhere.key"]):
        environ = {**house.environ(), "COUNTERSIGN_KEYS": ",".join(map(str, keys))}
        with pytest.raises(AccessError):
            async with recovering.recovering(environ, seed.ANA, path=house.folder / "other.yml", version=None):
                pass
    assert await in_force(house) == 1


# -- App Home ----------------------------------------------------------------------------------------------------------


async def test_owners_read_the_rules_whom_they_name_today_and_what_every_version_changed(house: House) -> None:
    asked = await applied(house, HARDER)
    waits = await home(house, seed.BEN, "Waiting for you (1)", "to version 1:* 1 rule changed")
    assert "approve" in actions_of(waits)
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, asked), "approve")
    await says(house, asked, "Merged as version 2")
    owned = text_of(await page(house, seed.ANA, "policies", "Policies, version 2"))
    assert "2. the policies" in owned
    assert "2 of @payments-leads must approve, all different people." in owned
    assert "<!subteam^S0LEADS> is today <@U0BEN> and <@U0INES>." in owned
    assert "*Owners:* <@U0ANA>." in owned
    assert f"approved by <@U0BEN> and <@U0INES> · request `{request_of(asked)}`" in owned
    assert "taken in from the file by the first start" in owned
    await house.workspace.home_action(seed.ANA, "home_policy_changes")
    shown = text_of(modal(house, seed.ANA))
    assert "approvals: [{count: 1, from: {groups: [payments-leads]}}] → [{count: 2" in shown
    assert "Two leads from now on" in shown


async def test_who_is_no_owner_does_not_read_them_also_by_an_owners_button(house: House) -> None:
    await recover(house, path=_file(house, HARDER))
    mine = await home(house, seed.BEN)
    assert "home_go_policies" not in actions_of(mine)
    mine.payload = {**mine.payload, "blocks": (await page(house, seed.ANA, "policies", "version 2")).blocks}
    await house.workspace.home_action(seed.BEN, "home_policy_changes")
    await own_card(house, seed.BEN, "Only an owner sees the policies.")
    assert house.workspace.modals(seed.BEN) == []


async def test_the_whole_of_a_long_change_is_behind_the_menu_of_its_card(house: House) -> None:
    many = [rules.opening(name=f"open production {number}") for number in range(20)]
    asked = await applied(
        house, rules.policies(rules.opening(rules.TWO_LEADS), *many, GUARD, targets=(rules.PROD, MAIN))
    )
    assert "open production 19" not in text_of(asked)
    assert "more: " in text_of(asked)
    _, menu = find(asked.blocks, "more")
    [whole] = [each["value"] for each in menu["options"] if each["value"].startswith("details|")]
    await press(house, seed.BEN, asked, "more", value=whole)
    assert "rule “open production 19”: added as number 21" in text_of(modal(house, seed.BEN))
