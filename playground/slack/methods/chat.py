"""chat.*: messages and ephemerals."""

import re
from typing import Any, Final

from playground.slack.blocks import check_attachments, check_blocks, parsed
from playground.slack.methods.conversations import visible
from playground.slack.records import Channel, Json, Message, SlackError
from playground.slack.shapes import message_object
from playground.slack.state import State

CUT_AT: Final = 40_000  # chat.postMessage
LONGEST_UPDATE: Final = 4_000  # chat.update, msg_too_long
_TS: Final = re.compile(r"\d+\.\d{6}")


def post_message(state: State, args: Json) -> Json:
    channel = _writable(state, str(args["channel"]))
    thread_ts = _thread(args)
    if thread_ts and state.find_message(channel.id, thread_ts) is None:
        raise SlackError("thread_not_found")
    message = _composed(state, channel, args)
    message.text = message.text[:CUT_AT]
    message.thread_ts = thread_ts
    state.post(message)
    return {"channel": channel.id, "ts": message.ts, "message": message_object(state, message)}


def update(state: State, args: Json) -> Json:
    channel = _writable(state, str(args["channel"]))
    message = state.find_message(channel.id, str(args["ts"]))
    if message is None:
        raise SlackError("message_not_found")
    if not message.from_bot:
        raise SlackError("cant_update_message")
    if len(args.get("text") or "") > LONGEST_UPDATE:
        raise SlackError("msg_too_long")
    new = _composed(state, channel, args, old=message)
    message.text, message.blocks, message.attachments, message.metadata = (
        new.text,
        new.blocks,
        new.attachments,
        new.metadata,
    )
    message.edited_ts = state.next_ts()
    state.number(message.blocks)
    for key in [key for key in state.chosen if key[0] == message.ts]:
        del state.chosen[key]
    state.changed()
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": message_object(state, message)}


def post_ephemeral(state: State, args: Json) -> Json:
    channel = _writable(state, str(args["channel"]))
    person = state.people.get(str(args["user"]))
    if person is None or person.id not in state.members(channel):
        raise SlackError("user_not_in_channel")
    message = _composed(state, channel, args)
    message.thread_ts, message.to = _thread(args), person.id
    state.post(message)
    return {"message_ts": message.ts}


def get_permalink(state: State, args: Json) -> Json:
    channel = visible(state, str(args["channel"]))
    if state.find_message(channel.id, str(args["message_ts"])) is None:
        raise SlackError("message_not_found")
    return {
        "channel": channel.id,
        "permalink": f"{state.base_url}/archives/{channel.id}/p{str(args['message_ts']).replace('.', '')}",
    }


def _writable(state: State, name: str) -> Channel:
    channel = state.im(name) if name in state.people else visible(state, name)
    if channel.archived:
        raise SlackError("is_archived")
    if not channel.bot_is_member:
        raise SlackError("not_in_channel")
    return channel


def _thread(args: Json) -> str | None:
    thread_ts = args.get("thread_ts")
    if thread_ts and not _TS.fullmatch(str(thread_ts)):
        raise SlackError("invalid_thread_ts")
    return str(thread_ts) if thread_ts else None


def _composed(state: State, channel: Channel, args: Json, old: Message | None = None) -> Message:
    """Blocks that an update does not name stay; an empty list removes them. Raises `SlackError`."""
    given: Any = args.get("blocks")
    blocks = (
        check_blocks(given) if given not in (None, "") else (old.blocks if old and args.get("text") is None else [])
    )
    attachments = check_attachments(args["attachments"]) if args.get("attachments") else []
    text = str(args.get("text") or args.get("markdown_text") or "")
    if not text.strip() and not blocks and not attachments:
        raise SlackError("no_text")
    metadata = args.get("metadata")
    if isinstance(metadata, str):
        metadata = parsed(metadata, "invalid_metadata_format")
    if metadata and not (
        isinstance(metadata, dict)
        and isinstance(metadata.get("event_type"), str)
        and isinstance(metadata.get("event_payload"), dict)
    ):
        raise SlackError("invalid_metadata_format")
    return Message(
        channel.id, state.next_ts(), state.bot_user_id, text, blocks, attachments, metadata=metadata, from_bot=True
    )
