"""A secret value on its way through the program: where it lies, and everywhere else, where it must not."""

import io
import json
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from playground import seed
from playground.house import House
from playground.slack.sight import text_of
from store.model.policy import MINUTE
from store.model.secret import Secret
from tests.servers import Server
from tests.stories import evidence
from tests.stories.everywhere import ENTERED, SHOWN, searched
from tests.stories.people import again, approved, asks, command, modal, own_card, press, quiet, request_of, says

CANARY: Final = "c4naRy-7Yq=\"zw1tschert9\" läut & 'hell'"
NAME: Final = "BIRD"


@pytest.mark.seeded
async def test_a_secret_value_is_nowhere_but_where_it_was_typed_and_where_it_is_shown(
    heard: io.StringIO,
    house: House,
    real_redis: Redis,
    real_server: Server,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await typed_wrongly(house)
    await broken_in_the_middle(house, monkeypatch)
    await asked_merged_and_shown(house)
    await quiet(house)

    places = await searched(house, heard, real_redis, real_server, capfd)
    for name, content in places.items():
        print(f"searched: {name}, {len(content):,} bytes")  # noqa: T201 - what was looked at is a part of the answer
    found = sorted(name for name, content in places.items() if evidence.holds(content, CANARY))
    assert found == [ENTERED, SHOWN]
    assert all(places.values()), "an empty place was not searched"
    for place, certain in CERTAIN.items():  # the search itself finds what is known to be there
        assert certain in places[place], place


CERTAIN: Final = {
    "log": b"listener failed",
    "append-only file": b"ZADD",
    "Redis": b"INC-7",
    "calls to Slack": b"chat.postMessage",
    "what Slack sent": b"block_actions",
    "messages": b"Merged as version 3",
    "hook deliveries": b'"environment_version":3',
    "files of the program": b"countersign-key",
    "metrics": b"countersign_commands_total",
}


async def typed_wrongly(house: House) -> None:
    """In the wrong field's shape, so that every complaint has it at hand."""
    await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request change payments/prod")
    for lines in (CANARY.replace("=", "-"), f"1{NAME}={CANARY}", f"{NAME}={CANARY}\n{NAME}={CANARY}"):
        seen = await submitted(house, lines)
        assert seen.errors
        assert "c4naRy" not in str(seen.errors)


async def submitted(house: House, lines: str) -> Any:
    values: dict[str, dict[str, Any]] = {"set:payments/prod": {"set": lines}, "reason": {"reason": "INC-7"}}
    return await house.workspace.submit(seed.ROSA, modal(house, seed.ROSA).id, values)


async def broken_in_the_middle(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors whose words, causes and local variables hold the value: before it is sealed, and after."""

    async def before(*_: object, **held: object) -> None:
        plain = CANARY
        raise ValueError(f"cannot seal {plain}: {held}")

    async def after(*arguments: Any, **_: object) -> None:
        try:
            json.loads(CANARY)
        except ValueError as error:
            raise RuntimeError(f"{CANARY} {arguments}") from error

    for broken, where in ((before, house.app.environments), (after, house.app.requests)):
        name = "seal" if where is house.app.environments else "submit"
        with monkeypatch.context() as patched:
            patched.setattr(where, name, broken)
            await submitted(house, f"{NAME}={CANARY}")
        assert "Something went wrong on our side." in text_of(modal(house, seed.ROSA))
        await house.workspace.close(seed.ROSA, modal(house, seed.ROSA).id)
        await house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", "request change payments/prod")
    await house.workspace.close(seed.ROSA, modal(house, seed.ROSA).id)


async def asked_merged_and_shown(house: House) -> None:
    lines: dict[str, dict[str, Any]] = {
        "set:payments/prod": {"set": f"{NAME}={CANARY}"},
        "reason": {"reason": "INC-7"},
    }
    change = await asks(house, seed.ROSA, "change payments/prod", lines)
    for user in (seed.BEN, seed.INES):
        await press(house, user, again(house, change), "approve")
    await says(house, change, "Merged as version 3")

    asked = await asks(house, seed.ROSA, "open payments/prod for 15m because INC-7")
    await approved(house, asked, seed.BEN)
    activate = await own_card(house, seed.ROSA, request_of(asked), button="activate")
    await press(house, seed.ROSA, activate, "activate")
    await says(house, asked, "has access now")
    active = await own_card(house, seed.ROSA, request_of(asked), "What next", button="show_values")
    for code in (
        "internal_error",
        "invalid_arguments",
        "expired_trigger_id",
    ):  # the view is at hand when Slack refuses it
        house.workspace.faults.error("views.open", code)
        await press(house, seed.ROSA, active, "show_values")
    house.workspace.faults.reset("views.open")
    await press(house, seed.ROSA, active, "show_values")
    await press(house, seed.ROSA, active, "show_values")
    assert CANARY in text_of(modal(house, seed.ROSA))
    await house.workspace.open_home(seed.ROSA)
    await command(house, seed.ROSA, f"show {request_of(change)}")
    await house.advance(15 * MINUTE)
    await says(house, asked, "Ended by itself")


def test_the_search_knows_a_value_in_every_dress_it_may_wear() -> None:
    secret = Secret(CANARY.encode())
    assert not evidence.holds(repr(secret).encode() + str(secret).encode(), CANARY)
    for dress in evidence.spellings(CANARY):
        assert evidence.holds(b"before " + dress + b" after", CANARY)
    assert evidence.holds(json.dumps([{"a": CANARY}]).encode(), CANARY)
    assert evidence.holds(json.dumps([{"a": CANARY}], ensure_ascii=False).encode(), CANARY)
    assert evidence.holds(json.dumps(repr({"a": CANARY})).encode(), CANARY)
    assert not evidence.holds(b"nothing of the kind", CANARY)
