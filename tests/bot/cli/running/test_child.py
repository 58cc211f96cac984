"""A child runs as if we were not there: its terminal, its signals, its exit code; and nothing of it stays behind."""

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.cli.running.keeper import descendants
from bot.cli.running.memory import PREFIX
from tests.bot.cli.running.driver import VALUE

ROOT = Path(__file__).parents[4]
DRIVER = [sys.executable, "-m", "tests.bot.cli.running.driver"]
SOON_S = 20.0


@pytest.fixture
def environ(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Each test has folders of its own to look for what is left in, also in memory: others run beside it."""
    memory = tempfile.mkdtemp(prefix="countersign-test-", dir="/dev/shm")
    own = {"COUNTERSIGN_TOKEN": "csp_ours", "TMPDIR": str(tmp_path), "XDG_RUNTIME_DIR": memory}
    yield {**os.environ, "PYTHONPATH": str(ROOT), **own}
    shutil.rmtree(memory)


def left(environ: dict[str, str]) -> list[Path]:
    return sorted(Path(environ["XDG_RUNTIME_DIR"]).glob(f"{PREFIX}*"))


def until(true: Callable[[], object]) -> None:
    end = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def run(environ: dict[str, str], *command: str, **more) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*DRIVER, *command],
        env=environ,
        capture_output=True,
        timeout=SOON_S,
        check=False,
        start_new_session=True,
        **more,
    )


@contextlib.contextmanager
def begun(environ: dict[str, str], *command: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Which has said its first line."""
    process = subprocess.Popen(
        [*DRIVER, *command], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SOON_S)


@pytest.mark.parametrize(
    ("script", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -TERM $$", 143)]
)
def test_its_exit_code_is_ours(environ: dict[str, str], script: str, code: int):
    assert run(environ, "sh", "-c", script).returncode == code


def test_it_has_the_values_and_prints_none(environ: dict[str, str]):
    script = 'echo "$VALUE"; printf %s "$VALUE" | base64 >&2; test "$VALUE" = hunter2-of-the-tests && echo same'
    done = run(environ, "sh", "-c", script)
    assert done.stdout == b"***\nsame\n"
    assert b"aHVudGVy" not in done.stderr
    assert b"***" in done.stderr


def test_it_may_be_told_to_mask_nothing(environ: dict[str, str]):
    assert run(environ, "--no-mask", "sh", "-c", 'echo "$VALUE"').stdout == VALUE.encode() + b"\n"


def test_lines_on_both_outputs_keep_their_order_where_both_are_one(environ: dict[str, str]):
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; done"
    done = subprocess.run(
        [*DRIVER, "sh", "-c", script],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SOON_S,
        check=True,
    )
    assert done.stdout.split(b"\n")[:6] == [b"out 1", b"err 1", b"out 2", b"err 2", b"out 3", b"err 3"]


def test_what_it_prints_at_its_end_is_there_to_the_last_byte(environ: dict[str, str]):
    done = run(environ, "sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x")
    assert len(done.stdout) == 3_000_000


def test_its_input_is_ours(environ: dict[str, str]):
    assert run(environ, "cat", input=b"typed\n").stdout == b"typed\n"


def test_our_token_is_no_business_of_its(environ: dict[str, str]):
    assert b"csp_ours" not in run(environ, "env").stdout


def test_its_files_lie_in_memory_as_they_were_and_nobody_else_enters(environ: dict[str, str]):
    before = left(environ)
    done = run(
        environ,
        "--no-mask",
        "sh",
        "-c",
        'cd "$COUNTERSIGN_FILES"; stat -f -c %T .; stat -c %a . tls tls/key.pem; cat tls/key.pem',
    )
    assert done.stdout == b"tmpfs\n700\n700\n640\n\x00\xfffile-of-the-tests\n"
    assert left(environ) == before


def test_it_begins_with_no_core_and_no_signal_changed(environ: dict[str, str]):
    done = run(environ, "sh", "-c", "ulimit -S -c; grep -E 'Sig(Blk|Ign)' /proc/self/status")
    limit, _, blocked, _, ignored = done.stdout.split()
    ours = sum(1 << (number - 1) for number in signal.valid_signals())  # the C library keeps two for itself
    assert (limit, int(blocked, 16) & ours, int(ignored, 16) & ours) == (b"0", 0, 0)


def test_a_program_that_is_not_there_is_told(environ: dict[str, str]):
    done = run(environ, "no-such-program")
    assert b"There is no program no-such-program." in done.stderr


def test_what_it_leaves_behind_is_ended_with_it(environ: dict[str, str]):
    """In a session of its own, with no parent, deaf to TERM."""
    script = "setsid sh -c 'trap \"\" TERM; echo $$; exec 1>&- 2>&-; while :; do sleep 1; done' & read x < /dev/null; sleep 0.2; echo done"
    done = run(environ, "sh", "-c", script)
    pid = int(done.stdout.split()[0])
    assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2]
)
def test_a_signal_is_passed_on_once(environ: dict[str, str], number: signal.Signals):
    script = f"""
import os, signal, time
seen = []
def came(n, _):
    seen.append(n)
    os.write(1, b"came %d\\n" % n)  # print would be entered twice where it comes within the one below
signal.signal({int(number)}, came)
os.write(1, b"ready\\n")
while not seen:
    time.sleep(0.02)
time.sleep(0.3)
raise SystemExit(5)
"""
    with begun(environ, sys.executable, "-c", script) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=SOON_S)
        assert (out, process.returncode, err) == (f"came {int(number)}\n".encode(), 5, b"")


