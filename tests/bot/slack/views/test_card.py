"""What a card says and offers, by state and by who reads it."""

from dataclasses import replace

import pytest

from bot.slack import samples as s
from bot.slack.views.card import for_approvers, for_requester
from bot.slack.views.facts import CardFacts
from store.model.policy import HOUR, Circle
from store.model.request import CLOCK, TERMINAL, Change, Editing, Ending, Kind, Review, State
from store.model.standing import Rules
from tests.bot.slack.pieces import buttons, menu, mrkdwn, quotes, words

DECIDE_BY = "<!date^1772578800^{date_short_pretty} at {time}|2026-03-03 23:00 UTC>"
ENDS = "<!date^1772557200^{date_short_pretty} at {time}|2026-03-03 17:00 UTC>"
EVERY = [(kind, state) for kind, states in s.STATES.items() for state in states]

# kind, state: what the channel can press, what the requester can press
OFFERED: dict[tuple[Kind, State], tuple[list[str], list[str]]] = {
    ("open", "pending"): (["approve", "deny", "more"], ["edit", "withdraw"]),
    ("open", "approved"): ([], ["activate", "withdraw"]),
    ("open", "active"): (["end_now"], ["show_values", "extend", "end"]),
    ("access", "pending"): (["approve", "deny", "more"], ["edit", "withdraw"]),
    ("access", "approved"): ([], ["activate", "withdraw"]),
    ("access", "granting"): (["end_now"], ["end"]),
    ("access", "active"): (["end_now"], ["extend", "end"]),
    ("change", "pending"): (["approve", "deny", "more"], ["edit", "withdraw"]),
    ("change", "approved"): (["merge"], ["merge", "withdraw"]),
    ("change", "stale"): ([], ["edit", "withdraw"]),
    ("policy", "pending"): (["approve", "deny", "more"], ["edit", "withdraw"]),
    ("policy", "approved"): (["merge"], ["merge", "withdraw"]),
    ("policy", "stale"): ([], ["withdraw"]),
    ("change", "merged"): (["roll_back"], []),
    ("deploy", "pending"): (["approve", "approve_and_deploy", "deny", "more"], ["edit", "withdraw"]),
    ("deploy", "approved"): (["deploy", "cancel"], ["deploy", "cancel"]),
    ("deploy", "running"): (["cancel"], ["cancel"]),
}
TITLES: dict[tuple[Kind, State], str] = {
    ("open", "pending"): "Waiting for approval · open payments/prod",
    ("open", "approved"): "Approved, not started yet · open payments/prod",
    ("open", "active"): "Active · open payments/prod",
    ("open", "denied"): "Denied · open payments/prod",
    ("open", "withdrawn"): "Withdrawn · open payments/prod",
    ("open", "expired"): "Expired without a decision · open payments/prod",
    ("open", "ended"): "Ended · open payments/prod",
    ("access", "granting"): "Approved, not confirmed yet · access to role:aws-admin",
    ("access", "revoking"): "Ending, not confirmed yet · access to role:aws-admin",
    ("access", "failed"): "Failed · access to role:aws-admin",
    ("change", "approved"): "Approved, not merged yet · change payments/prod",
    ("change", "stale"): "Out of date · change payments/prod",
    ("change", "merged"): "Merged as version 42 · change payments/prod",
    ("policy", "pending"): "Waiting for approval · change the policies, policy:main",
    ("policy", "approved"): "Approved, not merged yet · change the policies, policy:main",
    ("policy", "merged"): "Merged as version 42 · change the policies, policy:main",
    ("deploy", "pending"): "Waiting for approval · deploy v1.2.3 to payments/prod#api",
    ("deploy", "approved"): "Approved, not deployed yet · deploy v1.2.3 to payments/prod#api",
    ("deploy", "running"): "Deploying · deploy v1.2.3 to payments/prod#api",
    ("deploy", "succeeded"): "Deployed · deploy v1.2.3 to payments/prod#api",
    ("deploy", "superseded"): "Superseded · deploy v1.2.3 to payments/prod#api",
}
# What the channel reads, after the decision.
SAYS: dict[tuple[Kind, State], list[str]] = {
    ("open", "approved"): ["Approved by <@U0BEN> and <@U0CHO> ", "<@U0DEV> has not activated it yet.", "*Use before*"],
    ("open", "active"): ["<@U0DEV> has access now.", f"*Ends*\n{ENDS}"],
    ("open", "denied"): ["Denied by <@U0BEN> ", "Why it was denied", "Use the replay tool instead"],
    ("open", "withdrawn"): ["Withdrawn by <@U0DEV> "],
    ("open", "expired"): ["Nobody decided in time."],
    ("open", "ended"): ["Ended by itself ", ", because its time was over."],
    ("access", "granting"): ["Decided, not confirmed yet", "Its time is running already."],
    ("access", "revoking"): ["Decided, not confirmed yet: <@U0DEV> may still be a member."],
    ("access", "ended"): ["The outside system shows that they are no longer a member."],
    ("access", "failed"): ["The outside system refused, and <@U0DEV> is not a member.", "okta answered 403"],
    ("change", "approved"): ["It is not merged yet.", "*Merge before*"],
    ("change", "stale"): ["It must be asked again.", "Changed meanwhile by somebody else: PROCESSOR_KEY_1."],
    ("change", "merged"): ["Approved by <@U0BEN> and <@U0CHO> "],
    ("policy", "stale"): ["Somebody else changed the policies meanwhile, so this was not merged."],
    ("deploy", "pending"): ["*Version*\n`v1.2.3`", "*Commit or digest*\n`9f2c41d`"],
    ("deploy", "approved"): ["Nobody has started it yet.", "*Deploy before*"],
    ("deploy", "running"): [
        "Started by <@U0BEN> ",
        "last heard of ",
        "*Report before*",
        "Stage",
        "Rolling out, 2 of 6",
        "Log",
    ],
    ("deploy", "succeeded"): ["Started by <@U0BEN> ", "The receiver reported success ", "6 of 6 are healthy."],
    ("deploy", "failed"): ["Started by <@U0BEN> ", "The receiver reported a failure.", "3 of 6 never became healthy"],
    ("deploy", "cancelled"): ["Cancelled by <@U0DEV> "],
    ("deploy", "superseded"): ["A deploy that was asked for later was started instead "],
}
# What the requester is told to do.
NEXT: dict[tuple[Kind, State], str] = {
    (
        "open",
        "pending",
    ): "Wait: you get a message when it is decided. So far: 0 of 1 approval; still needed: 1 of <!subteam^S0LEADS>.",
    ("open", "approved"): f"Activate it when you are ready, before {DECIDE_BY}. Your 2 h begin then, not before.",
    ("open", "active"): f"You have it until {ENDS}. *Show values* shows them here, to you only.",
    ("open", "denied"): "Talk to the person who denied it",
    ("open", "expired"): "Ask again if you still need it, and tell an approver",
    ("open", "ended"): "Ask again if you need more time.",
    ("access", "granting"): "you get a message when the membership is confirmed",
    ("access", "active"): "Press *I'm done* when you have finished: it ends at once.",
    ("access", "revoking"): "it is being taken back",
    ("access", "failed"): "Show an owner what the outside system said",
    ("change", "approved"): f"Merge it before {DECIDE_BY}.",
    (
        "change",
        "stale",
    ): f"Press *Ask again on what is there now* before {DECIDE_BY}: your values are kept, and everybody decides anew.",
    ("change", "merged"): "the change is in",
    (
        "policy",
        "stale",
    ): f"Ask again on what is in force now before {DECIDE_BY}: `countersign policy apply FILE --request {s.ID}`.",
    ("policy", "merged"): "the new policies are in force",
}


