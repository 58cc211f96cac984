"""A rule in plain words."""

from bot.policy_file import describe
from store.model.freeze import Dated, Weekly
from store.model.policy import HOUR, MINUTE, Access, Circle, Escalation, Notify, Policy, Threshold, Ticket

NAMES = {"S0DEV": "@dev", "S0LEADS": "@leads", "U0ANA": "ana@example.com", "C0AUDIT00": "#audit"}
DEV = Circle(groups=frozenset({"S0DEV"}))
LEADS = Circle(groups=frozenset({"S0LEADS"}), users=frozenset({"U0ANA"}))


def rule(**more: object) -> Policy:
    fields: dict[str, object] = {
        "name": "r",
        "targets": ("payments/prod",),
        "actions": frozenset({"open"}),
        "requesters": DEV,
        "approvals": (Threshold(circle=LEADS),),
    }
    return Policy.model_validate(fields | more)


def test_a_hard_rule():
    assert describe(rule(), NAMES) == [
        "@dev may ask for open on payments/prod.",
        "1 of @leads or ana@example.com must approve. One denial ends the request.",
        "Nobody approves a request of their own.",
        "Nobody passes without these approvals.",
        "Access runs 1 hour from its first use unless asked otherwise, at most 4 hours; an approval waits 8 hours for that first use.",
        "A request waits 8 hours for a decision.",
        "A request needs a reason.",
    ]


def test_a_soft_rule_with_everything():
    lines = describe(
        rule(
            actions=frozenset({"deploy", "change", "access"}),
            approvals=(Threshold(count=2, circle=LEADS), Threshold(circle=DEV)),
            denials=2,
            self_approval=True,
            enforcement="soft",
            bypassers=DEV,
            access=Access(activate="on-approval"),
            deployers=LEADS,
            wait_ms=10 * MINUTE,
            freeze=(
                Weekly(starts=6720, ends=480, zone="Europe/Berlin", name="weekend"),
                Dated(from_ms=1_700_000_000_000, until_ms=1_700_000_000_000 + HOUR),
            ),
            merge="by-hand",
            ticket=Ticket(pattern="^X-[0-9]+$"),
            remind=(15 * MINUTE, HOUR),
            escalate=(Escalation(after_ms=2 * HOUR, to=LEADS),),
            notify=Notify(channels=("C0AUDIT00",), email=("s@example.com",)),
        ),
        NAMES,
    )
    assert lines == [
        "@dev may ask for change, access or deploy on payments/prod.",
        "2 of @leads or ana@example.com and 1 of @dev must approve, all different people. 2 denials end the request.",
        "Who asks may also approve.",
        "In an emergency @dev may break the glass with a reason, for at most 1 hour; everybody is told, and somebody else must countersign within 24 hours.",
        "Access runs 1 hour from its first use unless asked otherwise, at most 4 hours; an approval waits 8 hours for that first use.",
        "Access to a role begins with the approval.",
        "An approved change is merged by hand within 24 hours.",
        "@leads and ana@example.com start an approved deploy within 24 hours, not before 10 minutes have passed; its receiver reports within 1 hour.",
        "No deploy starts from Fri 16:00 to Mon 08:00 of each week, by the clocks of Europe/Berlin (weekend).",
        "No deploy starts from 2023-11-14T22:13:20Z until 2023-11-14T23:13:20Z.",
        "A request waits 8 hours for a decision. Approvers are reminded after 15 minutes and 1 hour. After 2 hours word also goes to @leads and ana@example.com.",
        "A request needs a reason and a ticket like ^X-[0-9]+$.",
        "Decisions, and how deploys end, are announced to #audit and s@example.com.",
    ]


def test_soft_without_bypassers_is_as_hard_as_hard():
    assert "Nobody passes without these approvals: no bypassers are listed." in describe(
        rule(enforcement="soft"), NAMES
    )


def test_policy_requests_are_always_hard():
    lines = describe(rule(actions=frozenset({"policy"}), enforcement="soft", bypassers=DEV), NAMES)
    assert "Nobody passes without these approvals." in lines


def test_an_id_without_a_name_is_shown_as_it_is():
    assert describe(rule(), {})[0] == "S0DEV may ask for open on payments/prod."
