"""The transcript on disk: messages, homes and channels, so that a restart loses no card. Ephemerals and modals do not outlive it, as in Slack."""

import asyncio
import json
import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playground.slack.records import Channel, Json, Message, View

if TYPE_CHECKING:
    from playground.slack.state import State

SCHEMA: Final = 1
LATEST_S: Final = 0.2  # a change is on disk this soon


class Transcript:
    """`written` is set while the file holds everything."""

    def __init__(self, path: Path, state: "State") -> None:
        self._path = path
        self._state = state
        self._timer: asyncio.TimerHandle | None = None
        self.written = asyncio.Event()

    def load(self) -> None:
        if not self._path.exists():
            return
        kept = json.loads(self._path.read_text(encoding="utf-8"))
        if kept["schema"] != SCHEMA:
            raise ValueError(
                f"{self._path} has schema {kept['schema']}, this playground knows {SCHEMA}: move it away to start afresh."
            )
        state = self._state
        state._last_us = kept["last_us"]  # noqa: SLF001  # this module is State's memory
        for raw in kept["channels"]:
            raw["members"] = None if raw["members"] is None else set(raw["members"])
            state.channels[raw["id"]] = Channel(**raw)
        for raw in kept["messages"]:
            state.messages_by_channel.setdefault(raw["channel"], []).append(Message(**raw))
        state.homes = {raw["user"]: View(**raw) for raw in kept["homes"]}

    def soon(self) -> None:
        self.written.clear()
        if self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(LATEST_S, self.write)
            except RuntimeError:  # changed outside of a loop, while being set up
                self.write()

    def write(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        state = self._state
        kept: Json = {
            "schema": SCHEMA,
            "last_us": state._last_us,  # noqa: SLF001  # this module is State's memory
            "channels": [
                _fields(channel) | {"members": sorted(channel.members) if channel.members is not None else None}
                for channel in state.channels.values()
            ],
            "messages": [_fields(message) for messages in state.messages_by_channel.values() for message in messages],
            "homes": [_fields(home) for home in state.homes.values()],
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        aside = self._path.with_suffix(".new")
        with aside.open("w", encoding="utf-8") as file:
            file.write(json.dumps(kept, ensure_ascii=False))  # in C, which `dump` is not
            file.flush()
            os.fsync(file.fileno())
        aside.replace(self._path)
        self.written.set()


def _fields(record: Channel | Message | View) -> Json:
    """Not copied as by `asdict`: the whole workspace is written each time."""
    return {field.name: getattr(record, field.name) for field in fields(record)}
