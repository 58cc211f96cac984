"""Hardening: what this process knows does not end in a core dump, and no other process of the same user looks into it."""

import resource

from bot.cli.running.keeper import DUMPABLE, prctl


def harden() -> None:
    """What we run begins without cores, too; it may change that."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    prctl(DUMPABLE, 0)
