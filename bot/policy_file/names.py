"""The names in a policy file, the ids they stand for, and the records that hold those ids."""

import hashlib
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from bot.policy_file import form
from bot.policy_file.durations import parse
from bot.policy_file.moments import parse_moment, parse_week
from bot.policy_file.problems import Path
from bot.policy_file.scalars import CHANNEL_ID, GROUP_ID, USER_ID
from store.model import policy as model
from store.model.freeze import Dated, Freeze, Weekly
from store.model.identity import Target

Kind = Literal["user", "group", "channel"]


class Name(NamedTuple):
    """`text` is an e-mail, a handle without @, a channel with #, or an id."""

    kind: Kind
    text: str

    @property
    def is_id(self) -> bool:
        return bool({"user": USER_ID, "group": GROUP_ID, "channel": CHANNEL_ID}[self.kind].fullmatch(self.text))

    @property
    def shown(self) -> str:
        return f"@{self.text}" if self.kind == "group" and not self.is_id else self.text


Ids = Callable[[Name], str]


def stand_in(name: Name) -> str:
    """An id for a file that is checked without Slack: the same for the same name."""
    return (
        name.text
        if name.is_id
        else name.kind[0].replace("g", "s").upper() + hashlib.sha256(name.text.encode()).hexdigest()[:16].upper()
    )


def names_in(document: form.Document) -> Iterator[tuple[Path, Name]]:
    """Every name, with where it stands, in no special order."""
    yield from _in_circle(("owners",), document.owners)
    for target, config in document.targets.items():
        if config.channel is not None:
            yield ("targets", target, "channel"), Name("channel", config.channel)
        for index, hook in enumerate(config.hooks):
            if hook.holder is not None:
                yield ("targets", target, "hooks", index, "holder"), Name("user", hook.holder)
    for index, policy in enumerate(document.policies):
        path: Path = ("policies", index)
        for key, circle in (
            ("requesters", policy.requesters),
            ("bypassers", policy.bypassers),
            ("deployers", policy.deployers),
        ):
            if circle is not None:
                yield from _in_circle((*path, key), circle)
        for place, threshold in enumerate(policy.approvals):
            yield from _in_circle((*path, "approvals", place, "from"), threshold.circle)
        for place, escalation in enumerate(policy.escalate):
            yield from _in_circle((*path, "escalate", place, "to"), escalation.to)
        for place, channel in enumerate(policy.notify.channels):
            yield (*path, "notify", "channels", place), Name("channel", channel)


def _in_circle(path: Path, circle: form.Circle) -> Iterator[tuple[Path, Name]]:
    for index, user in enumerate(circle.users):
        yield (*path, "users", index), Name("user", user)
    for index, group in enumerate(circle.groups):
        yield (*path, "groups", index), Name("group", group)


def plain_pattern(text: str, organization: str | None) -> str:
    """Without the organisation's own leading segment."""
    leading, slash, rest = text.partition("/")
    return rest if slash and "/" in rest and leading == organization else text


def policy_set(document: form.Document, ids: Ids, words: dict[str, str], number: int) -> model.PolicySet:
    """The records of a file whose every name has an id."""
    own = document.organization
    return model.PolicySet(
        number=number,
        owners=circle(document.owners, ids),
        organization=own,
        targets={
            Target.parse(name, organization=own).id: _target(target, ids, own)
            for name, target in document.targets.items()
        },
        connectors={
            name: model.ConnectorConfig(type=each.type, url=each.url, credentials=plain_pattern(each.credentials, own))
            for name, each in document.connectors.items()
        },
        allow_private=document.allow_private,
        policies=tuple(policy(each, ids, own) for each in document.policies),
        names=words,
    )


def circle(written: form.Circle, ids: Ids = stand_in) -> model.Circle:
    return model.Circle(
        users=frozenset(ids(Name("user", user)) for user in written.users),
        groups=frozenset(ids(Name("group", group)) for group in written.groups),
    )


def threshold(written: form.Threshold, ids: Ids = stand_in) -> model.Threshold:
    return model.Threshold(count=written.count, circle=circle(written.circle, ids))


def policy(written: form.Policy, ids: Ids, organization: str | None) -> model.Policy:
    return model.Policy(
        name=written.name,
        targets=tuple(plain_pattern(text, organization) for text in written.targets),
        actions=frozenset(written.actions),
        requesters=circle(written.requesters, ids),
        approvals=tuple(threshold(each, ids) for each in written.approvals),
        denials=written.denials,
        self_approval=written.self_approval,
        enforcement=written.enforcement,
        bypassers=circle(written.bypassers, ids),
        break_glass=model.BreakGlass(
            max_duration_ms=parse(written.break_glass.max_duration),
            review_within_ms=parse(written.break_glass.review_within),
        ),
        access=model.Access(
            default_ms=parse(written.access.default),
            max_ms=parse(written.access.max),
            grant_expiration_ms=parse(written.access.grant_expiration),
            activate=written.access.activate,
        ),
        deployers=circle(written.deployers, ids) if written.deployers is not None else None,
        deploy_within_ms=parse(written.deploy_within),
        report_within_ms=parse(written.report_within),
        wait_ms=parse(written.wait) if written.wait is not None else 0,
        freeze=tuple(_freeze(each) for each in written.freeze),
        request_ttl_ms=parse(written.request_ttl),
        merge=written.merge,
        merge_within_ms=parse(written.merge_within),
        reason=model.Reason(required=written.reason.required),
        ticket=model.Ticket(pattern=written.ticket.pattern, required=written.ticket.required)
        if written.ticket
        else None,
        remind=tuple(parse(each) for each in written.remind),
        escalate=tuple(
            model.Escalation(after_ms=parse(each.after), to=circle(each.to, ids)) for each in written.escalate
        ),
        notify=model.Notify(
            channels=tuple(ids(Name("channel", channel)) for channel in written.notify.channels),
            email=written.notify.email,
            webhooks=written.notify.webhooks,
        ),
    )


def _freeze(written: form.Freeze) -> Freeze:
    """Of one that is sound: `rules` has seen that either the week or both moments are there."""
    if written.weekly is not None:
        starts, ends = parse_week(written.weekly)
        return Weekly(starts=starts, ends=ends, zone=written.zone, name=written.name or "")
    return Dated(
        from_ms=parse_moment(written.starts or ""), until_ms=parse_moment(written.until or ""), name=written.name or ""
    )


def _hook(written: form.Hook, ids: Ids, organization: str | None) -> model.Hook:
    return model.Hook(
        name=written.name,
        url=written.url,
        on=frozenset(written.on),
        headers=dict(written.headers) or None,
        preset=written.preset,
        template=written.template,
        ref=written.ref,
        credentials=plain_pattern(written.credentials, organization) if written.credentials is not None else None,
        environment=written.environment,
        holder=ids(Name("user", written.holder)) if written.holder is not None else None,
    )


def _target(written: form.Target, ids: Ids, own: str | None) -> model.TargetConfig:
    return model.TargetConfig(
        channel=ids(Name("channel", written.channel)) if written.channel is not None else None,
        secure=written.secure,
        values_in_slack=written.values_in_slack,
        hooks=tuple(_hook(hook, ids, own) for hook in written.hooks),
        connector=written.connector,
        group=written.group,
    )
