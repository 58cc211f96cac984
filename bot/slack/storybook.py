"""Storybook: every card, message, modal and Home view in every state, to look at and to check."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, get_args

from bot.policy_file.words import describe
from bot.slack import samples as s
from bot.slack import storybook_deploys as of_deploys
from bot.slack import storybook_environments as of_environments
from bot.slack.ids import Origin, Place, parse_reference
from bot.slack.views import (
    amendment,
    approvals,
    audited,
    environments,
    forms,
    health,
    locked,
    modals,
    policies,
    refusals,
    replies,
    signed_in,
    why,
)
from bot.slack.views.approvals import ApprovalsFacts
from bot.slack.views.card import for_approvers, for_requester
from bot.slack.views.environments import START, EnvironmentsFacts, Offered
from bot.slack.views.facts import Block, CardFacts, Message, Offer, Prefill, Said, Terms, View, WhoIsAsked
from bot.slack.views.health import Closed, HealthFacts, Line
from bot.slack.views.home import HomeFacts, Tab, broken, closed, home
from bot.slack.views.parts import NONE, Part, T
from bot.slack.views.policies import Members, PoliciesFacts, Rule, Version
from bot.slack.views.recovered import holders, recovered
from bot.slack.views.signed_in import SignedIn, SignedInFacts
from bot.slack.views.tell import announce, hook_line, notice, passed, tell
from store.model.audit import Audit
from store.model.effect import Decided, News, Recovered, TellToken
from store.model.enactment import Enactment
from store.model.errors import Forbidden
from store.model.explain import Question, explain, of_request
from store.model.grant import Membership
from store.model.identity import Target
from store.model.lifecycle import LAPSED
from store.model.people import Group, People, Wanted
from store.model.policy import DAY, HOUR, MINUTE, Circle, Hook, HookEvent, Threshold, Ticket
from store.model.request import CLOCK, REASON_MOST, Change, Editing, Ending, Extension, Joining, Kind, Minting, Review
from store.model.secret import Secret
from store.model.token import Use

Story = dict[str, Any]
LINK: Final = "https://example.slack.com/archives/C0PAYMENTS/p1772550000000100"
LONG_TARGET: Final = f"{'a' * 50}/{'b' * 49}"
CALLS: Final = ("requested", "reminder", "escalated")
LEFT: Final = Ending(by=CLOCK, at_ms=s.NOW_MS, reason="Dev Patel is deactivated in Slack.")
FOREVER: Final = "W" * REASON_MOST
NOTHING: Final = Wanted()
WELL: Final = (
    Line("ok", "redis", "Redis keeps what it is told: every decision is on its disk before it is answered."),
    Line("ok", "clock", "This process last looked 0 s ago for what is due."),
    Line("ok", "lane slack", "0 effects waiting."),
)
DOUBTFUL: Final = Line(
    "warn", "policies", "policies.yml differs from the policies in force (version 3). Nothing applies it by itself."
)
WRONG: Final = (
    Line("fail", "lane connector", "12 effects waiting, one of them for 14 minutes. Nobody performs them."),
    Line("fail", "hooks", "payments/prod, hook api, was given up: it has not heard of the newest version."),
)
OFFERS: Final = (Offer("open", "payments/prod"), Offer("change", "payments/prod"))


def stories() -> Iterator[Story]:
    """`{"name", "kind": "message" or "view", "payload"}`; a payload is what Slack's method takes."""
    for name, facts in cards():
        yield _message(f"card/{name}", for_approvers(facts))
        yield _message(f"copy/{name}", for_requester(facts))
    yield from _told()
    for delivery in s.deliveries():
        yield _message(f"thread/{delivery.hook}-{delivery.state}", hook_line(delivery, s.request("change", "merged")))
    for delivery in s.fired():
        yield _message(f"thread/{delivery.hook}-{delivery.event}", hook_line(delivery, s.request("change", "merged")))
    yield from _forms()
    yield from _modals()
    yield from _homes()
    yield from (_message(name, message) for name, message in of_deploys.told())
    yield from (_view(name, view) for name, view in of_deploys.views())
    yield _view("home/approvals-deploys", _home(of_deploys.page(), Place("approvals"), waits="3"))
    yield from _signed_in()
    yield from _replies()


def cards() -> Iterator[tuple[str, CardFacts]]:
    for kind, states in s.STATES.items():
        for state in states:
            if state == "extended":
                continue
            told = s.deliveries() if state == "merged" and kind == "change" else ()
            yield f"{kind}-{state}", s.facts(s.request(kind, state), shows=kind == "open", deliveries=told)
    yield from _extensions()
    yield from _votes()
    yield from _glasses()
    yield from _long()
    yield from of_environments.cards()
    yield from of_deploys.cards()