def card(kind: Kind, state: State) -> CardFacts:
    return s.facts(s.request(kind, state), shows=kind == "open")


@pytest.mark.parametrize(("kind", "state"), EVERY)
def test_what_one_can_press(kind: Kind, state: State) -> None:
    facts = card(kind, state)
    channel, requester = OFFERED.get((kind, state), ([], []))
    assert buttons(for_approvers(facts).blocks) == channel
    assert buttons(for_requester(facts).blocks) == requester


@pytest.mark.parametrize(("kind", "state"), [pair for pair in EVERY if pair[1] in TERMINAL])
def test_what_is_over_has_no_buttons_but_back(kind: Kind, state: State) -> None:
    facts = card(kind, state)
    assert buttons(for_approvers(facts).blocks) == (["roll_back"] if (kind, state) == ("change", "merged") else [])
    assert not buttons(for_requester(facts).blocks)


@pytest.mark.parametrize(("which", "title"), TITLES.items())
def test_the_header_says_the_state_in_words(which: tuple[Kind, State], title: str) -> None:
    for draw in (for_approvers, for_requester):
        assert draw(card(*which)).blocks[0]["text"]["text"] == title


@pytest.mark.parametrize(("which", "sentences"), SAYS.items())
def test_the_channel_reads_what_came_of_it(which: tuple[Kind, State], sentences: list[str]) -> None:
    said = words(for_approvers(card(*which)).blocks)
    for sentence in sentences:
        assert sentence in said


