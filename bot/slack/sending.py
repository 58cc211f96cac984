"""Sending: a form that was sent off is done and closes, or says why not."""

from collections.abc import Awaitable
from typing import Any, Final, TypeVar

from slack_bolt.async_app import AsyncAck

from bot.slack import ids
from bot.slack.conversation import Conversation
from bot.slack.doors import Submission
from bot.slack.views import modals
from bot.slack.views.reading import BadForm, block_of
from store.model.errors import AccessError
from store.redis.requests import Outcome

# Where a form says a sentence that belongs to no field.
FIELDS: Final = {
    "reason_required": ids.REASON,
    "reason_too_long": ids.REASON,
    "ticket_required": ids.TICKET,
    "bad_ticket": ids.TICKET,
    "too_long": ids.DURATION,
    "not_for_them": ids.WHOM,
    "not_in_slack": ids.SET,
    "bad_reference": ids.SET,
    "no_such_blob": ids.SET,
    "other_environment": ids.SET,
    "other_name": ids.SET,
    "bad_name": ids.SET,
    "too_large": ids.SET,
    "bad_version": ids.VERSION,
    "bad_ref": ids.REF,
    "too_many_entries": ids.SET,
}

T = TypeVar("T")


async def finish(
    talk: Conversation, ack: AsyncAck, sent: Submission, work: Awaitable[T], *, refused: str, name: str | None = None
) -> T | None:
    """What came of it; None where the form says why nothing did, under the title `refused`. `name`: what it is counted as."""
    name = name or sent.callback
    try:
        done = await work
    except BadForm as error:
        await ack(response_action="errors", errors=error.errors)
        return None
    except AccessError as error:
        talk.counted(name, error.code)
        await ack(**_said(error, sent, refused))
        return None
    talk.counted(name, "again" if isinstance(done, Outcome) and not done.news else "ok")
    await ack()
    return done


def _said(error: AccessError, sent: Submission, title: str) -> dict[str, Any]:
    """Beside the field it is about, where there is one; else in place of the form."""
    block = block_of(sent.values, FIELDS.get(error.detail, ""))
    if block in sent.values:
        return {"response_action": "errors", "errors": {block: error.sentence}}
    return {"response_action": "update", "view": modals.notice(title, error.sentence)}
