"""Queue: what waits for one person's word, the earliest deadline first."""

from dataclasses import dataclass
from typing import Final

from store.model.identity import Target
from store.model.people import People
from store.model.policy import PolicySet
from store.model.standing import Rules, Standing, is_approver, is_deployer
from store.redis.policies import Policies
from store.redis.projection import START
from store.redis.requests import Requests, Say

FORMER: Final = 4  # versions of the policies
LOOKED_AT: Final = 500  # at first: one that few people decide ends before that
NOBODY: Final = Standing(may=False)


@dataclass(frozen=True, slots=True)
class Queue:
    ids: tuple[str, ...] = ()  # theirs to decide, to countersign, or to start
    unsure: int = 0  # perhaps theirs: a fact is missing
    left: int = 0  # how many there are behind at the least, theirs or not: they were not looked at

    @property
    def words(self) -> str:
        """How many; empty for none."""
        if not self.ids and not self.left:
            return "not known yet" if self.unsure else ""
        return f"more than {len(self.ids):,}" if self.left else f"{len(self.ids):,}"


def principals(user: str, people: People) -> frozenset[str]:
    """This user, and the groups they are known to be in."""
    return frozenset(group.id for group in people.groups.values() if user in group.members) | {user}


class Queues:
    def __init__(self, requests: Requests, policies: Policies) -> None:
        self._requests = requests
        self._policies = policies

    async def groups(self, now: PolicySet) -> frozenset[str]:
        """Those that decide, or start what was approved, also by the last few versions before this one: what was asked then lies under their names. Raises `Unavailable`."""
        former = [await self._policies.get(number) for number in range(max(1, now.number - FORMER), now.number)]
        return frozenset(
            name for each in (*former, now) for name in each.approvers | each.deployers if name.startswith("S")
        )

    async def of(self, user: str, groups: frozenset[str], people: People, now: PolicySet, *, upto: int) -> Queue:
        """`groups`: those that decide; one that is not among `people` may be theirs. Looks on until `upto` are found, or there
        are no more: what is not theirs stands in nobody's way. Raises `Unavailable`."""
        asked = sorted(principals(user, people) | (groups - people.groups.keys()))
        most = LOOKED_AT
        while True:
            found, left = await self._requests.queue(asked, most=most)
            says = {written: Say.read(written) for written in {written for _, written in found}}
            then = {number: await self._policies.get(number) for number in {say.policy for say in says.values()}}
            judge = _Judge(user, people, now, then)
            may = {written: judge.may(say) for written, say in says.items()}
            ids = tuple(request for request, written in found if may[written])
            if len(ids) >= upto or not left:
                return Queue(ids, sum(may[written] is None for _, written in found), left)
            most *= 4


class _Judge:
    """Requests of one rule are judged alike, and mostly there are many of one rule."""

    def __init__(self, user: str, people: People, now: PolicySet, then: dict[int, PolicySet]) -> None:
        self._user = user
        self._people = people
        self._now = now
        self._then = then
        self._known: dict[tuple[int, str, str], tuple[Standing, bool]] = {}

    def may(self, say: Say) -> bool | None:
        """May they decide it, and have not done so yet, or start it? None: a fact is missing."""
        starts = say.kind == START
        if self._user in say.heard:
            return starts  # who broke the glass for it
        asked = (say.policy, say.kind, say.target)
        if asked not in self._known:
            self._known[asked] = self._under(*asked)
        standing, self_approval = self._known[asked]
        return standing.may if starts or self_approval or self._user not in say.asking else False

    def _under(self, policy: int, kind: str, target: str) -> tuple[Standing, bool]:
        parsed, starts = Target.parse(target), kind == START
        action = "deploy" if starts else kind
        former, rule = self._then[policy].rule(action, parsed), self._now.rule(action, parsed)
        if former is None or rule is None:
            return NOBODY, False
        rules = Rules(former, rule, self._now.owners)
        standing = (is_deployer if starts else is_approver)(rules, self._user, self._people)
        return standing, rules.self_approval
