"""Hooks: what people do to the telling of a hook: try anew, send again, hold, let go on, and replace its secret."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.delivery import COALESCED, Delivery
from store.model.effect import Retire, route
from store.model.environment import Environment
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.identity import Target, canonical, shown
from store.model.people import Directory, Wanted
from store.model.policy import GATE, Hook
from store.model.receiver import Pause, Receiver
from store.model.recent import Recent
from store.model.request import REASON_MOST, Request
from store.model.secret import Secret
from store.model.standing import may_act, may_retry, wanted
from store.redis.audit import Attempts
from store.redis.clock import Skew
from store.redis.commit import Commit
from store.redis.deliveries import GONE, KEPT_IN, Deliveries, Errand, hooks_of, woken
from store.redis.environments import Environments
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.requests import Requests
from store.redis.scripts import Scripts
from store.redis.stored import stored

SIGNING_KEPT: Final = 512  # signing secrets in memory
MACHINE_OWNER: Final = "owner"  # whoever has the machine: asked nobody, and audited
OVERLAP_MS: Final = 24 * 3_600_000
OVERLAP_MOST_MS: Final = 30 * OVERLAP_MS


@dataclass(frozen=True, slots=True)
class Named:
    """A hook as the policies of now name it. `target` is whose hooks it is among."""

    target: str
    hook: Hook
    secure: bool


class Hooks:
    """`requests` and `directory` are None where only the owner of the machine acts."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        skew: Skew,
        now_ms: Callable[[], int],
        *,
        policies: Policies,
        environments: Environments,
        deliveries: Deliveries,
        requests: Requests | None = None,
        directory: Directory | None = None,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew
        self._now_ms = now_ms
        self._policies = policies
        self._environments = environments
        self._deliveries = deliveries
        self._requests = requests
        self._directory = directory
        self._attempts = Attempts(keys, scripts, skew)
        self._signing: Recent[tuple[str, str, str, int], tuple[Secret, ...]] = Recent(SIGNING_KEPT)

    async def named(self, target: str, hook: str) -> Named:
        """Raises `NotFound` with what there is."""
        policies = await self._policies.current()
        found = Target.parse(target, organization=policies.organization)
        config = policies.target(found)
        if config is None:
            raise NotFound(f"The policies name no target {found}.", code="unknown_target")
        for each in config.hooks:
            if each.name == hook:
                return Named(hooks_of(found.id), each, config.secure)
        others = ", ".join(each.name for each in config.hooks)
        raise NotFound(f"{found} has no hook {shown(hook)}. It has {others or 'none'}.", code="unknown_hook")

    async def listed(self) -> list[tuple[str, Hook, Receiver, int]]:
        """Every hook that the policies name, by its target, and how many deliveries wait for it or were given up."""
        policies = await self._policies.current()
        found = []
        for target, config in sorted(policies.targets.items()):
            for hook in config.hooks:
                waiting = await self._waiting(hooks_of(target), hook.name)
                found.append((target, hook, await self.receiver(hooks_of(target), hook.name), len(waiting)))
        return found

    async def of(self, request_id: str) -> tuple[Delivery, ...]:
        """How telling the hooks of one request goes. Raises `NotFound`."""
        return await self._deliveries.of(await self._request(request_id))

    async def dead(self, *, most: int) -> list[Delivery]:
        """What was given up, the newest first, as long as the policies name the hook."""

        async def environment(target: str) -> str | None:
            known = await self._environments.find(target)
            return known.id if known is not None else None

        policies, found = await self._policies.current(), []
        for each in await self._deliveries.dead(environment, most=most):
            config = policies.target(canonical(each.environment))
            if config is not None and any(hook.name == each.hook for hook in config.hooks):
                found.append(each)
        return found

    async def receiver(self, target: str, hook: str) -> Receiver:
        return (await self._stored(target, hook))[0]

    # -- one delivery --------------------------------------------------------------------------------------------------

    async def retry(self, request_id: str, place: str, *, actor: str, command_id: str) -> Delivery:
        """What waits or was given up goes at once, under the same id. `place`: `api`, `api:deploy`; the hook's name alone
        where it heard of one event. Raises `AccessError`."""
        return await self._anew(request_id, place, actor, command_id, ("waiting", "failed"), "hook.retried")

    async def replay(self, request_id: str, place: str, *, actor: str, command_id: str) -> Delivery:
        """What was delivered is sent again, under the same id: for a receiver that has lost it. Raises `AccessError`."""
        return await self._anew(request_id, place, actor, command_id, ("delivered",), "hook.replayed")

    async def _anew(
        self, request_id: str, place: str, actor: str, command_id: str, states: tuple[str, ...], event: str
    ) -> Delivery:
        request = await self._request(request_id)
        try:
            await self._demand(request, actor)
            before = await self._one(request, place)
            named = await self.named(request.target, before.hook)
            if (await self.receiver(named.target, before.hook)).paused is not None:
                raise Conflict(f"The hook {before.hook} is paused. Resume it first.", code="paused")
            if before.event == "deploy" and request.gate is None and request.state in GONE:
                raise Conflict(
                    f"Deploy {request.id} is over: no hook is told of it any more. Ask for a new one.", code="too_late"
                )
            if named.hook.preset == GATE and before.state == "delivered":
                raise Conflict("GitHub has taken it. A job that waits there now asks by itself.", code="too_late")
            if before.state not in states:
                raise Conflict(_WHY_NOT[event, before.state], code="too_late")
            known = await self._environments.find(named.target)
            environment_id = request.environment_id or (known.id if known is not None else None)
            if before.event in COALESCED:
                await self._still_newest(environment_id or "", before)
            return await self._deliveries.anew(
                environment_id, before, actor=actor, event=event, now_ms=self._now_ms(), command_id=command_id
            )
        except AccessError as refusal:
            await self._attempts.refused(
                refusal, event, command_id, actor=actor, at_ms=self._now_ms(), request=request.id, target=request.target
            )
            raise

    async def _still_newest(self, environment_id: str, before: Delivery) -> None:
        """A version that another one has overtaken is never announced after it."""
        waiting = await self._deliveries.waiting(f"hook:{environment_id}/{before.hook}")
        newest = max([await self._deliveries.told(environment_id, before.hook), *(each.version for each in waiting)])
        if before.version < newest:
            raise Conflict(
                f"The hook {before.hook} was told of version {newest} since, or will be: version {before.version} does not follow it.",
                code="overtaken",
            )

    async def _one(self, request: Request, place: str) -> Delivery:
        """By its place, or by its hook where that is enough; of several the newest."""
        found = [each for each in await self._deliveries.of(request) if place in (each.place, each.hook)]
        if not found:
            raise NotFound(f"Request {request.id} has told no hook {shown(place)}.", code="unknown_hook")
        return max(found, key=lambda each: each.at_ms)

    # -- a hook --------------------------------------------------------------------------------------------------------

    async def test(self, named: Named, *, actor: str, command_id: str) -> bool:
        """Whether to send it a test now. False: this wish has come before."""
        await self._demand_owner(actor, "hook.tested", named, command_id)
        commit = Commit(self._keys, command_id, fingerprint=f"hook.tested:{named.target}:{named.hook.name}")
        details: dict[str, str | int | None] = {"hook": named.hook.name}
        tested = Audit(event="hook.tested", actor=actor, at_ms=self._now_ms(), target=named.target, details=details)
        commit.audit([tested])
        return (await commit.run(self._scripts, self._skew())).status == "ok"

    async def pause(self, target: str, hook: str, *, actor: str, command_id: str, reason: str = "") -> None:
        """Nothing is sent to it until it is resumed; what happens meanwhile waits, and the newest version is told then."""
        named = await self.named(target, hook)
        await self._demand_owner(actor, "hook.paused", named, command_id)
        now, version = await self._stored(named.target, hook)
        if now.paused is not None:
            raise Conflict(f"The hook {hook} of {named.target} is paused already.", code="too_late")
        paused = now.model_copy(update={"paused": Pause(by=actor, at_ms=self._now_ms(), reason=reason[:REASON_MOST])})
        commit = self._change(named, version, paused, "hook.paused", actor, command_id, reason=reason[:REASON_MOST])
        await self._run(commit)

    async def resume(self, target: str, hook: str, *, actor: str, command_id: str) -> int:
        """What waits goes at once: how many that is."""
        named = await self.named(target, hook)
        await self._demand_owner(actor, "hook.resumed", named, command_id)
        now, version = await self._stored(named.target, hook)
        if now.paused is None:
            raise Conflict(f"The hook {hook} of {named.target} is not paused.", code="too_late")
        waiting = [
            (environment, each)
            for environment, each in await self._waiting(named.target, hook)
            if each.state == "waiting"
        ]
        resumed = now.model_copy(update={"paused": None})
        commit = self._change(named, version, resumed, "hook.resumed", actor, command_id)
        commit.put(woken(each, environment, self._now_ms()) for environment, each in waiting)
        await self._run(commit)
        return len(waiting)

    async def show(self, target: str, hook: str, *, actor: str, command_id: str) -> Secret:
        """Its secret, once: whoever has lost it makes another one. Raises `Conflict` where somebody was shown it."""
        named = await self.named(target, hook)
        await self._demand_owner(actor, "hook.secret_shown", named, command_id)
        environment, label = await self._home(named)
        now, version = await self._stored(named.target, hook)
        if now.shown_ms is not None:
            raise Conflict(
                f"The secret of {hook} of {named.target} was shown already, as the audit log notes, and is shown once. "
                f"For another one, beside which it signs along for a day: countersign hooks rotate {named.target} {hook}",
                code="shown",
            )
        shown = now.model_copy(update={"shown_ms": self._now_ms()})
        secret = await self._environments.signing_secret(environment, label)
        await self._run(self._change(named, version, shown, "hook.secret_shown", actor, command_id))
        return secret

    async def rotate(
        self, target: str, hook: str, *, actor: str, command_id: str, overlap_ms: int = OVERLAP_MS
    ) -> Secret:
        """The new secret. Until the overlap is over, deliveries carry the signature of the former one too."""
        if not 0 <= overlap_ms <= OVERLAP_MOST_MS:
            raise Invalid("The former secret signs along for 30 days at most.", code="bad_duration")
        named = await self.named(target, hook)
        await self._demand_owner(actor, "hook.rotated", named, command_id)
        environment, label = await self._home(named)
        now, version = await self._stored(named.target, hook)
        until_ms = self._now_ms() + overlap_ms
        sealed = await self._environments.another_signing_secret(environment, label)
        rotated = now.model_copy(update={"former_until_ms": until_ms, "shown_ms": self._now_ms()})
        commit = self._change(named, version, rotated, "hook.rotated", actor, command_id, overlap_ms=overlap_ms)
        commit.fill(self._keys.entries(environment.id), sealed)
        commit.put([Retire(target=named.target, hook=hook, at_ms=until_ms)])
        await self._run(commit)
        return await self._environments.signing_secret(environment, label)

    async def retire(self, target: str, hook: str) -> int | None:
        """The former secret goes, once its time is over; else how long that is, in ms."""
        now, version = await self._stored(target, hook)
        if now.former_until_ms is None:
            return None
        if (left_ms := now.former_until_ms - self._now_ms()) > 0:
            return left_ms
        named = Named(target, Hook(name=hook, url=""), secure=False)
        environment, label = await self._home(named)
        retired = now.model_copy(update={"former_until_ms": None})
        commit = self._change(
            named, version, retired, "hook.secret_retired", "relay", f"retire:{target}:{hook}:{version}"
        )
        commit.omit(self._keys.entries(environment.id), [self._environments.former_field(label)])
        await self._run(commit)
        return None

    async def secrets(self, target: str, hook: str, environment_id: str | None = None) -> tuple[Secret, ...]:
        """What its deliveries are signed with now, the newest first. `environment_id`: where the name may mean another one by now."""
        config = (await self._policies.current()).targets.get(target)
        named = Named(hooks_of(target), Hook(name=hook, url=""), config is not None and config.secure)
        environment, label = await self._home(named)
        if environment_id is not None and environment.id != environment_id:
            return (
                await self._environments.signing_secret(Environment(id=environment_id, target=named.target), label),
            )
        newest = await self._environments.signing_secret(environment, label)
        until_ms = (await self.receiver(named.target, hook)).former_until_ms
        if until_ms is None or self._now_ms() >= until_ms:
            return (newest,)
        former = await self._environments.former_signing_secret(environment, label)
        return (newest,) if former is None else (newest, former)

    async def signing(self, errand: Errand, environment_id: str | None) -> tuple[Secret, ...]:
        """As `secrets`, kept in memory as long as nobody rotates them: every rotation moves the record of the receiver."""
        of, known = errand.delivery, errand.environment
        if known is None or (environment_id is not None and known.id != environment_id):
            return await self.secrets(of.environment, of.hook, environment_id)
        slot = (known.id, of.environment, of.hook, errand.receiver_version)
        if slot not in self._signing:
            self._signing[slot] = await self.secrets(of.environment, of.hook)
        until_ms = errand.receiver.former_until_ms
        over = until_ms is None or self._now_ms() >= until_ms
        return self._signing[slot][:1] if over else self._signing[slot]

    async def _home(self, named: Named) -> tuple[Environment, str]:
        """The environment that seals its secret, and by which name it lies there. Those of roles lie together."""
        if canonical(named.target).environment is None:
            return await self._environments.ensure(KEPT_IN), f"{named.hook.name}-{route(named.target)[:16]}"
        return await self._environments.ensure(named.target, secure=named.secure), named.hook.name

    async def _waiting(self, target: str, hook: str) -> list[tuple[str | None, Delivery]]:
        known = await self._environments.find(target)
        versions = await self._deliveries.waiting(f"hook:{known.id}/{hook}") if known is not None else []
        fired = await self._deliveries.waiting(f"fires:{target}/{hook}")
        return [(known.id if known is not None else None, each) for each in (*versions[-1:], *fired)]

    # -- who, and the ledger -------------------------------------------------------------------------------------------

    async def _demand(self, request: Request, actor: str) -> None:
        """Who asked, an approver, a deployer or an owner."""
        if actor == MACHINE_OWNER:
            return
        if self._requests is None or self._directory is None:
            raise Unavailable("This process does not ask who people are.", code="people_unknown")
        world = await self._requests.get(request.id)
        owners = world.policy_now.owners
        needs = owners.wanted | Wanted(users=frozenset((actor,)))
        if world.rules is not None:
            needs |= wanted(request, world.rules, actor)
        standing = may_retry(request, world.rules, owners, actor, await self._directory.people(needs))
        if standing.may is not True:
            raise Forbidden(standing.why, code="not_known" if standing.may is None else "forbidden")

    async def _demand_owner(self, actor: str, event: str, named: Named, command_id: str) -> None:
        if actor == MACHINE_OWNER:
            return
        if self._directory is None:
            raise Unavailable("This process does not ask who people are.", code="people_unknown")
        owners = (await self._policies.current()).owners
        people = await self._directory.people(owners.wanted | Wanted(users=frozenset((actor,))))
        if may_act(actor, people).may is not True or owners.has(actor, people) is not True:
            refusal = Forbidden("Only an owner can do that to a hook.", code="forbidden")
            await self._attempts.refused(
                refusal, event, command_id, actor=actor, at_ms=self._now_ms(), target=named.target
            )
            raise refusal

    async def _request(self, request_id: str) -> Request:
        request, _ = await stored(self._redis, self._keys.request(request_id), Request)
        if request is None:
            raise NotFound(f"There is no request {request_id}.")
        return request

    async def _stored(self, target: str, hook: str) -> tuple[Receiver, int]:
        found, version = await stored(self._redis, self._keys.hook(target, hook), Receiver)
        return found or Receiver(), version

    def _change(
        self, named: Named, version: int, after: Receiver, event: str, actor: str, command_id: str, **more: str | int
    ) -> Commit:
        commit = Commit(self._keys, command_id, fingerprint=f"{event}:{named.target}:{named.hook.name}")
        commit.write(self._keys.hook(named.target, named.hook.name), version, after.to_json())
        details: dict[str, str | int | None] = {"hook": named.hook.name, **more}
        commit.audit([Audit(event=event, actor=actor, at_ms=self._now_ms(), target=named.target, details=details)])
        return commit

    async def _run(self, commit: Commit) -> None:
        if (await commit.run(self._scripts, self._skew())).status not in ("ok", "seen"):
            raise Conflict("Somebody else did something to this hook at the same time. Look again.", code="moved")


_WHY_NOT: Final = {
    ("hook.retried", "delivered"): "It was delivered already.",
    ("hook.retried", "overtaken"): "A newer version was announced instead.",
    ("hook.replayed", "waiting"): "It was not delivered yet: it is still tried.",
    ("hook.replayed", "failed"): "It was never delivered: retry it.",
    ("hook.replayed", "overtaken"): "A newer version was announced instead.",
}
