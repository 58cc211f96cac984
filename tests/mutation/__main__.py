"""`make mutate`: changes one thing at a time in `store/model`, and says which changes no test of `tests/store/model` has seen."""

import argparse
import json
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
LAST: Final = AT / "verdicts.json"
LEAST: Final = 95  # per cent


def main() -> int:
    asked = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    asked.add_argument(
        "files", nargs="*", metavar="FILE", help="store/model/lifecycle/using.py; all where none is named"
    )
    asked.add_argument(
        "--again", action="store_true", help="only what was not killed the last time. The model must be as it was"
    )
    asked.add_argument("--processes", type=int, default=1, metavar="N")
    options = asked.parse_args()
    started = time.monotonic()
    mutants = workspace.lay_out(ROOT, AT, options.files)
    if unknown := set(options.files) - {mutant.file for mutant in mutants}:
        asked.error(f"There is nothing to change in {', '.join(sorted(unknown))}.")
    known: dict[str, Verdict] = json.loads(LAST.read_text(encoding="utf-8")) if options.again else {}
    names = [mutant.name for mutant in mutants if known.get(mutant.name) != "killed"]
    try:
        known |= workspace.run(AT, names, options.processes)
    except subprocess.CalledProcessError:
        return 2
    LAST.write_text(json.dumps(known), encoding="utf-8")
    return _say(mutants, known, time.monotonic() - started)


def _say(mutants: Sequence[Mutant], verdicts: dict[str, Verdict], seconds: float) -> int:
    for mutant in mutants:
        if verdicts[mutant.name] != "killed":
            print(f"{mutant.file}:{mutant.line} {mutant.function}: {verdicts[mutant.name]}\n{mutant.change}\n")
    width = max((len(mutant.file) for mutant in mutants), default=0)
    for file in (*sorted({mutant.file for mutant in mutants}), ""):
        counted = Counter(verdicts[mutant.name] for mutant in mutants if mutant.file == file or not file)
        rest = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counted.items()) if verdict != "killed")
        print(
            f"{file or 'all':{width}} {counted['killed']:5} of {counted.total():5} {_score(counted):6.1f} %  {rest}".rstrip()
        )
    print(f"in {seconds:.0f} s")
    return 0 if _score(Counter(verdicts[mutant.name] for mutant in mutants)) >= LEAST else 1


def _score(counted: Counter[Verdict]) -> float:
    return 100 * counted["killed"] / (counted.total() or 1)


if __name__ == "__main__":
    sys.exit(main())
