"""What a redraw must not take away: what is typed, where the focus is, what is in sight, and the connection itself."""

import copy
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.playground.page import states
from tests.playground.page.canned import CannedWorkspace

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

NEWS_TS = "1741013900.000100"


async def say(workspace: CannedWorkspace, text: str, ts: str = NEWS_TS) -> None:
    workspace.states[states.ANA]["messages"][states.PAYMENTS].append(states.message(ts, states.BEN, text))
    await workspace.push()


def request_view(**more: Any) -> dict[str, Any]:
    return copy.deepcopy(states.REQUEST_VIEW) | more


async def test_typing_and_focus_outlive_new_messages_and_changed_cards(page: Page, workspace: CannedWorkspace) -> None:
    await page.locator("#composer").press_sequentially("half a sent")
    workspace.states[states.ANA]["messages"][states.PAYMENTS][1]["blocks"][1]["fields"][0]["text"] = "*State*\napproved"
    await say(workspace, "News")
    await expect(page.locator(f"[data-ts='{states.CARD_TS}'] [data-block-id=facts]")).to_contain_text("approved")
    await page.keyboard.type("ence")
    await expect(page.locator("#composer")).to_have_value("half a sentence")
    await page.click(f"[data-channel={states.GENERAL}]")
    await expect(page.locator("#composer")).to_have_value("")
    await page.click(f"[data-channel={states.PAYMENTS}]")
    await expect(page.locator("#composer")).to_have_value("half a sentence")


async def test_a_button_that_is_gone_leaves_the_focus_on_its_message(page: Page, workspace: CannedWorkspace) -> None:
    await page.locator("[data-action-id=approve]").click()
    workspace.states[states.ANA]["messages"][states.PAYMENTS][1]["blocks"][-1:] = []
    await workspace.push()
    await expect(page.locator("[data-action-id=approve]")).to_have_count(0)
    await expect(page.locator(f"#log [data-ts='{states.CARD_TS}']")).to_be_focused()


async def test_views_update_keeps_what_was_typed_where_the_ids_stay(page: Page, workspace: CannedWorkspace) -> None:
    workspace.states[states.ANA]["modals"] = [request_view()]
    await workspace.push()
    await page.get_by_label("Reason").fill("The refund job")
    await page.select_option("[data-block-id=duration] select", "2h")
    await page.get_by_label("Reason").focus()
    await page.keyboard.press("Home")
    updated = request_view(hash="2", title=states.plain("Open payments/prod"))
    updated["blocks"][1]["label"] = states.plain("Reason and ticket")
    updated["blocks"][2]["element"]["options"] = [*states.OPTIONS, states.option("8h", "8 hours")]
    updated["blocks"][3]["block_id"] = "ticket-2"
    workspace.states[states.ANA]["modals"] = [updated]
    await workspace.push()
    await expect(page.get_by_role("dialog", name="Open payments/prod")).to_be_visible()
    await expect(page.get_by_label("Reason and ticket")).to_be_focused()
    await page.keyboard.type("! ")
    await expect(page.get_by_label("Reason and ticket")).to_have_value("! The refund job")
    await expect(page.locator("[data-block-id=duration] select")).to_have_value("2h")
    await expect(page.locator("[data-block-id=duration] option")).to_have_count(5)


async def test_the_list_stays_where_it_was_read_and_follows_at_its_end(page: Page, workspace: CannedWorkspace) -> None:
    for number in range(40):
        workspace.states[states.ANA]["messages"][states.PAYMENTS].append(
            states.message(f"{1741013600 + number}.000100", states.BEN, f"line {number}")
        )
    await workspace.push()
    await expect(page.get_by_text("line 39")).to_be_in_viewport()
    await page.evaluate("document.getElementById('log').scrollTop = 300")
    await say(workspace, "News")
    await expect(page.get_by_text("News")).to_have_count(1)
    assert await page.evaluate("document.getElementById('log').scrollTop") == 300


async def test_a_lost_server_is_said_and_found_again(page: Page, workspace: CannedWorkspace) -> None:
    await page.fill("#composer", "still here")
    await workspace.stop()
    notice = page.locator("#notices")
    await expect(notice).to_contain_text("does not answer")
    await page.press("#composer", "Enter")
    await expect(page.get_by_role("alert")).to_contain_text("not known whether this was done")
    await workspace.start()
    await expect(notice).to_be_empty()
    await expect(page.locator("#composer")).to_have_value("still here")
    await page.goto(f"{workspace.url}?again#as=U0GONE")  # an address from another workspace
    await expect(page.locator("#act-as")).to_have_value(states.ANA)
    workspace.states[states.ANA]["bot_connected"] = False
    await workspace.push()
    await expect(notice).to_contain_text("Countersign is not connected")
