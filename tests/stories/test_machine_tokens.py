"""Machine tokens: an owner asks, the rule of the policies decides, and what works then is what the owner's computer has made."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from playground import seed
from playground.house import House
from playground.slack.sight import text_of
from store.model.token import DAY_MS
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.evidence import everything_in
from tests.stories.people import audited, card, home, page, press, quiet, says
from tests.stories.terminal import Said, Terminal
from tests.tokens import person_token

WANTED = (
    "token",
    "create",
    "--name",
    "ci",
    "--target",
    "payments/prod",
    "--action",
    "read",
    "--for",
    "90d",
    "--reason",
    "CI reads",
)
POLICIES = rules.policies(
    "name: change the policies, targets: [policy:main], actions: [policy], requesters: {users: [ana@example.com, rosa@example.com]}, "
    "approvals: [{count: 1, from: {groups: [payments-leads]}}]",
    targets=(rules.PROD, "policy:main: {channel: C0APPROVALS}"),
)


@pytest.fixture
async def house(open_house: OpenHouse) -> House:
    return await open_house(policies=POLICIES)


@pytest.fixture
async def ana(house: House, tmp_path: Path) -> AsyncIterator[Terminal]:
    """Somebody who owns, logged in."""
    terminal = Terminal(house, tmp_path / "ana", {"COUNTERSIGN_TOKEN": await session(house, seed.ANA)})
    yield terminal
    await terminal.close()


async def session(house: House, user: str) -> str:
    return await person_token(house.app.tokens, user, house.now_ms())


async def call(house: House, token: str, path: str) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{house.app.http.port}{path}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"}) as http,
        http.get(url) as response,
    ):
        return response.status, await response.json()


async def approved(house: House) -> None:
    asked = await card(house, "Waiting for approval", "let in the machine `ci`", "at a terminal")
    assert "at a terminal of the machine" not in text_of(asked)  # over HTTP, by somebody who is logged in
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Merged")
    await quiet(house)


async def test_from_the_question_to_the_last_use(house: House, ana: Terminal) -> None:
    said = await ana.run(*WANTED)
    assert said.code == 0, said
    token = said.out.strip()
    assert token.startswith("csm_")
    assert (await call(house, token, "/v1/whoami"))[0] == 401  # not before it is approved

    shown = text_of(await card(house, "Waiting for approval"))
    for words in ("let in the machine `ci`", "read the secrets of `payments/prod`", "90 days", "CI reads", "<@U0ANA>"):
        assert words in shown, shown
    await approved(house)

    status, who = await call(house, token, "/v1/whoami")
    assert (status, who["kind"], who["targets"], who["actions"]) == (200, "machine", ["payments/prod"], ["read"])
    minted = next(entry for _, entry in await house.app.audit.newest(most=50) if entry.event == "token.minted")
    assert (minted.actor, minted.details["targets"], minted.request) == (seed.BEN, "payments/prod", who_asked(said))

    await house.app.uses.drain()
    listed = json.loads((await ana.run("token", "ls", "-o", "json")).out)
    machine = next(one for one in listed if one["kind"] == "machine")
    assert (machine["name"], machine["asked_by"], machine["used_from"]) == ("ci", seed.ANA, "127.0.0.1")
    assert "`payments/prod`" in text_of(await page(house, seed.ANA, "signedin", "Machines", "last used"))


def who_asked(said: Said) -> str:
    return said.err.split("Request ")[1].partition(":")[0]


async def test_only_the_hash_of_it_ever_leaves_the_owners_computer(house: House, ana: Terminal) -> None:
    secret = (await ana.run(*WANTED)).out.strip().split("_", 2)[2]
    await approved(house)
    assert not [key for key, held in (await everything_in(house.app.redis)).items() if secret.encode() in held]
    assert secret not in repr(house.workspace.calls)


async def test_who_does_not_own_asks_for_none(house: House, tmp_path: Path) -> None:
    rosa = Terminal(house, tmp_path / "rosa", {"COUNTERSIGN_TOKEN": await session(house, seed.ROSA)})
    said = await rosa.run(*WANTED)
    assert (said.code, said.out) == (3, "")
    assert "Only owners" in said.err
    assert (await audited(house, "attempt.refused", seed.ROSA))["code"] == "forbidden"


async def test_a_denied_one_never_works(house: House, ana: Terminal) -> None:
    token = (await ana.run(*WANTED)).out.strip()
    asked = await card(house, "let in the machine `ci`")
    await press(house, seed.BEN, asked, "deny")
    await house.workspace.submit(seed.BEN, house.workspace.modal(seed.BEN).id, {"reason": {"reason": "no"}})
    await says(house, asked, "Denied")
    assert (await call(house, token, "/v1/whoami"))[0] == 401


async def test_a_revoked_one_is_refused_at_once(house: House, ana: Terminal) -> None:
    token = (await ana.run(*WANTED)).out.strip()
    await approved(house)
    said = await ana.run("token", "revoke", token.split("_")[1])
    assert said.code == 0, said
    assert (await call(house, token, "/v1/whoami"))[0] == 401


async def test_an_owner_revokes_it_on_home(house: House, ana: Terminal) -> None:
    token = (await ana.run(*WANTED)).out.strip()
    await approved(house)
    await house.app.tokens.end_all(seed.ANA, seed.ANA, "all", "asked")  # a machine goes on
    assert (await call(house, token, "/v1/whoami"))[0] == 200
    await page(house, seed.ANA, "signedin", "Machines")
    await house.workspace.home_action(seed.ANA, "home_revoke")
    await home(house, seed.ANA, "countersign token create")
    assert (await call(house, token, "/v1/whoami"))[0] == 401


async def test_who_does_not_own_neither_sees_nor_revokes_it(house: House, ana: Terminal) -> None:
    token = (await ana.run(*WANTED)).out.strip()
    await approved(house)
    theirs = await session(house, seed.ROSA)
    assert [one["kind"] for one in (await call(house, theirs, "/v1/tokens"))[1]["tokens"]] == ["person"]
    url = f"http://127.0.0.1:{house.app.http.port}/v1/tokens/{token.split('_')[1]}"
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {theirs}"}) as http,
        http.delete(url) as response,
    ):
        assert response.status == 404
    assert (await call(house, token, "/v1/whoami"))[0] == 200


async def test_who_asked_hears_of_its_end_once_and_then_it_ends(house: House, ana: Terminal) -> None:
    token = (await ana.run(*WANTED)).out.strip()
    await approved(house)
    await house.advance(83 * DAY_MS)
    await house.app.expiries.look()
    await quiet(house)
    await house.app.expiries.look()
    await quiet(house)
    told = [text for text in map(text_of, house.workspace.dm(seed.ANA)) if "The token of a machine ends" in text]
    assert len(told) == 1
    assert "ci" in told[0]
    assert (await call(house, token, "/v1/whoami"))[0] == 200
    await house.advance(7 * DAY_MS)
    assert (await call(house, token, "/v1/whoami"))[0] == 401


@pytest.mark.parametrize(
    ("changed", "code", "word"),
    [
        (("--for", "1y"), 2, "90d"),
        (("--for", "400d"), 2, "366 days"),
        (("--name", "CI!"), 2, "name"),
        (("--target", "payments/nowhere"), 2, "no target"),
        (("--target", "policy:main"), 2, "is none"),
        (("--action", "write"), 2, "action"),
    ],
)
async def test_what_makes_no_sense_is_refused_with_a_sentence(
    ana: Terminal, changed: tuple[str, str], code: int, word: str
) -> None:
    words = list(WANTED)
    words[words.index(changed[0]) + 1] = changed[1]
    said = await ana.run(*words)
    assert (said.code, said.out) == (code, ""), said
    assert word in said.err, said
