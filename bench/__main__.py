"""`python -m bench [NAME ...]`: measurements. One JSON line on stdout for each, what goes on meanwhile on stderr."""

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from bench import click

BENCHES: Final[dict[str, Callable[[int], Coroutine[Any, Any, dict[str, Any]]]]] = {"click": click.measure}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"all of them where none is given: {', '.join(BENCHES)}"
    )
    parser.add_argument("--clicks", type=int, default=click.CLICKS, help="how many are measured (%(default)s)")
    given = parser.parse_args()
    if unknown := set(given.names) - BENCHES.keys():
        parser.error(f"there is no bench {', '.join(sorted(unknown))}: there is {', '.join(BENCHES)}")
    if given.clicks < 1:
        parser.error("--clicks must be at least 1")
    for name in given.names or BENCHES:
        measured = asyncio.run(BENCHES[name](given.clicks))
        print(json.dumps({"bench": name, **measured}), flush=True)


if __name__ == "__main__":
    main()
