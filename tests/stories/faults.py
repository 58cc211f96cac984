"""Faults that are heard when they strike, also those that let nothing else happen."""

from collections.abc import Callable

from playground.house import House
from playground.slack.faults import Fault


class _Heard(list[Fault]):
    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self._changed = changed

    def append(self, fault: Fault) -> None:
        super().append(fault)
        self._changed()


async def struck(house: House, *, more_than: int = 0) -> None:
    """Until so many have struck since the house is `heard`."""
    await house.workspace.wait_for(lambda: len(house.workspace.faults.struck) > more_than)


def heard(house: House) -> None:
    house.workspace.faults.struck = _Heard(house.workspace.changed)
