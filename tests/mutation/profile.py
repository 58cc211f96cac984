"""Hypothesis while mutants are looked for: few examples, the same each time, none remembered. It becomes the `conftest.py` of the copy."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "mutate",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),  # a mutant may be slow, or hard to find examples for: that is no failure
)
settings.load_profile("mutate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The quick ones that see much first: the first that fails kills."""
    items.sort(key=lambda item: (item.get_closest_marker("hypothesis") is not None, "test_told.py" not in item.nodeid))
