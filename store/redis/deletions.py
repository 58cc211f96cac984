"""Deletions: an environment that the policies do not name any more is forgotten, values and keys; a tombstone says that it was."""

from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.environment import Environment
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound
from store.model.identity import Target
from store.model.people import Directory
from store.model.policy import PolicySet
from store.model.request import Request
from store.model.sealed import Manifest
from store.model.token import Token
from store.model.versions import Tombstone
from store.redis.audit import Attempts
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.requests import Requests
from store.redis.scripts import Scripts
from store.redis.stored import stored
from store.redis.tokens import Tokens
from store.redis.versions import oldest_kept

LIVE_MOST: Final = 10_000  # grants, and machines


class Deletions:
    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        policies: Policies,
        requests: Requests,
        tokens: Tokens,
        directory: Directory,
        skew: Skew,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._policies = policies
        self._requests = requests
        self._tokens = tokens
        self._directory = directory
        self._skew = skew
        self._attempts = Attempts(keys, scripts, skew)

    async def deletable(self, user: str, target: Target) -> tuple[Environment, int]:
        """The environment and its newest version, where this owner could delete it now. Raises `Forbidden`, `NotFound`, `Conflict`."""
        policies = await self._policies.current()
        await self._demand(user, target, policies)
        environment, _ = await stored(self._redis, self._keys.environment(target.id), Environment)
        if environment is None:
            raise NotFound(f"There is no environment {target} here, or it was deleted already.", code="no_environment")
        live = await self._live(target)
        if live is not None:
            raise Conflict(
                f"Request {live.id} still gives access to {target}. End it first, or wait until it is over.",
                code="live",
            )
        machine = await self._machine(target)
        if machine is not None:
            raise Conflict(
                f"The machine {machine.name} may still read {target}: its token names it, and would name whatever is called so later. Revoke it first.",
                code="live",
            )
        head, _ = await stored(self._redis, self._keys.head(environment.id), Manifest)
        return environment, head.number if head is not None else 1

    async def delete(self, user: str, target: Target, *, seen: int, reason: str, command_id: str) -> str:
        """`seen`: the newest version that the owner was shown. Raises as `deletable`, and `Conflict` where something moved meanwhile."""
        fingerprint = f"delete {target} {seen} {user}"
        known = await self._redis.hmget(self._keys.command(command_id), ["fingerprint", "answer"])
        if known[0] is not None and text(known[0]) == fingerprint:
            return text(known[1])
        number = await self._policies.number()  # before it is looked whether they name it
        was = await self._redis.hget(self._keys.environment(target.id), "version")
        try:
            environment, _ = await self.deletable(user, target)
        except AccessError as refusal:
            at_ms = await now_ms(self._redis, self._skew)
            await self._attempts.refused(refusal, "delete", command_id, actor=user, at_ms=at_ms, target=target.id)
            raise
        versions = await self._redis.hmget(self._keys.head(environment.id), ["version", "body"])
        head = Manifest.from_json(versions[1] or b"")
        if (newest := head.number) != seen:
            raise Conflict(f"{target} has version {newest} by now. Look at it again first.", code="moved")
        at_ms = await now_ms(self._redis, self._skew)
        answer = f"{target} is deleted: its values, versions and keys. The name can be used again; what was there cannot be read any more."
        commit = Commit(self._keys, command_id, fingerprint=fingerprint, answer=answer)
        commit.guard(self._keys.policy_head, number)
        commit.guard(self._keys.environment(target.id), int(was or 0))
        commit.guard(self._keys.head(environment.id), int(versions[0] or 0))
        grave = Tombstone(
            id=environment.id, target=target.id, by=user, at_ms=at_ms, version=newest, mac=head.mac, reason=reason
        )
        commit.write(self._keys.tombstone(environment.id), 0, grave.to_json())
        commit.rank(self._keys.index("deleted"), environment.id, at_ms)
        commit.rank(self._keys.index("environments"), target.id, None)
        oldest, _ = await oldest_kept(self._redis, self._keys, environment.id)
        for key in self._everything(environment, oldest, newest):
            commit.drop(key)
        details: dict[str, str | int | None] = {"environment": environment.id, "version": newest, "reason": reason}
        commit.audit([Audit(event="environment.deleted", actor=user, at_ms=at_ms, target=target.id, details=details)])
        if (await commit.run(self._scripts, self._skew())).status not in ("ok", "seen"):
            raise Conflict(f"Something about {target} changed meanwhile. Look at it again first.", code="moved")
        return answer

    def _everything(self, environment: Environment, oldest: int, newest: int) -> list[str]:
        keys, one = self._keys, environment.id
        numbered = [key(one, number) for number in range(oldest, newest + 1) for key in (keys.manifest, keys.version)]
        epochs = [keys.epoch(one, number) for number in range(1, environment.epoch + 1)]
        return [
            keys.environment(environment.target), keys.head(one), keys.entries(one), keys.oldest(one), *numbered, *epochs,
        ]  # fmt: skip

    async def _demand(self, user: str, target: Target, policies: PolicySet) -> None:
        if not await self._policies.owned_by(user, self._directory):
            raise Forbidden("Only an owner deletes an environment.", code="not_an_owner")
        if target.kind != "environment":
            raise Invalid(f"{target} is not an environment.", code="not_an_environment")
        if policies.target(target) is not None:
            raise Conflict(
                f"{target} stands in the policies. Take it out of them first: that is asked for and approved, and this is not.",
                code="in_the_policies",
            )

    async def _machine(self, target: Target) -> Token | None:
        """One whose token is bound to this name: it would outlive the environment."""
        now = await now_ms(self._redis, self._skew)
        machines = await self._tokens.machines(most=LIVE_MOST)
        bound = (token for token in machines if any(one.partition("#")[0] == target.id for one in token.targets))
        return next((token for token in bound if token.revoked_ms is None and now < token.expires_ms), None)

    async def _live(self, target: Target) -> Request | None:
        """A request that gives somebody something there now. Without a rule nothing more becomes live."""
        live = await self._requests.listed("live", most=LIVE_MOST)
        return next((request for request in live if request.target.partition("#")[0] == target.id), None)
