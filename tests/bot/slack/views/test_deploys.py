"""Deploys: what their cards, threads and messages say once they are over, and to those who start them."""

from typing import Any

import pytest

from bot.slack import samples as s
from bot.slack.ids import Origin
from bot.slack.storybook_deploys import CI, LANDED, PASSED, UNTOLD, WHY
from bot.slack.views.card import for_approvers
from bot.slack.views.facts import CardFacts
from bot.slack.views.hooks import hook_line, progress_line
from bot.slack.views.modals import cancel_reason
from bot.slack.views.next_steps import next_step
from bot.slack.views.tell import tell
from store.model.request import CLOCK, Ending, Request, State
from tests.bot.slack.pieces import quotes, words

RUN = s.request("deploy", "running").run
CANCELLED = Ending(by=s.BEN, at_ms=s.NOW_MS, reason=WHY)
SILENT = Ending(by=CLOCK, at_ms=s.NOW_MS, reason="No report came in time.")
BACK = "or go back to `v1.2.2`, the last that succeeded there."


def over(state: State, ending: Ending | None = None, *, ran: bool = True) -> Request:
    more: dict[str, Any] = {"run": RUN if ran else None, **({} if ending is None else {"ending": ending})}
    return s.request("deploy", state, **more)


STEPS: list[tuple[CardFacts, str, bool]] = [
    (s.facts(over("failed")), "Look at the log of the receiver. Then ask again.", False),
    (s.facts(over("failed"), back_to=LANDED), f"Look at the log of the receiver. Then ask again, {BACK}", True),
    (s.facts(over("failed", SILENT)), "it may still be at it. Then ask again.", False),
    (s.facts(over("failed", SILENT), deliveries=(UNTOLD,)), "it was never told to deploy. Then ask again.", False),
    (s.facts(over("cancelled", CANCELLED), back_to=LANDED), f"Look whether the receiver has stopped. Ask again if it is to be deployed after all, {BACK}", True),
    (s.facts(over("cancelled", CANCELLED, ran=False)), "There is nothing to do. Ask again if it is to be deployed after all.", False),
    (s.facts(over("succeeded"), back_to=LANDED), "There is nothing to do: it is deployed.", True),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "step", "back"), STEPS)
def test_what_next_once_it_is_over(facts: CardFacts, step: str, back: bool) -> None:  # noqa: FBT001 - a column of the table
    said, pressed = next_step(facts, s.DEV)
    assert said.endswith(step)
    assert [each["action_id"] for each in pressed] == ["deploy_again"] * back
    assert ("deploy_again" in str(for_approvers(facts).blocks)) is back


@pytest.mark.parametrize("ending", [SILENT, Ending(by="relay", at_ms=s.NOW_MS, reason="It crashes.")])
@pytest.mark.parametrize("state", ["succeeded", "failed"])
def test_what_a_receiver_reported_stands_on_the_card_once(state: State, ending: Ending) -> None:
    said = words(for_approvers(s.facts(over(state, ending))).blocks)
    assert "Why it was ended" not in said
    assert "Started by <@U0BEN> " in said


@pytest.mark.parametrize(
    ("request_", "by_it"),
    [(over("failed"), True), (over("succeeded"), True), (over("failed", SILENT), False), (over("cancelled", CANCELLED), False)],
)  # fmt: skip
def test_only_what_a_receiver_said_is_called_its_word(request_: Request, by_it: bool) -> None:  # noqa: FBT001 - a column of the table
    line = progress_line(request_)
    assert line is not None
    assert ("as its receiver said" in line.text, "was last heard of" in line.text) == (by_it, not by_it)


def test_a_hook_of_a_deploy_that_is_over_is_not_offered_again() -> None:
    line = hook_line(UNTOLD, over("cancelled", CANCELLED))
    assert "not told, status 503, 1 attempt, and not tried any more: the deploy is over." in line.text
    assert "retry_hook" not in str(line.blocks)


def test_whoever_is_called_to_deploy_may() -> None:
    facts = s.facts(s.request("deploy", "approved"))
    assert "if you may" in tell(facts, "approved", to=s.DEV).text
    assert "if you may" not in tell(facts, "approved", to=s.CHO).text


def test_what_was_superseded_says_by_which() -> None:
    told = tell(s.facts(s.request("deploy", "superseded", ending=PASSED)), "superseded")
    assert quotes(told.blocks) == ["8R3N5YM0VC was started."]


def test_the_form_that_cancels_is_left_without_a_second_cancel() -> None:
    made = cancel_reason(s.request("deploy", "running"), Origin())
    assert (made["close"]["text"], made["submit"]["text"]) == ("Go back", "Cancel the deploy")
    assert "whoever started it is told" in words(made["blocks"])
    by_machine = cancel_reason(s.request("deploy", "running", machine=CI), Origin())
    assert "The card and the machine say" in words(by_machine["blocks"])
    assert "whoever started it" not in words(cancel_reason(s.request("deploy", "approved"), Origin())["blocks"])
