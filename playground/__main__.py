"""`python -m playground`: the program and a workspace for it, on this machine, until Ctrl-C."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from bot import logs
from bot.settings import Log, Settings
from playground.house import House
from playground.rollout import STEP_S
from store.model.errors import AccessError

PORT = 8484


def main() -> int:
    logs.configure(Log("warning", "text"))
    try:
        port = int(os.environ.get("PLAYGROUND_PORT", str(PORT)))
    except ValueError:
        print("PLAYGROUND_PORT: a number is meant, like 8484.", file=sys.stderr)
        return 2
    kept = Settings.read(
        {name: os.environ[name] for name in ("HOME", "XDG_DATA_HOME", "COUNTERSIGN_DATA") if name in os.environ},
        slack=False,
    )
    try:
        return asyncio.run(_run(kept.data / f"playground-{port}", port))
    except AccessError as error:
        print(error.sentence, file=sys.stderr)
        return 6


async def _run(folder: Path, port: int) -> int:
    house = House(folder, port=port, rollout_s=STEP_S)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    try:
        await house.open()
    except OSError as error:
        print(
            f"Port {port} or {port + 1} is taken ({error.strerror}). Set PLAYGROUND_PORT to another.", file=sys.stderr
        )
        await house.shut()
        return 6
    try:
        await house.move_in()
        print(
            f"Countersign's playground: {house.server.base_url}   (Ctrl-C ends it; it is kept in {folder})", flush=True
        )
        print(f"For commands in another terminal: countersign login http://127.0.0.1:{house.app.http.port}", flush=True)
        await stop.wait()
    finally:
        await house.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
