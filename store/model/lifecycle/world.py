"""What a decision looks at, and what comes out of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from store.model.audit import Audit
from store.model.debt import Debt
from store.model.delivery import Delivery
from store.model.effect import Effect, News, ShowCard, Tell
from store.model.errors import Conflict, Forbidden
from store.model.identity import UserId
from store.model.lock import Lock
from store.model.policy import PolicySet
from store.model.request import Amendment, Extending, Request, Timer
from store.model.sealed import Manifest
from store.model.slots import Slots
from store.model.standing import Rules, Standing, rules_for
from store.model.token import Token


@dataclass(frozen=True)
class World:
    """Everything one decision looks at, as one script read it."""

    now_ms: int
    request: Request
    policy_then: PolicySet
    policy_now: PolicySet
    installation: str
    debt: Debt | None = None
    head: Manifest | None = None  # of the environment, for a change
    slots: Slots | None = None  # of the environment, for a deploy; None where none was ever started
    siblings: tuple[
        Request, ...
    ] = ()  # of what is merged or deployed: others that touch the same; of all others: its kin
    lock: Lock | None = None  # of who breaks the glass, or broke it: read by the commands that look at it, and guarded

    @property
    def out_of_time(self) -> bool:
        """The deadline of this state has passed; that the clock has not said so yet changes nothing."""
        deadline = self.request.timers.get("deadline")
        return deadline is not None and self.now_ms >= deadline

    @property
    def kin(self) -> Request | None:
        """Of an extension, what it would extend; of a grant, the extension that was asked for last and not used."""
        of = self.request
        name = of.payload.parent if isinstance(of.payload, Extending) else of.extension
        return next((sibling for sibling in self.siblings if sibling.id == name), None)

    @cached_property
    def rules(self) -> Rules | None:
        """None when either policy has no rule for this any more: then nobody decides."""
        return rules_for(self.request, self.policy_then, self.policy_now)


@dataclass(frozen=True, slots=True)
class Transition:
    """What to commit. `good_until_ms`: later than this, what it was decided on may be old, and it must be decided again."""

    request: Request
    answer: str
    audit: tuple[Audit, ...] = ()
    effects: tuple[Effect, ...] = ()
    debt: Debt | None = None
    lock: Lock | None = None
    head: Manifest | None = None  # to be signed before it is committed
    slots: Slots | None = None
    policies: Amendment | None = None  # whose set is put into force; it is read and verified before it is committed
    token: Token | None = None  # of a machine that is let in
    enrols: bool = False  # the roster of key holders moves; it is made and signed before it is committed
    siblings: tuple[Request, ...] = ()
    deliveries: tuple[Delivery, ...] = ()
    good_until_ms: int | None = None

    def then(self, other: "Transition") -> "Transition":
        """This, and at once what follows from it."""
        times = [at for at in (self.good_until_ms, other.good_until_ms) if at is not None]
        return replace(
            other,
            audit=self.audit + other.audit,
            effects=self.effects + other.effects,
            deliveries=self.deliveries + other.deliveries,
            debt=other.debt or self.debt,
            lock=other.lock or self.lock,
            slots=other.slots or self.slots,
            good_until_ms=min(times, default=None),
        )


def rules_of(world: World) -> Rules:
    rules = world.rules
    if rules is None:
        raise Conflict(
            f"No rule covers “{world.request.kind}” for {world.request.target} any more, so nobody can decide it. Ask an owner.",
            code="no_rule",
        )
    return rules


def undisputed(world: World) -> None:
    """What came of a broken glass is not used any more once somebody has said that it should not have been broken."""
    if world.debt is not None and world.debt.state == "disputed":
        raise Conflict("The glass that was broken for this was disputed, so it cannot be used.", code="disputed")


def demand(standing: Standing) -> None:
    """Fail closed: not knowing is not being allowed."""
    if standing.may is not True:
        raise Forbidden(standing.why, code="not_known" if standing.may is None else "forbidden")


def same_content(request: Request, revision: int, digest: str) -> None:
    if (revision, digest) != (request.revision, request.digest):
        raise Conflict(
            "This was edited since, and what you saw is not asked any more. Look at the card as it is now before you decide.",
            code="other_content",
        )


def moved_to(
    request: Request,
    state: str,
    now_ms: int,
    *,
    deadline: int | None = None,
    warning: int | None = None,
    **fields: object,
) -> Request:
    timers: dict[Timer, int] = {}
    if deadline is not None:
        timers["deadline"] = deadline
    if warning is not None and now_ms < warning:
        timers["warning"] = warning
    return changed(request, state=state, since_ms=now_ms, timers=timers, **fields)


def changed(request: Request, **fields: object) -> Request:
    return request.model_copy(update=fields)


def audit(request: Request, event: str, actor: str, now_ms: int, **details: str | int | None) -> Audit:
    told = {name: value for name, value in details.items() if value is not None}
    return Audit(event=event, actor=actor, at_ms=now_ms, request=request.id, target=request.target, details=told)


def tell(request: Request, news: News, now_ms: int, *besides: UserId) -> tuple[Tell, ...]:
    """What a machine asked for it looks at by itself; who answers for it reads the card. `besides`: who is told, too."""
    if request.machine is not None:
        return ()
    return tuple(
        Tell(request=request.id, news=news, to=user, at_ms=now_ms)
        for user in dict.fromkeys((request.requester, request.beneficiary, *besides))
    )


def shown(requests: Sequence[Request], news: News, now_ms: int) -> tuple[Effect, ...]:
    """The card of each of these, and those whom it concerns hear of it."""
    return (
        *(ShowCard(request=each.id) for each in requests),
        *(told for each in requests for told in tell(each, news, now_ms)),
    )


def spoken(duration_ms: int) -> str:
    """`1 h 30 min`."""
    seconds = duration_ms // 1000
    parts = [(seconds // 3600, "h"), (seconds % 3600 // 60, "min"), (seconds % 60, "s")]
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"
