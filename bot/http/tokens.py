"""Operations on the token that is shown itself."""

from typing import Final, Literal

from aiohttp import web

from bot.http.answers import Shape, answer
from bot.http.api import Call, Operation
from store.model.identity import TargetId, UserId
from store.model.token import Action, TokenId


class Whoami(Shape):
    """`user` of a person; `targets` and `actions` of a machine."""

    token: TokenId
    kind: Literal["person", "machine"]
    name: str
    user: UserId | None = None
    targets: tuple[TargetId, ...] = ()
    actions: tuple[Action, ...] = ()
    expires_ms: int


async def whoami(call: Call) -> web.StreamResponse:
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
        )
    )


OPERATIONS: Final = (
    Operation(
        method="GET", path="/v1/whoami", name="whoami", summary="Whose token this is.", handle=whoami, answer=Whoami
    ),
)
