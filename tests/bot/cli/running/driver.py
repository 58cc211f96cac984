"""A process that runs a child with what the tests give it: `python -m tests.bot.cli.running.driver [--no-mask] COMMAND…`."""

import asyncio
import os
import sys

from bot.cli.running.child import Child, Given
from bot.cli.running.hardening import harden
from bot.cli.running.memory import File, place
from bot.cli.running.signals import listening
from store.model.secret import Secret

VALUE = "hunter2-of-the-tests"
CONTENT = b"\x00\xfffile-of-the-tests\n"


async def main(arguments: list[str]) -> int:
    harden()
    mask = arguments[0] != "--no-mask"
    with listening() as signals:
        given = Given(
            environment={"VALUE": Secret(VALUE.encode())},
            files={"tls/key.pem": File(Secret(CONTENT), 0o640)},
            hidden=[Secret(VALUE.encode()), Secret(CONTENT)],
        )
        child = Child(arguments[not mask :], given, mask=mask, parent=place(os.environ, on_disk=True))
        await child.start()
        return await child.wait(signals)


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