def _extensions() -> Iterator[tuple[str, CardFacts]]:
    for state in ("pending", "denied", "withdrawn", "expired", "extended"):
        name = "open-extended" if state == "extended" else f"extension-{state}"
        yield name, s.facts(s.extension(state), soft=True)
    lapsed = Ending(by=s.BEN, at_ms=s.NOW_MS, reason=LAPSED)
    yield "extension-lapsed", s.facts(s.extension("expired", ending=lapsed))
    yield "extension-for-another", s.facts(s.extension(beneficiary=s.EVE))
    yield "extension-for-less", s.facts(s.extension("extended", granted_ms=10 * MINUTE))
    longer = Extension(by="8R3N5YM0VC", longer_ms=30 * MINUTE, at_ms=s.NOW_MS)
    yield "open-active-more-is-asked", s.facts(s.request("open", "active"), shows=True, waits="8R3N5YM0VC")
    yield "open-active-extended", s.facts(s.request("open", "active", extended=(longer,)), shows=True)
    yield "access-active-extended-often", s.facts(s.request("access", "active", extended=(longer,) * 40))


def _votes() -> Iterator[tuple[str, CardFacts]]:
    vote = Review(by=s.BEN, verdict="approve", at_ms=s.NOW_MS, cap_ms=HOUR)
    one = s.request("open", reviews=(vote,))
    yield "open-pending-0-of-2", s.facts(s.request("open"), thresholds=2)
    yield "open-pending-1-of-2", s.facts(one, thresholds=2, filled=1)
    yield "open-pending-voted-not-counted", s.facts(one)
    yield "open-pending-for-another", s.facts(s.request("open", beneficiary=s.EVE))
    yield "open-approved-for-another", s.facts(s.request("open", "approved", beneficiary=s.EVE))
    yield "open-pending-no-rule", s.facts(s.request("open"), rules=None, needed=(), asked=())
    yield "open-approved-for-less", s.facts(s.request("open", "approved", granted_ms=HOUR))
    yield "open-expired-unused", s.facts(s.request("open", "expired", broken=True))
    yield "open-active-values-not-in-slack", s.facts(s.request("open", "active"))
    yield "open-pending-bare", s.facts(s.request("open", reason="", ticket=None))
    kept = "Still a member because of request 8R3N5YM0VC."
    yield "access-ended-kept", s.facts(s.request("access", "ended", note=kept))
    yield "open-ended-left", s.facts(s.request("open", "ended", ending=LEFT))
    yield "access-revoking-left", s.facts(s.request("access", "revoking", ending=LEFT))
    yield "change-withdrawn-left", s.facts(s.request("change", "withdrawn", ending=LEFT))
    trouble = "okta answered 200, and the person is still a member."
    yield "access-revoking-trouble", s.facts(s.request("access", "revoking", note=trouble))
    yield "change-merged-no-hooks", s.facts(s.request("change", "merged"))
    edit = Editing(by=s.DEV, at_ms=s.NOW_MS, dropped=True)
    yield "open-pending-edited", s.facts(s.request("open", edited=edit), thresholds=2)
    rebased = s.request("change", edited=edit.model_copy(update={"dropped": False}))
    yield "change-pending-asked-again", s.facts(rebased, thresholds=2)
    stale = s.request("change", "stale", broken=True)
    yield "change-stale-glass-broken", s.facts(stale, soft=True, debt=s.debt("open"))
    yield from _amendments()
    yield "change-pending-1-name", s.facts(s.request("change", names=1))


def _amendments() -> Iterator[tuple[str, CardFacts]]:
    asked = s.request("policy", door="terminal")
    yield "policy-pending-20-rules", s.facts(asked, proposed=s.proposed(rules=20), thresholds=2)
    yield "policy-pending-locks-out", s.facts(asked, proposed=s.proposed(dangers=("unreachable", "no_owner")))
    yield "policy-pending-not-known", s.facts(asked, proposed=s.proposed(dangers=("unknown",)))
    yield "policy-pending-overtaken", s.facts(asked, proposed=s.proposed(now=42))
    yield "policy-pending-unreadable", s.facts(asked, proposed=None)
    for state in ("pending", "denied", "merged"):
        added = s.request("policy", state, payload=s.holder(), door="terminal", merged=None)
        yield f"holder-{state}-add", s.facts(added, proposed=None, thresholds=2)
        let_in = s.request("policy", state, payload=s.machine(), door="terminal", merged=None)
        yield f"machine-{state}", s.facts(let_in, proposed=None, thresholds=2)
        removed = s.request("policy", state, payload=s.holder("remove"), door="terminal", merged=None)
        yield f"holder-{state}-remove", s.facts(removed, proposed=None, thresholds=2)


def _many_targets() -> Minting:
    return s.machine(
        name="a" * 40,
        targets=tuple(f"{'p' * 63}/{'e' * 60}-{place:02}" for place in range(20)),
        actions=("read", "deploy", "report"),
    )


