"""Auth: whose program asks. A token is shown in each request, and nothing is remembered between two."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from store.model.errors import Forbidden
from store.model.token import Action, Bearer, Token, unknown_token
from store.redis.tokens import Tokens

AUTHORIZATION: Final = "Authorization"
SCHEME: Final = "bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    token: Token

    @property
    def person(self) -> str:
        """Raises `Forbidden` for a machine."""
        if self.token.kind != "person":
            raise Forbidden(
                "A machine's token cannot do this: it stands for nobody who could be asked.", code="machine"
            )
        return self.token.holder

    def demand(self, action: Action, target: str) -> None:
        """For what a machine may do only where it was let in. Raises `Forbidden`."""
        if self.token.kind == "machine" and not self.token.may(action, target):
            raise Forbidden(f"This token is not for {action} on {target}.", code="not_let_in")


class Auth:
    def __init__(self, tokens: Tokens, now_ms: Callable[[], int]) -> None:
        self._tokens = tokens
        self.now_ms = now_ms

    async def known(self, shown: Bearer) -> Caller:
        """Raises `Forbidden` (`bad_token`)."""
        return Caller(await self._tokens.show(shown, self.now_ms()))


def bearer(request: web.Request) -> Bearer:
    """Raises `Forbidden` (`no_token`, `bad_token`)."""
    given = request.headers.getall(AUTHORIZATION, [])
    if not given:
        raise no_token()
    scheme, _, shown = given[0].partition(" ")
    if len(given) > 1 or scheme.lower() != SCHEME:
        raise unknown_token()
    return Bearer.read(shown.strip())


def no_token() -> Forbidden:
    return Forbidden("Show a token: Authorization: Bearer …", code="no_token")
