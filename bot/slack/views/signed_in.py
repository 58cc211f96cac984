"""Signed in: the computers that speak for somebody, the machines that were let in, and what one is asked before another is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bot.slack import ids
from bot.slack.ids import Place
from bot.slack.views import blocks as b
from bot.slack.views import machines
from bot.slack.views.facts import Block, Message, View
from bot.slack.views.parts import NONE, Part, pager, titled
from bot.slack.views.words import cleaned, date, escaped, mention, spoken, utc
from store.model.effect import TellToken
from store.model.login import Attempt
from store.model.token import Token, Use

SIZE: Final = 20  # of either list
SESSIONS, MACHINES = 0, 1  # the lists of the page, as a `Place` counts them
START: Final = Place("signedin")
HERE: Final = "App Home, *Signed in*, ends it at once: Revoke."


@dataclass(frozen=True, slots=True)
class SignedIn:
    token: Token
    use: Use | None = None


@dataclass(frozen=True, slots=True)
class SignedInFacts:
    """`machines` None: for who is no owner."""

    place: Place = START
    sessions: Part[SignedIn] = NONE
    machines: Part[SignedIn] | None = None


def page(facts: SignedInFacts) -> list[Block]:
    mine = facts.sessions
    blocks = [titled("Computers that speak for you", mine)]
    if mine.items:
        blocks += [block for one in mine.items for block in _session(one)]
        blocks += pager(mine, facts.place, SESSIONS, SIZE, "Computers that speak for you")
        sure = b.confirm(
            "Sign out everywhere?", "Every computer must log in again. What you asked for stays asked.", "Sign out"
        )
        blocks.append(
            b.actions(b.button("Sign out everywhere", ids.HOME_SIGN_OUT, "all", style="danger", confirm=sure))
        )
    else:
        blocks.append(b.context("None. `countersign login` on a computer shows a code to type here."))
    if facts.machines is None:
        return blocks
    blocks += [b.divider(), titled("Machines", facts.machines)]
    if not facts.machines.items:
        blocks.append(b.context("None. `countersign token create` asks for one."))
    blocks += [block for one in facts.machines.items for block in _machine(one)]
    return [*blocks, *pager(facts.machines, facts.place, MACHINES, SIZE, "Machines")]


def confirm(attempt: Attempt, fingerprint: str, now_ms: int, session_ms: int) -> View:
    """What a computer said of itself is only text: nobody has checked it."""
    age = spoken(max(now_ms - attempt.created_ms, 0) // 1000 * 1000)
    lines = [
        ("It calls itself", attempt.host),
        ("It asked from", attempt.address),
        ("Its key", fingerprint),
        ("Asked", f"{age} ago, {utc(attempt.created_ms)}"),
    ]
    given = (
        f"It then speaks for you until you sign it out, for {spoken(session_ms)} at most: it asks in your name, and reads the "
        "secrets that were opened for you. It cannot approve anything."
    )
    warning = (
        "*Did somebody send you this code?* Then it is their computer: deny it. Confirm only what you have just begun yourself, "
        "and only if your terminal shows the same key."
    )
    deny = b.button("Deny: I did not start this", ids.LOGIN_DENY, attempt.id, about="that computer", style="danger")
    blocks = [
        b.section("*A computer asks to speak for you.*"),
        b.rich(*(b.line(b.text(f"{label}: ", bold=True), b.text(cleaned(words))) for label, words in lines)),
        b.section(given),
        b.section(warning),
        b.actions(deny),
    ]
    return b.modal(ids.LOGIN, "Log a computer in", blocks, about=attempt.id, submit="Confirm")


def how() -> Message:
    """For who typed no code."""
    told = "Run `countersign login` on your computer. It shows a code: type it here, as `/countersign login CODE`."
    warning = "Type only a code that your own terminal shows. Whoever sends you one wants to speak for you."
    return Message(told, b.fresh([b.section(told), b.context(warning)]))


def told(effect: TellToken) -> Message:
    if effect.news == "logged_in":
        happened = f"*A computer speaks for you since {date(effect.at_ms)}.*"
        words = [
            b.line(b.text("It calls itself: ", bold=True), b.text(cleaned(effect.name))),
            b.line(b.text("It asked from: ", bold=True), b.text(effect.address or "unknown")),
            b.line(b.text("Its key: ", bold=True), b.text(effect.fingerprint or "unknown")),
        ]
        step = f"Was it not you? {HERE}"
        text = f"A computer speaks for you: {escaped(cleaned(effect.name))}, from {effect.address}. {step}"
        return Message(text, b.fresh([b.section(happened), b.rich(*words), b.section(step)]))
    happened = f"*The token of a machine ends {date(effect.at_ms)}.* What uses it then stops."
    step = "Ask for another one in time: `countersign token create`. Then revoke this one, or let it end."
    text = f"The token of the machine {escaped(cleaned(effect.name))} ends {utc(effect.at_ms)}. {step}"
    line = b.line(b.text("Machine: ", bold=True), b.text(cleaned(effect.name)), b.text(f" ({effect.token})"))
    return Message(text, b.fresh([b.section(happened), b.rich(line), b.section(step)]))


def _session(one: SignedIn) -> list[Block]:
    token = one.token
    facts = [f"since {date(token.created_ms)}", f"from {_address(token.address)}", _used(one)]
    if token.until_ms is not None:
        facts.append(f"until {date(token.until_ms)} at the latest")
    return _row(token, facts)


def _machine(one: SignedIn) -> list[Block]:
    token = one.token
    facts = [
        f"may {machines.may(token.actions, token.targets)}",
        f"asked by {mention(token.holder)}",
        _used(one),
        f"ends {date(token.expires_ms)}",
    ]
    return _row(token, facts)


def _row(token: Token, facts: Iterable[str]) -> list[Block]:
    """What somebody typed stands in a block of its own, as text."""
    name = cleaned(token.name, 200)
    sure = b.confirm("Revoke it?", f"{cleaned(token.name, 100)} is refused from this moment on.", "Revoke")
    pressed = b.button("Revoke", ids.HOME_REVOKE, token.id, about=name, confirm=sure)
    return [b.rich(b.line(b.text(name, bold=True))), b.section(" · ".join(facts), pressed)]


def _used(one: SignedIn) -> str:
    if one.use is None:
        return "not used yet"
    return f"last used {date(one.use.at_ms)} from {_address(one.use.address)}"


def _address(address: str | None) -> str:
    """Numbers as we parsed them, or a word of ours."""
    return f"`{address}`" if address else "an address nobody knows"
