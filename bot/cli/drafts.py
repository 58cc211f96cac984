"""Drafts: edits that are gathered before anybody is asked. Values are sealed on the server at once; here lie names and references."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.cli import kept
from store.model.errors import Conflict, Invalid

FILE: Final = "drafts.json"


@dataclass(frozen=True, slots=True)
class Edit:
    """Of one name: a reference, or None to remove it. `expires_ms`: after that the server has dropped the value."""

    reference: str | None
    mode: int | None = None
    expires_ms: int | None = None


class Drafts:
    """One for each server and environment, in a file for this user alone."""

    def __init__(self, path: Path, url: str) -> None:
        self._path, self._url = path, url

    @classmethod
    def of(cls, environ: Mapping[str, str], url: str) -> "Drafts":
        """Beside the credentials."""
        from bot.cli.credentials import place

        return cls(place(environ).with_name(FILE), url)

    def read(self, target: str) -> dict[str, Edit]:
        """Raises `Invalid`."""
        return {name: Edit(**edit) for name, edit in self._all().get(self._key(target), {}).items()}

    def add(self, target: str, edits: Mapping[str, Edit]) -> None:
        found = self._all()
        draft = found.setdefault(self._key(target), {})
        for name, edit in edits.items():
            draft[name] = {"reference": edit.reference, "mode": edit.mode, "expires_ms": edit.expires_ms}
        self._write(found)

    def discard(self, target: str) -> None:
        found = self._all()
        if found.pop(self._key(target), None) is not None:
            self._write(found)

    def entries(self, target: str, now_ms: int) -> list[dict[str, Any]]:
        """As a request takes them. Raises `Conflict` where there is none, or where some are over."""
        edits = self.read(target)
        if not edits:
            raise Conflict(
                f"There is no draft for {target}. Begin one: countersign secrets set {target} NAME=- --draft",
                code="no_draft",
            )
        if late := sorted(
            name for name, edit in edits.items() if edit.expires_ms is not None and edit.expires_ms <= now_ms
        ):
            raise Conflict(
                f"{', '.join(late)}: sealed more than an hour ago, and dropped. Set them again with --draft, or discard the draft.",
                code="draft_over",
            )
        return [
            {"name": name, "remove": True} if edit.reference is None else _referred(name, edit)
            for name, edit in sorted(edits.items())
        ]

    def _key(self, target: str) -> str:
        return f"{self._url} {target}"

    def _all(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError):
            raise Invalid(
                f"{self._path} cannot be read. Remove it: it holds no values.", code="draft_unreadable"
            ) from None
        return found if isinstance(found, dict) else {}

    def _write(self, found: Mapping[str, Any]) -> None:
        kept.write(self._path, json.dumps(found, indent=1))


def _referred(name: str, edit: Edit) -> dict[str, Any]:
    return {"name": name, "reference": edit.reference, **({"mode": edit.mode} if edit.mode is not None else {})}