def _glasses() -> Iterator[tuple[str, CardFacts]]:
    yield "open-pending-soft", s.facts(s.request("open"), soft=True, thresholds=2)
    for state in s.DEBTS:
        debt = s.debt(state)
        over: dict[str, Any] = (
            {"ending": Ending(by=s.BEN, at_ms=s.NOW_MS + HOUR, reason=debt.reason)} if state == "disputed" else {}
        )
        made = s.request("open", "ended" if over else "active", broken=True, **over)
        yield f"open-broken-{state}", s.facts(made, soft=True, debt=debt, shows=True)
    unused = s.request("open", "approved", broken=True)
    yield "open-approved-disputed", s.facts(unused, soft=True, debt=s.debt("disputed"))
    ended = s.request("access", "ended", broken=True)
    yield "access-ended-debt-open", s.facts(ended, soft=True, debt=s.debt("open"))
    merged = s.request("change", "merged", broken=True)
    yield "change-merged-debt-open", s.facts(merged, soft=True, debt=s.debt("open"), deliveries=s.deliveries())


def _long() -> Iterator[tuple[str, CardFacts]]:
    """The longest of everything."""
    touched = tuple(s.touch(f"{'N' * 122}{place:06}", "changed") for place in range(100))
    crowd = tuple(Review(by=f"U0CROWD{place}", verdict="approve", at_ms=s.NOW_MS, cap_ms=HOUR) for place in range(60))
    wide = Circle(users=frozenset(f"U0WIDE{place}" for place in range(200)))
    many = tuple(Threshold(count=20, circle=wide) for _ in range(10))
    group = Membership(connector="c" * 63, group="g" * 4_000, user=s.DEV, account="x" * 4_000)
    most: dict[str, Any] = {
        "reason": FOREVER,
        "ticket": "T" * 200,
        "rule": "r" * 4_000,
        "target": LONG_TARGET,
        "reviews": crowd,
    }
    change = Change.model_construct(environment_id="e" * 26, touches=touched)
    yield "change-pending-100-names", s.facts(s.request("change", names=100))
    yield (
        "change-pending-longest",
        s.facts(s.request("change", payload=change, **most), needed=many, asked=tuple(wide.users)),
    )
    joining = Joining.model_construct(type="access", membership=group, duration_ms=30 * DAY)
    yield "access-active-longest", s.facts(s.request("access", "active", payload=joining, note=FOREVER * 4, **most))
    rules = tuple(
        Said("changed", "rule", f"rule “{'r' * 4_000}”: changed", ("a: " + "b" * 4_000,) * 20) for _ in range(100)
    )
    crowd_named = tuple(wide.users)
    longest = s.proposed(changes=rules, named=crowd_named, unnamed=crowd_named, dangers=("unreachable", "no_owner"))
    yield (
        "machine-pending-longest",
        s.facts(s.request("policy", payload=_many_targets(), reason=FOREVER), proposed=None),
    )
    yield "policy-pending-longest", s.facts(s.request("policy", reason=FOREVER), proposed=longest)
    told = s.deliveries() * 20
    yield "change-merged-longest", s.facts(s.request("change", "merged", payload=change, **most), deliveries=told)


def _told() -> Iterator[Story]:
    facts = s.facts(s.request("open"), soft=True, shows=True)
    now: dict[News, CardFacts] = {
        "requested": facts,
        "approved": replace(facts, request=s.request("open", "approved")),
        "denied": replace(facts, request=s.request("open", "denied")),
        "expired": replace(facts, request=s.request("open", "expired")),
        "stale": replace(facts, request=s.request("change", "stale")),
        "merged": replace(facts, request=s.request("change", "merged"), deliveries=s.deliveries()),
        "active": replace(facts, request=s.request("open", "active")),
        "warning": replace(facts, request=s.request("open", "active")),
        "extended": replace(facts, request=s.extension("extended")),
        "withdrawn": replace(facts, request=s.request("open", "withdrawn", ending=LEFT)),
        "ended": replace(facts, request=s.request("open", "ended")),
        "failed": replace(facts, request=s.request("access", "failed")),
        "no_rule": replace(facts, rules=None),
        "edited": replace(facts, request=s.request("open", edited=Editing(by=s.DEV, at_ms=s.NOW_MS, dropped=True))),
        "trouble": replace(
            facts, request=s.request("access", "revoking", note="okta answered 200, and they are still there.")
        ),
    }
    for news in of_deploys.GOING:
        now[news] = replace(facts, request=s.request("deploy", news))
    active = s.request("open", "active", broken=True)
    owed: dict[News, str] = {
        "broken": "open",
        "countersigned": "countersigned",
        "disputed": "disputed",
        "overdue": "overdue",
    }
    now |= {news: replace(facts, request=active, debt=s.debt(state)) for news, state in owed.items()}
    waits = replace(facts, request=s.request("open", since_ms=s.NOW_MS - HOUR), decides=True)
    now |= {"reminder": waits, "escalated": waits}
    now["locked"] = replace(facts, request=active, debt=s.debt("disputed"), lock=s.lock())
    now["unlocked"] = replace(facts, request=active, debt=s.debt("overdue"), lock=s.lock(opened=True))
    now["undelivered"] = replace(facts, request=active, undelivered=s.UNDELIVERED)
    for news in get_args(Decided):
        yield _message(f"notice/{news}", notice(now[news], news, link=LINK))
    now["channel_closed"] = replace(facts, closed=(s.CHANNEL, "not_in_channel"))
    now["refused"] = replace(facts, refused=("show_card", "invalid_blocks"))
    for word in (*refusals.CLOSED, "restricted_action"):
        shut = replace(facts, closed=(s.CHANNEL, word))
        yield _message(f"announce/channel-{word}", announce(shut, "channel_closed", link=LINK, to=s.ANA))
    for news in get_args(News):
        if news in ("locked", "unlocked"):
            yield _message(f"tell/{news}", announce(now[news], news, link=LINK, to=s.EVE))
            continue
        yield _message(f"tell/{news}", tell(now[news], news, link=LINK, to=s.BEN if news in CALLS else None))
        if news in (
            "requested",
            "broken",
            "countersigned",
            "disputed",
            "overdue",
            "no_rule",
            "trouble",
            "undelivered",
            "refused",
        ):
            yield _message(f"announce/{news}", announce(now[news], news, link=LINK))
    for name, over in {"active": now["active"], "ended": now["ended"], "broken": now["countersigned"]}.items():
        yield _message(f"tell/passed-{name}", passed(over, LINK))
    yield _message("tell/escalated-besides", tell(replace(now["escalated"], decides=False), "escalated", to=s.CHO))
    nobody = replace(now["escalated"], decides=False, rules=None, needed=())
    yield _message("tell/escalated-no-rule", tell(nobody, "escalated", link=LINK, to=s.CHO))
    overdue = replace(now["locked"], debt=s.debt("overdue"))
    yield _message("tell/locked-overdue", announce(overdue, "locked", link=LINK, to=s.EVE))
    other = s.request("access", "approved", beneficiary=s.EVE)
    yield _message("tell/approved-for-another", tell(replace(facts, request=other), "approved", to=s.DEV))


