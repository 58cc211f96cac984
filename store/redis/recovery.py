"""Recovery: other policies put into force without an approval, by whoever owns the machine, and never in silence."""

from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.effect import Recovered, ShowCard
from store.model.enactment import Enactment
from store.model.errors import AccessError, Conflict, Invalid
from store.model.lifecycle.world import demand
from store.model.people import Directory, Wanted
from store.model.policy import PolicySet
from store.model.request import REASON_MOST
from store.model.standing import may_act
from store.redis.audit import Attempts
from store.redis.clock import Skew
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.policies import fingerprint, put_into_force
from store.redis.projection import MAIN, POLICY
from store.redis.scripts import Scripts

CARDS_MOST: Final = 24  # of changes of the policies that wait: what they were made on is in force no more


class Recovery:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, directory: Directory, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._directory = directory
        self._skew = skew
        self._attempts = Attempts(keys, scripts, skew)

    async def recover(
        self,
        new: PolicySet,
        *,
        base: int,
        actor: str,
        reason: str,
        restored: int | None,
        command_id: str,
        now_ms: int,
    ) -> int:
        """The number of the version that is in force now, `base` + 1. Its entry in the audit log and its announcement are in the same commit.

        `restored`: the older version that `new` is. Raises `Forbidden`, `Invalid`, and `Conflict` where another version than `base` is in force.
        """
        number = base + 1
        details: dict[str, str | int | None] = {"version": number, "replaced": base}
        try:
            if not reason.strip():
                raise Invalid("Say why: every owner reads it.", code="reason_required")
            if len(reason) > REASON_MOST:
                raise Invalid(
                    f"The reason is too long: {REASON_MOST:,} characters are the limit.", code="reason_too_long"
                )
            people = await self._directory.people(Wanted(users=frozenset((actor,))), patient=True)
            demand(may_act(actor, people))
        except AccessError as refusal:
            await self._attempts.refused(
                refusal, "recover", command_id, actor=actor, at_ms=now_ms, target="policy:main"
            )
            raise
        body = new.model_copy(update={"number": number}).to_json()
        details |= {"content": fingerprint(body), "reason": reason.strip()}
        if restored is not None:
            details["restored"] = restored
        commit = Commit(self._keys, command_id, fingerprint=fingerprint(body), good_until_ms=people.good_until_ms)
        enactment = Enactment(how="recovered", by=actor, at_ms=now_ms, restored=restored, reason=reason.strip())
        put_into_force(commit, base, body, enactment)
        commit.audit(
            [Audit(event="policy.recovered", actor=actor, at_ms=now_ms, target="policy:main", details=details)]
        )
        waiting = await self._redis.zrange(self._keys.index(f"touch:{POLICY}:{MAIN}"), 0, CARDS_MOST - 1)
        commit.put([Recovered(number=number), *(ShowCard(request=text(request)) for request in waiting)])
        if (await commit.run(self._scripts, self._skew())).status not in ("ok", "seen"):
            raise Conflict(
                f"Version {base} of the policies is in force no more: somebody changed them meanwhile. Look again.",
                code="other_base",
            )
        return number
