"""Asking: a draft becomes a request, or an error says why not."""

from store.model.effect import ShowCard
from store.model.errors import Conflict, Forbidden, Invalid
from store.model.lifecycle.world import Transition, audit, changed, demand, spoken
from store.model.people import People
from store.model.policy import Policy, PolicySet
from store.model.request import REASON_MOST, Request
from store.model.standing import Standing, may_act, reachable


def submit(draft: Request, policies: PolicySet, people: People, now_ms: int) -> Transition:
    """Takes a request in. Raises `Invalid`, `Forbidden`, or `Conflict` where nobody could ever decide it."""
    target = draft.asked
    rule = policies.rule(draft.kind, target)
    if policies.target(target) is None:
        raise Invalid(
            f"There is no target {target} here. Ask an owner to list it in the policies.", code="unknown_target"
        )
    if rule is None:
        raise Forbidden(f"No rule says who may decide “{draft.kind}” for {target}, so it is refused.", code="no_rule")
    for user in dict.fromkeys((draft.requester, draft.beneficiary)):
        demand(may_act(user, people))
    if (asks := rule.requesters.has(draft.requester, people)) is not True:
        why = f"The rule “{rule.name}” does not name you among those who may ask for {target}."
        demand(Standing(may=asks, why=why))
    _check_words(draft, rule)
    if draft.duration_ms is not None and draft.duration_ms > rule.access.max_ms:
        raise Invalid(f"{target} can be had for {spoken(rule.access.max_ms)} at most.", code="too_long")
    if not _reachable(draft, rule, people):
        raise Conflict(
            f"Nobody could approve this: apart from you, the rule “{rule.name}” names too few people who may. Ask an owner to change it.",
            code="unreachable",
        )
    deadline = now_ms + rule.request_ttl_ms
    request = changed(
        draft,
        policy=policies.number,
        rule=rule.name,
        created_ms=now_ms,
        since_ms=now_ms,
        state="pending",
        timers={"deadline": deadline},
    )
    return Transition(
        request,
        "Asked. The card in the approvers' channel shows how it goes, and you get a message when it is decided.",
        audit=(audit(request, "request.submitted", request.requester, now_ms, rule=rule.name, policy=policies.number),),
        effects=(ShowCard(request=request.id),),
        good_until_ms=people.good_until_ms,
    )


def _check_words(draft: Request, rule: Policy) -> None:
    if rule.reason.required and not draft.reason.strip():
        raise Invalid("Say why: the people who decide need a reason.", code="reason_required")
    if len(draft.reason) > REASON_MOST:
        raise Invalid(f"The reason is too long: {REASON_MOST:,} characters are the limit.", code="reason_too_long")
    if rule.ticket is None:
        return
    if not draft.ticket:
        if rule.ticket.required:
            raise Invalid("Name the ticket this belongs to.", code="ticket_required")
    elif not rule.ticket.matches(draft.ticket):
        raise Invalid(f"The ticket must look like {rule.ticket.pattern}.", code="bad_ticket")


def _reachable(draft: Request, rule: Policy, people: People) -> bool:
    return reachable(rule, () if rule.self_approval else (draft.requester, draft.beneficiary), people)