@pytest.mark.parametrize("grace", ["run", "keeper"])
def test_killed_with_9_the_program_and_its_files_go_too(environ: dict[str, str], grace: str):
    before = left(environ)
    with begun(environ, "sh", "-c", "echo ready; setsid sleep 300 & sleep 300") as process:
        until(lambda: len(descendants(process.pid)) >= 4)
        begun_by_it = descendants(process.pid)
        assert len(left(environ)) == len(before) + 1
        os.kill(process.pid if grace == "run" else begun_by_it[0], signal.SIGKILL)
        process.wait(timeout=SOON_S)
        until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in begun_by_it))
        until(lambda: left(environ) == before)
        assert process.returncode == (-9 if grace == "run" else 137)


# -- at a terminal -----------------------------------------------------------------------------------------------------------


class Screen:
    """Somebody at a terminal, in front of an interactive shell where `shell`."""

    def __init__(self, environ: dict[str, str], *command: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execvpe(command[0], list(command), environ)  # noqa: S606 - no shell is meant
        self.shown = ""

    def sees(self, words: str) -> None:
        end = time.monotonic() + SOON_S
        while words not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.fd, 65536).decode()
                except OSError:
                    assert words in self.shown, self.shown
        self.shown = self.shown.partition(words)[2]

    def types(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def code(self) -> int:
        with contextlib.suppress(OSError):
            while os.read(self.fd, 65536):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@contextlib.contextmanager
def at_a_screen(environ: dict[str, str], *command: str) -> Iterator[Screen]:
    screen = Screen(environ, *command)
    try:
        yield screen
    finally:
        screen.close()


@pytest.mark.parametrize("how", [(), ("--no-mask",)], ids=["masked", "as it is"])
def test_a_terminal_stays_a_terminal(environ: dict[str, str], how: tuple[str, ...]):
    script = 'test -t 0 -a -t 1 -a -t 2 && echo all three; echo size $(stty size); echo "name?"; read x; echo "hello $x"; read y < /dev/tty; exit 3'
    with at_a_screen(environ, *DRIVER, *how, "sh", "-c", script) as screen:
        import fcntl
        import struct
        import termios

        fcntl.ioctl(screen.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
        screen.sees("all three")
        screen.sees("size 33 77")
        screen.sees("name?")
        screen.types("rosa\r")
        screen.sees("hello rosa")
        screen.types("more\r")
        assert screen.code() == 3


def test_at_a_terminal_it_is_masked_too_and_a_new_size_is_heard_of(environ: dict[str, str]):
    import fcntl
    import struct
    import termios

    script = 'trap "stty size" WINCH; echo "it is $VALUE."; echo ready; while :; do sleep 0.1; done'
    with at_a_screen(environ, *DRIVER, "sh", "-c", script) as screen:
        screen.sees("it is ***.")
        screen.sees("ready")
        fcntl.ioctl(screen.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 88, 0, 0))
        screen.sees("44 88")
        screen.types("\x03")
        assert screen.code() == 130


@pytest.mark.parametrize("how", [(), ("--no-mask",)], ids=["masked", "as it is"])
def test_it_is_stopped_and_goes_on_as_a_job_of_the_shell(environ: dict[str, str], how: tuple[str, ...]):
    driver = " ".join([*DRIVER, *how])
    with at_a_screen({**environ, "PS1": "prompt> ", "ENV": ""}, "bash", "--norc", "--noediting", "-i") as screen:
        screen.sees("prompt> ")
        screen.types(f"{driver} sh -c 'echo re''ady; read x; echo got $x'\r")
        screen.sees("\nready")
        screen.types("\x1a")
        screen.sees("Stopped")
        screen.sees("prompt> ")
        screen.types("fg\r")
        time.sleep(0.5)
        screen.types("word\r")
        screen.sees("got")
        screen.sees("prompt> ")
        screen.types("echo code $?\r")
        screen.sees("code 0")


@pytest.mark.parametrize("how", [(), ("--no-mask",)], ids=["masked", "as it is"])
def test_a_key_ends_it_once(environ: dict[str, str], how: tuple[str, ...]):
    script = "trap 'echo int' INT; echo ready; sleep 1 & wait; wait; exit 6"
    with at_a_screen(environ, *DRIVER, *how, "sh", "-c", script) as screen:
        screen.sees("ready")
        screen.types("\x03")
        screen.sees("int")
        assert screen.code() == 6


def test_the_terminal_is_as_it_was_after_we_were_killed(environ: dict[str, str]):
    driver = " ".join(DRIVER)
    with at_a_screen({**environ, "PS1": "prompt> ", "ENV": ""}, "bash", "--norc", "--noediting", "-i") as screen:
        screen.sees("prompt> ")
        screen.types(f"{driver} sh -c 'echo re''ady; sleep 300'\r")
        screen.sees("\nready")
        ours = next(pid for pid in descendants(screen.pid) if b"driver" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(ours, signal.SIGKILL)
        screen.sees("Killed")
        time.sleep(0.5)
        screen.types("stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e echo\r")
        screen.sees("icanon")


def test_no_core_is_written_and_nobody_looks_into_us():
    script = (
        "import ctypes, resource; from bot.cli.running.hardening import harden; harden();"
        "print(resource.getrlimit(resource.RLIMIT_CORE)[0], ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "0 0\n"
