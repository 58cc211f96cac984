"""Browser: one for the tests of a process, whose tabs see the page as somebody far away from its people."""

import contextlib
import tempfile
from collections.abc import AsyncIterator
from typing import Final

from playwright.async_api import BrowserContext, ConsoleMessage, Page, ViewportSize, async_playwright, expect

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WIDE: Final[ViewportSize] = {"width": 1280, "height": 800}
WITHIN_MS: Final = 5_000

expect.set_options(timeout=WITHIN_MS)


@contextlib.asynccontextmanager
async def opened(chromium: str) -> AsyncIterator[BrowserContext]:
    """In a time zone that is none of the people's, so that no date is right by luck."""
    async with async_playwright() as playwright:
        with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home:
            browser = await playwright.chromium.launch(
                executable_path=chromium, headless=True, args=FLAGS, env={"HOME": home}
            )
            yield await browser.new_context(viewport=WIDE, locale="en-US", timezone_id="Asia/Tokyo")
            await browser.close()


@contextlib.asynccontextmanager
async def shown(tab: Page, url: str, *, excused: str | None = None) -> AsyncIterator[Page]:
    """The page, as whoever sees it for the first time. Raises `AssertionError` for any error in its console, but `excused`.

    In a tab that was used before: a new one is a new process, which costs more than most tests.
    """
    troubles: list[str] = []

    def said(line: ConsoleMessage) -> None:
        if line.type == "error" and not (excused and excused in line.text):
            troubles.append(line.text)

    def raised(error: Exception) -> None:
        troubles.append(str(error))

    tab.on("console", said)
    tab.on("pageerror", raised)
    tab.set_default_timeout(WITHIN_MS)
    await tab.set_viewport_size(WIDE)
    await tab.goto(url)
    await tab.wait_for_selector("body[data-ready]")
    yield tab
    await tab.goto("about:blank")
    tab.remove_listener("console", said)
    tab.remove_listener("pageerror", raised)
    assert troubles == []