def _forms() -> Iterator[Story]:
    question = Question(s.DEV, "open", Target.parse("payments/prod"), HOUR)
    rules = s.policies(s.policy(thresholds=2))
    who = WhoIsAsked(explain(question, rules, s.people()))
    asking = WhoIsAsked(explain(question, rules, People(s.NOW_MS)), asking=True)
    terms = Terms(who, ticket=Ticket(pattern="^[A-Z]+-[0-9]+$"), enters=True, names=("DATABASE_URL", "PROCESSOR_KEY_1"))
    refused = Terms(WhoIsAsked(refusal="Nobody could approve this but you. Ask an owner to change the rule."))
    crowd = [f"team-{place:03}/prod" for place in range(250)]
    names = tuple(f"NAME_{place:03}" for place in range(500))
    full = Prefill("payments/prod", 8 * HOUR, s.REASON, "PAY-41", s.CHANNEL)
    asked: dict[str, tuple[Any, list[str]]] = {
        "open": (forms.ask_open, ["payments/prod", "payments/staging"]),
        "access": (forms.ask_access, ["role:aws-admin", "role:db-reader"]),
        "change": (forms.ask_change, ["payments/prod", "payments/staging"]),
    }
    for kind, (draw, targets) in asked.items():
        one = Prefill(targets[0])
        yield _view(f"ask/{kind}", draw(targets, one, terms))
        yield _view(f"ask/{kind}-nothing-chosen", draw(targets, Prefill(duration_ms=90 * 60_000), None))
        yield _view(f"ask/{kind}-refused", draw(targets, one, refused))
        yield _view(f"ask/{kind}-250-targets", draw(crowd, Prefill(crowd[9]), terms))
        yield _view(f"ask/{kind}-no-targets", draw([], Prefill(), None))
        yield _view(
            f"ask/{kind}-longest", draw([LONG_TARGET], Prefill(LONG_TARGET, reason=FOREVER, ticket=FOREVER), terms)
        )
    for name, told in (("asking", asking), ("slack-is-silent", replace(asking, asking=False))):
        yield _view(
            f"ask/open-{name}", forms.ask_open(["payments/prod"], Prefill("payments/prod"), replace(terms, who=told))
        )
    yield from _wide(terms)
    kinds: tuple[Kind, ...] = ("open", "access", "change")
    for kind, (draw, targets) in asked.items():
        yield _view(f"ask/{kind}-or-another", draw(targets, Prefill(targets[0], kinds=kinds), terms))
    yield _view("ask/open-for-another", forms.ask_open(["payments/prod"], replace(full, whom=s.EVE), terms))
    yield _view("ask/open-prefilled", forms.ask_open(["payments/prod"], full, terms))
    yield _view(
        "ask/change-values-not-in-slack", forms.ask_change(["payments/prod"], full, replace(terms, enters=False))
    )
    bare = replace(terms, enters=False, names=())
    yield _view("ask/change-nothing-in-slack", forms.ask_change(["payments/prod"], full, bare))
    yield from (_view(name, view) for name, view in of_environments.forms(terms, refused))
    yield from _extends(terms, refused)
    yield from _edits(replace(terms, enters=False), refused)
    yield _view("ask/change-500-names", forms.ask_change(["payments/prod"], full, replace(terms, names=names)))


