"""Live tokens for tests, straight into the store."""

import secrets
from typing import Any

from store.model.identity import request_id
from store.model.token import Token, write_token
from store.redis.tokens import Tokens

MINUTE_MS = 60_000


async def person_token(tokens: Tokens, user: str, now_ms: int, **changed: Any) -> str:
    """As a login would have given it to this person: what goes behind `Authorization: Bearer`."""
    fields: dict[str, Any] = {
        "kind": "person",
        "holder": user,
        "name": "laptop",
        "expires_ms": now_ms + 15 * MINUTE_MS,
        "until_ms": now_ms + 12 * 60 * MINUTE_MS,
        "epoch": await tokens.epoch(user),
    }
    return await _put(tokens, now_ms, {**fields, **changed})


async def machine_token(
    tokens: Tokens,
    now_ms: int,
    *,
    targets: tuple[str, ...] = ("payments/prod",),
    actions: tuple[str, ...] = ("read",),
    owner: str = "UOWNER",
    **changed: Any,
) -> str:
    """As an approved request would have made it."""
    fields: dict[str, Any] = {
        "kind": "machine",
        "holder": owner,
        "name": "ci",
        "targets": targets,
        "actions": actions,
        "expires_ms": now_ms + 90 * 24 * 60 * MINUTE_MS,
    }
    return await _put(tokens, now_ms, {**fields, **changed})


async def _put(tokens: Tokens, now_ms: int, fields: dict[str, Any]) -> str:
    identity = request_id(secrets.token_bytes(7))
    shown, kept = write_token(fields["kind"], identity, secrets.token_bytes(32))
    token = Token(**{"id": identity, "hash": kept, "created_ms": now_ms, **fields})
    await tokens.put(token, 0, f"test:{identity}", [])
    return shown.reveal().decode()
