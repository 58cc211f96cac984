"""Proposing: what other policies would change, and what they would keep people from, as facts for every door."""

from typing import Final

from bot.policy_file.difference import differences, named, told
from bot.slack.views.facts import Proposed, Said
from store.model import lockout
from store.model.people import Directory, People, Wanted
from store.model.policy import PolicySet

PERSONS_MOST: Final = 40  # looked up for one look: Slack allows a hundred a minute, and clicks need them too


def proposal(base: PolicySet, new: PolicySet, people: People | None, *, now: int | None = None) -> Proposed:
    """`people` None: nobody needs to be warned any more. `now`: see `Proposed`."""
    before, after = named(base), named(new)
    return Proposed(
        base=base.number,
        changes=tuple(Said(each.kind, each.about, *told(each)) for each in differences(base, new)),
        named=tuple(sorted(after - before)),
        unnamed=tuple(sorted(before - after)),
        dangers=lockout.dangers(new, people) if people is not None else (),
        now=now,
    )


async def concerned(directory: Directory, policies: PolicySet, *, patient: bool = False) -> People:
    """Who could change these policies, and who owns them: the groups, and then those in them."""
    first = lockout.wanted(policies)
    people = await directory.people(first, patient=patient)
    persons = sorted(lockout.everybody(policies, people))[:PERSONS_MOST]
    return await directory.people(first | Wanted(users=frozenset(persons)))