def _wide(terms: Terms) -> Iterator[Story]:
    """Crowds in every threshold."""
    crowd = frozenset(f"U0WIDE{place}" for place in range(200))
    circle = Circle(users=crowd, groups=frozenset(f"S0WIDE{place}" for place in range(200)))
    rule = s.policy(name="r" * 200).model_copy(update={"approvals": (Threshold(count=20, circle=circle),) * 10})
    people = People(s.NOW_MS, groups={group: Group(id=group, handle=group, members=crowd) for group in circle.groups})
    question = Question(s.DEV, "open", Target.parse("payments/prod"), HOUR)
    who = WhoIsAsked(explain(question, s.policies(rule), people))
    yield _view("ask/open-crowds", forms.ask_open(["payments/prod"], Prefill("payments/prod"), replace(terms, who=who)))


def _extends(terms: Terms, refused: Terms) -> Iterator[Story]:
    active = s.request("open", "active")
    origin = Origin(parse_reference(active.reference), s.CHANNEL)
    most, brief = replace(terms, max_ms=2 * HOUR), replace(terms, max_ms=7 * MINUTE)
    yield _view("extend/open", forms.extend(s.facts(active), most, Prefill(), origin))
    over = Prefill(duration_ms=9 * HOUR, reason=FOREVER, ticket="T" * 200)
    yield _view("extend/longest", forms.extend(s.facts(active), brief, over, origin))
    yield _view("extend/refused", forms.extend(s.facts(active), refused, Prefill(), origin))


def _edits(terms: Terms, refused: Terms) -> Iterator[Story]:
    vote = Review(by=s.BEN, verdict="approve", at_ms=s.NOW_MS)
    asked = {
        "open": s.request("open", reviews=(vote,)),
        "access": s.request("access"),
        "change": s.request("change", reviews=(vote, vote)),
        "change-stale": s.request("change", "stale"),
        "change-100-names": s.request("change", names=100),
        "policy": s.request("policy"),
        "holder": s.request("policy", payload=s.holder()),
        "open-longest": s.request("open", reason=FOREVER, ticket="T" * 200, target=LONG_TARGET),
    }
    for name, request in asked.items():
        origin = Origin(parse_reference(request.reference), s.CHANNEL, "1772550000.000100")
        yield _view(f"edit/{name}", forms.edit(s.facts(request), terms, origin))
        yield _view(f"edit/{name}-values-in-slack", forms.edit(s.facts(request), replace(terms, enters=True), origin))
        yield _view(f"edit/{name}-refused", forms.edit(s.facts(request), refused, origin))


def _modals() -> Iterator[Story]:
    facts = s.facts(s.request("open"), thresholds=2, soft=True)
    request = facts.request
    origin = Origin(parse_reference(request.reference), s.CHANNEL, "1772550000.000100")
    yield _view("modal/deny", modals.deny_reason(request, origin))
    yield _view("modal/break", modals.break_reason(facts, origin))
    yield _view("modal/break-change", modals.break_reason(s.facts(s.request("change"), soft=True), origin))
    yield _view("modal/dispute", modals.dispute_reason(s.request("open", "active", broken=True), origin))
    yield _view("modal/end", modals.end_reason(s.request("access", "active", beneficiary=s.EVE), origin))
    yield _view("modal/approve-less", modals.approve_less(request, origin))
    yield _view("modal/unlock", locked.unlock_reason(s.lock()))
    yield _view("modal/unlock-again", locked.unlock_reason(s.lock(causes=3)))
    held = {
        "DATABASE_URL": Secret(b"postgres://payments:hunter2@db/payments"),
        "EMPTY": Secret(b""),
        "TLS_KEY": Secret(b"-----BEGIN\nabc\n-----END\n"),
    }
    odd = {
        "BINARY": Secret(b"\xff\x00" * 99),
        "LONG": Secret(b"x" * 9_000),
        "TURNED": Secret("a\u202eb".encode()),
        "SPACED": Secret(b"x "),
    }
    many = {f"NAME_{place:03}": Secret(b"x" * 1_900) for place in range(500)}
    until_ms = s.NOW_MS + HOUR
    yield _view("modal/values", modals.values("payments/prod", 42, {**held, **odd}, until_ms))
    yield _view("modal/values-none", modals.values("payments/prod", 0, {}, until_ms))
    yield _view("modal/values-500", modals.values("payments/prod", 42, many, until_ms))
    yield _view(
        "modal/values-500-wide",
        modals.values("payments/prod", 42, {name: Secret(("\U0001f600" * 1_900).encode()) for name in many}, until_ms),
    )
    sentence = Forbidden("You cannot review your own request.").sentence
    yield _view("modal/notice", modals.notice("Not done", sentence))
    yield _view("modal/notice-longest", modals.notice(FOREVER, FOREVER * 9))
    for name, shown in cards():
        if name.startswith("policy-pending"):
            yield _view(
                f"modal/changes-{name}", modals.details(Message("", amendment.whole(shown.proposed)), "Changes")
            )
        if name.endswith("longest"):
            yield _view(f"modal/details-{name}", modals.details(for_approvers(shown, whole=True)))


