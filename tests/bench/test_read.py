"""The bench of reading runs and prints what it promises. How long things take on a machine is no test's business."""

import pytest

from tests.bench.running import bench


@pytest.mark.slow
def test_a_few_reads_give_one_line_with_every_number() -> None:
    said = bench("read", "--reads", "320")
    assert (said.pop("bench"), said.pop("secrets"), said.pop("n"), said.pop("appendfsync")) == (
        "read",
        50,
        320,
        "always",
    )
    assert {"server", "python"} < said.keys()
    numbers = {name: number for name, number in said.items() if name not in ("server", "python")}
    assert numbers.keys() == {
        "cpu_ms", "bare_cpu_ms", "cpu_ratio_to_bare", "decipher_cpu_ms", "cold_cpu_ms", "lone_cpu_ms",
        "p50_ms", "p99_ms", "bare_p50_ms", "requests_per_s", "bare_requests_per_s",
    }  # fmt: skip
    assert all(number > 0 for number in numbers.values())
