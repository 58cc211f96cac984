"""What the app's manifest grants: scopes, events, commands, shortcuts."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from playground.slack.records import Json


@dataclass(frozen=True, slots=True)
class Manifest:
    name: str = "app"
    scopes: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    commands: list[Json] = field(default_factory=list)
    shortcuts: list[Json] = field(default_factory=list)
    home: bool = True

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        return cls.parse(_tree(path.read_text(encoding="utf-8")))

    @classmethod
    def parse(cls, manifest: Json) -> "Manifest":
        features = manifest.get("features") or {}
        return cls(
            name=_at(manifest, "features", "bot_user", "display_name")
            or _at(manifest, "display_information", "name")
            or "app",
            scopes=frozenset(_at(manifest, "oauth_config", "scopes", "bot") or []),
            events=frozenset(_at(manifest, "settings", "event_subscriptions", "bot_events") or []),
            commands=list(features.get("slash_commands") or []),
            shortcuts=list(features.get("shortcuts") or []),
            home=bool(_at(manifest, "features", "app_home", "home_tab_enabled")),
        )


@cache
def _tree(text: str) -> Json:
    tree: Json = yaml.safe_load(text)
    return tree


def _at(tree: Any, *path: str) -> Any:
    for step in path:
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree
