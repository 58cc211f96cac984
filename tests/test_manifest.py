"""The Slack app's manifest against the code: what it asks for is what is used, and what is used it asks for.

`.ci/run` holds it against Slack's published schema besides, where that lies beside the checkout.
"""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.slack.listeners import Listeners

ROOT = Path(__file__).parent.parent

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
    script = [sys.executable, str(ROOT / ".ci" / "methods.py")]
    return set(subprocess.run(script, capture_output=True, text=True, check=True).stdout.strip().split(","))


def test_the_code_calls_only_methods_whose_scopes_are_known(called: set[str]):
    assert called <= METHODS.keys()
    assert {"auth.test", "chat.postMessage", "views.open", "users.info"} <= called, "the script finds too little"


def test_scopes_are_exactly_those_that_are_needed(manifest: dict[str, Any], called: set[str]):
    needed = {"commands"}.union(*(METHODS[method] for method in called))
    assert set(manifest["oauth_config"]["scopes"]["bot"]) == needed
    assert "user" not in manifest["oauth_config"]["scopes"]


class Registered:
    """Stands where Bolt's app and the parts of the program do, and notes what is listened to."""

    def __init__(self) -> None:
        self.names: dict[str, set[Any]] = defaultdict(set)

    def __getattr__(self, kind: str) -> Callable[..., Callable[..., None]]:
        def register(name: Any, *_: Any) -> Callable[..., None]:
            self.names[kind].add(name)
            return lambda *_: None

        return register


@pytest.fixture(scope="module")
def registered() -> dict[str, set[Any]]:
    app: Any = Registered()
    parts: dict[str, Any] = dict.fromkeys(set(signature(Listeners).parameters), Registered())
    Listeners(**parts).register(app)
    names: dict[str, set[Any]] = app.names
    return names


def test_events_are_exactly_those_that_are_listened_to(manifest: dict[str, Any], registered: dict[str, set[Any]]):
    assert set(manifest["settings"]["event_subscriptions"]["bot_events"]) == registered["event"]


def test_shortcuts_and_the_command_are_exactly_those_that_are_listened_to(
    manifest: dict[str, Any], registered: dict[str, set[Any]]
):
    features = manifest["features"]
    assert {shortcut["callback_id"] for shortcut in features["shortcuts"]} == registered["shortcut"]
    assert {command["command"] for command in features["slash_commands"]} == registered["command"]
    assert all(command["should_escape"] for command in features["slash_commands"])  # people arrive as ids


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
