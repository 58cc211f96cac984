"""What follows at once: two steps that are one commit."""

from typing import Any, Final

import pytest

from store.model.audit import Audit
from store.model.debt import Debt
from store.model.delivery import Delivery
from store.model.effect import ShowCard
from store.model.lifecycle import Transition
from store.model.lock import Cause, Lock
from store.model.slots import Slots
from tests.builders import ANA, NOW, ONCALL, PROD, request


def step(number: int, **changed: Any) -> Transition:
    """Everything in it carries its number."""
    of = request(identity=f"REQVEST00{number}")
    fields: dict[str, Any] = {
        "request": of,
        "answer": f"Step {number}.",
        "audit": (Audit(event=f"step.{number}", actor=ANA, at_ms=NOW, request=of.id, target=of.target),),
        "effects": (ShowCard(request=of.id),),
        "deliveries": (
            Delivery(
                request=of.id,
                environment=PROD.id,
                hook="api",
                event="change",
                version=number,
                message_id=f"msg_{number}",
                at_ms=NOW,
            ),
        ),
    }
    return Transition(**{**fields, **changed})


def test_both_are_written_down_told_and_delivered_in_their_order_and_the_second_has_the_word():
    one, two = step(1), step(2)
    both = one.then(two)
    assert (both.request, both.answer) == (two.request, two.answer)
    assert both.audit == (*one.audit, *two.audit)
    assert both.effects == (*one.effects, *two.effects)
    assert both.deliveries == (*one.deliveries, *two.deliveries)


MOVED: Final[dict[str, tuple[Any, ...]]] = {
    "debt": tuple(Debt(request="REQVEST001", by=ONCALL, opened_ms=at, due_ms=at + 1) for at in (1, 2)),
    "lock": tuple(Lock(user=ONCALL, causes=(Cause(request="REQVEST001", why="disputed", at_ms=at),)) for at in (1, 2)),
    "slots": tuple(Slots(newest={PROD.id: at}) for at in (1, 2)),
}


@pytest.mark.parametrize("name", MOVED)
def test_what_either_moved_is_moved_and_what_both_moved_is_as_the_second_left_it(name: str):
    one, two = MOVED[name]
    assert getattr(step(1).then(step(2)), name) is None
    for first, second, left in ((one, None, one), (None, two, two), (one, two, two)):
        assert getattr(step(1, **{name: first}).then(step(2, **{name: second})), name) == left


@pytest.mark.parametrize(
    ("first", "second", "both"), [(None, None, None), (5, None, 5), (None, 5, 5), (4, 5, 4), (5, 4, 4)]
)
def test_they_are_good_for_as_long_as_both_are(first: int | None, second: int | None, both: int | None):
    assert step(1, good_until_ms=first).then(step(2, good_until_ms=second)).good_until_ms == both
