"""Policy: who may ask, who must agree, who may pass in an emergency, and for how long.

Everything here names people by id. Reading the file that people write is `bot.policy_file`.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import Field, StringConstraints

from store.model.freeze import Freeze
from store.model.identity import WORD, GroupId, Target, TargetId, UserId
from store.model.people import People, Wanted
from store.model.record import Part, Record

Action = Literal["change", "open", "access", "deploy", "policy"]
Asked = Literal["open", "access", "change", "deploy"]  # what people ask for by themselves
Milliseconds = Annotated[int, Field(gt=0)]
Name = Annotated[str, StringConstraints(pattern=rf"^{WORD}$")]

TICKET_MOST: Final = 200  # characters
FOUND_KEPT: Final = 10_000  # rules that were looked up, of one set
OFFERS_KEPT: Final = 1_000  # and sets of groups that somebody was in

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR


ASKED_OF: Final[dict[str, tuple[Asked, ...]]] = {
    "environment": ("open", "change", "deploy"), "role": ("access",), "application": ("deploy",), "policy": (),
}  # fmt: skip


class Circle(Part):
    """Some people, by name or by group. Empty is nobody."""

    users: frozenset[UserId] = frozenset()
    groups: frozenset[GroupId] = frozenset()

    def has(self, user: str, people: People) -> bool | None:
        """None when a group that might hold this user is not known."""
        if user in self.users:
            return True
        unknown = False
        for group in self.groups:
            found = people.groups.get(group)
            if found is None:
                unknown = True
            elif user in found.members:
                return True
        return None if unknown else False

    def members(self, people: People) -> frozenset[str]:
        """Everybody it is known to name."""
        found = set(self.users)
        for group in self.groups:
            if group in people.groups:
                found |= people.groups[group].members
        return frozenset(found)

    @property
    def wanted(self) -> Wanted:
        return Wanted(groups=self.groups)

    @property
    def principals(self) -> frozenset[str]:
        return self.users | self.groups

    @property
    def empty(self) -> bool:
        return not self.users and not self.groups


class Threshold(Part):
    """`count` approvals by distinct people out of `circle`."""

    count: Annotated[int, Field(ge=1, le=20)] = 1
    circle: Circle = Field(alias="from")


class BreakGlass(Part):
    max_duration_ms: Milliseconds = HOUR
    review_within_ms: Milliseconds = DAY


class Access(Part):
    """Two clocks: how long access runs from its first use, and how long an approval waits for that first use."""

    default_ms: Milliseconds = HOUR
    max_ms: Milliseconds = 4 * HOUR
    grant_expiration_ms: Milliseconds = 8 * HOUR
    activate: Literal["by-hand", "on-approval"] = "by-hand"


class Reason(Part):
    required: bool = True


class Ticket(Part):
    pattern: str
    required: bool = True

    def matches(self, ticket: str) -> bool:
        return len(ticket) <= TICKET_MOST and re.fullmatch(self.pattern, ticket) is not None


class Escalation(Part):
    after_ms: Milliseconds = Field(alias="after")
    to: Circle


class Notify(Part):
    """Where decisions are announced besides the card: channel ids, addresses, URLs."""

    channels: tuple[str, ...] = ()
    email: tuple[str, ...] = ()
    webhooks: tuple[str, ...] = ()


class Policy(Part):
    """One rule."""

    name: str
    targets: tuple[str, ...]
    actions: frozenset[Action]
    requesters: Circle
    approvals: Annotated[tuple[Threshold, ...], Field(min_length=1)]
    denials: Annotated[int, Field(ge=1, le=20)] = 1
    self_approval: bool = False
    enforcement: Literal["hard", "soft"] = "hard"
    bypassers: Circle = Circle()
    break_glass: BreakGlass = BreakGlass()
    access: Access = Access()
    deployers: Circle | None = None  # None: approvers and owners
    deploy_within_ms: Milliseconds = DAY
    report_within_ms: Milliseconds = HOUR
    wait_ms: Annotated[int, Field(ge=0)] = 0  # between the approval and the start of a deploy
    freeze: tuple[Freeze, ...] = ()
    request_ttl_ms: Milliseconds = 8 * HOUR
    merge: Literal["on-approval", "by-hand"] = "on-approval"
    merge_within_ms: Milliseconds = DAY
    reason: Reason = Reason()
    ticket: Ticket | None = None
    remind: tuple[Milliseconds, ...] = ()
    escalate: tuple[Escalation, ...] = ()
    notify: Notify = Notify()

    @property
    def wanted(self) -> Wanted:
        """The groups a decision under this rule looks at."""
        circles = (
            self.requesters,
            self.bypassers,
            self.deployers or Circle(),
            *(threshold.circle for threshold in self.approvals),
        )
        return Wanted(groups=frozenset().union(*(circle.groups for circle in circles)))

    @property
    def approvers(self) -> frozenset[str]:
        """Ids of the users and groups that any threshold names."""
        return frozenset().union(*(threshold.circle.principals for threshold in self.approvals))

    def may_approve(self, user: str, people: People) -> bool | None:
        return one_of([threshold.circle.has(user, people) for threshold in self.approvals])


def one_of(answers: Collection[bool | None]) -> bool | None:
    """Whether one of these is a yes; None where one that is not known could be it."""
    return True if True in answers else None if None in answers else False


HookEvent: TypeAlias = Literal["change", "deploy", "rollback", "access.granted", "access.ended"]


Preset: TypeAlias = Literal["github-dispatch", "github-workflow", "template", "github-environment"]
GATE: Final[Preset] = "github-environment"  # it is not told of a deploy: it waits for the word on one that it asked for


class Hook(Part):
    """Where an environment's new version is announced. Fired on the events in `on`."""

    name: Name
    url: str
    on: frozenset[HookEvent] = frozenset({"change"})
    headers: dict[str, str] | None = None
    preset: Preset | None = None
    template: str | None = None  # of the preset template
    ref: str | None = None  # of the preset github-workflow: the branch or tag it runs on
    credentials: TargetId | None = None  # the environment that holds its token
    environment: str | None = None  # of the preset github-environment: what GitHub calls it
    holder: UserId | None = None  # of the same: who answers for what GitHub asks

    def gates(self, repository: str, environment: str) -> bool:
        """Is it for this environment of this repository at GitHub? Case does not matter there."""
        asked = f"/repos/{repository}".casefold()
        named = self.environment is not None and self.environment.casefold() == environment.casefold()
        return self.preset == GATE and named and self.url.casefold().endswith(asked)


