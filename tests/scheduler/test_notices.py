"""Notices: receivers named under notify hear of decisions, signed, and where that fails the owners do."""

import asyncio
import datetime as dt
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from aiohttp import web
from standardwebhooks import Webhook

from scheduler.circuit import OPENS_AFTER, Circuits
from scheduler.connectors.hook import DELAYS_MS
from scheduler.connectors.outgoing import Outgoing
from scheduler.metrics import Metrics
from scheduler.notices import KEPT_IN, Notices, notice_secret
from scheduler.relay import Again, Relay
from store.model.command import Deploy, Report
from store.model.effect import Signal, route
from store.model.errors import Unavailable
from store.model.policy import Hook, Notify, PolicySet, TargetConfig
from store.model.request import RELAY, Deployment
from store.model.secret import Secret
from store.redis.environments import HOOK, hook_name
from tests.builders import ANA, BOB, ONCALL, draft, soft
from tests.builders import deny as denied
from tests.builders import smash as smashed
from tests.scheduler.measured import measured
from tests.store.redis.corridor import Corridor, command_for

WITHIN_S: Final = 10.0


class House:
    """A receiver that keeps what came, and the relay that tells it."""

    def __init__(self, corridor: Corridor, metrics: Metrics) -> None:
        self.corridor = corridor
        self.metrics = metrics
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        self.place = ""
        self.circuits = Circuits(time.monotonic)
        self.outgoing: dict[tuple[str, ...], Outgoing] = {}
        self.relay = self.another()

    def another(self) -> Relay:
        corridor = self.corridor
        environments = corridor.another_environments()
        notices = Notices(
            corridor.replica(),
            corridor.policies,
            environments,
            self._outgoing,
            corridor.outbox,
            self.metrics,
            lambda: 0.0,
            self.circuits,
        )
        return Relay(corridor.outbox, {Signal: notices.signal}, self.metrics, lambda: 1.0)

    def without_a_key(self) -> Relay:
        """A process whose key holders are away: it can sign nothing."""

        async def away(*_: object) -> Again:
            raise Unavailable("No key holder answers.")

        return Relay(self.corridor.outbox, {Signal: away}, self.metrics, lambda: 1.0)

    @property
    def url(self) -> str:
        return f"http://{self.place}/decisions?team=payments"

    async def _outgoing(self, policies: PolicySet) -> Outgoing:
        return self.outgoing.setdefault(policies.allow_private, Outgoing(allow=policies.allow_private))

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(({name.lower(): value for name, value in request.headers.items()}, await request.read()))
        status = self.answers.pop(0) if self.answers else 204
        if status == 0 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=status or 204)

    async def enact(self, *urls: str, allow: bool = True) -> None:
        rule = soft(notify=Notify(webhooks=urls))
        await self.corridor.enact(rule, allow_private=(self.place,) if allow else ())

    async def run(self, relay: Relay | None = None) -> int:
        async with asyncio.timeout(WITHIN_S):
            took = await (relay or self.relay).tick("hook")
            await (relay or self.relay).settled()
        return took

    async def next_in_ms(self) -> int | None:
        lane = await self.corridor.redis.zrange(self.corridor.keys.lane("hook"), 0, -1, withscores=True)
        return int(lane[0][1]) - self.corridor.now_ms if lane else None

    async def undelivered(self) -> list[dict[str, Any]]:
        entries = [entry for _, entry in await self.corridor.log.after(0, most=1000)]
        found = [dict(entry.details) for entry in entries if entry.event == "notice.undelivered"]
        lane = await self.corridor.redis.zrange(self.corridor.keys.lane("slack"), 0, -1)
        assert len([name for name in map(str, lane) if "undelivered" in name]) == len(found)
        return found


