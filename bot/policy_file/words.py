"""A rule in plain words."""

from collections.abc import Iterable, Mapping

from bot.policy_file.durations import words as time
from bot.policy_file.moments import write_moment, write_week
from store.model.freeze import Freeze, Weekly
from store.model.policy import Circle, Policy, Threshold

_ORDER = ("change", "open", "access", "deploy", "policy")


def describe(policy: Policy, names: Mapping[str, str]) -> list[str]:
    """Sentences. `names`: id -> how the file called it; an id without a name is shown as it is."""
    actions = _list([action for action in _ORDER if action in policy.actions], "or")
    ends = "One denial ends" if policy.denials == 1 else f"{policy.denials} denials end"
    different = ", all different people" if sum(threshold.count for threshold in policy.approvals) > 1 else ""
    lines = [
        f"{_people(policy.requesters, names)} may ask for {actions} on {_list(policy.targets)}.",
        f"{_approvals(policy.approvals, names)} must approve{different}. {ends} the request.",
        "Who asks may also approve." if policy.self_approval else "Nobody approves a request of their own.",
        _enforcement(policy, names),
    ]
    if policy.actions & {"open", "access"}:
        lines.append(
            f"Access runs {time(policy.access.default_ms)} from its first use unless asked otherwise, at most {time(policy.access.max_ms)}; "
            f"an approval waits {time(policy.access.grant_expiration_ms)} for that first use."
        )
    if "access" in policy.actions and policy.access.activate == "on-approval":
        lines.append("Access to a role begins with the approval.")
    if policy.actions & {"change", "policy"} and policy.merge == "by-hand":
        lines.append(f"An approved change is merged by hand within {time(policy.merge_within_ms)}.")
    if "deploy" in policy.actions:
        who = "Approvers and owners" if policy.deployers is None else _people(policy.deployers, names)
        lines.append(
            f"{who} start an approved deploy within {time(policy.deploy_within_ms)}"
            f"{f', not before {time(policy.wait_ms)} have passed' if policy.wait_ms else ''}; "
            f"its receiver reports within {time(policy.report_within_ms)}."
        )
        lines += [f"No deploy starts {_freeze(each)}." for each in policy.freeze]
    lines.append(_waiting(policy, names))
    if needed := _asked_for(policy):
        lines.append(needed)
    told = [names.get(channel, channel) for channel in policy.notify.channels] + [
        *policy.notify.email,
        *policy.notify.webhooks,
    ]
    if told:
        what = "Decisions, and how deploys end," if "deploy" in policy.actions else "Decisions"
        lines.append(f"{what} are announced to {_list(told)}.")
    return lines


def _people(circle: Circle, names: Mapping[str, str], most: str = "and") -> str:
    users = sorted(names.get(user, user) for user in circle.users)
    groups = sorted(names.get(group, group) for group in circle.groups)
    return _list([*groups, *users], most) or "Nobody"


def _approvals(thresholds: tuple[Threshold, ...], names: Mapping[str, str]) -> str:
    return " and ".join(f"{threshold.count} of {_people(threshold.circle, names, 'or')}" for threshold in thresholds)


def _enforcement(policy: Policy, names: Mapping[str, str]) -> str:
    if policy.enforcement == "hard" or policy.actions == {"policy"}:
        return "Nobody passes without these approvals."
    if policy.bypassers.empty:
        return "Nobody passes without these approvals: no bypassers are listed."
    lasts = policy.actions & {"open", "access"}
    most = f", for at most {time(policy.break_glass.max_duration_ms)}" if lasts else ""
    return (
        f"In an emergency {_people(policy.bypassers, names)} may break the glass with a reason{most}; everybody is told, and somebody else must countersign within "
        f"{time(policy.break_glass.review_within_ms)}."
    )


def _freeze(freeze: Freeze) -> str:
    name = f" ({freeze.name})" if freeze.name else ""
    if isinstance(freeze, Weekly):
        first, last = write_week(freeze.starts, freeze.ends).split(" - ")
        return f"from {first} to {last} of each week, by the clocks of {freeze.zone}{name}"
    return f"from {write_moment(freeze.from_ms)} until {write_moment(freeze.until_ms)}{name}"


def _waiting(policy: Policy, names: Mapping[str, str]) -> str:
    sentences = [f"A request waits {time(policy.request_ttl_ms)} for a decision."]
    if policy.remind:
        sentences.append(f"Approvers are reminded after {_list([time(ms) for ms in policy.remind])}.")
    sentences += [
        f"After {time(each.after_ms)} word also goes to {_people(each.to, names)}." for each in policy.escalate
    ]
    return " ".join(sentences)


def _asked_for(policy: Policy) -> str:
    needed = ["a reason"] if policy.reason.required else []
    if policy.ticket is not None and policy.ticket.required:
        needed.append(f"a ticket like {policy.ticket.pattern}")
    return f"A request needs {_list(needed)}." if needed else ""


def _list(items: Iterable[str], last: str = "and") -> str:
    *first, end = [*items] or [""]
    return f"{', '.join(first)} {last} {end}" if first else end
