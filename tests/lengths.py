"""How long what searches goes on: short in `make test`, longer before anything lands, and as long as anybody waits in `make soak`."""

import os
from typing import Final

PROFILES: Final = ("short", "ci", "soak")
PROFILE: Final = os.environ.get("HYPOTHESIS_PROFILE", "short")
assert PROFILE in PROFILES, f"HYPOTHESIS_PROFILE is one of {', '.join(PROFILES)}."


def length(short: int, ci: int, soak: int) -> int:
    return {"short": short, "ci": ci, "soak": soak}[PROFILE]
