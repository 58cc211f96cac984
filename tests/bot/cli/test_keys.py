"""`keys` beside the running program: who holds keys, and what is done with them at the machine."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.main import build
from bot.settings import Settings
from playground import seed
from playground.house import SEEDED, House
from playground.slack.sight import text_of
from store.model.roster import spaced
from tests.bot.cli.conftest import Run
from tests.stories import rules
from tests.stories.people import again, card, own_card, press, says
from tests.stories.test_policies import GUARD, MAIN

STAGING = "payments/staging: {channel: C0APPROVALS, values_in_slack: enter_and_show}"
CHANGES = f"name: both, targets: [payments/prod, payments/staging], actions: [change, open], {rules.DEVELOPERS}, {rules.ONE_LEAD}"
AS_ANA = ("--as", "ana@example.com", "--because", "a third disk")


@pytest.fixture
async def lived_in(tmp_path: Path) -> AsyncIterator[House]:
    folder = tmp_path / "house"
    folder.mkdir(mode=0o700)
    (folder / "policies.yml").write_text(
        rules.policies(CHANGES, GUARD, targets=(rules.PROD, STAGING, MAIN)), encoding="utf-8"
    )
    (folder / SEEDED).touch()
    house = House(folder)
    await house.open()
    await house.move_in()
    await house.workspace.wait_for(lambda: house.workspace.bot_connected)
    yield house
    for app in house.apps:
        await app.stop()
    house.apps.clear()
    await house.shut()


@pytest.fixture
def environ(lived_in: House) -> dict[str, str]:
    return lived_in.environ()


def with_third(lived_in: House) -> tuple[Path, dict[str, str]]:
    """The settings name one more, whose file is not there yet."""
    folder = lived_in.folder / "bot" / "keys"
    paths = [folder / "first.key", folder / "second.key", lived_in.folder / "third.key"]
    return paths[2], {**lived_in.environ(), "COUNTERSIGN_KEYS": ",".join(map(str, paths))}


async def test_the_list_says_who_holds_what_and_where_a_last_copy_is(
    lived_in: House, environ: dict[str, str], run_here: Run
):
    ran = await run_here("keys", "list", **environ)
    assert (ran.code, ran.err) == (0, "")
    first, second, prod = ran.out.splitlines()
    assert re.fullmatch(r"first\.key\tworks\t(?:[0-9a-f]{4} ){7}[0-9a-f]{4}\t/.*/first\.key", first)
    assert second.startswith("second.key\tworks\t")
    assert prod == "payments/prod\tkey 1\t\tfirst.key, second.key"
    (lived_in.folder / "bot" / "keys" / "second.key").rename(lived_in.folder / "away")
    found = json.loads((await run_here("keys", "list", "-o", "json", **environ)).out)
    assert [(each["name"], each["works"]) for each in found["holders"]] == [("first.key", True), ("second.key", None)]
    warned = " ".join(found["warnings"])
    assert "second.key does not exist. Put it back from your copy." in warned
    assert "Last copy: of a key of payments/prod only first.key works." in warned


async def test_a_holder_is_asked_for_shown_with_its_fingerprint_and_learns(
    lived_in: House, environ: dict[str, str], run_here: Run
):
    third, settings = with_third(lived_in)
    nowhere = await run_here("keys", "add", str(third), *AS_ANA, **environ)
    assert (nowhere.code, third.exists()) == (4, False)
    assert "is not in COUNTERSIGN_KEYS" in nowhere.err
    ran = await run_here("keys", "add", str(third), *AS_ANA, **settings)
    assert ran.code == 0, ran.err
    request = ran.err.split("Request ")[1].partition(":")[0]
    roster = lived_in.app.keeping.rosters.current
    assert roster is not None
    listed = json.loads((await run_here("keys", "list", "-o", "json", **settings)).out)
    stranger = next(each for each in listed["holders"] if each["name"] == "third.key")
    assert stranger["approved"] is False
    assert f"fingerprint {spaced(stranger['fingerprint'])}" in ran.out
    asked = await card(lived_in, "Waiting for approval", request)
    assert spaced(stranger["fingerprint"]) in text_of(asked)
    assert "Add a key holder" in text_of(asked)
    shown = await run_here("request", "show", request, **settings)
    assert f"fingerprint {spaced(stranger['fingerprint'])}: Before you approve, compare" in shown.out
    lived_in._environ["COUNTERSIGN_KEYS"] = settings["COUNTERSIGN_KEYS"]
    for app in lived_in.apps:
        await app.stop()
    lived_in.apps.clear()
    await lived_in.move_in()
    for user in (seed.BEN, seed.INES):
        await press(lived_in, user, again(lived_in, asked), "approve")
    await says(lived_in, asked, "Merged")
    await lived_in.app.relay.settled()
    ran = await run_here("keys", "list", **settings)
    assert ran.out.splitlines()[-1] == "payments/prod\tkey 1\t\tfirst.key, second.key, third.key"
    assert ran.err == ""
    third.unlink()
    gone = await run_here("keys", "add", str(third), *AS_ANA, **settings)
    assert (gone.code, third.exists()) == (5, False)
    assert "Put it back from your copy" in gone.err


async def test_only_whom_the_rule_names_asks_for_a_holder(lived_in: House, run_here: Run):
    third, settings = with_third(lived_in)
    ran = await run_here("keys", "add", str(third), "--as", "ben@example.com", "--because", "mine", **settings)
    assert ran.code == 3
    assert "does not name you" in ran.err
    assert (await run_here("keys", "remove", "second.key", "--as", "ben@example.com", **settings)).code == 3


async def test_rotation_tells_how_far_it_is_and_a_drill_that_all_is_well(
    lived_in: House, environ: dict[str, str], run_here: Run
):
    ran = await run_here("keys", "rotate", "payments/prod", **environ)
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines()[-1] == "payments/prod: 1 of 1 keys moved."
    ran = await run_here("keys", "rotate", "-o", "json", **environ)
    assert json.loads(ran.out) == [{"target": "payments/prod", "moved": 1, "spoiled": []}]
    assert (await run_here("keys", "rotate", "payments/nowhere", **environ)).code == 4
    drilled = await run_here("keys", "drill", **environ)
    assert drilled.code == 0
    assert drilled.out.splitlines() == [
        f"payments/prod, key {number}: {name} opens it." for number in (1, 2, 3) for name in ("first.key", "second.key")
    ]
    second = lived_in.folder / "bot" / "keys" / "second.key"
    second.chmod(0o644)
    drilled = await run_here("keys", "drill", "payments/prod", **environ)
    assert drilled.code == 1
    assert "is open to others" in drilled.out
    assert "second.key is in the roster and not in COUNTERSIGN_KEYS here, so it was not tried." in drilled.out
    assert (await run_here("keys", "drill", "payments/nowhere", **environ)).code == 2


async def test_a_roster_that_works_is_not_begun_anew(environ: dict[str, str], run_here: Run):
    ran = await run_here("keys", "recover", *AS_ANA, "--yes", **environ)
    assert ran.code == 5
    assert "still works" in ran.err


async def test_the_identity_is_the_same_each_time(environ: dict[str, str], run_here: Run):
    ran = await run_here("keys", "identity", **environ)
    assert ran.out.startswith("-----BEGIN CERTIFICATE-----\n")
    again_ = json.loads((await run_here("keys", "identity", "-o", "json", **environ)).out)
    assert again_["certificate"] == ran.out
    assert f"Its pin: {again_['pin']}" in ran.err


async def test_where_both_files_are_lost_it_still_runs_and_new_ones_can_be_begun(
    lived_in: House, environ: dict[str, str], run_here: Run
):
    folder = lived_in.folder / "bot" / "keys"
    for path in folder.iterdir():
        path.unlink()
    for app in lived_in.apps:
        await app.stop()
    lived_in.apps.clear()
    app = await build(Settings.read(environ), skew=lived_in.skew_ms)
    lived_in.apps.append(app)
    await app.start()
    assert any("No key holder of the roster works here" in line for line in app.watch.sentences)
    listed = await run_here("keys", "list", **environ)
    assert "Nobody can open payments/prod." in listed.err
    ran = await run_here("keys", "recover", *AS_ANA, "--yes", **environ)
    assert (ran.code, ran.err) == (0, "Roster 2: first.key, second.key.\n")
    told = await own_card(lived_in, seed.ANA, "The roster of key holders was begun anew without an approval")
    assert "first.key, second.key" in text_of(told)
    assert "a third disk" in text_of(told)
