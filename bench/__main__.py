"""`python -m bench [NAME ...]`: measurements. One JSON line on stdout for each, what goes on meanwhile on stderr."""

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

from bench import click, hooks, read, scale

BENCHES: Final[dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, dict[str, Any]]]]] = {
    "click": lambda given: click.measure(given.clicks),
    "hooks": lambda given: hooks.measure(given.deliveries),
    "read": lambda given: read.measure(given.reads),
    "scale": lambda given: scale.measure(given.rules, given.requests, given.rounds),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """`arguments`: those of the command line where none are given."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"all of them where none is given: {', '.join(BENCHES)}"
    )
    counts = {
        "clicks": (click.CLICKS, "click: how many are measured"),
        "deliveries": (hooks.DELIVERIES, "hooks: how many are measured"),
        "reads": (read.READS, "read: how many are measured"),
        "rules": (scale.MANY_RULES, "scale: how many rules there are"),
        "requests": (scale.MANY_REQUESTS, "scale: how many requests are open"),
        "rounds": (scale.ROUNDS, "scale: how often each size is measured"),
    }
    for name, (usual, what) in counts.items():
        parser.add_argument(f"--{name}", type=int, default=usual, help=f"{what} (%(default)s)")
    given = parser.parse_args(arguments)
    if unknown := set(given.names) - BENCHES.keys():
        parser.error(f"there is no bench {', '.join(sorted(unknown))}: there is {', '.join(BENCHES)}")
    for name in counts:
        if getattr(given, name) < 1:
            parser.error(f"--{name} must be at least 1")
    for name in given.names or BENCHES:
        measured = asyncio.run(BENCHES[name](given))
        print(json.dumps({"bench": name, **measured}), flush=True)


if __name__ == "__main__":
    main()
