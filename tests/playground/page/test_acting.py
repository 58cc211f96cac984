"""What the page sends: each thing a person can do becomes exactly one act."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.playground.page import states
from tests.playground.page.canned import CannedWorkspace

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

CARD = f"#log [data-ts='{states.CARD_TS}']"


def without_values(act: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in act.items() if key != "values"}


def on_card(block: str, action: str, **more: Any) -> dict[str, Any]:
    return {
        "as": states.ANA,
        "type": "click",
        "channel": states.PAYMENTS,
        "ts": states.CARD_TS,
        "block_id": block,
        "action_id": action,
        **more,
    }


async def show(workspace: CannedWorkspace, *views: dict[str, Any]) -> None:
    workspace.states[states.ANA]["modals"] = list(views)
    await workspace.push()


async def test_a_button_and_an_overflow_menu(page: Page, workspace: CannedWorkspace) -> None:
    await page.get_by_role("button", name="Approve request R7K2M").click()
    assert without_values(await workspace.act("click")) == on_card("decide", "approve", value="R7K2M:1:9f3a")
    await page.locator(f"{CARD} [data-action-id=more]").click()
    await expect(page.get_by_role("menuitem", name="Why these people?")).to_be_focused()
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    assert without_values(await workspace.act("click", 2)) == on_card(
        "decide", "more", value="withdraw", option="withdraw"
    )


async def test_a_question_is_asked_before_an_action_that_has_one(page: Page, workspace: CannedWorkspace) -> None:
    break_glass = page.locator(f"{CARD} [data-action-id=break_glass]")
    await break_glass.click()
    await expect(page.get_by_role("alertdialog", name="Break the glass?")).to_contain_text(
        "Everybody in #payments-approvals is told."
    )
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("alertdialog")).to_have_count(0)
    await expect(break_glass).to_be_focused()
    assert workspace.acts == []
    await break_glass.click()
    await page.get_by_role("button", name="Break it").click()
    assert without_values(await workspace.act("click")) == on_card(
        "decide", "break_glass", value="R7K2M:1:9f3a", confirmed=True
    )


async def test_a_channel_is_read_and_selects_in_a_message_and_the_home_act(
    page: Page, workspace: CannedWorkspace
) -> None:
    await page.click(f"[data-channel={states.GENERAL}]")
    assert await workspace.act("read") == {"as": states.ANA, "type": "read", "channel": states.GENERAL}
    await page.select_option("[data-action-id=hours]", "2h")
    act = await workspace.act("click")
    assert (act["block_id"], act["value"], act["option"]) == ("pick", "2h", "2h")
    await page.click("[data-channel=home]")
    await workspace.act("open_home")
    await page.select_option("#act-as", states.BEN)
    assert await workspace.act("open_home", 2) == {"as": states.BEN, "type": "open_home"}
    await page.select_option("#act-as", states.ANA)
    await workspace.act("open_home", 3)
    await page.get_by_role("button", name="I'm done").click()
    assert without_values(await workspace.act("home_action")) == {
        "as": states.ANA,
        "type": "home_action",
        "block_id": "g1",
        "action_id": "end",
        "value": "R7K2M:1:9f3a",
    }


async def test_slash_commands_are_hinted_and_sent_and_words_are_said(page: Page, workspace: CannedWorkspace) -> None:
    composer = page.locator("#composer")
    await composer.press_sequentially("/c")
    await expect(page.get_by_role("listbox", name="Slash commands")).to_contain_text("Ask for something")
    await composer.press("Tab")
    await composer.press_sequentially("pending")
    await composer.press("Enter")
    assert await workspace.act("slash") == {
        "as": states.ANA,
        "type": "slash",
        "channel": states.PAYMENTS,
        "text": "/countersign pending",
    }
    await expect(composer).to_have_value("")
    await composer.press_sequentially("<!channel> hi")
    await composer.press("Enter")
    assert (await workspace.act("say"))["text"] == "&lt;!channel&gt; hi"


async def test_a_refusal_is_said_in_words_and_loses_nothing(page: Page, workspace: CannedWorkspace) -> None:
    workspace.answers["slash"] = [{"ok": False, "error": "/nope is not a valid command."}]
    await page.fill("#composer", "/nope now")
    await page.press("#composer", "Enter")
    await expect(page.get_by_role("alert")).to_contain_text("/nope is not a valid command.")
    await expect(page.locator("#composer")).to_have_value("/nope now")


async def test_a_thread_opens_beside_and_takes_replies(page: Page, workspace: CannedWorkspace) -> None:
    await expect(page.locator("#log")).not_to_contain_text("Is the job still running?")
    await page.get_by_role("button", name="2 replies").click()
    await expect(page.locator("#thread-log [data-ts]")).to_have_count(3)
    await expect(page.locator("#thread-composer")).to_be_focused()
    await page.keyboard.type("/countersign pending")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("do not run in threads")
    await page.fill("#thread-composer", "Looking")
    await page.keyboard.press("Enter")
    assert await workspace.act("say") == {
        "as": states.ANA,
        "type": "say",
        "channel": states.PAYMENTS,
        "text": "Looking",
        "thread_ts": states.CARD_TS,
    }
    await page.get_by_role("button", name="Close the thread").click()
    await expect(page.locator(CARD)).to_be_focused()


async def test_shortcuts_and_the_clock(page: Page, workspace: CannedWorkspace) -> None:
    await page.get_by_role("button", name="Open an environment").click()
    assert (await workspace.act("shortcut"))["callback_id"] == "open_environment"
    await page.locator(CARD).hover()
    await page.locator(f"{CARD} .tools").get_by_role("button", name="Message shortcuts").click()
    await page.get_by_role("menuitem", name="Why was this allowed?").click()
    assert await workspace.act("message_shortcut") == {
        "as": states.ANA,
        "type": "message_shortcut",
        "callback_id": "why",
        "channel": states.PAYMENTS,
        "ts": states.CARD_TS,
    }
    await page.get_by_role("button", name="+15 min").click()
    assert (await workspace.act("advance_clock"))["ms"] == 900_000


async def test_a_modal_is_checked_sent_and_its_errors_stand_under_their_fields(
    page: Page, workspace: CannedWorkspace
) -> None:
    await show(workspace, states.REQUEST_VIEW)
    reason = page.get_by_label("Reason")
    await expect(reason).to_be_focused()
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator("[data-block-id=reason] .error")).to_have_text("This is required.")
    await reason.fill("job")
    await reason.press("Tab")
    await page.get_by_role("button", name="Ask").click()
    await expect(page.locator("[data-block-id=reason] .error")).to_have_text("Type at least 5 characters; these are 3.")
    await expect(reason).to_be_focused()
    assert workspace.acts == []
    await reason.fill("The refund job hangs")
    await page.select_option("[data-block-id=duration] select", "4h")
    await page.locator("[data-block-id=people] summary").click()
    await page.get_by_role("checkbox", name="Ben Okafor").check()
    workspace.answers["submit"] = [
        {"ok": False, "errors": {"duration": "At most 2 hours here.", "intro": "Nobody could decide this."}}
    ]
    await page.get_by_role("button", name="Ask").click()
    assert await workspace.act("submit") == {
        "as": states.ANA,
        "type": "submit",
        "view_id": "V0REQ",
        "values": {
            "reason": {"value": "The refund job hangs"},
            "duration": {"value": "4h"},
            "ticket": {"value": None},
            "people": {"value": [states.BEN]},
        },
    }
    await expect(page.locator("[data-block-id=duration] .error")).to_have_text("At most 2 hours here.")
    await expect(page.locator("[data-block-id=duration] select")).to_be_focused()
    await expect(page.locator("dialog .status")).to_have_text("Nobody could decide this.")
    await expect(reason).to_have_value("The refund job hangs")


async def test_every_kind_of_field_gives_its_plain_value(page: Page, workspace: CannedWorkspace) -> None:
    await show(workspace, states.FORM_VIEW)
    await page.locator("[data-block-id=target] summary").click()
    await page.get_by_label("Search: Target").press_sequentially("prod")
    await page.get_by_role("radio", name="ledger/prod").check()
    await page.locator("[data-block-id=several] summary").click()
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-block-id=several] details")).not_to_have_attribute("open", "")
    assert workspace.acts == []
    await page.get_by_role("textbox", name="Live").fill("x")
    await page.get_by_role("textbox", name="Live").press("Enter")
    live = await workspace.act("view_action")
    assert (live["view_id"], live["block_id"], live["action_id"], live["value"]) == ("V0FORM", "live", "value", "x")
    await page.locator("[data-modal=submit]").click()
    assert {block: inputs["value"] for block, inputs in (await workspace.act("submit"))["values"].items()} == {
        "text": "hello",
        "number": "3",
        "day": "2025-03-04",
        "time": "08:30",
        "moment": 1741028400,
        "one": "2h",
        "some": ["a"],
        "several": ["4h"],
        "person": states.BEN,
        "channel": states.PAYMENTS,
        "target": "ledger/prod",
        "live": "x",
    }
    assert workspace.queries[-1] == {
        "as": states.ANA,
        "view_id": "V0FORM",
        "block_id": "target",
        "action_id": "value",
        "query": "prod",
    }


async def test_escape_closes_the_top_modal_and_the_focus_goes_back(page: Page, workspace: CannedWorkspace) -> None:
    opener = page.locator(f"{CARD} [data-action-id=deny]")
    await opener.click()
    await show(workspace, states.REQUEST_VIEW)
    await expect(page.get_by_label("Reason")).to_be_focused()
    await show(workspace, states.REQUEST_VIEW, states.PUSHED_VIEW)
    await expect(page.get_by_role("button", name="Done")).to_be_focused()
    for _ in range(4):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.closest('dialog')?.dataset.viewId") == "V0PUSH"
    await page.keyboard.press("Escape")
    assert await workspace.act("close") == {"as": states.ANA, "type": "close", "view_id": "V0PUSH"}
    await show(workspace, states.REQUEST_VIEW)
    await expect(page.get_by_label("Reason")).to_be_focused()
    await page.keyboard.press("Escape")
    assert (await workspace.act("close", 2))["view_id"] == "V0REQ"
    workspace.states[states.ANA]["messages"][states.PAYMENTS][1]["blocks"][-1]["elements"][1]["text"] = states.plain(
        "Deny it"
    )
    await workspace.push()
    await show(workspace)
    await expect(page.locator("dialog")).to_have_count(0)
    await expect(opener).to_have_text("Deny it")
    await expect(opener).to_be_focused()
