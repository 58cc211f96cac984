"""Patterns that must not run for ever: regular expressions for tickets.

Python's matcher goes back and forth. It is kept within some million steps on a ticket of `LONGEST_TICKET` characters by allowing three
places that may take more or less text, no repetition around another, and nothing that looks around or back.
"""

import re
from typing import Final

LONGEST: Final = 200  # of a pattern
LONGEST_TICKET: Final = 200  # what `store.model.policy.Ticket` looks at
MOST_VARIABLE: Final = 3

_PIECE: Final = re.compile(
    r"""\\. | \[\^?\]?(?:\\.|[^\]\\])*\]    # an escape, a class
      | \((?:\?P?<?[:=!#>\w])? | \)       # a group
      | [*+?] | \{[0-9]*,?[0-9]*\}        # a repetition
      | .""",
    re.VERBOSE | re.DOTALL,
)
_FIXED: Final = re.compile(r"\{([0-9]+)\}")


def check(pattern: str) -> str:
    """The pattern as it was. Raises `ValueError` with a sentence."""
    if not 0 < len(pattern) <= LONGEST:
        raise ValueError(f"the pattern has {len(pattern)} characters; write one of 1 to {LONGEST}.")
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"this is not a regular expression ({error}); write one like ^[A-Z]+-[0-9]+$.") from None
    _bounded(pattern)
    return pattern


def _bounded(pattern: str) -> None:
    variable = 0
    loose = [False]  # for each group that is open: may what is inside take more or less text?
    choice = [False]  # and has it a choice in it?
    closed = False  # was the group that ended just now a loose one?
    previous = ""
    for piece in _PIECE.findall(pattern):
        if piece.startswith("(") and piece not in ("(", "(?:"):
            raise ValueError(f"“{piece}” looks around, names or sets something; use plain groups ( ) or (?: ) only.")
        if re.fullmatch(r"\\[0-9]", piece):
            raise ValueError(f"“{piece}” refers back to a group; write out what it should match.")
        if piece.startswith("("):
            loose.append(False)
            choice.append(False)
        elif piece == ")":
            variable += choice.pop()
            closed = loose.pop()
            loose[-1] |= closed
        elif piece == "|":
            loose[-1] = choice[-1] = True
        elif _repeats(piece) and not (_repeats(previous) and piece in ("?", "+")):  # those make it lazy or greedy
            if previous == ")" and closed and piece != "?":
                raise ValueError(
                    "a repetition stands around another repetition or a choice; write it without the outer one."
                )
            fixed = _FIXED.fullmatch(piece)
            if fixed is None:
                variable += 1
                loose[-1] = True
            elif int(fixed[1]) > LONGEST_TICKET:
                raise ValueError(f"“{piece}” repeats more than {LONGEST_TICKET} times; no ticket is that long.")
        previous = piece
    if variable > MOST_VARIABLE:
        raise ValueError(
            f"the pattern has {variable} of * + ? {{n,m}} and (a|b); write one with at most {MOST_VARIABLE}, so that it is quick."
        )


def _repeats(piece: str) -> bool:
    return piece in ("*", "+", "?") or (piece.startswith("{") and len(piece) > 2)
