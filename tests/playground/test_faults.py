"""Faults: each strikes the calls it was switched on for, and then no more."""

import asyncio

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.playground.small import refused


@pytest.fixture
def once(workspace):
    """A client that does not try again by itself."""
    return AsyncWebClient(
        token=workspace.bot_token, base_url=f"{workspace.base_url}/api/", retry_handlers=[], timeout=1
    )


async def post(client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel="C0OPEN", text="x")


async def test_too_many_requests_so_many_times_and_only_for_this_method(workspace, once):
    workspace.faults.rate_limit("chat.postMessage", times=2, retry_after=7)
    for _ in range(2):
        with pytest.raises(SlackApiError) as caught:
            await post(once)
        assert (caught.value.response.status_code, caught.value.response.headers["Retry-After"]) == (429, "7")
        await once.auth_test()
    await post(once)
    assert len(workspace.messages("C0OPEN")) == 1
    assert [call.status for call in workspace.calls if call.method == "chat.postMessage"] == [429, 429, 200]


async def test_an_error_code_before_or_after_the_effect(workspace, once):
    workspace.faults.error("chat.postMessage", "internal_error")
    async with refused("internal_error"):
        await post(once)
    assert workspace.messages("C0OPEN") == []
    workspace.faults.error("*", "fatal_error", after_effect=True)
    async with refused("fatal_error"):
        await post(once)
    assert len(workspace.messages("C0OPEN")) == 1


async def test_an_answer_that_is_no_json(workspace, once):
    workspace.faults.status("chat.postMessage", 503)
    with pytest.raises((SlackApiError, aiohttp.ClientError)):
        await post(once)
    assert [call.status for call in workspace.calls] == [503]


@pytest.mark.parametrize("after_effect", [False, True])
async def test_a_broken_connection(workspace, once, after_effect):
    workspace.faults.reset("chat.postMessage", after_effect=after_effect)
    with pytest.raises(aiohttp.ClientError):
        await post(once)
    assert len(workspace.messages("C0OPEN")) == after_effect
    assert workspace.calls[-1].answer is None
    await post(once)


async def test_the_sdks_own_retry_then_posts_twice(workspace, api):
    workspace.faults.reset("chat.postMessage", after_effect=True)
    await post(api)
    assert len(workspace.messages("C0OPEN")) == 2


async def test_a_slow_answer_and_none(workspace, once):
    workspace.faults.delay("chat.postMessage", 0.05)
    started = asyncio.get_running_loop().time()
    await post(once)
    assert asyncio.get_running_loop().time() - started >= 0.05
    workspace.faults.hang("auth.test")
    with pytest.raises(TimeoutError):
        await once.auth_test()
    assert [fault.kind for fault in workspace.faults.struck] == ["delay", "hang"]


async def test_cleared_faults_do_not_strike(workspace, once):
    workspace.faults.error("*", "internal_error", times=9)
    workspace.faults.clear()
    await post(once)
