"""Runner: deletes one guard at a time, in a copy of the tree, and looks whether the test that watches it fails.

Only that one test is run. It must have run and failed by itself: a file that cannot be read any more, a name that is gone or a test that never ends
proves nothing about a guard.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Literal

from lupa.lua51 import LuaRuntime, LuaSyntaxError  # the Lua of Redis

WORKERS: Final = 2
LIMIT_S: Final = 60  # for one test, with the start of its Python
UNREAD: Final = (".*", "__pycache__")  # what tools left there
# How a test fails when the edit broke the code instead of taking a guard away.
BROKEN: Final = re.compile(
    r"(NameError|UnboundLocalError|ImportError|ModuleNotFoundError|SyntaxError|Failed: Timeout)\b"
)

Verdict = Literal["caught", "not caught", "rotten", "broken"]


@dataclass(frozen=True, slots=True)
class Edit:
    """With `new` for `old`, which stands once in `file`, the pytest node `test` fails. `rows`: the threats it covers, by number."""

    guards: str
    rows: tuple[int, ...]
    file: str
    old: str
    new: str
    test: str


@dataclass(frozen=True, slots=True)
class Result:
    edit: Edit
    verdict: Verdict
    why: str = ""


class NotGreen(Exception):
    """A named test is not there, is skipped, or fails without any edit. Holds what pytest said."""


def read(path: Path) -> tuple[Edit, ...]:
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["edit"]
    return tuple(Edit(**{**entry, "rows": tuple(entry["rows"])}) for entry in entries)


def run(edits: Sequence[Edit], root: Path, *, workers: int = WORKERS, limit_s: float = LIMIT_S) -> Iterator[Result]:
    """In the order of the edits. Raises `NotGreen` before the first one."""
    with tempfile.TemporaryDirectory(prefix="sabotage-") as folder:
        first = _copy(root, Path(folder) / "0", *UNREAD)
        _prove(first, edits, limit_s)
        free: SimpleQueue[Path] = SimpleQueue()
        for tree in [first, *(_copy(first, Path(folder) / str(number)) for number in range(1, workers))]:
            free.put(tree)

        def one(edit: Edit) -> Result:
            tree = free.get()
            try:
                return _attempt(tree, edit, limit_s)
            finally:
                free.put(tree)

        with ThreadPoolExecutor(workers) as pool:
            yield from pool.map(one, edits)


def rot(edit: Edit, root: Path) -> str:
    """Why the edit cannot be made any more; empty where it can."""
    path = root / edit.file
    if not path.is_file():
        return f"There is no {edit.file} any more."
    times = path.read_text(encoding="utf-8").count(edit.old)
    return "" if times == 1 else f"Its old text stands {times} times in {edit.file}, not once."


def _copy(root: Path, to: Path, *ignored: str) -> Path:
    shutil.copytree(root, to, ignore=shutil.ignore_patterns(*ignored))
    return to


def _prove(tree: Path, edits: Sequence[Edit], limit_s: float) -> None:
    tests = list(dict.fromkeys(edit.test for edit in edits))
    code, said = _pytest(tree, tests, limit_s, within_s=limit_s * len(tests), byte_code=True)
    if code != 0 or re.search(r"\b\d+ (skipped|deselected|xfailed)\b", said):
        raise NotGreen(said)


def _attempt(tree: Path, edit: Edit, limit_s: float) -> Result:
    if why := rot(edit, tree):
        return Result(edit, "rotten", why)
    path = tree / edit.file
    before = path.read_text(encoding="utf-8")
    after = before.replace(edit.old, edit.new)
    if why := _unreadable(path, after):
        return Result(edit, "broken", why)
    path.write_text(after, encoding="utf-8")
    try:
        code, said = _pytest(tree, [edit.test], limit_s, within_s=2 * limit_s)
    finally:
        path.write_text(before, encoding="utf-8")
    return _judged(edit, code, said)


def _unreadable(path: Path, text: str) -> str:
    try:
        if path.suffix == ".py":
            compile(text, path.name, "exec")
        elif path.suffix == ".lua":
            LuaRuntime().compile(text)
    except (SyntaxError, LuaSyntaxError) as error:
        return f"Without the guard the file cannot be read: {error}"
    return ""


def _judged(edit: Edit, code: int | None, said: str) -> Result:
    if code is None:
        return Result(edit, "broken", "The test did not end in time.")
    if code == 0:
        return Result(edit, "not caught", "The test passes without the guard.")
    failed = [line for line in said.splitlines() if line.startswith("FAILED ")]
    if not failed:
        return Result(edit, "broken", f"The test did not run.\n{said}")
    reasons = [line.partition(" - ")[2] for line in failed]
    if all(BROKEN.match(reason) for reason in reasons):
        return Result(edit, "broken", f"The test failed for another reason: {reasons[0]}")
    return Result(edit, "caught", reasons[0])


def _pytest(
    tree: Path, tests: Sequence[str], limit_s: float, *, within_s: float, byte_code: bool = False
) -> tuple[int | None, str]:
    """Exit code, None where it had to be killed, and what it said.

    `byte_code` is written of the tree as it is, which halves the time of all that follows, and never of an edit: two edits of one second and one size
    would be taken for each other.
    """
    options = [
        "-q",
        "-rfEs",
        "--tb=no",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-m",
        "",
        "-o",
        f"timeout={limit_s}",
    ]
    path = os.pathsep.join([str(tree), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    # The width keeps a reason whole on its line.
    environ = {
        **os.environ,
        "PYTHONPATH": path,
        "PYTHONDONTWRITEBYTECODE": "" if byte_code else "1",
        "HYPOTHESIS_PROFILE": "ci",
        "COLUMNS": "400",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=tree, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=within_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # with the servers that it started
        said, _ = process.communicate()
        return None, said
    return process.returncode, said
