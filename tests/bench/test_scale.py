"""The bench of scale runs and prints what it promises. How long things take on a machine is no test's business."""

import pytest

from bench import scale
from tests.bench.running import bench


@pytest.mark.slow
def test_a_little_of_everything_gives_one_line_with_every_number() -> None:
    said = bench("scale", "--rules", "12", "--requests", "12", "--rounds", "1")
    assert (said["bench"], said["rules"], said["requests"], said["rounds"]) == ("scale", 12, 12, 1)
    for kind in ("submit", "decide", "home", "own_home"):
        counted = {"redis_round_trips", "few_redis_round_trips"} if kind.endswith("home") else set()
        assert said[kind].keys() == {"cpu_us", "few_cpu_us", "ratio"} | counted
        assert all(number > 0 for number in said[kind].values())


def test_its_rules_are_as_many_as_it_says_and_the_one_that_is_asked_for_is_tried_last() -> None:
    text = scale.policies(30)
    assert text.count("- name:") == 30
    assert text.rindex("- name: open payments/prod") == text.rindex("- name:")