def _homes() -> Iterator[Story]:
    yield from _recovered()
    yield from _policies()
    yield _view("home/guest", closed("a guest in this workspace"))
    yield _view("home/stranger", closed("from another workspace"))
    yield _view("home/error", broken(Place("approvals"), "Redis does not answer (ConnectionError)."))
    yield _view("home/error-longest", broken(Place("health"), FOREVER * 9))
    for name, facts in _approvals():
        waits = facts.waiting.count if facts.waiting.total else ""
        yield _view(f"home/approvals-{name}", _home(approvals.page(facts), facts.place, waits=waits))
    one = ApprovalsFacts(s.DEV, unsure=3, sure=False)
    lacking = Wanted(frozenset({s.DEV}), frozenset({s.LEADS}))
    yield _view("home/approvals-asking-slack", _home(approvals.page(one), one.place, lacking=lacking))
    many = Wanted(
        frozenset(f"U0{number:03}" for number in range(40)), frozenset(f"S0{number:03}" for number in range(400))
    )
    yield _view(
        "home/environments-asking-slack", _home(environments.page(EnvironmentsFacts(sure=False)), START, lacking=many)
    )
    for place in (Place("environments"), Place("environments", (3,)), Place("environments", (99,))):
        offered = [Offered(f"team-{number:04}/prod", OFFERS) for number in range(2_000)]
        shown = _part(offered, environments.SIZE, place.part(0))
        page = environments.page(EnvironmentsFacts(place, shown))
        yield _view(f"home/environments-2000-{place.part(0)}", _home(page, place, waits="500"))
    few = [Offered("payments/prod", OFFERS), Offered("role:aws-admin", (Offer("access", "role:aws-admin"),))]
    yield _view("home/environments", _home(environments.page(EnvironmentsFacts(offered=_part(few, 20))), START))
    longest = [Offered(LONG_TARGET, OFFERS)] * 20
    yield _view(
        "home/environments-longest", _home(environments.page(EnvironmentsFacts(offered=_part(longest, 20))), START)
    )
    for name, page in of_environments.pages():
        yield _view(f"home/{name}", _home(page, of_environments.PLACE))
    locks = (s.lock(), s.lock(user=s.CHO, causes=2), s.lock(user=s.DEV))
    eves = tuple(s.lock(user=s.EVE, causes=9) for _ in range(100))
    forever = tuple(Line(word, "hooks", FOREVER) for word in health.TITLES for _ in range(100))
    shut = tuple(
        Closed(channel, why, s.NOW_MS, targets)
        for channel, why, targets in (
            ("C0PAYMENTS", "is_archived", ("payments/prod",)),
            ("C0AUDIT", "not_in_channel", ("ledger/prod", "ledger/staging", "role:aws-admin")),
        )
    )
    gone = tuple(Closed("C0PAYMENTS", "channel_not_found", s.NOW_MS, (LONG_TARGET,) * 2_000) for _ in range(100))
    hook = Hook(name="api", url="https://deploy.example.com/api", on=frozenset(get_args(HookEvent)))
    hooks = (("payments/prod", hook), ("role:aws-admin", hook))
    for name, lines, held, more, shut_to_us, told in (
        ("well", WELL, (), 0, (), hooks),
        ("locked", (*WELL, DOUBTFUL), locks, 0, (), ()),
        ("in-trouble", (*WELL, DOUBTFUL, *WRONG), locks[:1], 0, shut, hooks),
        ("100-of-everything", forever, eves, 9, gone, ((LONG_TARGET, hook),) * 100),
    ):
        page = health.page(HealthFacts(s.DEV, "0.1.0", s.NOW_MS, lines, held, more, shut_to_us, told))
        yield _view(f"home/health-{name}", _home(page, health.START, waits="3"))


