"""Refusals: what the owners read of a channel or a message that Slack refuses, and what they can do."""

import re
from collections.abc import Sequence
from typing import Final

from bot.slack.views.facts import CardFacts
from bot.slack.views.words import channel, date, plural
from store.model.effect import News

# Slack's word -> why, and what opens it again.
CLOSED: Final = {
    "not_in_channel": (
        "Countersign is not a member of it",
        "Invite it there: type `/invite @Countersign` in the channel.",
    ),
    "channel_not_found": (
        "it is gone, or it is private and Countersign is not a member of it",
        "Where it is private, type `/invite @Countersign` in it. Where it is gone, name another channel in the policies.",
    ),
    "is_archived": (
        "it is archived",
        "Unarchive it, or name another channel in the policies.",
    ),
}
OTHERWISE: Final = (
    "its settings keep Countersign from posting",
    "Let Countersign post in it (the channel's settings say who may), or name another channel in the policies.",
)
WHAT: Final = {"show_card": "a card", "tell": "a direct message", "announce": "an announcement"}
_WORD: Final = re.compile(r"[a-z_]{1,60}")


def shut(where: str, why: str, since_ms: int, targets: Sequence[str]) -> str:
    """mrkdwn: of a channel, for as long as it is closed to us. `targets`: those whose cards belong there."""
    because, opens = CLOSED.get(why, OTHERWISE)
    first, *others = targets
    about = f"`{first}`" + (f" and {plural(len(others), 'other target')}" if others else "")
    return (
        f"{channel(where)}: Slack has not let Countersign post there since {date(since_ms)}, because {because}. "
        f"Cards about {about} go to the approvers as direct messages. {opens}"
    )


def happened(facts: CardFacts, news: News, what: str) -> str:
    if news == "refused":
        kind, why = facts.refused or ("", "")
        word = f"`{why}`" if _WORD.fullmatch(why) else "no"
        return f"*Slack refuses a message:* {WHAT.get(kind, 'a message')} about {what} cannot be delivered. Slack says {word}."
    where, why = facts.closed or ("", "")
    because, _ = CLOSED.get(why, OTHERWISE)
    return (
        f"*No cards in {channel(where)}:* Slack does not let Countersign post there, because {because}. "
        f"Cards that belong there, as those about `{facts.request.target}`, go to the approvers as direct messages for now."
    )


def what_next(facts: CardFacts, news: News) -> str:
    if news == "refused":
        return (
            "Nothing is lost, and nothing was decided by it: whoever may decide finds the request in App Home. It is tried again, "
            "at the latest every hour. Tell whoever runs Countersign: its log says which message it is."
        )
    _, why = facts.closed or ("", "")
    _, opens = CLOSED.get(why, OTHERWISE)
    return f"{opens} Then new cards go there by themselves."
