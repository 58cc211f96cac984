"""Operations on tokens: whose one is, which there are, and how one ends."""

from collections.abc import Iterable
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from bot.http.answers import Shape, answer
from bot.http.api import Call, Operation
from bot.http.filed import Filed, Filing
from bot.http.shapes import Ticket, Words
from bot.slack.conversation import Conversation
from store.model.errors import NotFound
from store.model.identity import Target, TargetId, UserId
from store.model.request import Minting
from store.model.sealed import Sha256
from store.model.token import LIFETIME_LEAST_MS, LIFETIME_MOST_MS, Action, MachineName, Token, TokenId, Use
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


class Mint(Shape):
    """Who asks mints the secret and keeps it: `hash` is the SHA-256, hex, of the part behind the last underscore."""

    token: TokenId
    hash: Sha256
    name: MachineName
    targets: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(min_length=1, max_length=20)]
    actions: Annotated[tuple[Action, ...], Field(min_length=1, max_length=3)]
    lifetime_ms: Annotated[int, Field(ge=LIFETIME_LEAST_MS, le=LIFETIME_MOST_MS)]
    reason: Words = ""
    ticket: Ticket | None = None


class TokenOperations:
    def __init__(self, talk: Conversation, tokens: Tokens, uses: Uses, filing: Filing) -> None:
        self._asking = talk.asking
        self._policies = talk.policies
        self._directory = talk.directory
        self._tokens = tokens
        self._uses = uses
        self._filing = filing

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
                method="POST",
                keyed=True,
                path="/v1/tokens",
                name="askForToken",
                summary="Ask for a machine to be let in, as an owner. Its token works once the request is approved.",
                handle=self._ask,
                body=Mint,
                status=201,
                answer=Filed,
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
        if await self._policies.owned_by(user, self._directory):
            found += await self._tokens.machines()
        now_ms = self._uses.now_ms()
        found = [token for token in found if now_ms < token.ends_ms]
        uses = await self._uses.of(token.id for token in found)
        return answer(AllTokens(tokens=tuple(_listed(found, uses, user))))

    async def _ask(self, call: Call) -> web.StreamResponse:
        user, asked = call.known.person, call.body
        organization = (await self._policies.current()).organization
        machine = Minting(
            token=asked.token,
            hash=asked.hash,
            name=asked.name,
            targets=tuple(Target.parse(target, organization=organization).id for target in asked.targets),
            actions=asked.actions,
            lifetime_ms=asked.lifetime_ms,
        )
        outcome = await self._asking.machine(
            user, machine, reason=asked.reason, ticket=asked.ticket, door="terminal", command_id=call.command_id
        )
        return answer(await self._filing.done(outcome), 201)

    async def _revoke(self, call: Call) -> web.StreamResponse:
        user, wanted = call.known.person, call.path("token")
        token, _ = await self._tokens.find(wanted)
        mine = token is not None and token.kind == "person" and token.holder == user
        if token is None or not (
            mine or (token.kind == "machine" and await self._policies.owned_by(user, self._directory))
        ):
            raise NotFound("There is no such token, or it is not yours to revoke.")
        await self._tokens.revoke(token.id, user, f"revoke:{token.id}:{user}")
        return answer(Revoked(token=token.id))


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