def _signed_in() -> Iterator[Story]:
    use = Use(s.NOW_MS - 5 * MINUTE, "192.0.2.7")
    mine, machine = SignedIn(s.session(), use), SignedIn(s.machine_token(), use)
    for name, facts in {
        "empty": SignedInFacts(),
        "one": SignedInFacts(sessions=_part([mine], 20)),
        "owner-empty": SignedInFacts(sessions=_part([mine], 20), machines=NONE),
        "owner": SignedInFacts(sessions=_part([mine], 20), machines=_part([machine, SignedIn(s.machine_token(1))], 20)),
        "longest": SignedInFacts(
            sessions=_part(
                [SignedIn(s.session(place, name="n" * 200, address="2001:db8::1234:5678"), use) for place in range(20)],
                20,
            ),
            machines=_part(
                [SignedIn(s.machine_token(place % 99, **_wide_machine()), use) for place in range(200)], 20, 3
            ),
        ),
    }.items():
        yield _view(f"home/signedin-{name}", _home(signed_in.page(facts), facts.place))
    key = "lusab-babad-gutih-tugad"
    yield _view("modal/login", signed_in.confirm(s.attempt(), key, s.NOW_MS, 12 * HOUR))
    yield _view("modal/login-longest", signed_in.confirm(s.attempt(host="h" * 200), key, s.NOW_MS, 720 * HOUR))
    yield _message("reply/login", signed_in.how())
    told: dict[str, Any] = {"to": s.DEV, "token": s.ID, "at_ms": s.NOW_MS, "address": "192.0.2.7", "fingerprint": key}
    yield _message("tell/logged-in", signed_in.told(TellToken(news="logged_in", name="devs-laptop", **told)))
    yield _message("tell/logged-in-longest", signed_in.told(TellToken(news="logged_in", name=FOREVER, **told)))
    yield _message("tell/token-expires", signed_in.told(TellToken(news="expires", name="ci", **told)))


def _wide_machine() -> dict[str, Any]:
    asked = _many_targets()
    return {"name": asked.name, "targets": asked.targets, "actions": asked.actions}


def _recovered() -> Iterator[Story]:
    made = Enactment(how="recovered", by=s.ANA, at_ms=s.NOW_MS, reason=s.REASON)
    names = ("keys-5.internal:8490", "keys-6.internal:8490")
    yield _message("recovered/holders", holders(Recovered(number=4, holders=names, by=s.ANA, reason=s.REASON)))
    yield _message("recovered/file", recovered(42, made, s.proposed()))
    again = made.model_copy(update={"restored": 40})
    yield _message("recovered/version", recovered(42, again, s.proposed(dangers=("alone",))))
    longest = made.model_copy(update={"reason": FOREVER})
    wide = tuple(f"U0WIDE{place}" for place in range(200))
    most = s.proposed(rules=200, named=wide, unnamed=wide, dangers=("unreachable", "no_owner"))
    yield _message("recovered/longest", recovered(42, longest, most))


def _policies() -> Iterator[Story]:
    names = {s.LEADS: "@leads", s.ANA: "ana@example.com"}
    rule = s.policy(thresholds=2, soft=True)
    members = (Members(s.LEADS, (s.ANA, s.BEN)), Members(s.SECURITY, None), Members(s.ONCALL, ()))
    one = Rule(1, rule.name, ("@leads may ask for open on payments/prod.", *describe(rule, names)[1:]), members)
    made = {"by": s.ANA, "at_ms": s.NOW_MS}
    history = (
        Version(4, Enactment(how="recovered", restored=2, reason=s.REASON, **made)),
        Version(3, Enactment(how="request", request=s.ID, approved_by=(s.BEN, s.CHO), reason=s.REASON, **made)),
        Version(2),
        Version(1, Enactment(how="first", by="clock", at_ms=s.NOW_MS)),
    )
    owners = s.policies(rule).owners
    few = PoliciesFacts(
        number=4, owners=owners, owning=members[:1], rules=Part((one,), 0, 1), versions=Part(history, 0, 4)
    )
    yield _view("home/policies", _home(policies.page(few), few.place))
    locked_out = replace(few, dangers=("unreachable", "no_owner"), rules=Part(), versions=_part(history[3:], 8))
    yield _view("home/policies-locked-out", _home(policies.page(locked_out), few.place))
    crowd = tuple(
        Members(f"S0{place:05}", tuple(f"U0{place:05}{user:03}" for user in range(200))) for place in range(30)
    )
    long = Rule(1, FOREVER, (FOREVER,) * 30, crowd)
    place = Place("policies", (1, 1))
    many = PoliciesFacts(
        place=place, number=40, owners=Circle(users=frozenset(f"U0{user:05}" for user in range(200))), owning=crowd,
        dangers=("no_rule", "no_owner"), rules=Part((long,) * 8, 8, 2_000), versions=Part(history[:1] * 8, 8, 40),
    )  # fmt: skip
    yield _view("home/policies-longest", _home(policies.page(many), place))
    for version, proposed in ((history[0], s.proposed()), (history[1], s.proposed(rules=200))):
        yield _view(f"modal/policies-version-{version.number}", policies.changed(version, proposed))


def _home(page: list[Block], place: Place, *, waits: str = "", lacking: Wanted = NOTHING) -> View:
    """As an owner sees it."""
    tabs = (
        Tab("approvals", "Approvals"),
        Tab("environments", "Environments"),
        Tab("signedin", "Signed in"),
        Tab("policies", "Policies"),
        Tab("health", "Health"),
    )
    return home(HomeFacts(s.DEV, place, tabs, waits, lacking), page)


def _part(items: Sequence[T], size: int, part: int = 0, *, more: bool = False) -> Part[T]:
    return Part(tuple(items[part * size : (part + 1) * size]), part * size, len(items), more)


