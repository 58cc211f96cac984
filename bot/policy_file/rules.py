"""What must fit together inside one part of a policy file: a rule, a target, a connector. Across parts: `bot.policy_file.whole`."""

import re
from collections.abc import Iterator, Sequence

from bot.policy_file import form, names
from bot.policy_file.durations import compact, parse
from bot.policy_file.moments import parse_moment
from bot.policy_file.problems import Finding, Path
from bot.policy_file.scalars import host_and_port, on_a_private_address
from store.model.errors import Invalid
from store.model.headers import token_name
from store.model.identity import Target, TargetKind
from store.model.people import People
from store.model.policy import GATE, Threshold, quorum_met

NEEDS = {  # what an action is asked for
    "change": ("environment", "application"),
    "open": ("environment", "application"),
    "deploy": ("environment", "application"),
    "access": ("role",),
    "policy": ("policy",),
}


def of_parts(document: form.Document) -> Iterator[Finding]:
    for name, target in document.targets.items():
        yield from _target(document, name, target)
    for name, connector in document.connectors.items():
        yield from _receiver(document, connector.url, ("connectors", name, "url"))
        yield from _target_name(document, connector.credentials, ("connectors", name, "credentials"))
    for index, policy in enumerate(document.policies):
        yield from _policy(document, policy, ("policies", index))


def _target(document: form.Document, name: str, target: form.Target) -> Iterator[Finding]:
    path: Path = ("targets", name)
    kind: TargetKind | None = None
    try:
        kind = Target.parse(name, organization=document.organization).kind
    except Invalid as error:
        yield Finding(path, _continued(error.sentence), at_key=True)
    if kind == "role":
        for key in ("connector", "group"):
            if getattr(target, key) is None:
                yield Finding(path, f"a role needs a {key}; add {key}: {_EXAMPLES[key]}.", at_key=True)
    elif kind is not None:
        for key in ("connector", "group"):
            if getattr(target, key) is not None:
                yield Finding(
                    (*path, key), f"only a role has a {key}; remove it, or name the target role:….", at_key=True
                )
    if kind in ("role", "policy"):
        for key in ("secure", "values_in_slack"):
            if key in target.model_fields_set:
                yield Finding(
                    (*path, key), f"“{key}” is about values, which only environments have; remove it.", at_key=True
                )
    if target.secure and target.values_in_slack != "none":
        sentence = "a secure target keeps its values out of Slack; write none, or set secure: false."
        yield Finding((*path, "values_in_slack"), sentence)
    for index, hook in enumerate(target.hooks):
        at: Path = (*path, "hooks", index)
        if [other.name for other in target.hooks].index(hook.name) < index:
            yield Finding((*at, "name"), f"this target has another hook called “{hook.name}”; give each its own name.")
        yield from _receiver(document, hook.url, (*at, "url"))
        yield from _hook(document, hook, at, kind)


def _hook(document: form.Document, hook: form.Hook, path: Path, kind: TargetKind | None) -> Iterator[Finding]:
    for key, preset in (("template", "template"), ("ref", "github-workflow"), ("environment", GATE), ("holder", GATE)):
        given = getattr(hook, key) is not None
        if given and hook.preset != preset:
            an = "an" if key == "environment" else "a"
            sentence = f"only the preset {preset} has {an} {key}; write preset: {preset}."
            yield Finding((*path, key), sentence, at_key=True)
        elif key in _NEEDED and hook.preset == preset and not given:
            yield Finding((*path, "preset"), f"the preset {preset} needs a{_NEEDED[key]}")
    if hook.preset == GATE:
        yield from _gate(hook, path, kind)
    ends = {"github-dispatch": "/dispatches", "github-workflow": "/dispatches"}.get(hook.preset or "")
    if ends is not None and not hook.url.endswith(ends):
        right = _GITHUB[hook.preset or ""]
        yield Finding((*path, "url"), f"GitHub takes {hook.preset} elsewhere; write a URL like {right}.")
    if ends is not None and hook.credentials is None:
        sentence = (
            f"GitHub takes nothing without a token; add credentials, an environment that holds {token_name(hook.name)}."
        )
        yield Finding((*path, "preset"), sentence)
    if hook.credentials is not None:
        yield from _target_name(document, hook.credentials, (*path, "credentials"))


