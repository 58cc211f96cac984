"""A receiver on a real socket, the policies that name its hooks, and the relay that tells them."""

import asyncio
from typing import Any, Final

from playground.hooks import HookReceiver
from scheduler.circuit import Circuits
from scheduler.connectors.outgoing import TOTAL_MS, Outgoing
from scheduler.metrics import Metrics
from scheduler.relay import Performer, Relay
from scheduler.webhooks import Webhooks
from store.model.delivery import Delivery
from store.model.effect import Fire, Redeploy, Retire
from store.model.environment import Environment
from store.model.policy import Hook, Policy, PolicySet, TargetConfig
from store.model.request import Request
from store.redis.deliveries import Deliveries
from store.redis.hooks import Hooks
from store.redis.policies import Policies
from tests.builders import ANA, BOB, ROLE, TARGETS
from tests.store.redis.corridor import Corridor

WITHIN_S: Final = 30.0
VALUE: Final = "kanarienvogel-7"  # which nobody outside may ever see


class House:
    """A receiver on a real socket, the policies that name it, and the relay that tells it."""

    def __init__(self, corridor: Corridor, metrics: Metrics) -> None:
        self.corridor = corridor
        self.metrics = metrics
        self.receiver = HookReceiver({}, now_ms=lambda: corridor.now_ms)
        self.outgoing = Outgoing()
        self.total_ms = TOTAL_MS
        self._allowed: tuple[str, ...] = ()
        self.deliveries = Deliveries(corridor.redis, corridor.keys, corridor.scripts, corridor.skew)
        self.place = ""
        self.relay = self.another()

    def another(self) -> Relay:
        corridor = self.corridor
        environments = corridor.another_environments()
        policies = Policies(corridor.redis, corridor.keys, corridor.scripts)
        self.hooks = Hooks(
            corridor.redis,
            corridor.keys,
            corridor.scripts,
            corridor.skew,
            lambda: corridor.now_ms,
            policies=policies,
            environments=environments,
            deliveries=self.deliveries,
            requests=corridor.requests,
            directory=corridor.crowd,
        )
        self.webhooks = webhooks = Webhooks(
            self.hooks,
            self.deliveries,
            environments,
            policies,
            self._outgoing,
            self.metrics,
            lambda: 0.0,
            Circuits(asyncio.get_running_loop().time),
        )
        performers: dict[type, Performer] = {Redeploy: webhooks.redeploy, Fire: webhooks.fire, Retire: webhooks.retire}
        return Relay(corridor.outbox, performers, self.metrics, lambda: 1.0)

    async def _outgoing(self, policies: PolicySet) -> Outgoing:
        if policies.allow_private != self._allowed:
            self._allowed, former = policies.allow_private, self.outgoing
            self.outgoing = Outgoing(allow=policies.allow_private, total_ms=self.total_ms)
            await former.close()
        return self.outgoing

    async def enact(
        self,
        *rules: Policy,
        hooks: tuple[str, ...] = ("api",),
        allow: bool = True,
        at: str | None = None,
        **changed: Any,
    ) -> None:
        """`at`: host and port of another receiver. `changed`: of each hook."""
        place = at or self.place
        named = tuple(Hook(**{"name": name, "url": f"http://{place}/hooks/{name}", **changed}) for name in hooks)
        await self.corridor.enact(
            *rules,
            targets={
                **TARGETS,
                "payments/prod": TargetConfig(hooks=named),
                "countersign/hooks": TargetConfig(),
                ROLE.id: TARGETS[ROLE.id].model_copy(update={"hooks": named}),
            },
            allow_private=(place,) if allow else (),
        )

    async def merged(self, **values: str) -> Request:
        request = await self.corridor.approved("change", ANA, BOB, **(values or {"A": VALUE}))
        assert request.state == "merged"
        if "api" not in self.receiver.secrets:
            self.receiver.secrets["api"] = await self.secret()
        return request

    async def secret(self) -> str:
        environment = await self.environment()
        return (await self.corridor.environments.signing_secret(environment, "api")).reveal().decode()

    async def environment(self) -> Environment:
        return await self.corridor.environments.ensure("payments/prod")

    async def run(self, relay: Relay | None = None) -> int:
        """One tick, and all that comes of it."""
        relay = relay or self.relay
        async with asyncio.timeout(WITHIN_S):
            took = await relay.tick("hook")
            await relay.settled()
        return took

    async def delivery(self, request: Request) -> Delivery:
        (delivery,) = await self.deliveries.of(request)
        return delivery

    async def next_in_ms(self) -> int | None:
        lane = await self.corridor.redis.zrange(self.corridor.keys.lane("hook"), 0, -1, withscores=True)
        return int(lane[0][1]) - self.corridor.now_ms if lane else None
