"""Everywhere: all places where a program leaves something of what it was given, and what lies there."""

import io
import json
import os
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from redis.asyncio import Redis

from playground.house import House
from tests.servers import Server
from tests.stories import evidence

ENTERED, SHOWN = "submitted form", "views.open of the values"
PROC: Final = Path("/proc")


async def searched(
    house: House, heard: io.StringIO, redis: Redis, server: Server, capfd: pytest.CaptureFixture[str]
) -> dict[str, bytes]:
    """Everything that the program or its surroundings have said, kept or sent: name → content."""
    workspace = house.workspace
    forms = [one.payload for one in workspace.envelopes if one.payload.get("type") == "view_submission"]
    others = [one.payload for one in workspace.envelopes if one.payload.get("type") != "view_submission"]
    values = [call for call in workspace.calls if call.method == "views.open" and "Values" in str(call.args)]
    calls = [call for call in workspace.calls if call not in values]
    messages = [asdict(one) for listed in workspace.messages_by_channel.values() for one in listed]
    printed = capfd.readouterr()
    url = f"http://127.0.0.1:{house.app.http.port}/metrics"
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        metrics = await response.read()
    return {
        ENTERED: written(forms),
        SHOWN: written([dict(call.args) for call in values]),
        "what Slack sent": written(others),
        "calls to Slack": written([(call.method, dict(call.args), call.answer) for call in calls]),
        "messages": written(messages),
        "ephemeral messages": written([asdict(one) for one in workspace.ephemeral]),
        "homes": written([asdict(one) for one in workspace.homes.values()]),
        "log": heard.getvalue().encode(),
        "standard output and error": f"{printed.out}\n{printed.err}".encode(),
        "Redis": b"\n".join((await evidence.everything_in(redis)).values()),
        "append-only file": evidence.aof(server.folder),
        "audit log": written([entry.to_json() for _, entry in await house.app.audit.after(0, most=10_000)]),
        "hook deliveries": b"\n".join(one.body + str(dict(one.headers)).encode() for one in house.hooks.deliveries),
        "files of the program": b"\n".join(
            path.read_bytes() for path in house.folder.rglob("*") if path.is_file() and path.name != "s"
        ),
        "metrics": metrics,
    }


def written(content: Any) -> bytes:
    """As it is, and as Slack would carry it: `spellings` knows the JSON of it."""
    return json.dumps(content, ensure_ascii=False, default=str).encode()


def of_processes(*, but: Collection[int] = ()) -> bytes:
    """Command lines and environments of all processes that we may look at; of this one, too, as it was started and as it is now."""
    found = [json.dumps(dict(os.environ)).encode()]
    for process in PROC.iterdir():
        if not process.name.isdigit() or int(process.name) in but:
            continue
        for what in ("cmdline", "environ"):
            try:
                found.append((process / what).read_bytes())
            except OSError:  # gone meanwhile, or somebody else's
                continue
    return b"\n".join(found)


def descendants(process: int) -> set[int]:
    """Of a process, and itself."""
    found = {process}
    for task in (PROC / str(process) / "task").glob("*/children"):
        found |= {one for child in task.read_text().split() for one in descendants(int(child))}
    return found


def of_files(folders: Iterable[Path], *, but: Collection[str] = ()) -> bytes:
    """Names and contents."""
    paths = [path for folder in folders for path in sorted(folder.rglob("*"))]
    return b"\n".join(
        str(path).encode() + b"\n" + path.read_bytes() for path in paths if path.is_file() and path.name not in but
    )


def of_temporary_files(since: float) -> bytes:
    """What this user has written since then into the folders that every program may write to."""
    found = [b"looked at"]
    for folder in {Path(tempfile.gettempdir()), Path("/tmp"), Path("/dev/shm"), Path("/var/tmp")}:  # noqa: S108
        for path in folder.glob("*"):
            try:
                told = path.lstat()
                if told.st_mtime >= since and told.st_uid == os.getuid() and path.is_file():
                    found.append(str(path).encode() + b"\n" + path.read_bytes())
            except OSError:
                continue
    return b"\n".join(found)
