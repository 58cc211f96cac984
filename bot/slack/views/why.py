"""Why: an explanation as a message. Rich text, so that people are called by mentions and nothing that was typed is read as one."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views import explained
from bot.slack.views.explained import Line, Tongue
from bot.slack.views.facts import Block, Message
from bot.slack.views.words import cleaned, spoken
from store.model.explain import Explanation, Filling

# Private-use characters, which `cleaned` takes out of whatever somebody typed.
_OPENS: Final = "\ue000"
_CLOSES: Final = "\ue001"
_NAMED: Final = re.compile(f"{_OPENS}([UWSCG])([A-Z0-9]{{2,20}}){_CLOSES}")
_ELEMENTS: Final = {"U": "user", "W": "user", "S": "usergroup", "C": "channel", "G": "channel"}


def tongue(reader: str, asker: str) -> Tongue:
    """Who reads this is called “you” where they are the one who would ask."""
    return Tongue(_name, spoken, asker="you" if reader == asker else _name(asker), safe=cleaned, you=reader == asker)


def before(explanation: Explanation, reader: str) -> Message:
    """What would become of a request that nobody has made yet."""
    speaks = tongue(reader, explanation.question.user)
    answer = explained.sentence(explanation, speaks)
    blocks = [b.rich(b.line(*_elements(answer, bold=True))), *drawn(explained.lines(explanation, speaks))]
    if explanation.verdict != "refused":
        question = f"{explanation.question.action} {explanation.question.target}"
        asked_ms = explanation.question.duration_ms
        length = f" for {spoken(asked_ms).replace(' min', 'm').replace(' ', '')}" if asked_ms else ""
        blocks.append(b.context(f"Nobody was asked or told. To ask: `/countersign request {question}{length}`"))
    return Message(_plain(answer), b.fresh(blocks))


def who(fillings: Iterable[Filling], reader: str, asker: str) -> list[Block]:
    """Who could still decide a request, threshold by threshold, and who could not and why."""
    speaks = tongue(reader, asker)
    found: list[Line] = []
    for filling in fillings:
        first, *more = explained.filling_lines(filling, speaks)
        found += [(first.removesuffix("."), ""), *(("", line) for line in more)]
    return drawn(found)


def drawn(lines: Sequence[Line]) -> list[Block]:
    """A paragraph a label; what has none belongs to the one before."""
    paragraphs: list[list[b.Element]] = []
    for label, line in lines:
        pieces = [*_elements(f"{label}: ", bold=True), *_elements(line)] if label else _elements(line)
        if label or not paragraphs:
            paragraphs.append(pieces)
        else:
            paragraphs[-1] += [b.text("\n"), *pieces]
    return [b.rich(b.line(*pieces)) for pieces in paragraphs]


def _name(principal: str) -> str:
    return f"{_OPENS}{principal}{_CLOSES}"


def _elements(text: str, *, bold: bool = False) -> list[b.Element]:
    found: list[b.Element] = []
    end = 0
    for named in _NAMED.finditer(text):
        if named.start() > end:
            found.append(b.text(text[end : named.start()], bold=bold))
        kind = _ELEMENTS[named[1]]
        found.append({"type": kind, f"{kind}_id": named[1] + named[2]})
        end = named.end()
    return [*found, b.text(text[end:], bold=bold)] if end < len(text) else found


def _plain(text: str) -> str:
    """For notifications and screen readers."""
    marks = {"user": "<@{}>", "usergroup": "<!subteam^{}>", "channel": "<#{}>"}
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _NAMED.sub(lambda named: marks[_ELEMENTS[named[1]]].format(named[1] + named[2]), plain)
