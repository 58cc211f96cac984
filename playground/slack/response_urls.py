"""response_url: five answers in thirty minutes to what one person did."""

import json
import secrets
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from playground.slack.blocks import check_attachments, check_blocks
from playground.slack.records import Json, Message, SlackError
from playground.slack.state import State

USES: Final = 5
LIVES_MS: Final = 30 * 60 * 1000


@dataclass(slots=True)
class _Issued:
    channel: str
    user: str
    message: Message | None
    at_ms: int
    uses: int = 0


class ResponseUrls:
    def __init__(self, state: State) -> None:
        self._state = state
        self._issued: dict[str, _Issued] = {}

    def new(self, channel: str, user: str, message: Message | None = None) -> str:
        token = secrets.token_urlsafe(18)
        self._issued[token] = _Issued(channel, user, message, self._state.clock())
        return f"{self._state.base_url}/response/{token}"

    async def handle(self, request: web.Request) -> web.Response:
        try:
            self.answer(request.match_info["token"], json.loads(await request.text()))
        except SlackError as error:
            return web.json_response(
                {"ok": False, "error": error.code, **error.more},
                status=404 if error.code in ("used_url", "expired_url") else 400,
            )
        except ValueError:
            return web.json_response({"ok": False, "error": "invalid_payload"}, status=400)
        return web.json_response({"ok": True})

    def answer(self, token: str, body: Json) -> None:
        """Raises `SlackError`."""
        issued = self._issued.get(token)
        if issued is None or self._state.clock() - issued.at_ms > LIVES_MS:
            raise SlackError("expired_url")
        if issued.uses >= USES:
            raise SlackError("used_url")
        issued.uses += 1
        state, original = self._state, issued.message
        if body.get("delete_original") and original is not None:
            state.remove(original)
            return
        blocks = check_blocks(body["blocks"]) if body.get("blocks") else []
        attachments = check_attachments(body["attachments"]) if body.get("attachments") else []
        text = str(body.get("text") or "")
        if not text and not blocks and not attachments:
            raise SlackError("no_text")
        if original is not None and body.get("replace_original"):
            original.text, original.blocks, original.attachments, original.edited_ts = (
                text,
                blocks,
                attachments,
                state.next_ts(),
            )
            state.number(blocks)
            state.changed()
            return
        to = None if body.get("response_type") == "in_channel" else issued.user
        thread_ts = body.get("thread_ts")
        state.post(
            Message(
                issued.channel,
                state.next_ts(),
                state.bot_user_id,
                text,
                blocks,
                attachments,
                thread_ts,
                to=to,
                from_bot=True,
            )
        )
