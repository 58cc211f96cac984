"""Logins: attempts that wait for somebody to type their code, for ten minutes at most; and how often somebody has tried."""

from collections.abc import Iterable

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.effect import Effect
from store.model.errors import Conflict
from store.model.login import Attempt
from store.model.token import Token
from store.redis.clock import Skew
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts
from store.redis.stored import stored
from store.redis.tokens import write_token_record


class Logins:
    """What it writes goes by itself when the attempt is over."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def find(self, login: str) -> tuple[Attempt | None, int]:
        """The attempt and its version."""
        return await stored(self._redis, self._keys.login(login), Attempt)

    def record(self, login: str) -> str:
        """What moves whenever anything is committed to it."""
        return self._keys.login(login)

    async def by_code(self, code: str) -> tuple[Attempt | None, int]:
        login = await self._redis.get(self._keys.login_code(code))
        return await self.find(text(login)) if login is not None else (None, 0)

    async def begin(self, attempt: Attempt, audit: Iterable[Audit]) -> bool:
        """False where its code is another's."""
        commit = Commit(self._keys, f"login:{attempt.id}", fingerprint=attempt.poll)
        life_ms = attempt.expires_ms - attempt.created_ms
        commit.write(self._keys.login(attempt.id), 0, attempt.to_json())
        commit.expire(self._keys.login(attempt.id), life_ms)
        commit.set(self._keys.login_code(attempt.code), attempt.id)
        commit.expire(self._keys.login_code(attempt.code), life_ms)
        commit.audit(audit)
        return (await commit.run(self._scripts, self._skew())).status != "moved"

    async def move(self, attempt: Attempt, version: int, command_id: str, audit: Iterable[Audit]) -> bool:
        """False where somebody else has moved it since, or it is over."""
        commit = Commit(self._keys, command_id, fingerprint=attempt.to_json())
        commit.write(self._keys.login(attempt.id), version, attempt.to_json())
        commit.audit(audit)
        return await self._ran(commit)

    async def confirm(
        self,
        attempt: Attempt,
        version: int,
        token: Token,
        *,
        over: Iterable[str],
        audit: Iterable[Audit],
        effects: Iterable[Effect],
        good_until_ms: int,
    ) -> bool:
        """With its token, unless all sessions of that person were ended meanwhile. `over`: tokens that are listed no more."""
        commit = Commit(self._keys, f"login:confirm:{attempt.id}", fingerprint=token.hash, good_until_ms=good_until_ms)
        commit.write(self._keys.login(attempt.id), version, attempt.to_json())
        commit.guard(self._keys.sessions(token.holder), token.epoch)
        for old in over:
            commit.rank(self._keys.index(f"tokens:{token.holder}"), old, None)
        write_token_record(commit, token, 0)
        commit.audit(audit)
        commit.put(effects)
        return await self._ran(commit)

    async def take(self, attempt: Attempt, version: int, taker: str, audit: Iterable[Audit]) -> bool:
        """Out of the store, for one `taker` of however many: False for all others."""
        commit = Commit(self._keys, f"login:take:{attempt.id}", fingerprint=taker, frees=True)
        commit.guard(self._keys.login(attempt.id), version)
        commit.drop(self._keys.login(attempt.id))
        commit.drop(self._keys.login_code(attempt.code))
        commit.audit(audit)
        return await self._ran(commit)

    async def note(self, entry: Audit, command_id: str) -> None:
        commit = Commit(self._keys, command_id, frees=True)
        commit.audit([entry])
        await commit.run(self._scripts, self._skew())

    async def count(self, name: str, window_ms: int) -> int:
        """How often this was counted since a window began, this time too."""
        return int(await self._scripts.run("count", [self._keys.count(name)], [window_ms]))

    async def uncount(self, name: str) -> None:
        """This time was none."""
        await self._scripts.run("uncount", [self._keys.count(name)], [])

    async def _ran(self, commit: Commit) -> bool:
        try:
            return (await commit.run(self._scripts, self._skew())).status in ("ok", "seen")
        except Conflict:  # the same act by somebody else
            return False
