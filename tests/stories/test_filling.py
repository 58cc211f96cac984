"""The form says who will be asked while it is being filled in, and keeps what was typed."""

from collections.abc import Callable
from typing import Any, Final

from playground import seed
from playground.house import House
from playground.slack.sight import actions_of, text_of
from store.model.people import FRESH_MS
from store.model.policy import HOUR, MINUTE
from tests.stories.faults import heard, struck
from tests.stories.people import ask, card, forged, form, modal, own_card, quiet, told
from tests.stories.test_commands import values_of

ASKING: Final = "Asking Slack who could approve it now"
ENOUGH: Final = "could give it: enough"
OPEN: Final = "request open payments/prod for 2h because INC-7"


def named(house: House, user: str) -> set[str]:
    """Whom the form on top calls by mention."""
    lines = [line for block in modal(house, user).blocks for line in block.get("elements", [])]
    pieces = [piece for line in lines for piece in line.get("elements", [])]
    return {piece.get("user_id") or piece.get("usergroup_id") or piece.get("channel_id") or "" for piece in pieces}


async def opened(house: House, words: str = OPEN, user: str = seed.ROSA) -> str:
    await house.workspace.slash(user, seed.APPROVALS, "/countersign", words)
    return modal(house, user).id


async def forgotten(house: House) -> None:
    """What was known of people is too old by now."""
    await quiet(house)
    await house.advance(FRESH_MS + 1)
    await quiet(house)


async def test_the_form_says_who_could_approve_through_which_group_and_what_they_want_to_know(house: House) -> None:
    await opened(house)
    said = text_of(await form(house, seed.ROSA, ENOUGH))
    for line in (
        "“open production” decides",
        "1 approval is needed",
        "2 people could give it: enough",
        "4 h at most",
        "A reason.",
    ):
        assert line in said
    assert {seed.BEN, seed.INES, "S0LEADS", seed.APPROVALS} <= named(house, seed.ROSA)
    assert ASKING not in said


async def test_every_choice_draws_it_again_and_keeps_what_was_typed(house: House) -> None:
    view = await opened(house)
    typed = {"reason": {"reason": "INC-8 and more"}}
    await house.workspace.view_action(seed.ROSA, view, "duration", value=str(HOUR), values=typed)
    await form(house, seed.ROSA, "1 h; 4 h at most")
    assert values_of(house, seed.ROSA)["duration"] == str(HOUR)
    await house.workspace.view_action(seed.ROSA, view, "kind", value="change")
    await form(house, seed.ROSA, "“change production” decides", "2 approvals are needed, all different")
    assert values_of(house, seed.ROSA)["target"] == "payments/prod"
    assert values_of(house, seed.ROSA)["reason"] == "INC-8 and more"
    await house.workspace.view_action(seed.ROSA, view, "kind", value="access")
    await form(house, seed.ROSA, "Request access")
    assert values_of(house, seed.ROSA)["target"] is None
    await house.workspace.view_action(seed.ROSA, view, "target", value="role:database-admin")
    await form(house, seed.ROSA, "“database administrators” decides")
    assert (await house.workspace.submit(seed.ROSA, view)).ok
    await card(house, "role:database-admin", "INC-8 and more", "15 min")


async def test_whom_it_is_for_does_not_decide_it_and_hears_of_it(house: House) -> None:
    view = await opened(house, "request open payments/staging for 1h because INC-7")
    assert seed.OMAR in named(house, seed.ROSA)
    said = text_of(await form(house, seed.ROSA, "3 people could give it: enough"))
    assert "who gets it" not in said
    await house.workspace.view_action(seed.ROSA, view, "whom", value=seed.OMAR)
    said = text_of(await form(house, seed.ROSA, "2 people could give it: enough", "who gets it"))
    assert "cannot be asked for" not in said
    assert "get it as a direct message too" in said
    await house.workspace.view_action(seed.ROSA, view, "whom", value=seed.ANA)
    await form(house, seed.ROSA, "*This cannot be asked for <@U0ANA>:* the rule does not name them")
    assert values_of(house, seed.ROSA)["reason"] == "INC-7"
    assert "does not name ana" in str((await house.workspace.submit(seed.ROSA, view)).errors)


async def test_while_slack_is_slow_the_form_is_open_already_and_filled_up_later(house: House) -> None:
    await forgotten(house)
    heard(house)
    house.workspace.faults.delay("usergroups.users.list", 0.8, times=2)  # who may ask, then who may approve
    view = await opened(house)
    [call] = [call for call in house.workspace.calls if call.method == "views.open"]
    assert ASKING in str(call.args)
    assert "Only Slack knows who is in" in str(call.args)
    assert ASKING not in text_of(await form(house, seed.ROSA, ENOUGH))
    assert modal(house, seed.ROSA).id == view


async def test_what_slack_does_not_tell_at_all_is_said_and_can_be_asked_for_all_the_same(house: House) -> None:
    await opened(house)
    await form(house, seed.ROSA, ENOUGH)
    house.workspace.set_group("S0LEADS", [seed.BEN])
    house.workspace.faults.hang("usergroups.users.list", times=100)
    await quiet(house)
    await house.workspace.close(seed.ROSA, modal(house, seed.ROSA).id)
    await opened(house)
    await form(house, seed.ROSA, "Slack has not told us in time who all of them are.")


