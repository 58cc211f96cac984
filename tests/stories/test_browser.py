"""The page in a real browser, with the program behind it: what a newcomer does in the first five minutes."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from playground import seed
from playground.house import House
from store.model.policy import MINUTE
from tests.browser import shown
from tests.stories.conftest import opening
from tests.stories.people import quiet

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASK = "/countersign request open payments/prod for 15m because INC-7 payments fail"
MESSAGES = "#rail [data-channel^=D]"
STOPS = 80  # of the Tab key, from one end of the page to the other


@pytest_asyncio.fixture(loop_scope="session")
async def house(redis_url: str, tmp_path: Path) -> AsyncIterator[House]:
    """On the loop of the browser."""
    async with opening(redis_url, tmp_path, seeded=True) as open_house:
        opened = await open_house()
        yield opened
        assert opened.workspace.troubles == []


@pytest_asyncio.fixture(loop_scope="session")
async def page(tab: Page, house: House) -> AsyncIterator[Page]:
    """As Rosa."""
    async with shown(tab, house.server.base_url) as page:
        yield page


async def test_ask_approve_activate_read_and_end(page: Page) -> None:
    await ask(page, ASK)
    await act_as(page, seed.BEN)
    await expect(card(page)).to_contain_text("Waiting for approval")
    await press(card(page), "approve")
    await expect(card(page)).to_contain_text("Approved by @Ben Okafor")

    await act_as(page, seed.ROSA)
    await go_to_messages(page)
    await press(newest(page), "activate")
    await press(newest(page).filter(has_text="Active:"), "show_values")
    values = page.get_by_role("dialog", name="Values")
    await expect(values).to_contain_text("postgres://payments:prod-3rtq9w@db.internal/payments")
    await values.locator("[data-modal=close]").click()
    await expect(values).to_have_count(0)
    await press(newest(page).filter(has_text="Active:"), "end")
    await expect(newest(page)).to_contain_text("Ended: your access to payments/prod, by @Rosa Lind")
    await go_to(page, seed.APPROVALS)
    await expect(card(page)).to_contain_text("Ended by @Rosa Lind")


async def test_access_ends_when_the_clock_says_so(page: Page) -> None:
    await ask(page, ASK)
    await act_as(page, seed.BEN)
    await press(card(page), "approve")
    await act_as(page, seed.ROSA)
    await go_to_messages(page)
    await press(newest(page), "activate")
    await expect(newest(page)).to_contain_text("Active:")
    await page.click(f"#clock [data-advance='{15 * MINUTE}']")
    await expect(page.locator("#clock")).to_contain_text("15 min ahead of real time")
    await expect(newest(page)).to_contain_text(", because its time was over.")
    await expect(page.locator("#log [data-action-id=show_values]")).to_have_count(0)


async def test_a_secret_is_changed_by_two_and_its_hook_arrives_signed(page: Page) -> None:
    hooks = page.locator("[data-panel='Deploy hooks received']")
    await expect(hooks.get_by_text("signature verified")).to_have_count(1)  # the first secrets
    await page.click("[data-shortcut=change_secrets]")
    form = page.get_by_role("dialog", name="Change secrets")
    await form.get_by_label("Environment").select_option("payments/prod")
    await form.get_by_label("Set").fill("STRIPE_KEY=sk_live_rotated")
    await form.get_by_label("Reason").fill("The old key was seen in a log")
    await form.locator("[data-modal=submit]").click()
    for user in (seed.BEN, seed.INES):
        await act_as(page, user)
        await expect(card(page)).to_contain_text("STRIPE_KEY changed")
        await press(card(page), "approve")
        await expect(card(page)).to_contain_text("1 of 2 approvals" if user == seed.BEN else "Merged as version 3")
    await expect(hooks.get_by_text("signature verified")).to_have_count(2)
    await expect(card(page)).to_contain_text("delivered")
    await expect(page.locator("body")).not_to_contain_text("sk_live_rotated")


async def test_a_person_enters_and_leaves_the_outside_group(page: Page) -> None:
    group = page.locator("[data-panel='Outside directory (SCIM)']")
    await expect(group).to_contain_text("has no members")
    await ask(page, "/countersign request access role:database-admin for 15m because a query hangs")
    await act_as(page, seed.BEN)
    await press(card(page), "approve")
    await act_as(page, seed.ROSA)
    await go_to_messages(page)
    await press(newest(page), "activate")
    await expect(group).to_contain_text("Rosa Lind")
    await press(newest(page).filter(has_text="Active:"), "end")
    await expect(group).to_contain_text("has no members")
    await expect(newest(page)).to_contain_text("The outside system shows that they are no longer a member.")


async def test_the_keyboard_is_enough(page: Page) -> None:
    """Nothing is clicked, and nothing is focused but by Tab."""
    keys = page.keyboard
    await reach(page, page.locator("#composer"))
    await keys.type("/cou")
    await keys.press("Enter")  # completes it
    await expect(page.locator("#composer")).to_have_value("/countersign ")
    await keys.type(ASK.partition(" ")[2])
    await keys.press("Enter")
    await expect(page.get_by_role("dialog", name="Open an environment")).to_be_visible()
    await reach(page, page.locator("[data-modal=submit]"))
    await keys.press("Enter")
    await expect(page.get_by_role("dialog")).to_have_count(0)

    await become(page, "Ben")
    await reach(page, button(card(page), "approve"))
    await keys.press("Enter")
    await expect(card(page)).to_contain_text("Approved by @Ben Okafor")

    await become(page, "Rosa")
    await reach(page, page.locator(MESSAGES))
    await keys.press("Enter")
    await reach(page, button(newest(page), "activate"))
    await keys.press("Enter")
    await reach(page, button(newest(page).filter(has_text="Active:"), "show_values"))
    await keys.press("Enter")
    values = page.get_by_role("dialog", name="Values")
    await expect(values).to_contain_text("prod-3rtq9w")
    await keys.press("Escape")
    await expect(values).to_have_count(0)
    await expect(button(newest(page), "show_values")).to_be_focused()
    await reach(page, button(newest(page), "end"))
    await keys.press("Enter")
    await expect(newest(page)).to_contain_text("Ended: your access to payments/prod, by @Rosa Lind")


async def test_a_message_is_asked_about_by_keyboard_and_the_form_follows_every_choice(page: Page, house: House) -> None:
    """The menu of a message, then the form: what is chosen in it draws it again, and what was typed stays."""
    await quiet(house)  # no card is drawn again under an open menu
    keys = page.keyboard
    first = page.locator("#log [data-ts]").first
    await reach(page, first.get_by_role("button", name="Message shortcuts"))
    await keys.press("Enter")
    await expect(page.get_by_role("menuitem", name="Ask approval about this")).to_be_focused()
    await keys.press("Enter")
    form = page.get_by_role("dialog", name="Open an environment")
    await expect(form).to_be_visible()
    reason = form.get_by_label("Reason")
    await expect(reason).to_have_value(re.compile(r"^About http"))
    await reach(page, form.get_by_label("Environment"))
    await keys.press("p")  # payments/prod; every letter more would be typed into a form that is drawn again
    await expect(form).to_contain_text("“open production” decides")
    await expect(form).to_contain_text("2 people could give it: enough")
    await reach(page, reason)
    await keys.type("INC-7 payments fail")
    await reach(page, form.locator("select").first)
    await keys.press("c")
    change = page.get_by_role("dialog", name="Change secrets")
    await expect(change).to_contain_text("2 approvals are needed, all different")
    await expect(change.get_by_label("Reason")).to_have_value(re.compile(r"INC-7 payments fail$"))


async def ask(page: Page, command: str) -> None:
    await page.fill("#composer", command)
    await page.press("#composer", "Enter")
    await page.locator("dialog [data-modal=submit]").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def act_as(page: Page, user: str) -> None:
    await page.select_option("#act-as", user)
    await page.wait_for_url(f"**/#as={user}&*")


async def become(page: Page, name: str) -> None:
    """By typing into the list of people."""
    people = page.locator("#act-as")
    await reach(page, people)
    await page.keyboard.type(name)
    await expect(people.locator("option:checked")).to_contain_text(name)


async def go_to(page: Page, place: str) -> None:
    await page.click(f"[data-channel={place}]")


async def go_to_messages(page: Page) -> None:
    await page.click(MESSAGES)


def newest(page: Page) -> Locator:
    return page.locator("#log [data-ts]").last


def card(page: Page) -> Locator:
    """The newest one that everybody sees."""
    return page.locator("#log [data-ts]:not([data-ephemeral])").last


def button(message: Locator, action: str) -> Locator:
    return message.locator(f"[data-action-id={action}]")


async def press(message: Locator, action: str) -> None:
    await button(message, action).click()


async def reach(page: Page, wanted: Locator) -> None:
    await expect(wanted).to_be_visible()
    for _ in range(STOPS):
        if await wanted.evaluate("node => node === document.activeElement"):
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {wanted}.")