@pytest.mark.parametrize(("which", "step"), NEXT.items())
def test_the_requester_reads_what_to_do_next(which: tuple[Kind, State], step: str) -> None:
    message = for_requester(card(*which))
    assert step in words(message.blocks)
    assert step in message.text


@pytest.mark.parametrize(("kind", "state"), EVERY)
def test_a_notification_says_who_and_what(kind: Kind, state: State) -> None:
    text = for_approvers(card(kind, state)).text
    assert "<@U0DEV>" in text
    assert f"`{s.request(kind).target}`" in text


def test_a_pending_card_has_everything_that_is_needed_to_decide() -> None:
    message = for_approvers(s.facts(s.request("open"), thresholds=2))
    said = words(message.blocks)
    for piece in (
        "*Requester*\n<@U0DEV>", "*Target*\n`payments/prod`", "*Access duration*\n2 h", "*Use within*\n8 h of the approval",
        f"*Decide before*\n{DECIDE_BY}", "PAY-41", "payments production", s.REASON,
        "0 of 2 approvals · still needed: 1 of <!subteam^S0LEADS>, and 1 of <!subteam^S0SECURITY> or <@U0ANA>",
    ):  # fmt: skip
        assert piece in said
    assert f"Decide before {DECIDE_BY}" in message.text
    assert quotes(message.blocks) == [s.REASON]


def test_progress_counts_the_places_that_are_filled() -> None:
    vote = Review(by=s.BEN, verdict="approve", at_ms=s.NOW_MS, cap_ms=HOUR)
    said = words(for_approvers(s.facts(s.request("open", reviews=(vote,)), thresholds=2, filled=1)).blocks)
    assert "1 of 2 approvals · still needed: 1 of <!subteam^S0SECURITY> or <@U0ANA>" in said
    assert "Votes: <@U0BEN> approved (1 h at most)" in said
    not_counted = words(for_approvers(s.facts(s.request("open", reviews=(vote,)))).blocks)
    assert "0 of 1 approval " in not_counted
    assert "<@U0BEN> approved" in not_counted


def test_the_glass_is_offered_only_where_somebody_could_pass() -> None:
    def offered(rules: Rules | None) -> bool:
        return "break_glass" in buttons(for_approvers(s.facts(s.request("open"), rules=rules)).blocks)

    soft, hard = s.policy(soft=True), s.policy()
    nobody = soft.model_copy(update={"bypassers": Circle()})
    owners = Circle(groups=frozenset({s.ADMINS}))
    assert offered(Rules(soft, soft, owners))
    assert not offered(Rules(hard, hard, owners))
    assert not offered(Rules(soft, hard, owners))
    assert not offered(Rules(hard, soft, owners))
    assert not offered(Rules(nobody, nobody, owners))
    assert not offered(Rules(nobody, soft, owners))
    assert not offered(None)


def test_nobody_decides_without_a_rule() -> None:
    facts = s.facts(s.request("open"), rules=None, needed=(), asked=())
    assert not buttons(for_approvers(facts).blocks)
    assert "No rule covers this any more" in words(for_approvers(facts).blocks)
    assert buttons(for_requester(facts).blocks) == ["withdraw"]


@pytest.mark.parametrize(
    ("state", "pressed", "title", "says"),
    [
        ("open", ["countersign", "dispute", "end_now"], "glass broken ·", "must countersign or dispute it before"),
        ("countersigned", ["end_now"], "glass broken, countersigned ·", "Countersigned by <@U0BEN>"),
        ("disputed", ["end_now"], "glass broken, disputed ·", "Disputed by <@U0BEN>"),
        ("overdue", ["end_now"], "glass broken, nobody countersigned ·", "An owner must look at what was done."),
    ],
)
def test_a_broken_glass_is_never_silent(state: str, pressed: list[str], title: str, says: str) -> None:
    facts = s.facts(s.request("open", "active", broken=True), soft=True, debt=s.debt(state))
    message = for_approvers(facts)
    assert buttons(message.blocks) == pressed
    assert title in message.blocks[0]["text"]["text"]
    assert title.removesuffix(" ·") in message.text
    said = words(message.blocks)
    assert says in said
    assert "Glass broken by <@U0EVE>" in said
    assert "none of the leads answers the phone" in said
    assert not {"countersign", "dispute"} & set(buttons(for_requester(facts).blocks))


