"""Shown values: the one modal in which the values of an environment are seen."""

import json
import unicodedata
from collections.abc import Mapping
from typing import Final

from bot.slack import ids
from bot.slack.views import blocks as b
from bot.slack.views.facts import View
from bot.slack.views.words import cut, date, plural
from store.model.secret import Secret

VALUE_SHOWN: Final = 2_000  # characters
ENTRIES_SHOWN: Final = 80
ALL_SHOWN: Final = 200_000  # bytes of JSON with every character escaped; Slack takes a view of 250 kB


def values(target: str, version: int, entries: Mapping[str, Secret], until_ms: int) -> View:
    """What is binary or long is said to be so."""
    about = f"`{target}`, version {version}. Your access ends {date(until_ms)}. Anybody who sees your screen sees these: close this when you are done."
    blocks = [b.section(about)]
    left, shown = ALL_SHOWN, 0
    for name in sorted(entries)[:ENTRIES_SHOWN]:
        text, note = _text(entries[name])
        size = len(json.dumps(text))
        if size > left:
            break
        left, shown = left - size, shown + 1
        label = b.line(b.text(cut(name, 255), bold=True), *([b.text(f"  {note}", italic=True)] if note else []))
        blocks.append(b.rich(label, *([b.preformatted(text)] if text else [])))
    if not entries:
        blocks.append(b.section("There is nothing in this environment yet."))
    if shown < len(entries):
        blocks.append(b.section(f"{plural(len(entries) - shown, 'secret')} more: there is no room for them here."))
    return b.modal(ids.VALUES, "Values", blocks)


def _text(value: Secret) -> tuple[str, str]:
    """What to show, and a word about it where that is not all."""
    raw = value.reveal()
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return "", f"binary, {plural(len(raw), 'byte')}: not shown here"
    if not text:
        return "", "empty"
    if any(_misleads(letter) for letter in text):
        return "", f"{plural(len(raw), 'byte')} with characters that do not print: not shown here"
    if len(text) > VALUE_SHOWN:
        return text[:VALUE_SHOWN], f"the first {VALUE_SHOWN:,} of {len(text):,} characters"
    return text, "begins or ends with white space" if text != text.strip() else ""


def _misleads(letter: str) -> bool:
    """It would be seen as something else than it is."""
    return letter not in "\n\t" and unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp")
