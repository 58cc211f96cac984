"""`python -m docs.model`: every model must hold, and every guard that is taken away must be missed.

Spin makes a verifier of each model, gcc compiles it, and it looks at every state that can be reached. Everything is made in a temporary folder.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
MOST_MB: Final = 900  # for one verifier; two run at a time
DEEPEST: Final = 1_000_000  # steps; a search that comes so far was not exhaustive, and fails
WITHIN_S: Final = 150.0  # for one verifier
AT_ONCE: Final = 2
SAFE: Final = ("-DSAFETY", "-DNOCLAIM")
FAIR: Final = ("-DNFAIR=4",)  # 12 processes at most take part in fairness


@dataclass(frozen=True, slots=True)
class Run:
    """One verification. `without` is the guard that is taken away: then a counterexample is what is wanted."""

    model: str
    about: str
    options: tuple[str, ...] = ()
    ends: bool = False  # whether it comes to its end, under weak fairness; else whether every assertion holds
    without: str = ""

    @property
    def name(self) -> str:
        return self.without or f"{self.model}: {self.about}"


@dataclass(frozen=True, slots=True)
class Found:
    """What one verifier said. `error` is its counterexample in a line, None where there is none."""

    error: str | None
    states: int
    depth: int
    seconds: float
    complete: bool


# Who clicks in decision.pml, as a sum of its numbers, and what else moves.
EDITED: Final = ("CLICKS=67", "LEAVES", "LAST=1", "AGAIN=0", "CRASHES=0")
POLICY: Final = ("CLICKS=7", "POLICY_MOVES", "LAST=1", "AGAIN=0", "CRASHES=0")
USED: Final = ("CLICKS=163", "FRESH=2", "LAST=2", "AGAIN=0", "CRASHES=0")
DENIED: Final = ("CLICKS=19", "LAST=3", "AGAIN=0", "CRASHES=0")
TWICE: Final = ("CLICKS=27", "LAST=0", "AGAIN=1", "CRASHES=1")
WAITING: Final = ("CLICKS=3", "LAST=3", "AGAIN=0", "CRASHES=1")
ONE: Final = ("GRANTS=1", "CRASHES=1", "LATES=1")
BOTH: Final = ("GRANTS=2", "CRASHES=0", "LATES=0")

TWO: Final = ("TWICE", "CRASHES=1")
EACH: Final = ("CRASHES=0",)

MODELS: Final = (
    Run("decision", "edits, and an approver who leaves", EDITED),
    Run("decision", "a policy that moves, and a requester who approves", POLICY),
    Run("decision", "withdrawn, expired, used", USED),
    Run("decision", "approved, denied, expired", DENIED),
    Run("decision", "clicks delivered twice, and a replica dies", TWICE),
    Run("decision", "nothing waits for ever", WAITING, ends=True),
    Run("grant", "one grant, a replica dies, leases run out", ONE),
    Run("grant", "two grants of one membership", BOTH),
    Run("grant", "access outside ends", ONE, ends=True),
    Run("deploy", "two of one application, a replica dies", TWO),
    Run("deploy", "what runs ends", EACH, ends=True),
)
DEFECTS: Final = (
    Run("decision", "the version of the request is not guarded", USED, without="NO_VERSION_GUARD"),
    Run("decision", "the policies are not guarded", POLICY, without="NO_POLICY_GUARD"),
    Run("decision", "facts about people are good for ever", EDITED, without="GOOD_UNTIL_FORGOTTEN"),
    Run("decision", "what was remembered is committed unguarded", POLICY, without="RECALLED_UNGUARDED"),
    Run("decision", "a click is refused on what was remembered", EDITED, without="REFUSED_ON_MEMORY"),
    Run("decision", "a click counts for whatever revision is there", EDITED, without="CARD_UNREAD"),
    Run("decision", "an edit keeps the reviews", EDITED, without="EDIT_KEEPS_REVIEWS"),
    Run("decision", "one person fills two places", TWICE, without="TWO_VOTES"),
    Run("decision", "the requester's approval counts", POLICY, without="SELF_APPROVAL"),
    Run("decision", "a command id is not kept", TWICE, without="COMMAND_FORGOTTEN"),
    Run("decision", "the deadline is not looked at", USED, without="NO_DEADLINE"),
    Run("decision", "the deadline is not part of good_until", USED, without="NO_DEADLINE_IN_COMMIT"),
    Run("decision", "what is over can be withdrawn", USED, without="WITHDRAWN_AT_ANY_TIME"),
    Run("grant", "active without a read-back", ONE, without="GRANT_UNREAD"),
    Run("grant", "ended without a read-back", ONE, without="REVOKE_UNREAD"),
    Run("grant", "failed without a read-back", ONE, without="FAILED_UNREAD"),
    Run("grant", "ended as soon as it is asked for", ONE, without="ENDS_UNCONFIRMED"),
    Run("grant", "until is set after the first attempt", ONE, without="UNTIL_AFTER_FIRST_ATTEMPT"),
    Run("grant", "a membership seen after until makes it active", ONE, without="PRESENT_AFTER_UNTIL"),
    Run("grant", "leases shorter than a performance", ONE, without="LEASE_TOO_SHORT"),
    Run("grant", "removed although another grant holds it", BOTH, without="REMOVES_THOUGH_HELD"),
    Run("grant", "the sweep forgets what is being granted", ONE, ends=True, without="SWEEP_FORGETS_GRANTING"),
    Run("grant", "an effect put anew is settled with the old one", ONE, ends=True, without="NO_GENERATION"),
    Run("grant", "settled by who has it no longer", ONE, ends=True, without="NO_FENCE"),
    Run("grant", "settled before it is performed", ONE, ends=True, without="SETTLE_BEFORE_PERFORM"),
    Run("grant", "an effect that failed is dropped", ONE, ends=True, without="GIVES_UP"),
    Run("grant", "the effect is put after the commit", ONE, ends=True, without="EFFECT_APART"),
    Run("grant", "the turn is free although a write is still on its way", ONE, without="TURN_RELEASED"),
    Run("grant", "a deleted effect's fence and generation start again", ONE, ends=True, without="FENCE_RESTARTS"),
    Run("deploy", "what runs where is not guarded", TWO, without="SLOTS_UNGUARDED"),
    Run("deploy", "an older one starts after a newer one", TWO, without="OVERTAKES_UNSEEN"),
    Run("deploy", "what has ended hears a report", TWO, without="REPORTED_AT_ANY_TIME"),
    Run("deploy", "the sweep forgets what runs", EACH, ends=True, without="SWEEP_FORGETS_RUNNING"),
)


def verify(run: Run, folder: Path) -> Found:
    """Raises `RuntimeError` with what the tool said, where one fails."""
    place = Path(tempfile.mkdtemp(dir=folder))
    shutil.copy(HERE / f"{run.model}.pml", place / "model.pml")
    given = [f"-D{option}" for option in (*run.options, *([run.without] if run.without else []))]
    _call(["spin", "-a", *given, "model.pml"], place)
    _call(
        [
            "cc",
            "-w",
            "-O1" if run.without else "-O2",
            "-DCOLLAPSE",
            f"-DMEMLIM={MOST_MB}",
            *(FAIR if run.ends else SAFE),
            "-o",
            "pan",
            "pan.c",
        ],
        place,
    )
    began = time.monotonic()
    said = _call(["./pan", f"-m{DEEPEST}", "-E", "-n", "-w20", *(("-a", "-f") if run.ends else ())], place)
    seconds = time.monotonic() - began
    error = re.search(r"^pan:1: (.*?) \(at depth", said, re.MULTILINE)
    errors, states = re.search(r"errors: (\d+)", said), re.search(r"(\d+) states, stored", said)
    depth = re.search(r"depth reached (\d+)", said)
    if errors is None or states is None or depth is None:
        raise RuntimeError(f"{run.name}: the verifier came to no end:\n{said[-2000:]}")
    if (error is not None) != (errors[1] != "0"):
        raise RuntimeError(f"{run.name}: the verifier found something else than a counterexample:\n{said[-2000:]}")
    complete = "Search not completed" not in said and "max search depth too small" not in said
    return Found(error[1] if error else None, int(states[1]), int(depth[1]), seconds, complete)


def _call(command: Sequence[str], folder: Path) -> str:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{command[0]} took longer than {WITHIN_S:g} s.") from None
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return done.stdout + done.stderr


def missing() -> int:
    """A failure in CI, where everything is installed; on a laptop a skip that says so. Answers the exit code."""
    lacks = [
        f"{tool} (package {package})"
        for tool, package in (("spin", "spin"), ("cc", "gcc"))
        if shutil.which(tool) is None
    ]
    if not lacks:
        return -1
    ci = bool(os.environ.get("CI"))
    print(
        f"{'Not verified' if ci else 'Skipped'}: the models need {' and '.join(lacks)}, not on this machine.",
        file=sys.stderr,
    )
    return int(ci)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m docs.model", description=__doc__)
    parser.add_argument(
        "only",
        nargs="*",
        metavar="NAME",
        help="a model, or the guard that is taken away; all of them where none is named",
    )
    only = set(parser.parse_args().only)
    runs = [run for run in (*MODELS, *DEFECTS) if not only or only & {run.model, run.without}]
    if not runs:
        parser.error(f"there is no {', '.join(sorted(only))} among the models and their guards")
    if (code := missing()) >= 0:
        return code
    failed, found = False, 0
    with tempfile.TemporaryDirectory(prefix="countersign-model-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        for run, result in zip(runs, pool.map(lambda each: verify(each, Path(folder)), runs), strict=True):
            good = (result.error is not None) if run.without else (result.error is None and result.complete)
            failed |= not good
            found += good and run in DEFECTS
            _tell(run, result, good=good)
    print(f"{found} of {sum(run in DEFECTS for run in runs)} defects found")
    return int(failed)


def _tell(run: Run, found: Found, *, good: bool) -> None:
    if run.without:
        seen = "counterexample" if good else "NO COUNTEREXAMPLE"
        print(f"defect  {run.without:27}{seen}, {found.depth} steps deep: {run.about}", flush=True)
        return
    seen = "holds" if good else f"FAILS: {found.error or 'the search was not complete'}"
    print(
        f"{run.model:10}{run.about}: {seen}; {found.states:,} states, depth {found.depth:,}, {found.seconds:.1f} s",
        flush=True,
    )


if __name__ == "__main__":
    sys.exit(main())
