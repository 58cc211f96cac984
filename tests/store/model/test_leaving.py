"""Leaving: what becomes of everything that concerns somebody who may do nothing here any more."""

from dataclasses import replace
from typing import Any

import pytest

from store.model.command import Leave
from store.model.errors import Conflict, Unavailable
from store.model.lifecycle import LAPSED, transition
from store.model.request import CLOCK
from tests.builders import BEN, NOW, REQ, extension, people, world
from tests.store.model.test_extending import grant
from tests.store.model.test_lifecycle import in_state

GONE: dict[str, Any] = {"active": False}
LEAVE = Leave(id="l", actor=CLOCK)

ENDS = {
    "pending": "withdrawn",
    "approved": "withdrawn",
    "approved*": "withdrawn",
    "approved#": "withdrawn",
    "stale#": "withdrawn",
    "granting*": "revoking",
    "active": "ended",
    "active*": "revoking",
    "pending+": "withdrawn",
}


@pytest.mark.parametrize("facts", [GONE, {"home": False}, {"human": False}, {"guest": True}], ids=str)
@pytest.mark.parametrize("row", ENDS)
def test_who_may_do_nothing_here_any_more_holds_nothing_and_asks_for_nothing(row, facts):
    at = in_state(row)
    result = transition(at, LEAVE, people(at.now_ms, **{REQ: facts}))
    assert result.request.state == ENDS[row]
    assert result.request.timers == {}
    assert result.request.ending is not None
    assert result.request.ending.by == CLOCK
    assert (result.request.ending.reason or "").startswith("Ureq is ")
    assert [entry.actor for entry in result.audit] == [CLOCK]
    assert f"card:{at.request.id}" in {effect.key for effect in result.effects}
    assert result.good_until_ms == people(at.now_ms).good_until_ms
    keys = {effect.key.split(":")[0] for effect in result.effects}
    assert ("member" in keys) is (result.request.state == "revoking")


@pytest.mark.parametrize("row", [*ENDS, "revoking*", "denied", "withdrawn", "expired", "merged#", "ended", "failed*"])
def test_nobody_loses_anything_while_everybody_is_there(row):
    at = in_state(row)
    with pytest.raises(Conflict):
        transition(at, LEAVE, people(at.now_ms))


@pytest.mark.parametrize("row", ["revoking*", "denied", "withdrawn", "expired", "merged#", "ended", "failed*"])
def test_what_is_over_stays_what_it_is(row):
    at = in_state(row)
    with pytest.raises(Conflict):
        transition(at, LEAVE, people(at.now_ms, **{REQ: GONE}))


@pytest.mark.parametrize("row", ENDS)
def test_nobody_loses_anything_on_what_is_not_known(row):
    at = in_state(row)
    with pytest.raises(Unavailable):
        transition(at, LEAVE, people(at.now_ms, without=[REQ]))


def test_it_needs_no_rule_and_comes_after_the_deadline_too():
    at = in_state("active")
    at = replace(at, now_ms=at.request.timers["deadline"] + 1)
    assert transition(at, LEAVE, people(at.now_ms, **{REQ: GONE})).request.state == "ended"


def test_who_asked_for_somebody_else_may_go_once_it_is_decided():
    for at, state in ((grant("access", beneficiary=BEN), None), (world(in_state("pending").request), "withdrawn")):
        asked = replace(at, request=at.request.model_copy(update={"beneficiary": BEN}))
        if state is None:
            with pytest.raises(Conflict):
                transition(asked, LEAVE, people(NOW, **{REQ: GONE}))
        else:
            assert transition(asked, LEAVE, people(NOW, **{REQ: GONE})).request.state == state
        assert transition(asked, LEAVE, people(NOW, **{BEN: GONE})).request.state in ("revoking", "withdrawn")


def test_a_question_for_more_time_goes_with_what_it_would_extend():
    at = grant()
    asked = extension(at)
    at = replace(at, request=asked.siblings[0], siblings=(asked.request,))
    (lapsed,) = transition(at, LEAVE, people(NOW, **{REQ: GONE})).siblings
    assert lapsed.ending is not None
    assert (lapsed.state, lapsed.ending.reason) == ("expired", LAPSED)
