"""Replies: what the slash command and a refused click answer, seen by one person only."""

from collections.abc import Sequence
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views.facts import Block, CardFacts, Message
from bot.slack.views.status import headline, held_up, progress
from bot.slack.views.words import cleaned, date, escaped, mention, people, places, plural, spoken

LISTED_MOST: Final = 15
TEXT_MOST: Final = 1_000

COMMANDS: Final = (
    ("request open payments/prod for 2h because INC-41", "ask to read an environment's secrets"),
    ("request access role:aws-admin for 1h because …", "ask to be a member of a group for a time"),
    ("request open payments/prod for @name for 2h", "the same for somebody else, who then uses it"),
    ("request change payments/prod", "ask to set or remove secrets"),
    ("request deploy payments/prod#api v1.2.3 because …", "ask to deploy a version"),
    ("pending", "what waits for your decision"),
    ("mine", "what you asked for"),
    ("show ID", "one request, in full"),
    ("why ID", "who decides it, and what is missing"),
    ("why open payments/prod for 2h", "the same before anybody is asked"),
    ("done ID", "give back what you have; without ID, if you have one thing only"),
    ("end ID because …", "the same of what somebody else has, for approvers and owners"),
    ("extend ID for 30m because …", "ask for more time for what you have"),
    (
        "cancel ID",
        "withdraw a request of yours; of a deploy that was approved or runs, with because …, for those who may",
    ),
    ("login CODE", "let the computer speak for you that shows this code: countersign login"),
    ("audit", "for owners: what was done and tried; with an ID, of that request"),
    ("delete payments/old", "for owners: forget an environment that the policies do not name any more"),
    ("unlock @name because …", "for owners: let somebody break the glass again; without a name, who may not"),
)


def sentence(text: str) -> Message:
    """One sentence, such as an error's. It may repeat what somebody typed, so it is plain."""
    clean = cleaned(text, TEXT_MOST) or "Something went wrong, and nobody said what."
    return Message(escaped(clean), b.fresh([b.plain_section(clean)]))


def help_text() -> Message:
    lines = [f"`/countersign {command}` · {meaning}" for command, meaning in COMMANDS]
    start = (
        "Nothing that matters happens on one person's word alone. Ask here, and the people who may decide get a card."
    )
    end = "Leave out what you like: a form asks for the rest. Durations look like 2h, 1h30m or 45m."
    return Message("How to use /countersign.", b.fresh([b.section(start), b.section("\n".join(lines)), b.context(end)]))


def listing(title: str, cards: Sequence[CardFacts], *, empty: str, more: int = 0) -> Message:
    """One paragraph a request, for `pending` and `mine`. `title` and `empty` are ours."""
    if not cards:
        return Message(empty, b.fresh([b.section(empty)]))
    left = max(len(cards) - LISTED_MOST, 0) + more
    blocks = [b.section(f"*{title}*")]
    for facts in cards[:LISTED_MOST]:
        request = facts.request
        where = progress(facts) if request.state == "pending" else f"since {date(request.since_ms)}"
        blocks.append(b.section(f"{headline(facts)}\n{where} · `/countersign show {request.id}`"))
    rest = [b.context(f"and {left:,} more.")] if left else []
    count = len(cards) + more
    return Message(f"{title}: {count:,}.", b.fresh([*blocks, *rest]))


def why(facts: CardFacts, *, you: str | None = None, who: Sequence[Block] = ()) -> Message:
    """Who may decide, who is asked, what is missing. `you`: a sentence about the reader; `who`: everybody by name."""
    request, rules = facts.request, facts.rules
    head = headline(facts)
    about = [b.section(head)]
    if you:
        about.append(b.plain_section(cleaned(you, TEXT_MOST)))
    if rules is None:
        return Message(head, b.fresh([*about, b.section(progress(facts))]))
    names = dict.fromkeys(cleaned(policy.name, 200) for policy in rules.both)
    about.append(b.rich(b.line(b.text("Rule: ", bold=True), b.text(" and, changed meanwhile, ".join(names)))))
    several = sum(threshold.count for threshold in rules.now.approvals) > 1
    lines = [f"*Must agree:* {places(rules.now.approvals)}{', all different people' if several else ''}."]
    if rules.then != rules.now:
        lines.append(f"*When it was asked:* {places(rules.then.approvals)}. Both must be met.")
    if facts.needed and request.state == "pending":
        lines.append(f"*Still needed:* {places(facts.needed)}.")
    if not rules.self_approval:
        excluded = dict.fromkeys((request.requester, request.beneficiary))
        lines.append(f"*Not counted:* {' and '.join(map(mention, excluded))}, because it is their own request.")
    lines.append(f"*Would end it:* {plural(rules.denials, 'denial')} by those who may approve.")
    lines.append(_glass(facts))
    if request.kind == "deploy":
        lines.append(_deployers(facts))
    return Message(head, b.fresh([*about, b.section("\n".join(lines)), *who]))


def _deployers(facts: CardFacts) -> str:
    rules = facts.rules
    if rules is None:
        return ""
    named = [policy.deployers for policy in rules.both]
    who = people(rules.now.deployers.principals, "or") if rules.now.deployers else "approvers and owners"
    both = ", who must be so by the rule of then as well" if named[0] != named[-1] else ""
    wait = f", {spoken(rules.wait_ms)} after the approval at the earliest" if rules.wait_ms else ""
    return " ".join([f"*Deploying it:* {who}{both}{wait}.", *held_up(facts)])


def _glass(facts: CardFacts) -> str:
    rules = facts.rules
    if rules is None or not rules.soft:
        return "*Breaking the glass:* nobody may. The rule is hard."
    passers = [policy.bypassers.principals for policy in rules.both]
    if not all(passers):
        return "*Breaking the glass:* nobody may. The rule names nobody."
    who = people(rules.now.bypassers.principals, "or")
    length = f", for {spoken(rules.max_broken_ms)} at most" if facts.request.duration_ms is not None else ""
    return f"*Breaking the glass:* {who}{length}, with a reason, and somebody else countersigns within {spoken(rules.review_within_ms)}."
