"""Every door of the program stands in the table, with what guards it and a test that is there and was seen to fail."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from bot.slack.storybook import stories
from tests.bot.slack.pieces import walk
from tests.doors import listing
from tests.doors.probes import CHOOSERS
from tests.doors.table import DOORS
from tests.github.fake import environ
from tests.sabotage import runner
from tests.sabotage.__main__ import EDITS
from tests.stories.conftest import OpenHouse

ROOT: Final = Path(__file__).parents[2]
WHAT_TO_DO: Final = """
{names}

Each of these can be used, and nothing says what guards it. Add a row for it to DOORS in tests/doors/table.py:

    "{first}": guarded("who may, and what is checked", "path/test_file.py::test_that_fails_without_that_check"),

and, where no edit names that test yet, the edit that deletes the check to tests/sabotage/edits.toml. If it decides nothing and
shows nobody more than they may know anyway, write `harmless("why", "path/test_file.py::test_that_shows_it")` instead.
"""


async def test_every_door_has_its_row(open_house: OpenHouse, tmp_path: Path) -> None:
    house = await open_house(http=True, environ=environ(tmp_path))
    there = listing.every(house.app)
    if new := sorted(there - DOORS.keys()):
        pytest.fail(WHAT_TO_DO.format(names="\n".join(new), first=new[0]), pytrace=False)
    gone = sorted(DOORS.keys() - there)
    assert gone == [], "These doors are not there any more: take their rows out of tests/doors/table.py."
    over_sockets = set(listing.bolt_doors((await open_house()).app.sockets._handler.app))  # type: ignore[union-attr]
    assert over_sockets == set(listing.bolt_doors(listing.bolt_of(house.app)))


def test_every_test_that_is_named_is_there(request: pytest.FixtureRequest) -> None:
    """As pytest collects them: a test that was renamed guards nothing."""
    collected = {item.nodeid.partition("[")[0] for item in request.session.items}
    missing = sorted({row.test for row in DOORS.values()} - collected)
    if missing:  # where only a part of the tests is run
        collected = _collected(sorted({test.partition("::")[0] for test in missing}))
    assert sorted(set(missing) - collected) == [], "tests/doors/table.py names tests that pytest does not find."


def _collected(files: list[str]) -> set[str]:
    asked = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *files]
    said = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False).stdout
    return {line.partition("[")[0] for line in said.splitlines()}


def test_every_guard_was_seen_to_be_missed() -> None:
    """`make sabotage` deletes it, and runs that very test."""
    sabotaged = {edit.test.partition("[")[0] for edit in runner.read(EDITS)}
    unseen = {name: row.test for name, row in DOORS.items() if row.sabotaged and row.test not in sabotaged}
    assert unseen == {}, "Add an edit to tests/sabotage/edits.toml that deletes the guard and names this test."


def test_what_is_drawn_can_be_used() -> None:
    """A button, a form or a menu that nobody listens to would be drawn for nothing."""
    drawn: set[str] = set()
    chosen: set[str] = set()
    for story in stories():
        payload = story["payload"]
        if payload.get("submit"):
            drawn.add(f"view {payload['callback_id']}")
        for node in walk(payload):
            if node.get("type") in ("button", "overflow"):
                drawn.add(f"action {node['action_id']}")
            if node.get("type") == "overflow":
                drawn |= {f"menu {option['value'].partition('|')[0]}" for option in node["options"]}
            if node.get("type") in CHOOSERS:
                chosen.add(f"action {node['action_id']}")
            if node.get("type") == "external_select":
                drawn.add(f"options {node['action_id']}")
    assert {name for name in drawn if not listing.met(DOORS, name)} == set()
    seen = {row for name in drawn | chosen for row in listing.met(DOORS, name)}
    unseen = {row for row in DOORS if row.split()[0] in ("action", "view", "menu")} - seen
    assert unseen == {"action .*"}, "Draw it in bot/slack/storybook.py: the probes try what is drawn there."


def test_the_manifest_asks_slack_for_these_and_no_others() -> None:
    manifest: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    features, settings = manifest["features"], manifest["settings"]
    asked = {f"shortcut {each['callback_id']}" for each in features["shortcuts"]}
    asked |= {f"command {each['command']}" for each in features["slash_commands"]}
    asked |= {f"event {each}" for each in settings["event_subscriptions"]["bot_events"]}
    assert asked == {name for name in DOORS if name.split()[0] in ("shortcut", "command", "event")}
