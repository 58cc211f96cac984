"""Gauges: how much waits."""

from scheduler.metrics import Metrics
from scheduler.relay import Relay
from store.redis.outbox import Outbox
from store.redis.timers import Timers


class Gauges:
    def __init__(self, relay: Relay, outbox: Outbox, timers: Timers, metrics: Metrics) -> None:
        self._relay = relay
        self._outbox = outbox
        self._timers = timers
        self._metrics = metrics

    async def measure(self) -> None:
        """Raises `Unavailable`."""
        for lane in self._relay.lanes:
            self._metrics.lane_depth.labels(lane).set(await self._outbox.depth(lane))
        self._metrics.timers_waiting.set(await self._timers.waiting())
