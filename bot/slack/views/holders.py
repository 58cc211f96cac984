"""Holders: what a request for a key holder asks, in words, with the fingerprint to compare."""

from bot.slack.views import blocks as b
from bot.slack.views.facts import Block
from store.model.request import Enrolling
from store.model.roster import spaced

LETTERS = 200  # of an address


def asked(holder: Enrolling) -> list[Block]:
    """Name, address and fingerprint as plain text, and what approving it means."""
    lines = [
        b.line(b.text("Key holder: ", bold=True), b.text(holder.name)),
        b.line(b.text("Address: ", bold=True), b.text(holder.address.partition("#")[0][:LETTERS])),
        b.line(b.text("Fingerprint: ", bold=True), b.text(spaced(holder.fingerprint))),
    ]
    return [b.rich(*lines), b.section(meaning(holder))]


def meaning(holder: Enrolling) -> str:
    """Our own words only."""
    if holder.what == "remove":
        return "It will be given no key any more. What it was given before, it can still open: rotate the keys afterwards, with `countersign keys rotate`."
    return f":warning: *Whoever has this holder and a copy of Redis can read every secret.* {compare(holder)}"


def compare(holder: Enrolling) -> str:
    if holder.address.startswith("https://"):
        return "Before you approve, compare the fingerprint with what the console of the key server shows: `countersign keyserver show`."
    return "Before you approve, compare the fingerprint with what `countersign keys list` shows at the machine."