@pytest.mark.parametrize("kind", ["open", "access", "change"])
def test_what_was_disputed_before_it_was_used_is_offered_to_nobody(kind: Kind) -> None:
    facts = s.facts(s.request(kind, "approved", broken=True), soft=True, debt=s.debt("disputed"))
    card, own = for_approvers(facts), for_requester(facts)
    assert buttons(card.blocks) == []
    assert buttons(own.blocks) == ["withdraw"]
    for message in (card, own):
        assert message.blocks[0]["text"]["text"].startswith("Not to be used, glass broken, disputed · ")
        assert "It cannot be used: the glass that was broken for it was disputed." in words(message.blocks)
        assert " before*" not in words(message.blocks)
    assert "activate" in buttons(for_requester(replace(facts, debt=s.debt("overdue"))).blocks) or kind == "change"


def test_what_is_owed_can_still_be_settled_when_the_access_is_over() -> None:
    facts = s.facts(s.request("open", "ended", broken=True), soft=True, debt=s.debt("open"))
    assert buttons(for_approvers(facts).blocks) == ["countersign", "dispute"]


def test_only_the_beneficiary_uses_what_was_approved() -> None:
    facts = s.facts(s.request("open", "approved", beneficiary=s.EVE), shows=True)
    assert buttons(for_requester(facts, to=s.EVE).blocks) == ["activate", "withdraw"]
    assert buttons(for_requester(facts, to=s.DEV).blocks) == ["withdraw"]
    assert "<@U0EVE> can activate it" in words(for_requester(facts, to=s.DEV).blocks)
    active = s.facts(s.request("open", "active", beneficiary=s.EVE), shows=True)
    assert "show_values" not in buttons(for_requester(active, to=s.DEV).blocks)
    assert "*For*\n<@U0EVE>" in words(for_approvers(active).blocks)


def test_values_are_offered_only_where_slack_may_show_them() -> None:
    assert buttons(for_requester(s.facts(s.request("open", "active"))).blocks) == ["extend", "end"]
    assert "`payments/prod` does not show its values in Slack." in words(
        for_requester(s.facts(s.request("open", "active"))).blocks
    )
    assert buttons(for_requester(s.facts(s.request("access", "active"), shows=True)).blocks) == ["extend", "end"]


def test_less_than_what_was_asked_is_said() -> None:
    facts = s.facts(s.request("open", "approved", granted_ms=HOUR))
    assert "*Access duration*\n1 h (2 h asked)" in words(for_approvers(facts).blocks)
    assert "Your 1 h begin then" in for_requester(facts).text


@pytest.mark.parametrize(("kind", "offered"), [("open", True), ("access", True), ("change", False)])
def test_approve_for_less_is_for_what_has_a_length(kind: Kind, offered: bool) -> None:  # noqa: FBT001  # a table's column
    assert ("Approve for less time" in menu(for_approvers(s.facts(s.request(kind))).blocks)) is offered


def test_a_change_shows_names_and_what_happens_to_each() -> None:
    said = words(for_approvers(s.facts(s.request("change", names=4))).blocks)
    assert ": 1 new, 1 changed, 1 removed, 1 unchanged" in said
    for name, word in (("1", "changed"), ("2", "new"), ("3", "removed"), ("4", "unchanged")):
        assert f"PROCESSOR_KEY_{name}\n {word}" in said


def test_a_long_list_is_cut_with_what_is_missing_and_shown_in_full_on_demand() -> None:
    facts = s.facts(s.request("change", names=100))
    short, whole = for_approvers(facts), for_approvers(facts, whole=True)
    assert words(short.blocks).count("PROCESSOR_KEY_") == 12
    assert "and 88 more: 13 new, 25 changed, 25 removed, 25 unchanged" in words(short.blocks)
    assert "Show all of it" in menu(short.blocks)
    assert f"`/countersign show {s.ID}` shows all of it" in words(short.blocks)
    assert words(whole.blocks).count("PROCESSOR_KEY_") == 100
    assert "Show all of it" not in menu(for_approvers(s.facts(s.request("change"))).blocks)


