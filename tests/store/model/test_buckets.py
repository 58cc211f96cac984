"""Buckets and what is remembered: so much at once, so much in the long run, and no more of it than there is room for."""

import pytest

from store.model.buckets import REMEMBERED, Buckets
from store.model.recent import Recent


def test_a_bucket_empties_by_one_and_fills_with_time():
    at = [100.0]
    buckets = Buckets(lambda: at[0], a_second=2, at_once=3)
    assert [buckets.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.wait_s("b") == 0, "another one has a bucket of their own"
    at[0] += 0.25
    assert buckets.wait_s("a") == pytest.approx(0.25), "asking in vain takes nothing"
    at[0] += 0.25
    assert [buckets.wait_s("a") for _ in range(2)] == [0, 0.5]
    at[0] += 1_000
    assert [buckets.wait_s("a") for _ in range(4)] == [0, 0, 0, 0.5], "and it holds no more than before"


def test_who_asked_longest_ago_is_forgotten():
    buckets = Buckets(lambda: 0.0, a_second=1, at_once=1)
    for who in range(REMEMBERED):
        assert buckets.wait_s(who) == 0
    assert buckets.wait_s(0) == 1, "and this is the newest now"
    assert buckets.wait_s("one more") == 0
    assert buckets.wait_s(0) == 1
    assert buckets.wait_s(1) == 0, "forgotten, so its bucket is full"


def test_what_was_put_in_longest_ago_goes():
    recent: Recent[str, int] = Recent(2)
    for key in "aba":
        recent[key] = len(recent)
    assert list(recent.items()) == [("b", 1), ("a", 2)]
    recent["c"] = 9
    assert list(recent.items()) == [("a", 2), ("c", 9)]
