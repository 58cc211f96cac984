"""Blocks: Block Kit's pieces, within its limits."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from bot.slack.ids import Origin, metadata
from bot.slack.views.facts import Block, View
from bot.slack.views.words import DATE_FORMAT, cleaned, cut, utc

# Characters and pieces, from docs.slack.dev/reference/block-kit and the doc comments of @slack/types.
HEADER_MOST: Final = 150
SECTION_MOST: Final = 3_000
FIELD_MOST: Final = 2_000
FIELDS_MOST: Final = 10
CONTEXT_MOST: Final = 3_000  # a mrkdwn element
BUTTON_MOST: Final = 75
LABEL_MOST: Final = 2_000
OPTION_MOST: Final = 75
OPTION_VALUE_MOST: Final = 150
OPTIONS_MOST: Final = 100
PLACEHOLDER_MOST: Final = 150
INPUT_MOST: Final = 3_000
TITLE_MOST: Final = 24  # also submit and close
VIEW_BLOCKS_MOST: Final = 100

REASON_SHOWN: Final = 400  # of a reason, on a card

Element = dict[str, Any]


def plain(text: str, most: int) -> Element:
    """`emoji` is off: `:white_check_mark:` in what somebody typed stays as it was typed."""
    return {"type": "plain_text", "text": cut(text, most), "emoji": False}


def mrkdwn(text: str, most: int = SECTION_MOST) -> Element:
    """Only ever our own words, ids and dates."""
    return {"type": "mrkdwn", "text": cut(text, most)}


def header(text: str) -> Block:
    return {"type": "header", "text": plain(text, HEADER_MOST)}


def section(text: str, accessory: Element | None = None) -> Block:
    block: Block = {"type": "section", "text": mrkdwn(text)}
    return block if accessory is None else {**block, "accessory": accessory}


def plain_section(text: str) -> Block:
    return {"type": "section", "text": plain(text, SECTION_MOST)}


def fields(pairs: Iterable[tuple[str, str]]) -> Block:
    """Two columns of label and value; the values are mrkdwn."""
    return {
        "type": "section",
        "fields": [mrkdwn(f"*{label}*\n{value}", FIELD_MOST) for label, value in pairs][:FIELDS_MOST],
    }


def context(*texts: str) -> Block:
    return {"type": "context", "elements": [mrkdwn(text, CONTEXT_MOST) for text in texts]}


def divider() -> Block:
    return {"type": "divider"}


def text(words: str, *, bold: bool = False, italic: bool = False, code: bool = False) -> Element:
    """A piece of rich text. Nothing in it is ever read as a link, a mention or an emoji."""
    style = {name: True for name, on in (("bold", bold), ("italic", italic), ("code", code)) if on}
    return {"type": "text", "text": words, **({"style": style} if style else {})}


def date_element(at_ms: int) -> Element:
    return {"type": "date", "timestamp": at_ms // 1000, "format": DATE_FORMAT, "fallback": utc(at_ms)}


def line(*elements: Element) -> Element:
    return {"type": "rich_text_section", "elements": list(elements)}


def quoted(words: str, most: int = REASON_SHOWN) -> Element:
    """What somebody typed, or an outside system said: one line, drawn as a quotation."""
    return {"type": "rich_text_quote", "elements": [text(cleaned(words, most) or "(nothing that can be shown)")]}


def bullets(items: Iterable[Sequence[Element]]) -> Element:
    return {"type": "rich_text_list", "style": "bullet", "elements": [line(*item) for item in items]}


def rich(*parts: Element) -> Block:
    return {"type": "rich_text", "elements": list(parts)}


def said(label: str, words: str, most: int = REASON_SHOWN) -> Block:
    """`label` is ours, `words` are somebody else's."""
    return rich(line(text(label, bold=True)), quoted(words, most))


def button(
    label: str,
    action_id: str,
    value: str,
    *,
    about: str = "",
    style: str | None = None,
    confirm: Element | None = None,
) -> Element:
    """`about`: what it does that to, for who hears the button without the card around it."""
    made: Element = {"type": "button", "text": plain(label, BUTTON_MOST), "action_id": action_id, "value": value}
    if about:
        made["accessibility_label"] = cut(f"{label}: {about}", BUTTON_MOST)
    if style is not None:
        made["style"] = style
    if confirm is not None:
        made["confirm"] = confirm
    return made


def confirm(title: str, question: str, yes: str, no: str = "Go back") -> Element:
    """A courtesy: some clients leave it out."""
    return {"title": plain(title, 100), "text": plain(question, 300), "confirm": plain(yes, 30), "deny": plain(no, 30)}


def option(label: str, value: str) -> Element:
    return {"text": plain(label, OPTION_MOST), "value": value}


def overflow(action_id: str, options: list[Element]) -> Element:
    return {"type": "overflow", "action_id": action_id, "options": options}


def actions(*elements: Element) -> Block:
    return {"type": "actions", "elements": list(elements)}


def entry(label: str, block_id: str, element: Element, *, hint: str = "", optional: bool = False) -> Block:
    block: Block = {"type": "input", "block_id": block_id, "label": plain(label, LABEL_MOST), "element": element}
    if hint:
        block["hint"] = plain(hint, LABEL_MOST)
    if optional:
        block["optional"] = True
    return block


def text_input(
    action_id: str,
    *,
    initial: str = "",
    placeholder: str = "",
    most: int = INPUT_MOST,
    multiline: bool = False,
    focus: bool = False,
) -> Element:
    made: Element = {
        "type": "plain_text_input",
        "action_id": action_id,
        "max_length": min(most, INPUT_MOST),
        "multiline": multiline,
    }
    if initial:
        made["initial_value"] = initial[: min(most, INPUT_MOST)]
    if placeholder:
        made["placeholder"] = plain(placeholder, PLACEHOLDER_MOST)
    if focus:
        made["focus_on_load"] = True
    return made


def select(action_id: str, options: list[Element], placeholder: str, *, initial: Element | None = None) -> Element:
    made: Element = {
        "type": "static_select",
        "action_id": action_id,
        "options": options[:OPTIONS_MOST],
        "placeholder": plain(placeholder, PLACEHOLDER_MOST),
    }
    return made if initial is None else {**made, "initial_option": initial}


def preformatted(words: str) -> Element:
    return {"type": "rich_text_preformatted", "elements": [text(words)]}


def fresh(blocks: list[Block]) -> list[Block]:
    """The same blocks, each without an id given one that changes whenever anything in them does."""
    content = hashlib.sha256(json.dumps(blocks, sort_keys=True).encode()).hexdigest()[:8]
    return [{"block_id": f"{place}-{content}", **block} for place, block in enumerate(blocks)]


def modal(
    callback_id: str,
    title: str,
    blocks: list[Block],
    *,
    origin: Origin | None = None,
    about: str | None = None,
    submit: str | None = None,
) -> View:
    """`about`: what comes back with it where it is about no request."""
    made: View = {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain(title, TITLE_MOST),
        "close": plain("Cancel" if submit else "Close", TITLE_MOST),
        "blocks": fresh(blocks[:VIEW_BLOCKS_MOST]),
        "private_metadata": about or metadata(origin or Origin()),
    }
    if submit is not None:
        made["submit"] = plain(submit, TITLE_MOST)
    return made
