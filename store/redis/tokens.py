"""Tokens: who may speak through a program, and since when no longer. The secrets in them are known by their hashes."""

from collections.abc import Iterable
from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.errors import Conflict
from store.model.token import Bearer, Token, unknown_token
from store.redis.clock import Skew, now_ms
from store.redis.commit import Commit, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts

ATTEMPTS: Final = 12  # how often somebody else may be faster before we give up


class Tokens:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def show(self, bearer: Bearer, at_ms: int) -> Token:
        """The token that was shown, if it lives at `at_ms`. Raises `Forbidden`."""
        token, _ = await self.find(bearer.id)
        if token is None or not bearer.fits(token) or not token.lives(at_ms, await self.epoch(token.holder)):
            raise unknown_token()
        return token

    async def find(self, token_id: str) -> tuple[Token | None, int]:
        """The token and its version, 0 for one that never was."""
        body, version = await self._redis.hmget(self._keys.token(token_id), ["body", "version"])
        return (Token.from_json(body) if body is not None else None), int(version or 0)

    async def of(self, holder: str, *, most: int) -> list[Token]:
        """Those of one person that were not revoked, newest first; some may be over."""
        ids = await self._redis.zrange(self._keys.index(f"tokens:{holder}"), 0, most - 1, desc=True)
        found = [(await self.find(text(one)))[0] for one in ids]
        return [token for token in found if token is not None]

    async def epoch(self, holder: str) -> int:
        return int(await self._redis.hget(self._keys.sessions(holder), "version") or 0)

    async def put(self, token: Token, version: int, command_id: str, audit: Iterable[Audit]) -> None:
        """Raises `Conflict` when somebody else has written it since, and `Unavailable`."""
        commit = Commit(self._keys, command_id, fingerprint=token.hash, frees=token.revoked_ms is not None)
        write_token_record(commit, token, version)
        commit.audit(audit)
        if (await commit.run(self._scripts, self._skew())).status != "ok":
            raise Conflict("This token was changed a moment ago. Look again.", code="moved")

    async def revoke(self, token_id: str, actor: str, command_id: str) -> Token:
        """Ends it for good; again is the same. Raises `Forbidden` for one that never was."""
        for _ in range(ATTEMPTS):
            token, version = await self.find(token_id)
            if token is None:
                raise unknown_token()
            if token.revoked_ms is not None:
                return token
            at_ms = await now_ms(self._redis, self._skew)
            ended = token.model_copy(update={"revoked_ms": at_ms})
            entry = Audit(
                event="token.revoked", actor=actor, at_ms=at_ms, details={"token": token.id, "holder": token.holder}
            )
            try:
                await self.put(ended, version, command_id, [entry])
            except Conflict:
                continue
            return ended
        raise Conflict("Too many people act on this at the same time. Try again in a moment.", code="contended")


def write_token_record(commit: Commit, token: Token, version: int) -> None:
    """And what the reading script looks at, beside it."""
    keys = commit.keys
    commit.write(
        keys.token(token.id),
        version,
        token.to_json(),
        {
            "kind": token.kind,
            "holder": token.holder,
            "hash": token.hash,
            "until": 0 if token.revoked_ms is not None else token.expires_ms,
            "epoch": token.epoch,
            "targets": "".join(f" {target} " for target in token.targets),
            "actions": "".join(f" {action} " for action in token.actions),
        },
    )
    commit.rank(
        keys.index(f"tokens:{token.holder}"), token.id, None if token.revoked_ms is not None else token.created_ms
    )