def _gate(hook: form.Hook, path: Path, kind: TargetKind | None) -> Iterator[Finding]:
    """It is answered as the GitHub App that was installed: by no URL, header or token that stands here."""
    if kind in ("role", "policy"):
        yield Finding(
            (*path, "preset"), "GitHub deploys to environments, and this target is none; put the hook at one."
        )
    if hook.on != ("deploy",):
        yield Finding((*path, "preset"), f"the preset {GATE} is for deploys alone; write on: [deploy].")
    if not _REPOSITORY.search(hook.url):
        right = "https://api.github.com/repos/acme/payments"
        yield Finding((*path, "url"), f"the preset {GATE} is for a repository; write a URL like {right}.")
    for key in ("headers", "credentials"):
        if getattr(hook, key):
            sentence = f"the preset {GATE} has no {key}: Countersign answers as its GitHub App; remove it."
            yield Finding((*path, key), sentence, at_key=True)


_REPOSITORY = re.compile(r"/repos/[A-Za-z0-9_-]+/[A-Za-z0-9._-]+\Z")
_NEEDED = {
    "template": " template; write one, JSON with places like {{ data.target }}.",
    "environment": "n environment; write what GitHub calls it, like environment: production.",
    "holder": " holder; name the person who answers for what GitHub asks, like holder: ana@example.com.",
}
_GITHUB = {
    "github-dispatch": "https://api.github.com/repos/acme/payments/dispatches",
    "github-workflow": "https://api.github.com/repos/acme/payments/actions/workflows/deploy.yml/dispatches",
}
_EXAMPLES = {"connector": "okta", "group": "aws-admins"}


def _receiver(document: form.Document, url: str, path: Path) -> Iterator[Finding]:
    """Nothing is sent in the clear, or to a private address, unless the owners vouch for it."""
    where = host_and_port(url)
    if where in document.allow_private:
        return
    if url.startswith("http://"):
        yield Finding(path, f'http can be read on its way; write https://, or list "{where}" under allow_private.')
    elif on_a_private_address(url):
        yield Finding(path, f'“{where}” is a private address; list "{where}" under allow_private if that is meant.')


def _target_name(document: form.Document, text: str, path: Path) -> Iterator[Finding]:
    """A leading part is the organisation's own, or wrong."""
    leading, slash, rest = text.partition("/")
    if slash and "/" in rest and leading != document.organization:
        own = f"“{document.organization}”" if document.organization else "not set"
        yield Finding(path, f"“{leading}” is not the organization, which is {own}; write {rest}.")


def _policy(document: form.Document, policy: form.Policy, path: Path) -> Iterator[Finding]:
    for index, pattern in enumerate(policy.targets):
        yield from _target_name(document, pattern, (*path, "targets", index))
    for index, url in enumerate(policy.notify.webhooks):
        yield from _receiver(document, url, (*path, "notify", "webhooks", index))
    yield from _thresholds(policy, path)
    yield from _enforcement(policy, path)
    yield from _times(policy, path)
    yield from _deploys(policy, path)
    for index, freeze in enumerate(policy.freeze):
        yield from _freeze(freeze, (*path, "freeze", index))


def _freeze(freeze: form.Freeze, path: Path) -> Iterator[Finding]:
    if freeze.weekly is not None and (freeze.starts or freeze.until):
        key = "from" if freeze.starts else "until"
        yield Finding((*path, key), "this freeze is each week already; remove weekly, or from and until.", at_key=True)
    elif freeze.weekly is None and not (freeze.starts and freeze.until):
        sentence = "this freeze has no time; write weekly: Fri 16:00 - Mon 08:00, or both from and until."
        yield Finding(path, sentence)
    elif freeze.weekly is None and "zone" in freeze.model_fields_set:
        yield Finding((*path, "zone"), "from and until say their zone themselves; remove this one.", at_key=True)
    if freeze.starts and freeze.until and parse_moment(freeze.starts) >= parse_moment(freeze.until):
        yield Finding((*path, "until"), f"it ends before it begins ({freeze.starts}); write a later moment.")


