"""Login over HTTP: a computer asks for a token, fetches it once it is confirmed in Slack, renews it and gives it back."""

from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, StringConstraints

from bot.http.addresses import Addresses
from bot.http.answers import Shape, answer
from bot.http.api import Call, Operation
from bot.http.waiting import Wait, Waiting
from bot.logging_in import HOST_MOST, LoggingIn, network
from bot.slack.views.words import cleaned
from store.model.errors import Invalid
from store.model.identity import UserId
from store.model.login import spelled
from store.model.token import PublicKey, TokenId
from store.redis.tokens import Tokens

Poll = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{43}$")]
Nonce = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{16,64}$")]
Signature = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{86}$")]


class Ask(Shape):
    """`host` is what the computer calls itself; `seals` its X25519 and `signs` its Ed25519 public key, base64url."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    seals: PublicKey
    signs: PublicKey


class Asked(Shape):
    """`code` is typed in Slack: `/countersign login CODE`. `poll` is for the computer alone."""

    login: TokenId
    code: str
    poll: str
    expires_ms: int


class Fetch(Shape):
    poll: Poll
    wait_s: Wait = 0


class Withdraw(Shape):
    poll: Poll


class Fetched(Shape):
    """`sealed` opens with the private half of `seals`. It is answered once."""

    status: Literal["waiting", "confirmed"]
    sealed: str | None = None
    token: TokenId | None = None
    expires_ms: int | None = None
    until_ms: int | None = None
    user: UserId | None = None


class Renew(Shape):
    """`signature`: Ed25519 over the length-prefixed fields `countersign renewal 1`, token, at_ms, nonce (decision 0008)."""

    token: TokenId
    at_ms: Annotated[int, Field(ge=0, lt=2**53)]
    nonce: Nonce
    signature: Signature


class Renewed(Shape):
    sealed: str
    expires_ms: int


class Done(Shape):
    sentence: str


class LoginOperations:
    def __init__(self, logging_in: LoggingIn, tokens: Tokens, addresses: Addresses, waiting: Waiting) -> None:
        self._logging_in = logging_in
        self._tokens = tokens
        self._addresses = addresses
        self._waiting = waiting

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="POST",
                path="/v1/login",
                name="askToLogIn",
                summary="Begin to log a computer in. Its code is then typed in Slack.",
                handle=self._ask,
                body=Ask,
                answer=Asked,
                status=201,
                open_to_all=True,
            ),
            Operation(
                method="POST",
                path="/v1/login/renew",
                name="renewToken",
                summary="A new secret for the same session, to the computer that proves itself.",
                handle=self._renew,
                body=Renew,
                answer=Renewed,
                open_to_all=True,
            ),
            Operation(
                method="POST",
                path="/v1/login/{login}",
                name="fetchToken",
                summary="Fetch the token, once, when the login was confirmed in Slack.",
                handle=self._fetch,
                body=Fetch,
                answer=Fetched,
                open_to_all=True,
            ),
            Operation(
                method="POST",
                path="/v1/login/{login}/withdraw",
                name="withdrawLogin",
                summary="The login is not wanted any more.",
                handle=self._withdraw,
                body=Withdraw,
                answer=Done,
                open_to_all=True,
            ),
            Operation(
                method="DELETE",
                path="/v1/login",
                name="logOut",
                summary="End the session whose token is shown.",
                handle=self._log_out,
                answer=Done,
            ),
        )

    async def _ask(self, call: Call) -> web.StreamResponse:
        host = cleaned(call.body.host, HOST_MOST)
        if not host:
            raise Invalid("Say which computer asks.", code="bad_body")
        begun = await self._logging_in.ask(host, call.body.seals, call.body.signs, self._addresses.of(call.request))
        attempt = begun.attempt
        told = Asked(login=attempt.id, code=spelled(attempt.code), poll=begun.poll, expires_ms=attempt.expires_ms)
        return answer(told, 201)

    async def _fetch(self, call: Call) -> web.StreamResponse:
        login, body = call.path("login"), call.body
        found = await self._waiting.until(
            lambda: self._logging_in.fetch(login, body.poll),
            news=lambda found: found is not None,
            records=lambda _: (self._logging_in.record(login),),
            wait_s=body.wait_s,
            who=network(self._addresses.of(call.request)),  # nobody has said yet who they are
            request=call.request,
        )
        if found is None:
            return answer(Fetched(status="waiting"))
        return answer(
            Fetched(
                status="confirmed",
                sealed=found.sealed,
                token=found.id,
                expires_ms=found.token_expires_ms,
                until_ms=found.until_ms,
                user=found.by,
            )
        )

    async def _withdraw(self, call: Call) -> web.StreamResponse:
        await self._logging_in.withdraw(call.path("login"), call.body.poll)
        return answer(Done(sentence="Withdrawn."))

    async def _renew(self, call: Call) -> web.StreamResponse:
        proof = call.body
        address = self._addresses.of(call.request)
        renewed = await self._logging_in.renew(proof.token, proof.at_ms, proof.nonce, proof.signature, address)
        return answer(Renewed(sealed=renewed.sealed, expires_ms=renewed.expires_ms))

    async def _log_out(self, call: Call) -> web.StreamResponse:
        token = call.known.token
        user = call.known.person
        await self._tokens.revoke(token.id, user, f"logout:{token.id}")
        return answer(Done(sentence="Logged out: this token ends here."))
