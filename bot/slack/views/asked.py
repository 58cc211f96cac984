"""Asked: who will be asked, and what they will want to know, said in a form while it is being filled in."""

from typing import Final

from bot.slack.views import blocks as b
from bot.slack.views import explained, why
from bot.slack.views.facts import Block, WhoIsAsked
from bot.slack.views.words import mention

SAID: Final = ("Rule", "Must agree", "Altogether", "Will be told", "Time", "Needed", "Started")
ASKING: Final = "Asking Slack who could approve it now …"
SILENT: Final = "Slack has not told us in time who all of them are. You can ask all the same."


def who_is_asked(who: WhoIsAsked, *, besides: tuple[str, ...] = ()) -> list[Block]:
    """Nothing where nothing can be asked for: then the form says why. `besides`: what the form says by itself."""
    explanation = who.explained
    if explanation is None or who.refusal is not None:
        return []
    speaks = why.tongue(explanation.question.user, explanation.question.user)
    kept: list[explained.Line] = []
    label = ""
    for named, line in explained.lines(explanation, speaks):
        label = named or label
        if label in SAID and label not in besides:
            kept.append((named, line))
    refused = f"*This cannot be asked for {mention(who.not_for or '')}:* the rule does not name them among those who may have it."
    warned = [b.section(refused)] if who.not_for is not None else []
    blocks = [*warned, b.context("*Who is asked*"), *why.drawn(kept)]
    if who.asking:
        return [*blocks, b.context(ASKING)]
    return [*blocks, b.context(SILENT)] if explanation.unknown else blocks
