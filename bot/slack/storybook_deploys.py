"""Storybook of deploys: what holds them up, how they go and end, and the forms for them."""

from collections.abc import Iterator
from typing import Final, Literal, get_args

from bot.slack import samples as s
from bot.slack.ids import Origin, parse_reference
from bot.slack.views import approvals, forms, modals
from bot.slack.views.approvals import ApprovalsFacts
from bot.slack.views.facts import Block, CardFacts, Message, Prefill, Terms, View, WhoIsAsked
from bot.slack.views.hooks import hook_line, progress_line
from bot.slack.views.parts import Part
from bot.slack.views.tell import notice, tell
from store.model.explain import Question, explain
from store.model.identity import Target
from store.model.policy import DAY, HOUR, MINUTE, Circle, Ticket
from store.model.request import CLOCK, REASON_MOST, Deployment, Ending, Gate, Kind, Machine, Run
from store.model.slots import Landed

TARGET: Final = "payments/prod#api"
LANDED: Final = Landed(request="8R3N5YM0VC", of=Deployment(version="v1.2.2", ref="77aa01c"))
FROZEN: Final = (s.NOW_MS + 3 * DAY, "end of the year")
WHY: Final = "The migration before it has to be repaired first."
LONGEST: Final = Deployment(version="v" * 128, ref=f"sha256:{'a' * 128}")
PASSED: Final = Ending(by=CLOCK, at_ms=s.NOW_MS, reason="8R3N5YM0VC was started.")
UNTOLD: Final = s.fired()[0].model_copy(update={"state": "overtaken", "receipts": s.deliveries()[1].receipts})
Going = Literal["running", "succeeded", "cancelled", "superseded"]
GOING: Final[tuple[Going, ...]] = get_args(Going)
KINDS: Final[tuple[Kind, ...]] = ("open", "access", "change", "deploy")


CI: Final = Machine(token=s.ID, name="ci")


HUB: Final = Gate(
    repository="acme/payments", environment="production", run=8_131_722_003, installation=1, deployment=1,
    by="octocat", page="https://github.com/acme/payments/actions/runs/8131722003",
)  # fmt: skip


def cards() -> Iterator[tuple[str, CardFacts]]:
    yield "deploy-pending-by-github", s.facts(s.request("deploy", door="github", machine=HUB), soft=True)
    yield "deploy-pending-by-a-machine", s.facts(s.request("deploy", door="machine", machine=CI), soft=True)
    taken_back = Ending(by=CI.actor, at_ms=s.NOW_MS, reason=WHY)
    yield (
        "deploy-cancelled-by-a-machine",
        s.facts(s.request("deploy", "cancelled", ending=taken_back, door="machine", machine=CI)),
    )
    yield "deploy-pending-frozen", s.facts(s.request("deploy"), soft=True, frozen=FROZEN)
    yield "deploy-approved-waits", s.facts(s.request("deploy", "approved"), starts_ms=s.NOW_MS + 10 * MINUTE)
    yield "deploy-approved-frozen", s.facts(s.request("deploy", "approved"), frozen=FROZEN)
    broken = s.request("deploy", "approved", broken=True)
    yield "deploy-broken-open", s.facts(broken, soft=True, debt=s.debt("open"))
    yield "deploy-broken-disputed", s.facts(broken, soft=True, debt=s.debt("disputed"))
    silent = s.request("deploy", "running", run=Run(by=s.BEN, at_ms=s.NOW_MS))
    yield "deploy-running-not-heard-of", s.facts(silent, deliveries=s.deliveries()[:1])
    yield "deploy-running-hooks", s.facts(s.request("deploy", "running"), deliveries=s.deliveries())
    unheard = Ending(by=CLOCK, at_ms=s.NOW_MS, reason="No report came in time.")
    yield "deploy-failed-no-report", s.facts(s.request("deploy", "failed", ending=unheard, run=silent.run))
    for state in ("succeeded", "failed"):
        yield f"deploy-{state}-after-another", s.facts(s.request("deploy", state), back_to=LANDED)
    ran = s.request("deploy", "cancelled", run=silent.run, ending=Ending(by=s.BEN, at_ms=s.NOW_MS, reason=WHY))
    yield "deploy-cancelled-while-it-ran", s.facts(ran, back_to=LANDED, deliveries=(UNTOLD,))
    yield "deploy-superseded-by", s.facts(s.request("deploy", "superseded", ending=PASSED))
    long = Run(
        by=s.BEN, at_ms=s.NOW_MS, stage="S" * 300, said="W" * 300, log=f"https://{'l' * 1_990}", said_ms=s.NOW_MS
    )
    most = s.request("deploy", "failed", payload=LONGEST, run=long, reason="W" * REASON_MOST, rule="r" * 4_000)
    yield (
        "deploy-failed-longest",
        s.facts(most, back_to=Landed(request=s.ID, of=LONGEST), deliveries=s.deliveries() * 20),
    )
    most = s.request("deploy", "approved", payload=LONGEST, reason="W" * REASON_MOST, target=f"{'a' * 50}/{'b' * 49}")
    yield "deploy-approved-longest", s.facts(most, starts_ms=s.NOW_MS, frozen=(s.NOW_MS, "f" * 4_000))


