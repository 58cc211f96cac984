"""Writing: a policy set as the file that means the same, in the words that its people used."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from bot.policy_file.durations import compact
from bot.policy_file.moments import write_moment, write_week
from bot.policy_file.scalars import CHANNEL_NAME, EMAIL, HANDLE
from store.model import policy as model
from store.model.freeze import Freeze, Weekly

Tree = dict[str, Any]

WIDTH: Final = 110
_ACTIONS: Final = ("change", "open", "access", "deploy", "policy")
_PLAIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_./@+ -]*[A-Za-z0-9_./+])?")
_OTHERWISE: Final = frozenset(
    {"y", "n", "yes", "no", "on", "off", "null"}
)  # text to us, something else to other readers


class Words:
    """An id as the file would write it: the address, handle or name it is known by, where that means nobody else."""

    def __init__(self, names: Mapping[str, str]) -> None:
        times = Counter((principal[:1] in "UW", name) for principal, name in names.items())
        self._names = {principal: name for principal, name in names.items() if times[principal[:1] in "UW", name] == 1}

    def user(self, user: str) -> str:
        name = self._names.get(user, "")
        return name if EMAIL.fullmatch(name) and name == name.lower() else user

    def group(self, group: str) -> str:
        handle = self._names.get(group, "").removeprefix("@")
        return handle if HANDLE.fullmatch(handle) and handle == handle.lower() else group

    def channel(self, channel: str) -> str:
        name = self._names.get(channel, "")
        return name if CHANNEL_NAME.fullmatch(name) else channel

    def circle(self, circle: model.Circle) -> Tree:
        found = {
            "users": sorted(map(self.user, circle.users)),
            "groups": sorted(map(self.group, circle.groups)),
        }
        return {key: names for key, names in found.items() if names}


def text(policies: model.PolicySet, words: Words | None = None) -> str:
    """YAML that `policy check` accepts. What is as it would be without saying is left out."""
    return "".join(f"{line}\n" for line in _block(tree(policies, words or Words(policies.names), whole=False), 0))


def tree(policies: model.PolicySet, words: Words, *, whole: bool) -> Tree:
    """The keys of the file. `whole`: with what has its default too."""
    return {
        "version": "1",
        **({"organization": policies.organization} if policies.organization else {}),
        "owners": words.circle(policies.owners),
        **({"allow_private": [*policies.allow_private]} if policies.allow_private else {}),
        "targets": {name: _target(target, words, whole=whole) for name, target in sorted(policies.targets.items())},
        **(
            {"connectors": {name: _connector(each) for name, each in sorted(policies.connectors.items())}}
            if policies.connectors
            else {}
        ),
        "policies": [rule(each, words, whole=whole) for each in policies.policies],
    }


def rule(policy: model.Policy, words: Words, *, whole: bool) -> Tree:
    always = {
        "name": policy.name,
        "targets": [*policy.targets],
        "actions": [action for action in _ACTIONS if action in policy.actions],
        "requesters": words.circle(policy.requesters),
        "approvals": [{"count": str(each.count), "from": words.circle(each.circle)} for each in policy.approvals],
    }
    usual = _terms(_plainest(), words)
    return always | {key: value for key, value in _terms(policy, words).items() if whole or value != usual[key]}


@lru_cache(maxsize=1)
def _plainest() -> model.Policy:
    """A rule that says no more than it must. Thousands are held against it."""
    return model.Policy.model_construct(**_REQUIRED)


_REQUIRED: Final[dict[str, Any]] = {
    "name": "-",
    "targets": (),
    "actions": frozenset(),
    "requesters": model.Circle(),
    "approvals": (),
}


def _terms(policy: model.Policy, words: Words) -> Tree:
    """The keys that have a default."""
    ticket, notify = policy.ticket, policy.notify
    routes = {
        "channels": [words.channel(each) for each in notify.channels],
        "email": [*notify.email],
        "webhooks": [*notify.webhooks],
    }
    return {
        "denials": str(policy.denials),
        "self_approval": _switch(on=policy.self_approval),
        "enforcement": policy.enforcement,
        "bypassers": words.circle(policy.bypassers),
        "break_glass": {
            "max_duration": compact(policy.break_glass.max_duration_ms),
            "review_within": compact(policy.break_glass.review_within_ms),
        },
        "access": {
            "default": compact(policy.access.default_ms),
            "max": compact(policy.access.max_ms),
            "grant_expiration": compact(policy.access.grant_expiration_ms),
            "activate": policy.access.activate,
        },
        "deployers": None if policy.deployers is None else words.circle(policy.deployers),
        "deploy_within": compact(policy.deploy_within_ms),
        "report_within": compact(policy.report_within_ms),
        "wait": compact(policy.wait_ms) if policy.wait_ms else None,
        "freeze": [_freeze(each) for each in policy.freeze],
        "request_ttl": compact(policy.request_ttl_ms),
        "merge": policy.merge,
        "merge_within": compact(policy.merge_within_ms),
        "reason": {"required": _switch(on=policy.reason.required)},
        "ticket": None if ticket is None else {"pattern": ticket.pattern, "required": _switch(on=ticket.required)},
        "remind": [compact(each) for each in policy.remind],
        "escalate": [{"after": compact(each.after_ms), "to": words.circle(each.to)} for each in policy.escalate],
        "notify": {key: found for key, found in routes.items() if found},
    }


def _freeze(freeze: Freeze) -> Tree:
    name = {"name": freeze.name} if freeze.name else {}
    if isinstance(freeze, Weekly):
        zone = {"zone": freeze.zone} if freeze.zone != "UTC" else {}
        return {**name, "weekly": write_week(freeze.starts, freeze.ends), **zone}
    return {**name, "from": write_moment(freeze.from_ms), "until": write_moment(freeze.until_ms)}


def _target(target: model.TargetConfig, words: Words, *, whole: bool) -> Tree:
    found: Tree = {
        "channel": None if target.channel is None else words.channel(target.channel),
        "secure": _switch(on=target.secure),
        "values_in_slack": target.values_in_slack,
        "hooks": [_hook(hook, words) for hook in target.hooks],
        "connector": target.connector,
        "group": target.group,
    }
    usual = {} if whole else {"secure": "false", "values_in_slack": "none"}
    return {key: value for key, value in found.items() if value not in (None, []) and value != usual.get(key)}


def _hook(hook: model.Hook, words: Words) -> Tree:
    found: Tree = {
        "name": hook.name,
        "url": hook.url,
        "on": sorted(hook.on),
        "headers": dict(hook.headers) if hook.headers else None,
        "preset": hook.preset,
        "template": hook.template,
        "ref": hook.ref,
        "credentials": hook.credentials,
        "environment": hook.environment,
        "holder": None if hook.holder is None else words.user(hook.holder),
    }
    return {key: value for key, value in found.items() if value is not None}


def _connector(connector: model.ConnectorConfig) -> Tree:
    return {"type": connector.type, "url": connector.url, "credentials": connector.credentials}


def _switch(*, on: bool) -> str:
    return "true" if on else "false"


def _block(value: Any, indent: int) -> Iterator[str]:
    """One key or item a line, and what fits on one line on one line."""
    pad = " " * indent
    pairs = (
        [(f"{_scalar(key)}:", each) for key, each in value.items()]
        if isinstance(value, dict)
        else [("-", each) for each in value]
    )
    for head, each in pairs:
        line = f"{pad}{head} {flow(each)}"
        nested = isinstance(each, dict | list) and each and (len(line) > WIDTH or (indent == 0 and head != "owners:"))
        if not nested:
            yield line
        elif head == "-":
            first, *rest = _block(each, indent + 2)
            yield f"{pad}- {first.lstrip()}"
            yield from rest
        else:
            yield f"{pad}{head}"
            yield from _block(each, indent + 2)


def flow(value: Any) -> str:
    """On one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_scalar(key)}: {flow(each)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return _scalar(value)


def _scalar(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _OTHERWISE:
        return value
    return "".join(_escaped(letter) for letter in json.dumps(value, ensure_ascii=False))


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"
