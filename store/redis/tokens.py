"""Tokens: who may speak through a program, and since when no longer. The secrets in them are known by their hashes."""

from collections.abc import Collection, Iterable
from typing import Final

from redis.asyncio import Redis

from store.model.audit import Audit
from store.model.effect import TellToken
from store.model.errors import Conflict
from store.model.token import MACHINES, Bearer, Token, unknown_token
from store.redis.clock import Skew, now_ms
from store.redis.commit import TRIES, Commit, contended, text
from store.redis.keys import Keys
from store.redis.scripts import Scripts
from store.redis.stored import stored

MOST: Final = 200  # tokens of one holder, or machines, that are ever listed


class Tokens:
    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, skew: Skew) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._skew = skew

    async def show(self, bearer: Bearer, at_ms: int) -> Token:
        """The token that was shown, if it lives at `at_ms`. Raises `Forbidden`."""
        body, epoch = await self._scripts.run("show", [self._keys.token(bearer.id)], [self._keys.prefix])
        token = Token.from_json(body) if body is not None else None
        if token is None or not bearer.fits(token) or not token.lives(at_ms, int(epoch)):
            raise unknown_token()
        return token

    async def find(self, token_id: str) -> tuple[Token | None, int]:
        """The token and its version, 0 for one that is not there."""
        return await stored(self._redis, self._keys.token(token_id), Token)

    async def of(self, holder: str, *, most: int = MOST) -> list[Token]:
        """The sessions of one person that were not revoked, newest first; some may be over. `MACHINES`: the machines' tokens."""
        ids = list(map(text, await self._redis.zrange(self._keys.index(f"tokens:{holder}"), 0, most - 1, desc=True)))
        async with self._redis.pipeline(transaction=False) as pipe:
            for one in ids:
                pipe.hget(self._keys.token(one), "body")
            bodies = await pipe.execute()
        if gone := [one for one, body in zip(ids, bodies, strict=True) if body is None]:
            await self._redis.zrem(self._keys.index(f"tokens:{holder}"), *gone)
        found = [Token.from_json(body) for body in bodies if body is not None]
        return [token for token in found if token.revoked_ms is None]

    async def machines(self, *, most: int = MOST) -> list[Token]:
        return await self.of(MACHINES, most=most)

    async def epoch(self, actor: str) -> int:
        return int(await self._redis.hget(self._keys.sessions(actor), "version") or 0)

    async def over(self, holder: str, live: Collection[str]) -> list[str]:
        """What is still listed of this person, and is none of these."""
        ids = await self._redis.zrange(self._keys.index(f"tokens:{holder}"), 0, -1)
        return [one for one in map(text, ids) if one not in live]

    async def put(
        self, token: Token, version: int, command_id: str, audit: Iterable[Audit], *, good_until_ms: int | None = None
    ) -> None:
        """Raises `Conflict` when it, or all sessions of its holder, were written since, or the id was used for another; and `Unavailable`."""
        frees = token.revoked_ms is not None
        commit = Commit(self._keys, command_id, fingerprint=token.hash, frees=frees, good_until_ms=good_until_ms)
        if not frees:
            commit.guard(self._keys.sessions(token.actor), token.epoch)
        write_token_record(commit, token, version)
        commit.audit(audit)
        if (await commit.run(self._scripts, self._skew())).status in ("moved", "late"):
            raise Conflict("This token was changed a moment ago. Look again.", code="moved")

    async def revoke(self, token_id: str, actor: str, command_id: str) -> Token:
        """Ends it for good; again is the same. Raises `Forbidden` for one that is not there."""
        for _ in range(TRIES):
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
            except Conflict as error:
                if error.detail != "moved":
                    raise
                continue
            return ended
        raise contended()

    async def expiring(self, before_ms: int, *, most: int) -> list[Token]:
        """Machines' tokens of whose end nobody was told yet, and should be."""
        ids = await self._redis.zrangebyscore(self._keys.index("expiring"), "-inf", before_ms, start=0, num=most)
        found = []
        for one in map(text, ids):
            token, _ = await self.find(one)
            if token is None:
                await self._redis.zrem(self._keys.index("expiring"), one)
            else:
                found.append(token)
        return found

    async def warned(self, token: Token) -> None:
        """Who asked for it is told that it ends."""
        commit = Commit(self._keys, f"token:warned:{token.id}", frees=True)
        commit.rank(self._keys.index("expiring"), token.id, None)
        commit.put(
            [TellToken(news="expires", to=token.holder, token=token.id, name=token.name, at_ms=token.expires_ms)]
        )
        await commit.run(self._scripts, self._skew())

    async def end_all(self, user: str, actor: str, command_id: str, why: str) -> bool:
        """Ends every session of this person, those that nobody knows of too. False when this command had done it before."""
        for _ in range(TRIES):
            version = await self.epoch(user)
            at_ms = await now_ms(self._redis, self._skew)
            commit = Commit(self._keys, command_id, fingerprint=f"end-all {user}", frees=True)
            commit.write(self._keys.sessions(user), version, "")
            commit.drop(self._keys.index(f"tokens:{user}"))
            commit.audit([Audit(event="login.ended", actor=actor, at_ms=at_ms, details={"user": user, "why": why})])
            if (done := await commit.run(self._scripts, self._skew())).status != "moved":
                return done.status == "ok"
        raise contended()


def write_token_record(commit: Commit, token: Token, version: int) -> None:
    """And what the reading script looks at, beside it. The record goes by itself some time after its end."""
    keys = commit.keys
    commit.write(
        keys.token(token.id),
        version,
        token.to_json(),
        {
            "kind": token.kind,
            "holder": token.actor,
            "hash": token.hash,
            "until": 0 if token.revoked_ms is not None else token.expires_ms,
            "epoch": token.epoch,
            "targets": "".join(f" {target} " for target in token.targets),
            "actions": "".join(f" {action} " for action in token.actions),
            "only": token.version or "",
            "deploy": token.deploy or "",
        },
    )
    commit.expire(keys.token(token.id), token.kept_ms)
    if token.kind == "machine":
        commit.rank(keys.index("expiring"), token.id, token.warns_ms)
    shelf = keys.index(f"tokens:{token.shelf}")
    commit.rank(shelf, token.id, None if token.revoked_ms is not None else token.created_ms)
    if token.deploy is not None:
        commit.expire(shelf, token.kept_ms)