def told() -> Iterator[tuple[str, Message]]:
    news: tuple[Literal["approved", "failed"], ...] = ("approved", "failed")
    for each in news:
        yield f"tell/deploy-{each}", tell(s.facts(s.request("deploy", each)), each)
    why = Ending(by=s.BEN, at_ms=s.NOW_MS, reason=WHY)
    yield "tell/deploy-cancelled-why", tell(s.facts(s.request("deploy", "cancelled", ending=why)), "cancelled")
    yield "tell/deploy-approved-deployer", tell(s.facts(s.request("deploy", "approved")), "approved", to=s.CHO)
    yield "tell/deploy-failed-after-another", tell(s.facts(s.request("deploy", "failed"), back_to=LANDED), "failed")
    yield "tell/deploy-failed-starter", tell(s.facts(s.request("deploy", "failed"), back_to=LANDED), "failed", to=s.BEN)
    machine = s.facts(s.request("deploy", "failed", door="machine", machine=CI), back_to=LANDED)
    yield "notice/deploy-failed", notice(machine, "failed")
    yield "tell/deploy-superseded-by", tell(s.facts(s.request("deploy", "superseded", ending=PASSED)), "superseded")
    yield "thread/hook-of-a-deploy-that-is-over", hook_line(UNTOLD, s.request("deploy", "cancelled"))
    for state in ("running", "succeeded", "failed", "cancelled"):
        made = progress_line(s.request("deploy", state, run=s.request("deploy", "running").run))
        if made is not None:
            yield f"thread/report-{state}", made


def views() -> Iterator[tuple[str, View]]:
    question = Question(s.DEV, "deploy", Target.parse(TARGET))
    rule = s.policy(thresholds=2, deployers=Circle(users=frozenset({s.CHO})), wait_ms=10 * MINUTE).model_copy(
        update={"actions": frozenset({"deploy"}), "targets": ("payments/prod",)}
    )
    terms = Terms(
        WhoIsAsked(explain(question, s.deploying(rule), s.people())), ticket=Ticket(pattern="^[A-Z]+-[0-9]+$")
    )
    frozen = Terms(terms.who, frozen=FROZEN)
    refused = Terms(WhoIsAsked(refusal="Nobody could approve this but you. Ask an owner to change the rule."))
    targets = ["payments/prod", TARGET]
    one, full = Prefill(TARGET), Prefill(TARGET, reason=s.REASON, version="v1.2.3", ref="9f2c41d", channel=s.CHANNEL)
    longest = Prefill(TARGET, reason="W" * REASON_MOST, ticket="T" * 200, version="v" * 128, ref=LONGEST.ref or "")
    yield "ask/deploy", forms.ask_deploy(targets, one, terms)
    yield "ask/deploy-prefilled", forms.ask_deploy(targets, full, terms)
    yield "ask/deploy-nothing-chosen", forms.ask_deploy(targets, Prefill(), None)
    yield "ask/deploy-frozen", forms.ask_deploy(targets, full, frozen)
    yield "ask/deploy-refused", forms.ask_deploy(targets, one, refused)
    yield "ask/deploy-no-targets", forms.ask_deploy([], Prefill(), None)
    yield (
        "ask/deploy-longest",
        forms.ask_deploy(targets, longest, Terms(terms.who, frozen=(s.NOW_MS + HOUR, "f" * 4_000))),
    )
    yield "ask/deploy-or-another", forms.ask_deploy(targets, Prefill(TARGET, kinds=KINDS), terms)
    for state in ("approved", "running"):
        request = s.request("deploy", state)
        origin = Origin(parse_reference(request.reference), s.CHANNEL, "1772550000.000100")
        yield f"modal/cancel-{state}", modals.cancel_reason(request, origin)
    request = s.request("deploy")
    yield "modal/decline", modals.deny_reason(request, Origin(parse_reference(request.reference), s.CHANNEL))
    yield "edit/deploy", forms.edit(s.facts(request), terms, Origin(parse_reference(request.reference), s.CHANNEL))


def page() -> list[Block]:
    """App Home of somebody who decides and deploys."""
    waiting = (
        s.facts(s.request("deploy"), frozen=FROZEN),
        s.facts(s.request("deploy", "approved"), starts_ms=s.NOW_MS + 10 * MINUTE),
        s.facts(s.request("deploy", "approved", broken=True), debt=s.debt("open")),
    )
    mine = (s.facts(s.request("deploy", "running", requester=s.EVE)), s.facts(s.request("deploy", "approved")))
    return approvals.page(
        ApprovalsFacts(s.DEV, waiting=Part(waiting, 0, 3), mine=Part(mine, 0, 2), kinds=frozenset({"deploy"}))
    )
