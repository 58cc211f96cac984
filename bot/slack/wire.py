"""The wire to Slack: one call, and its failures as the rest of the program knows them."""

from typing import Any, Final, Self

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.views.facts import Message
from store.model.errors import AccessError, Unavailable

TIMEOUT_S: Final = 10
WAIT_MOST_S: Final = 600  # whatever Slack asks for: somebody may be waiting
LATER: Final = frozenset(
    {"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"}
)


class SlackRefused(AccessError):
    """Slack answered no. `error` is its own word for it."""

    code = "slack_refused"

    def __init__(self, method: str, error: str) -> None:
        super().__init__(f"Slack refused {method}: {error}.", code=error)
        self.error = error


class Slack:
    """Calls Web API methods. Which ones follows from the calls; `tests/test_manifest.py` holds the scopes against them."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._dms: dict[str, str] = {}

    @classmethod
    def at(cls, api_url: str, token: str) -> Self:
        """Connections are kept between calls: to open one for each costs more than the call."""
        session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S))
        return cls(AsyncWebClient(token=token, base_url=api_url, session=session))

    async def close(self) -> None:
        if self._client.session is not None:
            await self._client.session.close()

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Raises `Unavailable` (try again, `retry_after_ms` where Slack says when) or `SlackRefused`."""
        given = {name: value for name, value in arguments.items() if value is not None}
        try:
            answer = (
                await self._client.api_call(method, json=given)
                if "blocks" in given or "view" in given
                else await self._client.api_call(method, params=given)
            )
        except SlackApiError as error:
            raise _translated(method, error) from None
        except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError, AttributeError) as error:
            # AttributeError is the library's own, at a page that calls itself plain text.
            raise Unavailable(
                f"Slack does not answer {method} ({type(error).__name__}).", code="slack_silent"
            ) from None
        return answer.data if isinstance(answer.data, dict) else {}

    async def post(self, channel: str, message: Message, *, thread: str | None = None) -> tuple[str, str]:
        """Where it stands now: the channel, and its `ts`. Raises as `call`."""
        answer = await self.call(
            "chat.postMessage",
            channel=channel,
            text=message.text,
            blocks=message.blocks,
            thread_ts=thread,
            unfurl_links=False,
            unfurl_media=False,
        )
        return answer["channel"], answer["ts"]

    async def dm(self, user: str) -> str:
        """The channel of our conversation with this person. Raises as `call`."""
        if user not in self._dms:
            self._dms[user] = (await self.call("conversations.open", users=user))["channel"]["id"]
        return self._dms[user]

    async def link(self, channel: str, ts: str) -> str | None:
        """To that message; None where Slack does not say."""
        try:
            answer = await self.call("chat.getPermalink", channel=channel, message_ts=ts)
        except (SlackRefused, Unavailable):
            return None
        link: str = answer["permalink"]
        return link


def _translated(method: str, error: SlackApiError) -> AccessError:
    response = error.response  # aiohttp's own where it calls itself JSON and is none
    status = getattr(response, "status_code", getattr(response, "status", 0))
    data = getattr(response, "data", None)
    word = data.get("error") if isinstance(data, dict) else None
    if status == 429 or word == "ratelimited":
        asked = str(response.headers.get("Retry-After", ""))
        seconds = min(int(asked[:9]), WAIT_MOST_S) if asked.isascii() and asked.isdigit() else 1
        return Unavailable("Slack asks us to wait.", code="ratelimited", retry_after_ms=seconds * 1000)
    if status >= 500 or word in LATER or not isinstance(word, str):
        code = word if word in LATER else "slack_silent"  # a page of something that stands before it
        return Unavailable(f"Slack cannot answer {method} now.", code=code)
    return SlackRefused(method, word)
