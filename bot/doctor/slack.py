"""Slack: the tokens, their scopes, the people and groups that policies name, and the channels that cards go to."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
from ruamel.yaml import YAML
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from bot.doctor.finding import Finding, fail, ok, warn
from bot.slack.directory import GONE, person
from bot.slack.wire import Slack, SlackRefused
from store.model.errors import AccessError, Unavailable
from store.model.people import Group, People, Person
from store.model.policy import Circle, PolicySet, quorum_met

MANIFEST: Final = Path(__file__).parent.parent.parent / "manifest.yml"
NO_GROUPS: Final = "plan_upgrade_required"


def wanted_scopes(manifest: Path = MANIFEST) -> frozenset[str]:
    tree = YAML(typ="safe", pure=True).load(manifest)
    return frozenset(tree["oauth_config"]["scopes"]["bot"])


async def bot_token(client: AsyncWebClient, wanted: frozenset[str]) -> tuple[str | None, list[Finding]]:
    """The id of the workspace, where the token is good. The scopes of a token stand in the headers of every answer."""
    try:
        answer = await client.api_call("auth.test")
    except SlackApiError as error:
        word = str(error.response.get("error", "unknown")) if hasattr(error.response, "get") else "unknown"
        return None, [
            fail(
                "token",
                f"Slack refuses SLACK_BOT_TOKEN ({word}). Copy it again from Install App on the page of your app.",
            )
        ]
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
        return None, [
            fail("token", f"Slack does not answer at {client.base_url} ({type(error).__name__}). Is the way out open?")
        ]
    findings = [ok("token", f"SLACK_BOT_TOKEN speaks for @{answer.get('user')} in {answer.get('team')}.")]
    has = _scopes(answer.headers)
    if has is None:
        findings.append(warn("scopes", "Slack does not say which scopes the token has."))
    elif lacking := sorted(wanted - has):
        sentence = (
            f"The token lacks {', '.join(lacking)}. Take over manifest.yml on the page of your app and install it anew."
        )
        findings.append(fail("scopes", sentence))
    elif idle := sorted(has - wanted):
        sentence = f"The token also has {', '.join(idle)}, which nothing here needs. Take it from the app: a token should not be able to do more than it must."
        findings.append(warn("scopes", sentence))
    else:
        findings.append(ok("scopes", "The token has exactly the scopes of manifest.yml."))
    return answer["team_id"], findings


def _scopes(headers: Mapping[str, Any]) -> frozenset[str] | None:
    value = next((value for name, value in headers.items() if name.lower() == "x-oauth-scopes"), None)
    return None if value is None else frozenset(scope.strip() for scope in value.split(",") if scope.strip())


async def app_token(slack: Slack) -> Finding:
    try:
        await slack.call("apps.connections.open")
    except SlackRefused as error:
        hint = " It needs the scope connections:write." if error.error in ("missing_scope", "no_permission") else ""
        return fail(
            "app token",
            f"Slack refuses SLACK_APP_TOKEN ({error.error}).{hint} Basic Information, App-Level Tokens makes one.",
        )
    except Unavailable as error:
        return fail("app token", error.sentence)
    return ok("app token", "SLACK_APP_TOKEN opens a socket.")


async def people(slack: Slack, policies: PolicySet, team_id: str) -> AsyncIterator[Finding]:
    """Everybody the policies name. What Slack does not tell is a finding and no reason to stop."""
    circles = _circles(policies)
    known: dict[str, Person] = {}
    for user in sorted(set().union(*(circle.users for circle in circles))):
        called = _called(policies, user)
        try:
            known[user] = found = person((await slack.call("users.info", user=user))["user"], team_id)
        except SlackRefused as error:
            sentence = f"The policies name {called}, and Slack knows nobody of that id."
            yield fail("people", sentence if error.error in GONE else error.sentence)
        except Unavailable as error:
            yield warn("people", f"{called} was not looked up. {error.sentence}")
        else:
            if found.barred:
                yield warn("people", f"The policies name {called}, who is {found.barred} and never counts.")
    wanted = frozenset().union(*(circle.groups for circle in circles))
    groups, findings = await _groups(slack, policies, wanted)
    for finding in findings:
        yield finding
    if groups is not None:
        for finding in _quorums(policies, People(as_of_ms=0, persons=known, groups=groups)):
            yield finding
        yield ok("people", f"{len(known)} people and {len(groups)} user groups of the policies were looked up.")


async def _groups(
    slack: Slack, policies: PolicySet, wanted: frozenset[str]
) -> tuple[dict[str, Group] | None, list[Finding]]:
    """None where Slack tells nothing of groups."""
    if not wanted:
        return {}, []
    try:
        answer = await slack.call("usergroups.list", include_users="true")
    except SlackRefused as error:
        if error.error != NO_GROUPS:
            return None, [fail("groups", error.sentence)]
        named = ", ".join(sorted(_called(policies, group) for group in wanted))
        sentence = f"This workspace's plan has no user groups, and the policies name {named}: these are nobody. List people instead (users: […])."
        return None, [fail("groups", sentence)]
    except Unavailable as error:
        return None, [warn("groups", f"User groups were not looked up. {error.sentence}")]
    live = {each["id"]: each for each in answer["usergroups"]}  # disabled ones are not listed
    groups = {
        group: Group(id=group, handle=live[group]["handle"], members=frozenset(live[group].get("users") or ()))
        for group in wanted & live.keys()
    }
    findings = [
        fail(
            "groups", f"The policies name {_called(policies, group)}, and Slack knows no such user group: it is nobody."
        )
        for group in sorted(wanted - live.keys())
    ]
    findings += [
        warn("groups", f"{_called(policies, group.id)} has no members: it is nobody.")
        for group in groups.values()
        if not group.members
    ]
    return groups, findings


def _quorums(policies: PolicySet, people: People) -> list[Finding]:
    findings = []
    for rule in policies.policies:
        candidates: frozenset[str] = frozenset().union(*(each.circle.members(people) for each in rule.approvals))
        barred = {user for user, found in people.persons.items() if found.barred}
        if not quorum_met(rule.approvals, candidates - barred, people):
            sentence = f"Nothing can be approved under “{rule.name}”: too few people are named there, or in the groups named there."
            findings.append(fail("people", sentence))
    return findings


async def channels(slack: Slack, policies: PolicySet) -> AsyncIterator[Finding]:
    used: dict[str, list[str]] = {}
    for target, config in sorted(policies.targets.items()):
        if config.channel is not None:
            used.setdefault(config.channel, []).append(target)
    for rule in policies.policies:
        for channel in rule.notify.channels:
            used.setdefault(channel, []).append(f"the news of “{rule.name}”")
    for channel, what in used.items():
        yield await _channel(slack, channel, _called(policies, channel), ", ".join(what))


async def _channel(slack: Slack, channel: str, called: str, what: str) -> Finding:
    try:
        found = (await slack.call("conversations.info", channel=channel))["channel"]
    except SlackRefused as error:
        if error.error != "channel_not_found":
            return fail("channels", f"{called}: {error.sentence}")
        sentence = f"{called}, for {what}, is not there, or it is private and the bot is not in it. /invite it there."
        return fail("channels", sentence)
    except AccessError as error:
        return warn("channels", f"{called} was not looked up. {error.sentence}")
    named = f"#{found['name']}" if found.get("name") else called
    if found.get("is_archived"):
        return fail("channels", f"{named}, for {what}, is archived. Unarchive it, or name another in the policies.")
    if not found.get("is_member"):
        return fail("channels", f"The bot is not in {named}, for {what}. Write there: /invite @Countersign")
    return ok("channels", f"The bot is in {named}, for {what}.")


def _circles(policies: PolicySet) -> list[Circle]:
    circles = [policies.owners]
    for rule in policies.policies:
        circles += [rule.requesters, rule.bypassers, *(threshold.circle for threshold in rule.approvals)]
        circles += [each.to for each in rule.escalate]
        circles += [rule.deployers] if rule.deployers is not None else []
    return circles


def _called(policies: PolicySet, principal: str) -> str:
    name = policies.names.get(principal)
    return f"{name} ({principal})" if name is not None else principal