def _approvals() -> Iterator[tuple[str, ApprovalsFacts]]:
    yield "empty", ApprovalsFacts(s.DEV)
    waiting = (
        s.facts(s.request("open"), thresholds=2, soft=True),
        s.facts(s.request("change"), thresholds=2, filled=1),
        s.facts(s.request("access", "ended", broken=True), debt=s.debt("open")),
        s.facts(s.request("open", beneficiary=s.EVE)),
    )
    grants = (
        s.facts(s.request("open", "active"), shows=True),
        s.facts(s.request("access", "granting")),
        s.facts(s.request("access", "revoking")),
    )
    mine = tuple(s.facts(s.request("open", state)) for state in ("pending", "approved"))
    stale = s.facts(s.request("change", "stale"))
    kinds: frozenset[Kind] = frozenset({"open", "change", "access"})
    busy = ApprovalsFacts(
        s.DEV,
        waiting=_part(waiting, 10),
        grants=_part(grants, 8),
        mine=_part((*mine, stale), 10),
        kinds=kinds,
    )
    yield "busy", busy
    yield "one-of-each-kind-to-ask", ApprovalsFacts(s.DEV, kinds=frozenset({"access"}))
    hundreds = tuple(fact for _, fact in _long()) * 200
    granted = tuple(s.facts(s.request("open", "active", target=LONG_TARGET), shows=True) for _ in range(100))
    for name, place in (("first", Place("approvals")), ("middle", Place("approvals", (3, 4, 5)))):
        parts = [
            _part(items[:500], size, place.part(of))
            for of, (items, size) in enumerate(zip((hundreds, granted, hundreds), approvals.SIZES, strict=True))
        ]
        yield f"500-{name}", ApprovalsFacts(s.DEV, place, parts[0], 7, parts[1], parts[2], kinds)
    more = _part(hundreds[:500], 10, 3, more=True)
    yield "more-than-can-be-counted", ApprovalsFacts(s.DEV, Place("approvals", (3,)), waiting=more)


def _replies() -> Iterator[Story]:
    listed = [fact for _, fact in cards()]
    yield _message("reply/locked-none", locked.listing(()))
    yield _message("reply/locked", locked.listing((s.lock(), s.lock(user=s.CHO, causes=2))))
    yield _message("reply/locked-many", locked.listing((s.lock(causes=9),) * 100, more=100))
    yield _message("reply/audit", audited.entries(_entries(), None, more=True))
    yield _message("reply/audit-of-one", audited.entries(_entries()[:3], s.ID, more=False))
    yield _message("reply/audit-nothing", audited.entries((), s.ID, more=False))
    yield _message("reply/help", replies.help_text())
    yield _message("reply/error", replies.sentence("You cannot review your own request."))
    yield _message("reply/longest-error", replies.sentence("<!channel>" * 999))
    yield _message("reply/pending", replies.listing("Waiting for you", listed[:2], empty=""))
    yield _message(
        "reply/pending-none", replies.listing("Waiting for you", [], empty="Nothing waits for your decision.")
    )
    yield _message("reply/pending-many", replies.listing("Waiting for you", listed, empty="", more=100))
    for name, facts in (*_votes(), *_glasses(), *_long()):
        yield _message(f"reply/why-{name}", replies.why(facts, you="You may decide this."))
    question = Question(s.DEV, "open", Target.parse("payments/prod"), HOUR)
    for name, rule in (("hard", s.policy(thresholds=2)), ("soft", s.policy(soft=True))):
        yield _message(f"reply/why-before-{name}", why.before(explain(question, s.policies(rule), s.people()), s.DEV))
    stranger = Question(s.EVE, "open", Target.parse("payments/prod"), 9 * HOUR)
    yield _message("reply/why-before-refused", why.before(explain(stranger, s.policies(s.policy()), s.people()), s.EVE))
    pending = s.facts(s.request("open"), thresholds=2)
    if pending.rules is not None:
        who = why.who(of_request(pending.request, pending.rules, s.people()), s.BEN, s.DEV)
        yield _message("reply/why-with-names", replies.why(pending, you="You may decide this.", who=who))


def _entries() -> list[tuple[int, Audit]]:
    told: dict[str, str | int | None] = {
        "reason": FOREVER,
        "basis": "quorum",
        "by": f"{s.BEN} {s.CHO}",
        "more": "x",
        "left_out": 1,
    }
    acts = (
        ("request.approved", s.BEN),
        ("request.expired", "clock"),
        ("secrets.used", "relay"),
        ("attempt.refused", "?"),
    )
    return [
        (41 - place, Audit(event=event, actor=by, at_ms=s.NOW_MS, request=s.ID, target="payments/prod", details=told))
        for place, (event, by) in enumerate(acts * 3)
    ] + [(1, Audit(event="environment.created", actor="clock", at_ms=s.NOW_MS))]


def _message(name: str, message: Message) -> Story:
    return {
        "name": name,
        "kind": "message",
        "payload": {"channel": s.CHANNEL, "text": message.text, "blocks": message.blocks},
    }


def _view(name: str, view: View) -> Story:
    return {"name": name, "kind": "view", "payload": view}
