"""One browser and one canned workspace for the tests of the page, and a fresh tab for each."""

import tempfile
from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import BrowserContext, Page, ViewportSize, async_playwright, expect

from tests.playground.page.canned import CannedWorkspace

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDE: ViewportSize = {"width": 1280, "height": 800}

expect.set_options(timeout=5_000)


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser(chromium: str) -> AsyncIterator[BrowserContext]:
    """In a time zone that is none of the people's, so that no date is right by luck."""
    async with async_playwright() as playwright:
        with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as home:
            one = await playwright.chromium.launch(
                executable_path=chromium, headless=True, args=FLAGS, env={"HOME": home}
            )
            yield await one.new_context(viewport=WIDE, locale="en-US", timezone_id="Asia/Tokyo")
            await one.close()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def served() -> AsyncIterator[CannedWorkspace]:
    one = CannedWorkspace()
    await one.start()
    yield one
    await one.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def workspace(served: CannedWorkspace) -> CannedWorkspace:
    served.reset()
    return served


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: BrowserContext, workspace: CannedWorkspace) -> AsyncIterator[Page]:
    """The page as Ana sees it. Any error in its console fails the test."""
    tab = await browser.new_page()
    tab.set_default_timeout(5_000)
    troubles: list[str] = []
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on(
        "console",
        lambda line: (
            troubles.append(line.text) if line.type == "error" and "Failed to load resource" not in line.text else None
        ),
    )
    await tab.goto(workspace.url)
    await tab.wait_for_selector("body[data-ready]")
    yield tab
    await tab.close()
    assert troubles == []
