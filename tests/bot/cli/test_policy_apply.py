"""`policy apply`, `recover`, `history` and `export --version` beside the running program."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from playground import seed
from playground.house import SEEDED, House
from tests.bot.cli.conftest import Run
from tests.stories import rules
from tests.stories.people import again, card, press, says
from tests.stories.test_policies import HARDER, ONLY_ANA, written


@pytest.fixture
async def lived_in(tmp_path: Path) -> AsyncIterator[House]:
    folder = tmp_path / "house"
    folder.mkdir(mode=0o700)
    (folder / "policies.yml").write_text(written(), encoding="utf-8")
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
def file(tmp_path: Path) -> Path:
    path = tmp_path / "other.yml"
    path.write_text(HARDER, encoding="utf-8")
    return path


AS_ANA = ("--as", "ana@example.com")


async def test_a_file_is_asked_for_and_the_history_says_who_and_when(lived_in: House, run_here: Run, file: Path):
    environ = lived_in.environ()
    ran = await run_here("policy", "apply", str(file), *AS_ANA, "--because", "Two leads", **environ)
    assert ran.code == 0, ran.err
    assert f"{seed.ANA}         ana@example.com" in ran.out
    assert "S0LEADS       @payments-leads" in ran.out
    assert "rule “open production”: changed\n  approvals: [{count: 1" in ran.out
    asked = await card(lived_in, "Waiting for approval", "Two leads")
    request = ran.err.split("Request ")[1].partition(":")[0]
    assert f"Request `{request}`" in str(asked.blocks)
    shown = await run_here("request", "show", request, **environ)
    assert "change of version 1 of the policies" in shown.out
    assert "at a terminal" in shown.out
    for user in (seed.BEN, seed.INES):
        await press(lived_in, user, again(lived_in, asked), "approve")
    await says(lived_in, asked, "Merged as version 2")

    history = await run_here("policy", "history", **environ)
    two, one = (row.split("\t") for row in history.out.splitlines())
    assert two[0] == "2"
    assert two[2:] == ["request", "ana@example.com, approved by U0BEN, U0INES", request]
    assert (one[0], one[2], one[3]) == ("1", "the first start", "clock")
    with_changes = (await run_here("policy", "history", "--diff", **environ)).out
    assert "because: Two leads" in with_changes
    assert "rule “open production”: changed" in with_changes
    versions = json.loads((await run_here("policy", "history", "-o", "json", "-n", "1", **environ)).out)
    assert [each["version"] for each in versions] == [2]
    assert versions[0]["enactment"]["approved_by"] == [seed.BEN, seed.INES]

    old = await run_here("policy", "export", "--version", "1", **environ)
    assert old.out.startswith("# Version 1 of the policies.\n")
    assert "count: 1" in old.out
    assert "count: 2" in (await run_here("policy", "export", **environ)).out
    none = await run_here("policy", "export", "--version", "3", **environ)
    assert (none.code, none.err) == (4, "There is no version 3: version 2 is in force.\n")


async def test_what_differs_in_nothing_is_not_asked_for(lived_in: House, run_here: Run, file: Path):
    file.write_text(written(), encoding="utf-8")
    ran = await run_here("policy", "apply", str(file), *AS_ANA, **lived_in.environ())
    assert (ran.code, ran.err) == (0, "No difference: version 1 in force means the same.\n")


async def test_a_dry_run_says_everything_and_asks_for_nothing(lived_in: House, run_here: Run, file: Path):
    file.write_text(written(guard=ONLY_ANA), encoding="utf-8")
    ran = await run_here("policy", "apply", "-n", str(file), *AS_ANA, "-o", "json", **lived_in.environ())
    assert ran.code == 0
    said = json.loads(ran.out)
    assert (said["request"], said["base"], said["dangers"]) == (None, 1, ["unreachable"])
    assert said["warnings"][0].startswith("After this nobody could change the policies")
    told = await run_here("policy", "apply", "-n", str(file), *AS_ANA, **lived_in.environ())
    assert "Warning: After this nobody could change the policies" in told.err


@pytest.mark.parametrize(
    ("arguments", "text", "code", "says"),
    [
        (
            AS_ANA,
            HARDER.replace("ana@example.com", "nobody@example.com"),
            2,
            "Slack knows nobody as “nobody@example.com”",
        ),
        (AS_ANA, HARDER.replace("count: 2", "count: two"), 2, "other.yml:"),
        (("--as", "ben@example.com"), HARDER, 3, "does not name you among those who may ask for policy:main"),
        (("--as", "U0GIL"), HARDER, 3, "You are a guest in this workspace"),
        (("--as", "ana"), HARDER, 2, "neither an e-mail address nor a Slack user id"),
        (AS_ANA, HARDER, 2, "Say why"),
        ((*AS_ANA, "--request", "0123456789", "--because", "x"), HARDER, 4, "There is no request 0123456789"),
    ],
)
async def test_what_cannot_be_asked_is_refused_as_in_slack(
    lived_in: House, run_here: Run, file: Path, arguments: tuple[str, ...], text: str, code: int, says: str
):
    file.write_text(text, encoding="utf-8")
    ran = await run_here("policy", "apply", str(file), *arguments, **lived_in.environ())
    assert (ran.code, says in ran.err) == (code, True), ran.err
    assert await lived_in.app.policies.number() == 1


async def test_without_a_rule_for_it_there_is_no_request_and_the_way_back_is_named(
    lived_in: House, run_here: Run, file: Path
):
    environ = lived_in.environ()
    file.write_text(rules.policies(rules.opening()), encoding="utf-8")
    ran = await run_here("policy", "recover", str(file), *AS_ANA, "--because", "x", "--yes", **environ)
    assert ran.code == 0, ran.err
    assert (
        "Warning: After this nobody could change the policies by a request: no rule would cover policy:main." in ran.err
    )
    file.write_text(written(), encoding="utf-8")
    ran = await run_here("policy", "apply", str(file), *AS_ANA, "--because", "x", **environ)
    assert ran.code == 3
    assert "countersign policy recover" in ran.err


async def test_a_version_is_recovered_loudly_and_only_when_it_is_meant(
    lived_in: House, run: Run, run_here: Run, file: Path
):
    environ = lived_in.environ()
    why = ("--because", "Nobody could approve any more")
    doubted = await run("policy", "recover", str(file), *AS_ANA, *why, **environ)
    assert (doubted.code, "without an approval?" in doubted.err) == (130, True)
    assert await lived_in.app.policies.number() == 1
    done = await run_here("policy", "recover", str(file), *AS_ANA, *why, "--yes", **environ)
    assert (done.code, done.err) == (0, "Version 2 is in force. Every owner is told in Slack.\n")
    back = await run_here("policy", "recover", "--version", "1", *AS_ANA, *why, "--yes", **environ)
    assert back.code == 0, back.err
    lived_in.app.clock.nudge()
    await card(lived_in, "changed without an approval", "It is version 1 again.", "Nobody could approve any more")
    newest = (await run_here("policy", "history", "-n", "1", **environ)).out
    assert "version 1 again, without an approval\tana@example.com" in newest
    for wrong in (("--version", "1", str(file)), ()):
        ran = await run_here("policy", "recover", *wrong, *AS_ANA, *why, "--yes", **environ)
        assert (ran.code, "Name a file, or --version, and not both." in ran.err) == (2, True)


async def test_without_a_token_nobody_knows_whom_a_name_stands_for(lived_in: House, run_here: Run, file: Path):
    environ = {name: value for name, value in lived_in.environ().items() if name != "SLACK_BOT_TOKEN"}
    ran = await run_here("policy", "apply", str(file), *AS_ANA, **environ)
    assert (ran.code, "SLACK_BOT_TOKEN is not set" in ran.err) == (6, True)


async def test_doctor_names_the_way_to_apply_a_file_that_differs(lived_in: House, run: Run):
    (lived_in.folder / "policies.yml").write_text(HARDER, encoding="utf-8")
    ran = await run("doctor", **lived_in.environ())
    assert "countersign policy apply asks for it" in ran.out