class TargetConfig(Part):
    """What a target is, besides its name. `channel` is the Slack id of the channel its cards go to."""

    channel: str | None = None
    secure: bool = False
    values_in_slack: Literal["none", "enter", "enter_and_show"] = "none"
    hooks: tuple[Hook, ...] = ()
    connector: Name | None = None
    group: str | None = None

    @property
    def enters(self) -> bool:
        return not self.secure and self.values_in_slack != "none"

    @property
    def shows(self) -> bool:
        return not self.secure and self.values_in_slack == "enter_and_show"


class ConnectorConfig(Part):
    """`credentials` is the environment that holds the connector's token."""

    type: Literal["scim"]
    url: str
    credentials: TargetId


class PolicySet(Record):
    """One version of everything the file says. Versions are numbered from 1 and never change."""

    number: int
    owners: Circle
    organization: Name | None = None
    targets: dict[TargetId, TargetConfig] = {}
    connectors: dict[Name, ConnectorConfig] = {}
    allow_private: tuple[
        str, ...
    ] = ()  # host:port of receivers and connectors on private addresses that owners vouch for
    policies: tuple[Policy, ...] = ()
    names: dict[str, str] = {}  # id -> how the file called it, for sentences

    def target(self, target: Target) -> TargetConfig | None:
        """An application is covered by its environment's entry."""
        found = self.targets.get(target.id)
        if found is None and target.kind == "application" and target.environment is not None:
            found = self.targets.get(target.environment)
        return found

    def rule(self, action: str, target: Target) -> Policy | None:
        """The first policy that matches decides. None: nothing matches, or the target is not listed; both mean no."""
        found, asked = self._found, (action, target.id)
        if asked not in found:
            if len(found) >= FOUND_KEPT:
                found.clear()
            found[asked] = first_match(self.policies, action, target) if self.target(target) is not None else None
        return found[asked]

    @cached_property
    def _found(self) -> dict[tuple[str, str], Policy | None]:
        """A click looks its rule up six times, and thousands of rules are tried in turn."""
        return {}

    @cached_property
    def approvers(self) -> frozenset[str]:
        """Ids of the users and groups that any rule names as approvers."""
        return frozenset().union(*(policy.approvers for policy in self.policies))

    @cached_property
    def deployers(self) -> frozenset[str]:
        """Ids of the users and groups that may start what was approved, besides approvers."""
        rules = [policy for policy in self.policies if "deploy" in policy.actions]
        by_default = self.owners.principals if any(rule.deployers is None for rule in rules) else frozenset()
        return by_default.union(*(rule.deployers.principals for rule in rules if rule.deployers is not None))

    @cached_property
    def requesting_groups(self) -> frozenset[str]:
        return frozenset().union(*(policy.requesters.groups for policy in self.policies))

    def offers(self, principals: frozenset[str]) -> tuple[tuple[Asked, TargetId], ...]:
        """What somebody who is one of these users and groups may ask for, by target."""
        if principals not in self._offers:
            if len(self._offers) >= OFFERS_KEPT:
                self._offers.clear()
            self._offers[principals] = tuple(
                (action, target) for action, target, circle in self._offered if principals & circle
            )
        return self._offers[principals]

    @cached_property
    def _offers(self) -> dict[frozenset[str], tuple[tuple[Asked, TargetId], ...]]:
        return {}

    @cached_property
    def _offered(self) -> tuple[tuple[Asked, TargetId, frozenset[str]], ...]:
        """With the users and groups that may ask."""
        deployed = {name: _deployed(name, config) for name, config in self.targets.items()}
        targets = [
            Target.parse(name) for name in sorted({*self.targets, *(app for apps in deployed.values() for app in apps)})
        ]
        rules = [
            (action, target.id, self.rule(action, target))
            for target in targets
            for action in ASKED_OF[target.kind]
            if action != "deploy" or target.kind == "application" or deployed[target.id]
        ]
        return tuple((action, name, rule.requesters.principals) for action, name, rule in rules if rule is not None)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        copied = super().model_copy(update=update, deep=deep)
        for known in copied.__dict__.keys() - type(self).model_fields.keys():  # what was worked out of the former one
            del copied.__dict__[known]
        return copied


