"""`make sabotage`: deletes each guard once, and says of each whether its test has seen it."""

import argparse
import sys
import time
from pathlib import Path
from typing import Final

from tests.sabotage import runner

EDITS: Final = Path(__file__).with_name("edits.toml")
ROOT: Final = Path(__file__).parents[2]


def main() -> int:
    asked = argparse.ArgumentParser(prog="make sabotage", description=__doc__)
    asked.add_argument(
        "--every", type=int, default=1, metavar="N", help="a sample: each Nth of the list, always the same"
    )
    asked.add_argument("--only", default="", metavar="TEXT", help="those whose file, test or sentence holds this text")
    asked.add_argument("--rows", action="store_true", help="only print which edits stand against which threat")
    options = asked.parse_args()
    if options.every < 1:
        asked.error("--every takes a number from 1 on.")
    edits = [
        edit
        for edit in runner.read(EDITS)[:: options.every]
        if any(options.only in text for text in (edit.file, edit.test, edit.guards))
    ]
    if not edits:
        asked.error(f"No edit has {options.only!r} in its file, test or sentence.")
    if options.rows:
        by_row(edits)
        return 0
    started = time.monotonic()
    caught = 0
    try:
        for result in runner.run(edits, ROOT):
            caught += result.verdict == "caught"
            told(result)
    except runner.NotGreen as said:
        print(f"{said}\nThese must all pass before anything is deleted.")
        return 1
    print(f"{time.monotonic() - started:.0f} s")
    print(f"{caught} of {len(edits)} caught")
    return 0 if edits and caught == len(edits) else 1


def by_row(edits: list[runner.Edit]) -> None:
    for row in sorted({row for edit in edits for row in edit.rows}):
        print(f"\n{row}")
        for edit in edits:
            if row in edit.rows:
                print(f"  {edit.guards}  ({edit.file} | {edit.test})")


def told(result: runner.Result) -> None:
    edit = result.edit
    rows = ", ".join(map(str, edit.rows)) or "-"
    print(f"{result.verdict:<10} {rows:<8} {edit.guards}  ({edit.file})", flush=True)
    if result.verdict != "caught":
        print(f"    {edit.old.strip()!r} -> {edit.new.strip()!r}\n    {edit.test}\n    {result.why}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
