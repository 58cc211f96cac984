"""Metrics: numbers that tell an operator whether things happen in time."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.effects = Counter(
            "countersign_effects_total",
            "Effects performed, by how they ended",
            ["lane", "effect", "outcome"],
            registry=self.registry,
        )
        self.effect_lateness = Histogram(
            "countersign_effect_lateness_seconds",
            "From due to claimed",
            ["lane"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.lane_depth = Gauge(
            "countersign_lane_depth", "Effects that wait or are retried", ["lane"], registry=self.registry
        )
        self.timers = Counter(
            "countersign_timers_total",
            "Timers worked off, by how they ended",
            ["timer", "outcome"],
            registry=self.registry,
        )
        self.timer_lateness = Histogram(
            "countersign_timer_lateness_seconds", "From due to worked off", buckets=SECONDS, registry=self.registry
        )
        self.timers_waiting = Gauge("countersign_timers_waiting", "Timers that are not due yet", registry=self.registry)
        self.commands = Counter(
            "countersign_commands_total",
            "Commands by door, name and answer",
            ["door", "command", "answer"],
            registry=self.registry,
        )
        self.http_seconds = Histogram(
            "countersign_http_seconds",
            "From an operation of the API to its answer",
            ["operation"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.alarms = Counter(
            "countersign_alarms_total", "What somebody should look at, by kind", ["kind"], registry=self.registry
        )
        self.degraded = Gauge(
            "countersign_degraded", "1 while Redis does not keep what it is told", registry=self.registry
        )
        self.holders_working = Gauge(
            "countersign_key_holders_working",
            "Key holders of the roster that work, as seen from here",
            registry=self.registry,
        )
        self.under_replicated = Gauge(
            "countersign_environments_under_replicated",
            "Environments with a key that fewer than two working holders have",
            registry=self.registry,
        )
