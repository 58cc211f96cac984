"""The `conftest.py` of the copy in which mutants run: everything is imported and collected once, then each mutant gets a process of its own.

mutmut has left every mutant in the modules, behind a switch. A process is a fork that throws its switch and runs the tests that come by that function until one fails: first
those that killed its neighbours, then the quick ones. So none sees what another one left (`lru_cache`), and a process costs little. Hypothesis tries few examples, the same each time.
"""

import gc
import json
import mmap
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

TO_RUN: Final = Path("to_run.json")  # names of mutants, and how many processes at once
RESULTS: Final = Path("results.jsonl")  # a name, and how its process ended, None where no test comes by
HITS: Final = Path("hits.json")  # by function the tests that come by it, and by test its seconds
LIMIT: Final = (
    3,
    5,
)  # so many times what its tests need, and so many seconds of processor time more: then a mutant does not end
NOT_RUN: Final = 2

settings.register_profile(
    "mutate",
    max_examples=25,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),  # a failure is enough, a short one no better
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),  # a mutant may be slow, or hard to find examples for: that is no failure
)
settings.load_profile("mutate")


def pytest_runtestloop(session: pytest.Session) -> bool:
    if session.testsfailed:
        raise session.Failed("The tests cannot be collected.")
    gc.freeze()
    if os.waitstatus_to_exitcode(os.waitpid(_forked(lambda: _measure(session)), 0)[1]):
        raise session.Failed("The tests do not pass without any mutant.")
    hits, seconds = json.loads(HITS.read_text(encoding="utf-8"))
    to_run = json.loads(TO_RUN.read_text(encoding="utf-8"))
    killers: dict[str, list[int]] = {}  # by function, the last one first
    running: dict[int, tuple[str, mmap.mmap]] = {}

    def say(name: str, code: int | None) -> None:
        with RESULTS.open("a", encoding="utf-8") as results:
            print(json.dumps([name, code]), file=results)

    def wait() -> None:
        process, status = os.wait()
        name, shared = running.pop(process)
        code = os.waitstatus_to_exitcode(status)
        say(name, code)
        if code == 1:
            killer, known = int.from_bytes(shared[:8], "big"), killers.setdefault(_function(name), [])
            killers[_function(name)] = [killer, *(each for each in known if each != killer)]

    for count, name in enumerate(to_run["names"]):
        if count % 100 == 0:
            print(f"{count} of {len(to_run['names'])}", flush=True)
        if len(running) >= to_run["processes"]:
            wait()
        first = killers.get(_function(name), [])
        others = sorted(set(hits.get(_function(name), ())) - set(first), key=lambda each: seconds[each])
        if not (numbers := [*first, *others]):
            say(name, None)
            continue
        limit = int(LIMIT[0] * sum(seconds[each] for each in numbers) + LIMIT[1])
        shared = mmap.mmap(-1, 8)
        running[_forked(partial(_look, session, name, numbers, limit, shared))] = (name, shared)
    while running:
        wait()
    return True


def _function(mutant: str) -> str:
    return mutant.partition("__mutmut_")[0]


def _forked(work: Callable[[], int]) -> int:
    """The process that does this, and ends with its answer."""
    sys.stdout.flush()
    if process := os.fork():
        return process
    code = NOT_RUN
    try:
        code = work()
    finally:
        os._exit(code)


def _look(session: pytest.Session, mutant: str, numbers: Sequence[int], limit_s: int, shared: mmap.mmap) -> int:
    """1 where a test fails, whose number is then in `shared`; 0 where none does."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    set_mutant_under_test(mutant)
    items = [session.items[number] for number in numbers]
    for number, item, following in zip(numbers, items, [*items[1:], None], strict=True):
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            shared[:8] = number.to_bytes(8, "big")
            return 1
    return 0


def _measure(session: pytest.Session) -> int:
    """Which tests come by which function, and how long they take: 1 where one fails."""
    hits: dict[str, list[int]] = {}
    seconds = []
    set_mutant_under_test("stats")
    for number, (item, following) in enumerate(zip(session.items, [*session.items[1:], None], strict=True)):
        started = time.process_time()
        session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.testsfailed:
            print(f"\n{item.nodeid} fails without any mutant.", flush=True)
            return 1
        seconds.append(time.process_time() - started)
        for function in state()._stats:
            hits.setdefault(function, []).append(number)
        state()._stats.clear()
    HITS.write_text(json.dumps([hits, seconds]), encoding="utf-8")
    return 0
