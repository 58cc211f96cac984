"""The embedded server against what really happens to it: kill -9 of either side, a torn file, a second process."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from store.model.errors import Unavailable
from store.redis.embedded import EmbeddedServer, answers, find_binary, running, socket_path, url

ROOT = Path(__file__).parent.parent.parent.parent

OWNER = """
import asyncio, sys
from pathlib import Path
from redis.asyncio import Redis
from store.redis.embedded import EmbeddedServer

async def main():
    async with Redis.from_url(await EmbeddedServer(Path(sys.argv[1])).start()) as client:
        print((await client.info("server"))["process_id"], flush=True)
        for number in range(10**9):
            await client.set("last", number)
            print(number, flush=True)

asyncio.run(main())
"""


async def server_pid(address: str) -> int:
    async with Redis.from_url(address) as client:
        pid: int = (await client.info("server"))["process_id"]
        return pid


async def until(condition, within_s: float = 5):
    async with asyncio.timeout(within_s):
        while not await condition():
            await asyncio.sleep(0.005)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return (
        Path(f"/proc/{pid}/stat").exists()
        and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )


async def test_it_is_durable_private_and_keeps_what_it_has(tmp_path: Path):
    folder = tmp_path / "data"
    server = EmbeddedServer(folder)
    assert await running(folder) is None
    address = await server.start()
    try:
        assert await running(folder) == address
        async with Redis.from_url(address) as client:
            for name, value in {
                "appendonly": "yes",
                "appendfsync": "always",
                "maxmemory-policy": "noeviction",
                "save": "",
                "port": "0",
            }.items():
                assert await client.config_get(name) == {name: value}
            await client.set("k", b"v")
    finally:
        await server.stop()
    assert await running(folder) is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700

    async with Redis.from_url(await server.start()) as client:
        assert await client.get("k") == b"v"
    await server.stop()


async def test_the_socket_and_the_folder_open_for_their_owner_only(tmp_path: Path):
    tmp_path.chmod(0o755)
    server = EmbeddedServer(tmp_path)
    await server.start()
    try:
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
        assert stat.S_IMODE(socket_path(tmp_path).stat().st_mode) == 0o700
    finally:
        await server.stop()


@pytest.mark.crash
async def test_a_killed_server_is_started_again_with_what_it_had(tmp_path: Path):
    server = EmbeddedServer(tmp_path)
    address = await server.start()
    try:
        async with Redis.from_url(address) as client:
            for _ in range(3):
                await client.incr("k")
                pid = await server_pid(address)
                os.kill(pid, signal.SIGKILL)
                await until(lambda pid=pid: answers_as_another(tmp_path, pid))
            assert await client.get("k") == b"3"
    finally:
        await server.stop()


async def answers_as_another(folder: Path, pid: int) -> bool:
    return await answers(folder) and await server_pid(url(folder)) != pid


@pytest.mark.crash
async def test_when_the_bot_is_killed_nothing_is_lost_and_nobody_is_left_behind(tmp_path: Path):
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert bot.stdout is not None
    pid = int(await bot.stdout.readline())
    for _ in range(50):
        await bot.stdout.readline()
    bot.kill()
    told = (await bot.stdout.read()).split(b"\n")
    await bot.wait()

    server = EmbeddedServer(tmp_path)  # at once: it waits until the old server has gone
    async with Redis.from_url(await server.start()) as client:
        assert gone(pid)
        assert int(await client.get("last") or 0) >= int(told[-2] if len(told) > 1 else 0)
    await server.stop()


@pytest.mark.crash
async def test_when_the_bot_is_killed_its_server_goes_by_itself(tmp_path: Path):
    bot = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER, str(tmp_path), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert bot.stdout is not None
    pid = int(await bot.stdout.readline())
    bot.kill()
    await bot.stdout.read()
    await bot.wait()

    async def is_gone() -> bool:
        return gone(pid)

    await until(is_gone)


async def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path):
    """A terminal signals the foreground process group: the server and its shell are in none that it knows."""
    server = EmbeddedServer(tmp_path)
    pid = await server_pid(await server.start())
    try:
        assert os.getsid(pid) != os.getsid(0)
        assert os.getpgid(pid) != os.getpgid(0)
    finally:
        await server.stop()
    assert gone(pid)


async def test_a_second_one_is_told_who_has_the_folder(tmp_path: Path):
    first = EmbeddedServer(tmp_path)
    address = await first.start()
    try:
        with pytest.raises(Unavailable, match=rf"process {os.getpid()}.*COUNTERSIGN_DATA"):
            await EmbeddedServer(tmp_path).start()
        assert await running(tmp_path) == address
    finally:
        await first.stop()


async def test_a_folder_with_a_long_path_gets_a_socket_elsewhere(tmp_path: Path):
    folder = tmp_path / ("x" * 100) / "data"
    server = EmbeddedServer(folder)
    async with Redis.from_url(await server.start()) as client:
        assert await client.ping()
    await server.stop()
    assert len(os.fsencode(socket_path(folder))) < 104
    assert socket_path(folder) != socket_path(folder.parent)
    assert stat.S_IMODE(socket_path(folder).parent.stat().st_mode) == 0o700


async def filled(folder: Path) -> Path:
    server = EmbeddedServer(folder)
    async with Redis.from_url(await server.start()) as client:
        for number in range(20):
            await client.set(f"k{number}", b"v" * 50)
    await server.stop()
    return next((folder / "appendonlydir").glob("*.incr.aof"))


async def test_a_last_write_that_was_cut_off_is_dropped_and_the_rest_loaded(tmp_path: Path):
    aof = await filled(tmp_path)
    os.truncate(aof, aof.stat().st_size - 10)
    server = EmbeddedServer(tmp_path)
    async with Redis.from_url(await server.start()) as client:
        assert await client.dbsize() == 19
    await server.stop()


async def test_damage_is_one_sentence_and_its_command_repairs(tmp_path: Path):
    aof = await filled(tmp_path)
    content = aof.read_bytes()
    aof.write_bytes(content[:500] + b"\x00" * 20 + content[520:])
    with pytest.raises(Unavailable, match=r"are damaged and nothing was started.*valkey-check-aof") as raised:
        await EmbeddedServer(tmp_path).start()
    assert await running(tmp_path) is None

    command = raised.value.sentence.partition("damage: ")[2].partition(". The server said")[0]
    subprocess.run(["/bin/sh", "-c", command], input=b"y\n", check=True, capture_output=True)
    server = EmbeddedServer(tmp_path)
    async with Redis.from_url(await server.start()) as client:
        assert 0 < await client.dbsize() < 20
    await server.stop()


async def test_what_a_server_leaves_behind_for_a_moment_is_waited_for(tmp_path: Path):
    """Its shell, and whatever else has the lock from it, may go later than the server."""
    binary = tmp_path / "server"
    binary.write_text("#!/bin/sh\nsleep 0.5 &\nexit 1\n")
    binary.chmod(0o700)
    with pytest.raises(Unavailable, match="did not start"):
        await EmbeddedServer(tmp_path / "redis", binary=binary).start()
    server = EmbeddedServer(tmp_path / "redis", binary=find_binary())
    await server.start()
    await server.stop()


async def test_a_binary_that_cannot_run_is_said_and_leaves_the_folder_free(tmp_path: Path):
    with pytest.raises(Unavailable, match="did not start"):
        await EmbeddedServer(tmp_path, binary=Path("/bin/false")).start()
    server = EmbeddedServer(tmp_path, binary=find_binary())
    await server.start()
    await server.stop()
