"""The program: `python -m bot` is `countersign`."""

import sys

from bot.cli import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
