"""The answer to `/countersign why`: plain words, people by mention, nothing cut off."""

from typing import Any

import pytest

from bot.slack.views import explained, why
from playground.slack.blocks import check_blocks
from store.model.explain import Explanation, Question, explain, fillings
from store.model.policy import HOUR, Circle, Escalation, Notify, Policy, TargetConfig, Threshold, Ticket
from tests.bot.slack.pieces import walk, words
from tests.builders import (
    ANA,
    BOB,
    DEVS,
    LEADS,
    PAGER,
    PROD,
    REQ,
    STRANGER,
    TARGETS,
    leads,
    people,
    policies,
    policy,
    soft,
)


def of(rule: Policy, user: str = REQ, duration_ms: int | None = None, **changed: Any) -> Explanation:
    return explain(Question(user, "open", PROD, duration_ms), policies(rule, **changed), people())


def read(blocks: Any) -> str:
    """As a person reads it, a paragraph a line; mentions as @id."""
    sections = (node["elements"] for node in walk(blocks) if node.get("type") == "rich_text_section")
    return "\n".join("".join(each.get("text") or f"@{_id(each)}" for each in section) for section in sections)


def _id(element: dict[str, Any]) -> str:
    return str(next(value for key, value in element.items() if key.endswith("_id")))


def test_it_says_who_could_approve_who_could_not_and_how_many_that_makes():
    said = read(why.before(of(policy()), REQ).blocks)
    for line in (
        "You may ask to open payments/prod for 1 h.",
        "Rule: “rule” decides: number 1 of 1",
        f"May ask: You, through @{DEVS}.",
        f"Must agree: 2 of @{LEADS}.\nCould now: @{ANA} (@{LEADS}), @UBEN (@{LEADS}), @{BOB} (@{LEADS}) and @UCAT (@{LEADS}).",
        f"Could not: @{REQ} (@{LEADS}), who asks for it.",
        "2 approvals are needed, all different. 4 people could give them: enough.",
        "Time: 1 h, because nothing else was said; 4 h at most",
        "Without them: Nobody passes: the rule is hard.",
    ):
        assert line in said


def test_it_says_who_is_told_and_when():
    rule = soft(
        remind=(HOUR // 4, HOUR),
        escalate=(Escalation(after_ms=2 * HOUR, to=Circle(groups=frozenset({PAGER}))),),
        notify=Notify(channels=("C0AUDIT",), email=("security@example.com",)),
        ticket=Ticket(pattern="^OPS-[0-9]+$"),
    )
    said = read(why.before(of(rule, targets={**TARGETS, PROD.id: TargetConfig(channel="C0CARDS")}), REQ).blocks)
    for line in (
        "The card goes to @C0CARDS. You get it as a direct message too.",
        "The decision is announced to @C0AUDIT and security@example.com.",
        "The request expires after 8 h without a decision. Approvers are reminded after 15 min and 1 h.",
        f"After 2 h, word also goes to @{PAGER}.",
        "A reason and a ticket like ^OPS-[0-9]+$.",
        "could break the glass, with a reason, for 1 h at most",
    ):
        assert line in said
    assert "the approvers, up to 20, as a direct message" in read(why.before(of(rule), REQ).blocks)


def test_a_no_gives_every_reason_and_offers_no_command():
    message = why.before(of(policy(), STRANGER, 9 * HOUR), STRANGER)
    said = read(message.blocks)
    assert said.startswith(
        f"Refused. The rule “rule” does not name you among those who may ask for payments/prod: it names @{DEVS}. "
    )
    assert "payments/prod can be had for 4 h at most, not for 9 h." in said
    assert message.text.startswith("Refused.")
    assert "/countersign request" not in str(message.blocks)
    assert "/countersign request open payments/prod" in str(why.before(of(policy()), REQ).blocks)


def test_what_somebody_wrote_is_never_read_as_a_mention():
    name = "\ue000UEVIL\ue001 <!channel> & <@UEVIL>"
    message = why.before(of(policy(name=name), STRANGER), STRANGER)
    assert "UEVIL" not in [_id(node) for node in walk(message.blocks) if node.get("type") == "user"]
    assert "<!channel>" not in message.text
    assert "<@UEVIL>" not in message.text


CROWD = [f"U{number:04}" for number in range(300)]


def test_nothing_is_cut_off_however_long_it_is():
    groups = frozenset(f"S{number:020}" for number in range(30))
    big = Circle(users=frozenset(CROWD), groups=groups)
    rule = soft(
        name="n" * 80,
        requesters=big,
        approvals=tuple(Threshold(count=20, circle=big) for _ in range(10)),
        notify=Notify(email=tuple(f"{'x' * 60}{number}@example.com" for number in range(50))),
        escalate=tuple(Escalation(after_ms=number * HOUR, to=big) for number in range(1, 30)),
        ticket=Ticket(pattern="x" * 200),
    )
    rules = policies(rule, *(policy(name=f"{number}{'m' * 77}") for number in range(100)))
    message = why.before(explain(Question(REQ, "open", PROD), rules, people()), REQ)
    check_blocks(message.blocks)
    said = read(message.blocks)
    assert len(message.blocks) <= 50
    assert "and 322 more" in said
    assert "and 92 more" in said
    assert "And 25 more steps" in said
    assert "…" not in said
    assert len(words(message.blocks)) < 13_000  # docs.slack.dev: msg_blocks_too_long


def test_who_could_still_decide_is_said_threshold_by_threshold():
    rule = policy(approvals=(leads(1), Threshold(count=2, circle=Circle(users=frozenset({ANA, BOB})))))
    found = fillings(rule, people(), lambda user: "has approved it" if user == ANA else "")
    said = read(why.who(found, BOB, REQ))
    assert f"2 of @{ANA} or @{BOB}: \nCould now: @{BOB}.\nCould not: @{ANA}, who has approved it." in said


@pytest.mark.parametrize("action", ["open", "change", "access", "deploy", "policy"])
def test_every_action_has_its_words(action: str):
    assert explained.VERBS[action]
    assert explained.KINDS[action]
