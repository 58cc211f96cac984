"""What the page shows: text and dates by a table, every block, hostile text, both widths."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.playground.page import states
from tests.playground.page.canned import PAGE, CannedWorkspace

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

WORLD = """{
    me: "U1", tz: "Europe/Berlin", now: () => 1741014000000, nameOf: (id) => ({ U1: "Ana", U2: "Ben" })[id] ?? id,
    groups: [{ id: "S1", handle: "leads", users: ["U2"] }], channels: [{ id: "C1", name: "ops" }],
}"""

MRKDWN = {
    "*bold* and _it_ and ~gone~": "<strong>bold</strong> and <em>it</em> and <s>gone</s>",
    "*bold _both_*": "<strong>bold <em>both</em></strong>",
    "snake_case_name, 2*3*4, * no *": "snake_case_name, 2*3*4, * no *",
    "`*raw* &amp; <b`": "<code>*raw* &amp; &lt;b</code>",
    "```\na *b*\n  c\n```": "<pre>a *b*\n  c</pre>",
    "&lt;b&gt; &amp;lt;": "&lt;b&gt; &amp;lt;",
    "&gt; one\n> two\nthree": "<blockquote>one\ntwo</blockquote>three",
    "<@U1>, <@U2|x>, <@U9>": '<span class="mention mine">@Ana</span>, <span class="mention">@Ben</span>, <span class="mention">@U9</span>',
    "<#C1> <!subteam^S1> <!here>": '<span class="mention">#ops</span> <span class="mention">@leads</span> <span class="mention mine">@here</span>',
    "<https://e.com/?a=1&amp;b=2|two words>": '<a href="https://e.com/?a=1&amp;b=2" target="_blank" rel="noopener noreferrer">two words</a>',
    "see https://e.com/x.": 'see <a href="https://e.com/x" target="_blank" rel="noopener noreferrer">https://e.com/x</a>.',
    "<javascript:alert(1)|press> <data:text/html,x>": "press data:text/html,x",
    "<!date^x^{time}|some day>": "some day",
    ":no_such_emoji: 10:30:00": ":no_such_emoji: 10:30:00",
}

AT = 1_741_028_400_000  # 2025-03-03 19:00 UTC
DATES = [
    ("{date_num} {time}", AT, "Europe/Berlin", "2025-03-03 20:00"),
    ("{date_num} {time_secs}", AT, "Asia/Seoul", "2025-03-04 04:00:00"),
    ("{date_pretty} at {time}", AT, "Asia/Kolkata", "tomorrow at 00:30"),
    ("{date_short_pretty}", AT - 86_400_000, "UTC", "yesterday"),
    ("{date_long}", AT - 7 * 86_400_000, "UTC", "Monday, February 24th"),
    ("{date}", AT - 366 * 86_400_000, "UTC", "March 2nd, 2024"),
    ("{date_short} {date_slash}", AT - 366 * 86_400_000, "UTC", "Mar 2, 2024 03/02/2024"),
    ("{ago}", AT, "UTC", "in 4 hours"),
    ("{ago}", states.NOW_MS - 3_590_000, "UTC", "1 hour ago"),
    ("{ago}", states.NOW_MS - 10_000, "UTC", "just now"),
    ("{unheard_of} {time}", AT, "Asia/Kathmandu", "{unheard_of} 00:45"),
]


async def test_mrkdwn_becomes_the_elements_slack_shows(page: Page) -> None:
    drawn = await page.evaluate(
        f"""async (texts) => {{
            const {{ mrkdwn }} = await import("/mrkdwn.js");
            return texts.map((text) => {{ const box = document.createElement("div"); box.append(...mrkdwn(text, {WORLD})); return box.innerHTML; }});
        }}""",
        list(MRKDWN),
    )
    assert dict(zip(MRKDWN, drawn, strict=True)) == MRKDWN


async def test_dates_are_told_in_the_readers_time_zone(page: Page) -> None:
    told = await page.evaluate(
        'async ([rows, now]) => { const { fillDate } = await import("/dates.js"); return rows.map(([format, ms, tz]) => fillDate(format, ms, tz, now)); }',
        [[list(row[:3]) for row in DATES], states.NOW_MS],
    )
    assert told == [row[3] for row in DATES]


async def test_a_wall_clock_time_and_its_instant_belong_together(page: Page) -> None:
    """Around the changes of the clocks in spring and autumn, too."""
    back: list[list[Any]] = await page.evaluate(
        """async (zones) => {
            const { instantOf, isoMinute } = await import("/dates.js");
            const days = ["2025-03-09T01:59", "2025-03-09T03:00", "2025-04-05T12:00", "2025-10-05T03:00", "2025-11-02T03:00", "2025-07-01T23:59"];
            return zones.flatMap((tz) => days.map((day) => [tz, day, isoMinute(instantOf(day, tz), tz)]));
        }""",
        ["UTC", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"],
    )
    assert len(back) == 24
    assert [row for row in back if row[1] != row[2]] == []


async def test_every_block_is_drawn_and_what_is_unknown_says_so(page: Page) -> None:
    await page.click(f"[data-channel={states.GENERAL}]")
    card = page.locator(f"#log [data-ts='{states.EVERYTHING_TS}']")
    await expect(card.locator("[data-block-id=rich]")).to_contain_text(
        "both plain @Ben Okafor@payments-leads#payments-approvals2025-03-03 16:00docs"
    )
    await expect(card.locator("ol li")).to_have_text("first")
    await expect(card.locator("ul.indent-1 li")).to_have_text("deeper")
    await expect(card.locator("[data-block-id=picture]")).to_contain_text("a chart of approvals")
    await expect(card.locator("[data-action-id=docs]")).to_have_attribute("href", "https://example.com/policy")
    assert await card.locator(".unsupported").all_inner_texts() == [
        "unsupported block: hologram",
        "unsupported block: video",
        "unsupported block: hologram_button",
    ]


async def test_what_people_typed_stays_text(page: Page) -> None:
    await page.click(f"[data-channel={states.GENERAL}]")
    said = page.locator("#log [data-ts]").last
    await expect(said).to_contain_text("<img src=x onerror=alert(1)> click ok")
    assert await page.locator("main img, main script, [onclick], [onerror]").count() == 0
    assert [await link.get_attribute("href") for link in await said.locator("a").all()] == [
        "https://example.com/&quot;onclick="
    ]


async def test_no_source_makes_markup_from_text() -> None:
    """What the content security policy cannot see."""
    for source in PAGE.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", source.read_text()), (
            source.name
        )


async def test_an_ephemeral_message_is_seen_by_its_addressee_and_says_so(page: Page) -> None:
    whisper = page.locator(f"[data-ts='{states.EPHEMERAL_TS}']")
    await expect(whisper).to_contain_text("Only visible to you")
    await page.select_option("#act-as", states.BEN)
    await expect(page.locator("#act-as-who")).to_have_text("member in @payments-leads @security")
    await expect(whisper).to_have_count(0)
    await expect(page.locator("#place")).to_have_text("# payments-approvals")
    await expect(page.locator(f"[data-ts='{states.CARD_TS}'] [data-block-id=facts]")).to_contain_text("today at 20:00")


async def test_the_outside_is_told_in_words(page: Page) -> None:
    hooks = page.locator("[data-panel='Hook deliveries'] .delivery")
    await expect(hooks.nth(0)).to_contain_text("signature verified · 202 accepted")
    await expect(hooks.nth(1)).to_contain_text("signature NOT verified · 500 refused")
    await expect(page.locator("[data-panel='SCIM groups']")).to_contain_text("db-admins")
    await expect(page.locator("#clock")).to_contain_text("1 h 15 min ahead of real time")
    await expect(page.locator("#clock strong")).to_have_text("12:00")


async def test_the_clock_says_whose_it_is_and_what_it_is_elsewhere(page: Page) -> None:
    clock = page.locator("#clock")
    await expect(clock.locator("h2")).to_have_text(re.compile(r"^\w+’s clock$"))
    utc = clock.get_by_text(re.compile(r"\d\d:\d\d UTC$"))
    before, title = await utc.text_content(), await clock.locator("h2").text_content()
    await page.select_option("#act-as", states.BEN)
    await expect(clock.locator("h2")).not_to_have_text(title or "")
    await expect(utc).to_have_text(before or "")


async def test_who_acts_is_read_in_full(page: Page) -> None:
    """A closed list is cut where its words are longer than it: names alone, under what they have in common."""
    names = await page.locator("#act-as option").all_text_contents()
    assert names
    assert not any("·" in name or "@" in name for name in names)
    groups = await page.locator("#act-as optgroup").evaluate_all("all => all.map((one) => one.label)")
    assert "@payments-leads @security" in groups
    assert len(groups) == len(set(groups))


CUT_OFF = """() => [...document.querySelectorAll("button, a, input, select, textarea, summary, h1, h2, h3, p")].filter((node) => {
    const box = node.getBoundingClientRect();
    const style = getComputedStyle(node);
    return box.width > 0 && style.visibility === "visible" && !node.closest(".skip, .unseen") && (box.left < 0 || box.right > innerWidth + 0.5);
}).map((node) => node.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844)])
async def test_nothing_is_cut_off(page: Page, workspace: CannedWorkspace, width: int, height: int) -> None:
    await page.set_viewport_size({"width": width, "height": height})
    for place in (states.PAYMENTS, states.GENERAL, "home"):
        for pane in ("rail", "main", "side"):
            if width < 800:
                await page.click(f"[data-show={pane}]")
            assert await page.evaluate(CUT_OFF) == []
            assert await page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
            if pane == "rail":
                await page.click(f"[data-channel={place}]")
    workspace.states[states.ANA]["modals"] = [states.FORM_VIEW]
    await workspace.push()
    await expect(page.locator("dialog")).to_be_visible()
    assert await page.evaluate(CUT_OFF) == []
    await expect(page.locator("[data-modal=submit]")).to_be_in_viewport(ratio=1)