def _deployed(name: TargetId, config: TargetConfig) -> tuple[TargetId, ...]:
    """The applications of an environment: its hooks that deploy, by name."""
    hooks = (hook for hook in config.hooks if "deploy" in hook.on and hook.preset != GATE)
    return tuple(f"{name}#{hook.name}" for hook in hooks if "#" not in name)


def first_match(policies: Iterable[Policy], action: str, target: Target) -> Policy | None:
    for policy in policies:
        if action in policy.actions and any(covers(pattern, target) for pattern in policy.targets):
            return policy
    return None


def covers(pattern: str, target: Target) -> bool:
    """`*` stands for any letters, digits and hyphens; it never crosses `/ : #`. `p/e` covers `p/e#app`."""
    return bool(_compiled(pattern).match(target.id)) or (
        target.kind == "application"
        and target.environment is not None
        and bool(_compiled(pattern).match(target.environment))
    )


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile("".join("[a-z0-9-]*" if ch == "*" else re.escape(ch) for ch in pattern) + r"\Z")


def quorum_met(thresholds: Iterable[Threshold], approvers: Iterable[str], people: People) -> bool:
    """Is there a way to give every place of every threshold a person of its own? One person never fills two places.

    A bipartite matching between places and people, grown by augmenting paths.
    """
    places = [threshold.circle for threshold in thresholds for _ in range(threshold.count)]
    return len(_matching(places, sorted(set(approvers)), people)) == len(places) and bool(places)


def places_open(thresholds: Iterable[Threshold], approvers: Iterable[str], people: People) -> list[Threshold]:
    """The thresholds that still need people, each with the count it still lacks."""
    listed = [(threshold, threshold.circle) for threshold in thresholds for _ in range(threshold.count)]
    filled = set(_matching([circle for _, circle in listed], sorted(set(approvers)), people).values())
    lacking: dict[int, tuple[Threshold, int]] = {}
    for index, (threshold, _) in enumerate(listed):
        if index not in filled:
            lacking[id(threshold)] = (threshold, lacking.get(id(threshold), (threshold, 0))[1] + 1)
    return [Threshold(count=count, circle=threshold.circle) for threshold, count in lacking.values()]


def _matching(places: list[Circle], approvers: list[str], people: People) -> Mapping[str, int]:
    """approver -> index of the place they fill; as many places as possible."""
    fits = {who: [index for index, circle in enumerate(places) if circle.has(who, people) is True] for who in approvers}
    holder: dict[int, str] = {}

    def seat(who: str, tried: set[int]) -> bool:
        for index in fits[who]:
            if index in tried:
                continue
            tried.add(index)
            if index not in holder or seat(holder[index], tried):
                holder[index] = who
                return True
        return False

    for who in approvers:
        seat(who, set())
    return {who: index for index, who in holder.items()}
