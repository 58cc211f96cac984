"""`make mutate`: changes one thing at a time in `store/model`, and says which changes no test of `tests/store/model` has seen."""

import argparse
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.mutation import workspace
from tests.mutation.workspace import Mutant, Verdict

ROOT: Final = Path(__file__).parents[2]
AT: Final = ROOT / ".mutants"
LEAST: Final = 95  # per cent


def main() -> int:
    asked = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    asked.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="of store/model, store/model/lifecycle/using.py; all where none is named",
    )
    asked.add_argument(
        "--again", action="store_true", help="only what was not killed in the last run, by the tests as they are now"
    )
    asked.add_argument("--report", action="store_true", help="run nothing, say what came of the last run")
    asked.add_argument("--processes", type=int, default=1, metavar="N")
    options = asked.parse_args()
    if unknown := [name for name in options.files if not (ROOT / name).is_file()]:
        asked.error(f"There is no file {', '.join(unknown)}.")
    started = time.monotonic()
    if not options.report:
        names: list[str] = []
        if options.again:
            names = [
                each.name
                for each in workspace.mutants(ROOT, AT)
                if each.verdict != "killed" and (not options.files or each.file in options.files)
            ]
            workspace.lay_tests(ROOT, AT)
        else:
            workspace.lay_out(ROOT, AT, options.files)
        if names or not options.again:
            _mutmut(names, options.processes)
    return _say(workspace.mutants(ROOT, AT), time.monotonic() - started)


def _mutmut(names: Sequence[str], processes: int) -> None:
    outside = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTEST_ADDOPTS")}
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(processes), *names]
    subprocess.run(command, cwd=AT, env=outside, check=True)


def _say(mutants: Sequence[Mutant], seconds: float) -> int:
    for mutant in mutants:
        if mutant.verdict != "killed":
            print(f"{mutant.file}:{mutant.line} {mutant.function}: {mutant.verdict} ({mutant.name})\n{mutant.change}\n")
    width = max((len(mutant.file) for mutant in mutants), default=0)
    for file in (*sorted({mutant.file for mutant in mutants}), ""):
        counted = Counter(mutant.verdict for mutant in mutants if mutant.file == file or not file)
        rest = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items()) if verdict != "killed")
        print(
            f"{file or 'all':{width}}  {counted['killed']:5} of {counted.total():5}  {_score(counted):5.1f} %  {rest}"
        )
    print(f"in {seconds:.0f} s")
    return 0 if _score(Counter(mutant.verdict for mutant in mutants)) >= LEAST else 1


def _score(counted: Counter[Verdict]) -> float:
    return 100 * counted["killed"] / (counted.total() or 1)


if __name__ == "__main__":
    sys.exit(main())
