"""Metrics: what waits, and the names that an operator's alerts are written against."""

from prometheus_client import generate_latest

from scheduler.gauges import Gauges
from scheduler.metrics import Metrics
from scheduler.relay import Relay
from store.model.effect import ShowCard
from tests.scheduler.measured import measured

NAMES = {
    "countersign_effects",
    "countersign_effect_lateness_seconds",
    "countersign_lane_depth",
    "countersign_timers",
    "countersign_timer_lateness_seconds",
    "countersign_timers_waiting",
    "countersign_commands",
    "countersign_alarms",
    "countersign_degraded",
}


def test_the_names_stay_the_same():
    assert {family.name for family in Metrics().registry.collect()} >= NAMES


def test_each_program_counts_for_itself():
    one, other = Metrics(), Metrics()
    one.alarms.labels("poison").inc()
    assert measured(one, "alarms_total", kind="poison") == 1
    assert measured(other, "alarms_total", kind="poison") == 0
    assert b"process_" not in generate_latest(one.registry)  # no registry of the whole process


async def test_what_waits_is_measured(corridor, metrics):
    relay = Relay(corridor.outbox, {}, metrics, lambda: 1.0)
    gauges = Gauges(relay, corridor.outbox, corridor.timers, metrics)
    await corridor.ask()
    await corridor.outbox.put([ShowCard(request=f"REQVEST1{number:02}") for number in range(3)], command_id="three")
    await gauges.measure()
    assert measured(metrics, "lane_depth", lane="slack") == await corridor.outbox.depth("slack") > 3
    assert measured(metrics, "lane_depth", lane="connector") == 0
    assert measured(metrics, "timers_waiting") == 1
    await corridor.redis.delete(corridor.keys.lane("slack"), corridor.keys.due)
    await gauges.measure()
    assert measured(metrics, "lane_depth", lane="slack") == 0
    assert measured(metrics, "timers_waiting") == 0
