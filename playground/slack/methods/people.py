"""auth.test, users.* and usergroups.*: who is who."""

from playground.slack.records import Group, Json, SlackError
from playground.slack.shapes import group_object, user_object
from playground.slack.state import State


def auth_test(state: State, _args: Json) -> Json:
    return {
        "url": f"{state.base_url}/",
        "team": state.team_name,
        "user": state.people[state.bot_user_id].name,
        "team_id": state.team_id,
        "user_id": state.bot_user_id,
        "bot_id": state.bot_id,
        "is_enterprise_install": False,
    }


def info(state: State, args: Json) -> Json:
    return {
        "user": user_object(state, state.person(str(args["user"])), email="users:read.email" in state.manifest.scopes)
    }


def lookup_by_email(state: State, args: Json) -> Json:
    email = str(args["email"]).lower()
    for person in state.people.values():
        if person.email.lower() == email and person.kind not in ("deactivated", "bot"):
            return {"user": user_object(state, person, email=True)}
    raise SlackError("users_not_found")


def groups(state: State, args: Json) -> Json:
    _paid(state)
    disabled, users, count = (_yes(args, name) for name in ("include_disabled", "include_users", "include_count"))
    return {
        "usergroups": [
            group_object(state, group, users=users, count=count)
            for group in state.groups.values()
            if disabled or not group.disabled
        ]
    }


def group_users(state: State, args: Json) -> Json:
    _paid(state)
    group: Group | None = state.groups.get(str(args["usergroup"]))
    if group is None or (group.disabled and not _yes(args, "include_disabled")):
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}


def _paid(state: State) -> None:
    if not state.paid:
        raise SlackError("plan_upgrade_required")


def _yes(args: Json, name: str) -> bool:
    return str(args.get(name)).lower() in ("1", "true")