async def test_a_choice_is_acknowledged_before_slack_is_asked_anything(house: House) -> None:
    view = await opened(house)
    await form(house, seed.ROSA, ENOUGH)
    await forgotten(house)
    house.workspace.faults.delay("usergroups.users.list", 1.5, times=2)
    house.workspace.delivery.ack_within_s = 1.0
    pressed = await house.workspace.view_action(seed.ROSA, view, "target", value="payments/staging")
    assert pressed.acked
    await form(house, seed.ROSA, "“staging” decides", ENOUGH)


async def test_who_is_not_known_in_time_is_not_told_that_no_rule_names_them(house: House) -> None:
    await forgotten(house)
    house.workspace.faults.hang("users.info", times=50)
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request")
    await told(house, seed.ROSA, "Slack has not told us in time who you are.")
    await opened(house)  # with the target said, the form is there
    assert "“open production” decides" in text_of(modal(house, seed.ROSA))
    house.workspace.faults.clear()


async def test_the_newest_choice_is_drawn_though_its_form_was_out_of_date_and_an_older_one_is_not(house: House) -> None:
    view = await opened(house)
    first = await house.workspace.view_action(seed.ROSA, view, "target", value="payments/staging")
    await form(house, seed.ROSA, "“staging” decides")

    def chosen(after_s: float) -> Callable[[dict[str, Any]], None]:
        """Production, so long after the first choice, on the form as it was before that."""

        def change(payload: dict[str, Any]) -> None:
            [action] = payload["actions"]
            action["action_ts"] = f"{float(action['action_ts']) + after_s:.6f}"
            payload["view"]["state"]["values"]["target"]["target"]["selected_option"]["value"] = "payments/prod"

        return change

    await house.workspace.deliver(forged(first.envelope, chosen(-1)))
    await quiet(house)
    assert "“staging” decides" in text_of(modal(house, seed.ROSA))
    await house.workspace.deliver(forged(first.envelope, chosen(+1)))
    await form(house, seed.ROSA, "“open production” decides")
    assert "hash_conflict" in [call.error for call in house.workspace.calls if call.method == "views.update"]


async def test_what_slack_tells_late_is_not_drawn_over_a_newer_choice(house: House) -> None:
    await forgotten(house)
    house.workspace.faults.delay("usergroups.users.list", 0.8, times=2)
    view = await opened(house)
    assert ASKING in text_of(modal(house, seed.ROSA))
    await house.workspace.view_action(seed.ROSA, view, "kind", value="access")
    await form(house, seed.ROSA, "Request access")
    await quiet(house)
    assert "Request access" in text_of(modal(house, seed.ROSA))
    assert "hash_conflict" in [call.error for call in house.workspace.calls if call.method == "views.update"]


async def test_a_form_that_was_closed_meanwhile_is_let_be(house: House) -> None:
    view = await opened(house)
    heard(house)
    house.workspace.faults.delay("views.update", 0.2)
    await house.workspace.view_action(seed.ROSA, view, "target", value="payments/staging")
    await struck(house)
    await house.workspace.close(seed.ROSA, view)
    await quiet(house)
    assert house.workspace.modals(seed.ROSA) == []
    assert house.workspace.ephemerals(seed.ROSA) == []


async def test_a_target_that_cannot_be_asked_for_says_why_and_another_one_brings_the_reason_back(house: House) -> None:
    house.workspace.set_group("S0LEADS", [])
    await forgotten(house)
    view = await opened(house, "request open payments/staging because INC-7")
    await house.workspace.view_action(
        seed.ROSA, view, "target", value="payments/prod", values={"reason": {"reason": "INC-8 typed"}}
    )
    refused = await form(house, seed.ROSA, "This cannot be asked for. Nobody could approve this")
    assert "reason" not in actions_of(refused)
    await house.workspace.view_action(seed.ROSA, view, "target", value="payments/staging")
    await form(house, seed.ROSA, "“staging” decides")
    assert values_of(house, seed.ROSA)["reason"] == "INC-8 typed"


async def test_who_may_ask_for_nothing_is_told_so(house: House) -> None:
    assert not house.workspace.modals(seed.BEN)
    await house.workspace.slash(seed.BEN, seed.APPROVALS, "/countersign", "request open payments/prod")
    await form(house, seed.BEN, "The rule “open production” does not name you among those who may ask")


async def test_a_guest_whom_a_rule_names_is_offered_nothing(house: House) -> None:
    """Nor is a target that was mistyped put right for them: they would learn which there are."""
    house.workspace.set_kind(seed.ROSA, "guest")
    await house.workspace.wait_for(lambda: seed.ROSA not in house.app.directory._known)
    where = house.workspace.im(seed.ROSA).id
    for words in ("request open", "request open payments/prd", "request access"):
        await house.workspace.slash(seed.ROSA, where, "/countersign", words)
    await own_card(house, seed.ROSA, "There is nothing here that you may ask to open.")
    said = await own_card(house, seed.ROSA, "There is no target payments/prd here.")
    assert "Did you mean" not in text_of(said)
    await own_card(house, seed.ROSA, "There is nothing here that you may ask to join.")
    assert house.workspace.modals(seed.ROSA) == []


async def test_what_is_sent_off_is_what_the_form_was_about(house: House) -> None:
    """An hour chosen in the form is the hour on the card."""
    assert (
        await ask(
            house,
            seed.ROSA,
            "open payments/prod because INC-7",
            {"duration:payments/prod": {"duration": str(30 * MINUTE)}},
        )
    ).ok
    await card(house, "30 min")
