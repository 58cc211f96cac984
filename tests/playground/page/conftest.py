"""One canned workspace for the tests of the page."""

from collections.abc import AsyncIterator

import pytest_asyncio
from playwright.async_api import Page

from tests.browser import shown
from tests.playground.page.canned import CannedWorkspace


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
async def page(tab: Page, workspace: CannedWorkspace) -> AsyncIterator[Page]:
    """As Ana sees it. What the workspace refuses on purpose stands in its console, too."""
    async with shown(tab, workspace.url, excused="Failed to load resource") as page:
        yield page
