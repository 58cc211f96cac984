"""The Slack app's manifest against the code: what it asks for is what is used, and what is used it asks for."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.slack import ids

ROOT = Path(__file__).parent.parent
VALIDATOR = ROOT.parent / "shared" / "reference" / "validate_manifest"

# Method → the scopes of a bot token that each let it be called, of docs.slack.dev/reference/methods. None: any token may.
METHODS: dict[str, set[str]] = {
    "apps.connections.open": set(),
    "auth.test": set(),
    "chat.getPermalink": set(),
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.info": {"channels:read", "groups:read"},
    "conversations.open": {"im:write"},
    "usergroups.list": {"usergroups:read"},
    "usergroups.users.list": {"usergroups:read"},
    "users.conversations": {"channels:read", "groups:read"},
    "users.info": {"users:read"},
    "users.lookupByEmail": {"users:read.email"},
    "views.open": set(),
    "views.publish": set(),
    "views.update": set(),
}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
    return loaded


@pytest.fixture(scope="module")
def called() -> set[str]:
    """What the code calls, as CI reads it."""
    script = [sys.executable, ROOT / ".ci" / "methods.py"]
    return set(subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip().split(","))


def test_the_code_calls_only_methods_whose_scopes_are_known(called: set[str]):
    assert called <= METHODS.keys()
    assert {"auth.test", "chat.postMessage", "views.open", "users.info"} <= called, "the script finds too little"


def test_scopes_are_exactly_those_that_are_needed(manifest: dict[str, Any], called: set[str]):
    needed = {"commands"}.union(*(METHODS[method] for method in called))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed
    assert "user" not in manifest["oauth_config"]["scopes"]


def test_events_are_exactly_those_that_are_listened_to(manifest: dict[str, Any]):
    source = (ROOT / "bot" / "slack" / "listeners.py").read_text(encoding="utf-8")
    subscribed = set(manifest["settings"]["event_subscriptions"]["bot_events"])
    named = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', source))
    assert subscribed <= named
    known = {"channel_archive", "channel_deleted", "group_archive", "member_joined_channel", "message", "app_mention"}
    assert not (named & known) - subscribed


def test_shortcuts_and_the_command_have_listeners(manifest: dict[str, Any]):
    features = manifest["features"]
    shortcuts = {shortcut["callback_id"] for shortcut in features["shortcuts"]}
    assert shortcuts == {ids.SHORTCUT_OPEN, ids.SHORTCUT_ACCESS, ids.SHORTCUT_CHANGE}
    [command] = features["slash_commands"]
    assert command["command"] == "/countersign"
    assert command["should_escape"] is True  # people arrive as ids, not as names


def test_home_can_be_opened_and_messages_only_read(manifest: dict[str, Any]):
    home = manifest["features"]["app_home"]
    assert home["home_tab_enabled"]
    assert home["messages_tab_read_only_enabled"]


def test_nothing_that_the_bot_cannot_handle_is_on(manifest: dict[str, Any]):
    settings = manifest["settings"]
    assert settings["socket_mode_enabled"]
    assert settings["interactivity"]["is_enabled"]
    assert not settings["org_deploy_enabled"]
    assert not settings["token_rotation_enabled"]


def test_slacks_published_rules_find_nothing(called: set[str]):
    if not VALIDATOR.exists():
        pytest.skip(f"There is no {VALIDATOR}: the manifest is not held against Slack's published rules.")
    command = [sys.executable, VALIDATOR, ROOT / "manifest.yml", "--methods", ",".join(sorted(called))]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout
