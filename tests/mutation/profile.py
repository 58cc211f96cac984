"""Hypothesis while mutants are looked for: few examples, the same each time, none remembered. It becomes the `conftest.py` of the copy."""

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
