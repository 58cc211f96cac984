"""Operations on tokens: whose one is, which there are, and how one ends."""

from collections.abc import Callable, Iterable
from typing import Literal

from aiohttp import web

from bot.http.answers import Shape, answer
from bot.http.api import Call, Operation
from store.model.errors import NotFound
from store.model.identity import TargetId, UserId
from store.model.people import Directory
from store.model.token import Action, Token, TokenId, Use
from store.redis.policies import Policies
from store.redis.tokens import Tokens
from store.redis.uses import Uses


class Whoami(Shape):
    """`user` of a person; `targets` and `actions` of a machine."""

    token: TokenId
    kind: Literal["person", "machine"]
    name: str
    user: UserId | None = None
    targets: tuple[TargetId, ...] = ()
    actions: tuple[Action, ...] = ()
    expires_ms: int
    until_ms: int | None = None


class Listed(Whoami):
    """`mine`: whether it speaks for who asks. Times in milliseconds."""

    mine: bool
    created_ms: int
    address: str | None = None
    used_ms: int | None = None
    used_from: str | None = None
    asked_by: UserId | None = None  # of a machine's
    request: str | None = None


class AllTokens(Shape):
    tokens: tuple[Listed, ...]


class Revoked(Shape):
    token: TokenId


class TokenOperations:
    def __init__(
        self, tokens: Tokens, uses: Uses, policies: Policies, directory: Directory, now_ms: Callable[[], int]
    ) -> None:
        self._tokens = tokens
        self._uses = uses
        self._policies = policies
        self._directory = directory
        self._now_ms = now_ms

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET",
                path="/v1/whoami",
                name="whoami",
                summary="Whose token this is.",
                handle=self._whoami,
                answer=Whoami,
            ),
            Operation(
                method="GET",
                path="/v1/tokens",
                name="listTokens",
                summary="My sessions; for an owner the tokens of machines too.",
                handle=self._list,
                answer=AllTokens,
            ),
            Operation(
                method="DELETE",
                path="/v1/tokens/{token}",
                name="revokeToken",
                summary="End a session of mine; as an owner, the token of a machine.",
                handle=self._revoke,
                answer=Revoked,
            ),
        )

    async def _whoami(self, call: Call) -> web.StreamResponse:
        token = call.known.token
        return answer(
            Whoami(
                token=token.id,
                kind=token.kind,
                name=token.name,
                user=token.holder if token.kind == "person" else None,
                targets=token.targets,
                actions=token.actions,
                expires_ms=token.expires_ms,
                until_ms=token.until_ms,
            )
        )

    async def _list(self, call: Call) -> web.StreamResponse:
        user = call.known.person
        found = await self._tokens.of(user)
        if await self._owns(user):
            found += await self._tokens.machines()
        now_ms = self._now_ms()
        found = [token for token in found if now_ms < token.ends_ms]
        uses = await self._uses.of(token.id for token in found)
        return answer(AllTokens(tokens=tuple(_listed(found, uses, user))))

    async def _revoke(self, call: Call) -> web.StreamResponse:
        user, wanted = call.known.person, call.request.match_info["token"]
        token, _ = await self._tokens.find(wanted)
        mine = token is not None and token.kind == "person" and token.holder == user
        if token is None or not (mine or (token.kind == "machine" and await self._owns(user))):
            raise NotFound("There is no such token, or it is not yours to revoke.")
        await self._tokens.revoke(token.id, user, f"revoke:{token.id}:{user}")
        return answer(Revoked(token=token.id))

    async def _owns(self, user: str) -> bool:
        owners = (await self._policies.current()).owners
        return owners.has(user, await self._directory.people(owners.wanted)) is True


def _listed(tokens: Iterable[Token], uses: dict[str, Use], user: str) -> Iterable[Listed]:
    for token in tokens:
        use, person = uses.get(token.id), token.kind == "person"
        yield Listed(
            token=token.id,
            kind=token.kind,
            name=token.name,
            mine=person and token.holder == user,
            user=token.holder if person else None,
            targets=token.targets,
            actions=token.actions,
            expires_ms=token.expires_ms,
            until_ms=token.until_ms,
            created_ms=token.created_ms,
            address=token.address,
            used_ms=use.at_ms if use else None,
            used_from=use.address if use else None,
            asked_by=None if person else token.holder,
            request=token.request,
        )
