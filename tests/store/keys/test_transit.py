"""Transit, against a real OpenBao where there is one."""

import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.keys.ring import Keyring
from store.keys.transit import Transit
from store.model.errors import Invalid, Unavailable
from tests.store.keys import openbao
from tests.store.keys.holders import Draws, Memory
from tests.store.keys.openbao import ROOT, Bao

KEY = bytes(range(32))


@pytest.fixture
async def bao() -> AsyncIterator[Bao]:
    async with openbao.running() as found:
        yield found


@pytest.fixture
def token(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text(f"{ROOT}\n")
    return file


@pytest.fixture
async def holder(bao: Bao, token: Path) -> AsyncIterator[Transit]:
    found = Transit(f"transit+{bao.url}/transit/countersign", token, random=Draws())
    yield found
    await found.close()


async def refusal(holder: Transit) -> str:
    with pytest.raises(Unavailable) as caught:
        await holder.wrap(KEY, b"context")
    return caught.value.detail


async def test_a_key_comes_back_under_its_context_also_after_the_engine_rotated(holder: Transit, bao: Bao) -> None:
    wrapped = await holder.wrap(KEY, b"context")
    await bao.ask("POST", "transit/keys/countersign/rotate")
    assert await holder.unwrap(wrapped, b"context") == KEY
    assert await holder.wrap(KEY, b"context") != wrapped
    await holder.challenge()


async def test_another_context_and_an_altered_key_are_refused_as_altered(holder: Transit) -> None:
    wrapped = await holder.wrap(KEY, b"context")
    flipped = wrapped[:-6] + (b"A" if wrapped[-6:-5] != b"A" else b"B") + wrapped[-5:]
    for blob, context in (
        (wrapped, b"other"),
        (flipped, b"context"),
        (b"vault:v9:AAAA", b"context"),
        (b"\0", b"context"),
    ):
        with pytest.raises(Unavailable) as caught:
            await holder.unwrap(blob, context)
        assert caught.value.detail == "tampered", blob


async def test_it_does_a_holders_work_for_a_keyring(holder: Transit) -> None:
    ring = Keyring([holder, Memory("beside")], "abc123", Draws("ring"), lambda: 0.0)
    epoch, key = await ring.mint("f00d", secure=True)
    assert (await Keyring([holder], "abc123", Draws("again"), lambda: 0.0).open(epoch)).commitment == key.commitment


async def test_a_token_is_read_at_each_use_and_one_without_the_right_is_refused(
    holder: Transit, bao: Bao, token: Path
) -> None:
    token.write_text(secrets.token_hex(8))
    assert await refusal(holder) == "token"
    token.write_text("")
    assert await refusal(holder) == "token"
    token.unlink()
    assert await refusal(holder) == "token"
    rules = 'path "transit/encrypt/countersign" { capabilities = ["update"] }'
    await bao.ask("PUT", "sys/policies/acl/wraps", policy=rules)
    made = await bao.ask("POST", "auth/token/create", policies=["wraps"])
    token.write_text(made["auth"]["client_token"])  # type: ignore[index]
    wrapped = await holder.wrap(KEY, b"context")
    with pytest.raises(Unavailable) as caught:
        await holder.unwrap(wrapped, b"context")
    assert caught.value.detail == "token"


async def test_a_key_or_an_engine_that_is_not_there_is_said(bao: Bao, token: Path) -> None:
    for path, code in (("transit/other", "token"), ("nowhere/countersign", "transit")):
        made = await bao.ask("POST", "auth/token/create", policies=["default"])
        if path == "transit/other":
            token.write_text(made["auth"]["client_token"])  # type: ignore[index]
        else:
            token.write_text(ROOT)
        holder = Transit(f"transit+{bao.url}/{path}", token, random=Draws())
        assert await refusal(holder) == code
        await holder.close()


async def test_a_server_that_is_not_there_is_said(token: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = Transit(f"transit+http://127.0.0.1:{free.getsockname()[1]}/transit/countersign", token, random=Draws())
        assert await refusal(dead) == "no_answer"
        await dead.close()


async def test_a_sealed_server_is_said(holder: Transit, bao: Bao) -> None:
    await bao.ask("PUT", "sys/seal")
    assert await refusal(holder) == "sealed"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "https://vault:8200/transit/countersign",
        "transit+http://vault:8200/transit/countersign",
        "transit+https://vault:8200/transit",
        "transit+https://vault:8200/",
        "transit+https://a:b@vault:8200/transit/countersign",
        "transit+https://vault:8200/transit/countersign?x=1",
        "transit+https://vault:8200/transit/../countersign?x",
    ],
)
def test_an_address_is_a_mount_and_a_key(tmp_path: Path, address: str) -> None:
    with pytest.raises(Invalid, match="Write its address, its mount and its name"):
        Transit(address, tmp_path / "token", random=Draws())


def test_a_fingerprint_is_of_the_place(tmp_path: Path) -> None:
    def fingerprint(address: str, namespace: str = "") -> str:
        return Transit(f"transit+{address}", tmp_path / "token", random=Draws(), namespace=namespace).fingerprint

    places = [
        fingerprint("https://vault:8200/transit/countersign"),
        fingerprint("https://vault:8201/transit/countersign"),
        fingerprint("https://vault:8200/other/countersign"),
        fingerprint("https://vault:8200/transit/other"),
        fingerprint("https://vault:8200/transit/countersign", "team"),
    ]
    assert len(set(places)) == len(places)
    assert fingerprint("https://vault:8200/transit/countersign") == places[0]