@pytest.fixture
async def house(corridor: Corridor, metrics: Metrics) -> AsyncIterator[House]:
    house = House(corridor, metrics)
    app = web.Application()
    app.router.add_post("/decisions", house.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    house.place = f"127.0.0.1:{runner.addresses[0][1]}"
    await house.enact(house.url)
    yield house
    await house.relay.drain(0)
    for outgoing in house.outgoing.values():
        await outgoing.close()
    await runner.cleanup()


async def test_a_decision_is_told_signed_and_with_nothing_that_somebody_typed(house: House):
    request = await house.corridor.approved("open", ANA, BOB)
    await house.run()
    ((headers, body),) = house.came
    assert json.loads(body) == {
        "type": "decision.approved",
        "schema": 1,
        "timestamp": house.corridor.now_ms // 1000,
        "data": {
            "request": request.id,
            "kind": "open",
            "target": "payments/prod",
            "rule": "rule",
            "requested_by": "UREQ",
            "for": "UREQ",
            "by": [ANA, BOB],
        },
    }
    signer = Webhook((await notice_secret(house.corridor.environments, house.url)).reveal().decode())
    at = dt.datetime.fromtimestamp(int(headers["webhook-timestamp"]), dt.UTC)
    assert signer.sign(headers["webhook-id"], at, body.decode()) == headers["webhook-signature"]
    assert await house.next_in_ms() is None
    assert await house.undelivered() == []


async def test_each_decision_has_an_event_of_its_own(house: House):
    asked = await house.corridor.ask("open")
    await house.corridor.do(asked, command_for(asked, denied, ANA))
    asked = await house.corridor.ask("open")
    await house.corridor.do(asked, command_for(asked, smashed, ONCALL))
    await house.run()
    told = [json.loads(body) for _, body in house.came]
    assert sorted((each["type"], *each["data"]["by"]) for each in told) == [
        ("decision.broken", ONCALL),
        ("decision.denied", ANA),
    ]
    assert all(b"fire" not in body for _, body in house.came)


async def test_how_a_deploy_ended_has_an_event_of_its_own_with_the_version(house: House):
    rule = soft(actions=frozenset({"deploy"}), notify=Notify(webhooks=(house.url,)))
    told = TargetConfig(hooks=(Hook(name="api", url="https://api", on=frozenset({"deploy"})),))
    await house.corridor.enact(rule, allow_private=(house.place,), targets={"payments/prod": told})
    wanted = draft("deploy", identity=house.corridor.id(), payload=Deployment(version="v1.2.3", ref="9f2c41d"))
    asked = (await house.corridor.requests.submit(wanted, "ask")).request
    assert asked is not None
    for command in (
        command_for(asked, smashed, ONCALL),
        Deploy(id="deploy", actor=ONCALL),
        Report(id="report", actor=RELAY, outcome="failed"),
    ):
        await house.corridor.do(asked, command)
    await house.run()
    bodies = {body["type"]: body["data"] for _, raw in house.came if (body := json.loads(raw))}
    assert bodies.keys() == {"decision.broken", "deploy.failed"}
    assert {(each["version"], each["ref"]) for each in bodies.values()} == {("v1.2.3", "9f2c41d")}
    assert bodies["deploy.failed"]["by"] == []


async def test_each_try_has_the_same_id_and_the_same_bytes(house: House):
    await house.corridor.approved("open")
    house.answers += [500, 503]
    for _ in range(3):
        await house.run(house.another())
        house.corridor.skew_ms += await house.next_in_ms() or 0
    assert len(house.came) == 3
    assert len({headers["webhook-id"] for headers, _ in house.came}) == 1
    assert len({body for _, body in house.came}) == 1
    assert len({headers["webhook-timestamp"] for headers, _ in house.came}) == 3
    assert await house.next_in_ms() is None


async def test_after_three_days_the_owners_are_told(house: House):
    await house.corridor.approved("open")
    for number in range(len(DELAYS_MS)):
        house.answers.append(503)
        assert await house.undelivered() == []
        assert await house.run() == 1
        if number + 1 < len(DELAYS_MS):
            assert await house.next_in_ms() == DELAYS_MS[number + 1]
            house.corridor.skew_ms += DELAYS_MS[number + 1]
    assert await house.next_in_ms() is None
    (entry,) = await house.undelivered()
    assert (entry["route"], entry["to"]) == ("webhook", house.url)
    assert "503" in entry["why"]
    assert measured(house.metrics, "alarms_total", kind="webhook") == 1


async def test_what_never_reached_the_wire_is_no_try(house: House):
    await house.corridor.approved("open")
    for _ in range(20):
        await house.run(house.without_a_key())
        house.corridor.skew_ms += await house.next_in_ms() or 0
    house.answers.append(503)
    await house.run()
    assert await house.undelivered() == []
    assert await house.next_in_ms() is not None


async def test_a_receiver_that_wants_no_more_is_not_asked_again(house: House):
    await house.corridor.approved("open")
    house.answers.append(410)
    await house.run()
    assert await house.next_in_ms() is None
    assert len(await house.undelivered()) == 1


async def test_a_receiver_that_was_taken_out_of_the_policies_hears_nothing_more(house: House):
    await house.corridor.approved("open")
    await house.enact()
    await house.run()
    assert house.came == []
    (entry,) = await house.undelivered()
    assert entry["why"] == "The policies do not name it any more."


async def test_an_address_inside_is_not_told_unless_the_owner_allows_it(house: House):
    await house.enact(house.url, allow=False)
    await house.corridor.approved("open")
    await house.run()
    assert house.came == []
    assert "address inside" in (await house.undelivered())[0]["why"]


async def test_a_receiver_that_keeps_silent_is_left_alone(house: House):
    """As with hooks, and together with them."""
    house.answers = [0] * OPENS_AFTER
    for _ in range(OPENS_AFTER):
        await house.corridor.approved("open")
        await house.run()
    assert house.circuits.aside_ms(house.url, now_ms=house.corridor.now_ms) is not None
    asked = len(house.came)
    await house.corridor.approved("open")
    await house.run()
    assert len(house.came) == asked


async def test_what_cannot_be_signed_is_given_up_at_once_and_not_shown(house: House):
    """Somebody with the key of the environment has put there what is no secret of a webhook."""
    environments = house.corridor.environments
    environment, field = await environments.ensure(KEPT_IN), f"{HOOK}{route(house.url)}"
    key = await environments.key(environment.id, environment.epoch)
    entry = key.seal(hook_name(field), house.corridor.id(), Secret(b"hunter2"), mode=0o600)
    await house.corridor.redis.hset(house.corridor.keys.entries(environment.id), field, entry.to_json())
    await house.corridor.approved("open")
    await house.run()
    assert house.came == []
    (why,) = [entry["why"] for entry in await house.undelivered()]
    assert why.startswith("A webhook's secret is whsec_")
    assert await house.next_in_ms() is None


async def test_each_receiver_has_a_secret_of_its_own_and_keeps_it(house: House):
    environments = house.corridor.environments
    first = await notice_secret(environments, "https://a.example.com/x")
    assert first != await notice_secret(environments, "https://a.example.com/y")
    assert first == await notice_secret(house.corridor.another_environments(), "https://a.example.com/x")