def _thresholds(policy: form.Policy, path: Path) -> Iterator[Finding]:
    alone = [unmeetable([names.threshold(threshold)]) for threshold in policy.approvals]
    for index, (threshold, lacking) in enumerate(zip(policy.approvals, alone, strict=True)):
        if lacking:
            listed = len(threshold.circle.users)
            yield Finding(
                (*path, "approvals", index),
                f"asks for {threshold.count} people and lists {listed}; list more, or lower the count.",
            )
    if not any(alone) and unmeetable([names.threshold(threshold) for threshold in policy.approvals]):
        sentence = "no person counts twice, and these thresholds list too few different people; list more."
        yield Finding((*path, "approvals"), sentence)


def unmeetable(thresholds: Sequence[Threshold], without: str | None = None) -> bool:
    """Can the thresholds that name only persons not be met even if everybody listed agrees? Groups may have any members."""
    closed = [threshold for threshold in thresholds if not threshold.circle.groups]
    everybody = {user for threshold in closed for user in threshold.circle.users} - {without}
    return bool(closed) and not quorum_met(closed, everybody, People(0))


def _enforcement(policy: form.Policy, path: Path) -> Iterator[Finding]:
    if policy.enforcement == "hard":
        for key in sorted({"bypassers", "break_glass"} & policy.model_fields_set):
            sentence = f"enforcement is hard, so {key} has no effect; remove it, or write enforcement: soft."
            yield Finding((*path, key), sentence, warning=True, at_key=True)
        return
    if not policy.bypassers.users and not policy.bypassers.groups:
        sentence = "enforcement is soft, and no bypassers are listed, so nobody can pass; list some, or write enforcement: hard."
        yield Finding((*path, "enforcement"), sentence, warning=True)
    if "policy" in policy.actions:
        sentence = "requests to change this file are always hard; give them a rule of their own."
        yield Finding((*path, "enforcement"), sentence, warning=True)


def _deploys(policy: form.Policy, path: Path) -> Iterator[Finding]:
    if "deploy" not in policy.actions:
        for key in sorted({"deployers", "deploy_within", "report_within", "wait", "freeze"} & policy.model_fields_set):
            sentence = f"this rule is for no deploys, so {key} has no effect; remove it, or add deploy to the actions."
            yield Finding((*path, key), sentence, warning=True, at_key=True)
    elif policy.wait is not None and parse(policy.wait) >= parse(policy.deploy_within):
        sentence = f"{policy.wait} leaves no time to start it; write less than deploy_within ({policy.deploy_within})."
        yield Finding((*path, "wait"), sentence)


def _times(policy: form.Policy, path: Path) -> Iterator[Finding]:
    default, longest = policy.access.default, policy.access.max
    if parse(default) > parse(longest):
        key = "default" if "default" in policy.access.model_fields_set else "max"
        sentence = (
            f"access.default ({default}) is longer than access.max ({longest}); write a default of at most {longest}."
        )
        yield Finding((*path, "access", key), sentence)
    yield from _rising(
        [(*path, "remind", index) for index in range(len(policy.remind))], policy.remind, policy.request_ttl
    )
    after = [escalation.after for escalation in policy.escalate]
    yield from _rising([(*path, "escalate", index, "after") for index in range(len(after))], after, policy.request_ttl)


def _rising(paths: Sequence[Path], times: Sequence[str], ttl: str) -> Iterator[Finding]:
    for index, (path, time) in enumerate(zip(paths, times, strict=True)):
        if parse(time) >= parse(ttl):
            yield Finding(path, f"{time} is not before the request expires; write less than request_ttl ({ttl}).")
        elif index and parse(time) <= parse(times[index - 1]):
            order = ", ".join(compact(ms) for ms in sorted({parse(each) for each in times}))
            yield Finding(path, f"{time} does not come after {times[index - 1]}; write them in rising order: {order}.")


def _continued(sentence: str) -> str:
    """“x is wrong. Do y.” in the form of this file's errors: “x is wrong; do y.”"""
    first, dot, rest = sentence.partition(". ")
    return f"{first}; {rest[0].lower()}{rest[1:]}" if dot and rest else sentence