def test_names_are_never_cut_in_themselves() -> None:
    alike = [f"{'N' * 127}{end}" for end in "AB"]
    change = Change.model_construct(environment_id="e", touches=tuple(s.touch(name, "changed") for name in alike))
    said = words(for_approvers(s.facts(s.request("change", payload=change))).blocks)
    assert all(name in said for name in alike)


def test_the_longest_names_stop_before_slack_refuses_the_message() -> None:
    touches = tuple(s.touch(f"{'N' * 120}{place:08}", "removed") for place in range(100))
    change = Change.model_construct(environment_id="e", touches=touches)
    said = words(for_approvers(s.facts(s.request("change", payload=change, reason="x" * 2_000)), whole=True).blocks)
    assert len(said) < 13_000  # msg_blocks_too_long
    assert "and 38 more: 38 removed" in said


def test_a_long_reason_is_cut_and_shown_in_full_on_demand() -> None:
    facts = s.facts(s.request("open", reason="x" * 2_000))
    [cut] = quotes(for_approvers(facts).blocks)
    assert len(cut) == 400
    assert cut.endswith("…")
    assert quotes(for_approvers(facts, whole=True).blocks) == ["x" * 2_000]
    assert "Show all of it" in menu(for_approvers(facts).blocks)


def test_hooks_have_a_line_each() -> None:
    facts = s.facts(s.request("change", "merged"), deliveries=s.deliveries())
    said = words(for_approvers(facts).blocks)
    for line in (
        "api\n: delivered in 183 ms, status 204, 1 attempt", "worker\n: not delivered yet, status 503, 3 attempts\n, next try ",
        "billing\n: failed, no answer, 10 attempts", "old\n: not needed any more", "new\n: waiting to be sent",
    ):  # fmt: skip
        assert line in said
    assert "1 of 5 hooks could not be told" in for_requester(facts).text


def test_one_who_is_kept_by_another_grant_is_not_said_to_be_gone() -> None:
    kept = "Still a member because of request 8R3N5YM0VC."
    said = words(for_approvers(s.facts(s.request("access", "ended", note=kept))).blocks)
    assert kept in said
    assert "no longer a member" not in said


def test_people_are_named_by_id_only_where_it_is_one() -> None:
    facts = s.facts(s.request("open", requester="<!channel>"))
    assert not [text for text in mrkdwn(for_approvers(facts).blocks) if "<!channel>" in text]


@pytest.mark.parametrize(
    ("dropped", "line"),
    [(True, "Edited by <@U0DEV> {}; earlier votes were dropped."), (False, "Edited by <@U0DEV> {}.")],
)
def test_an_edited_card_says_so_to_everybody(*, dropped: bool, line: str) -> None:
    edited = Editing(by=s.DEV, at_ms=s.NOW_MS + 2 * HOUR, dropped=dropped)
    facts = s.facts(s.request("open", edited=edited))
    for draw in (for_approvers, for_requester):
        assert line.format(ENDS) in words(draw(facts).blocks)
    assert "Edited" not in words(for_approvers(card("open", "pending")).blocks)


def test_what_the_glass_was_broken_for_is_not_asked_again() -> None:
    facts = s.facts(s.request("change", "stale", broken=True), soft=True, debt=s.debt("open"))
    assert buttons(for_requester(facts).blocks) == ["withdraw"]
    assert "the glass was broken for it once" in words(for_requester(facts).blocks)


def test_who_has_it_and_who_decides_see_that_more_time_is_asked_for_and_it_is_not_asked_for_twice() -> None:
    facts = s.facts(s.request("open", "active"), shows=True)
    more = replace(facts, waits="8R3N5YM0VC")
    said = "More time is asked for, with request `8R3N5YM0VC`: nobody has decided that yet."
    for draw in (for_requester, for_approvers):
        assert said in words(draw(more).blocks)
        assert said not in words(draw(facts).blocks)
    assert "extend" in buttons(for_requester(facts).blocks)
    assert "extend" not in buttons(for_requester(more).blocks)


def test_why_somebody_who_left_asks_for_nothing_is_not_called_an_end() -> None:
    left = Ending(by=CLOCK, at_ms=s.NOW_MS, reason="Dev Patel is deactivated in Slack.")
    said = words(for_approvers(s.facts(s.request("open", "withdrawn", ending=left))).blocks)
    assert "Why it was withdrawn" in said
    assert "Why it was ended" in words(for_approvers(s.facts(s.request("open", "ended", ending=left))).blocks)
