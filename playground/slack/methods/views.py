"""views.*: modals and App Home."""

from typing import Any

from playground.slack.blocks import check_view, parsed
from playground.slack.records import Json, SlackError, View
from playground.slack.shapes import view_object
from playground.slack.state import State


def open_modal(state: State, args: Json) -> Json:
    return _placed(state, args, push=False)


def push(state: State, args: Json) -> Json:
    return _placed(state, args, push=True)


def update(state: State, args: Json) -> Json:
    payload = checked(args["view"])
    if not args.get("view_id") and not args.get("external_id"):
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field: view_id"]}
        )
    view = state.find_view(str(args["view_id"])) if args.get("view_id") else _external(state, str(args["external_id"]))
    if view is None:
        raise SlackError("not_found")
    if payload["type"] != view.payload["type"]:
        raise SlackError(
            "invalid_arguments",
            response_metadata={"messages": ["[ERROR] a view keeps its type [json-pointer:/view/type]"]},
        )
    _fresh(args, view)
    state.replace_view(view, payload)
    return {"view": view_object(state, view)}


def publish(state: State, args: Json) -> Json:
    payload = checked(args["view"])
    if payload["type"] != "home":
        raise SlackError(
            "invalid_arguments",
            response_metadata={"messages": ["[ERROR] unsupported type: modal [json-pointer:/view/type]"]},
        )
    if not state.manifest.home:
        raise SlackError("not_enabled")
    person = state.people.get(str(args["user_id"]))
    if person is None or person.kind in ("bot", "deactivated"):
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": ["[ERROR] invalid user [json-pointer:/user_id]"]}
        )
    if (home := state.homes.get(person.id)) is not None:
        _fresh(args, home)
    return {"view": view_object(state, state.publish_home(person.id, payload))}


def checked(view: Any) -> Json:
    """Raises `SlackError`. A view may come as JSON or as text of it."""
    payload = parsed(view, "invalid_arguments") if isinstance(view, str) else view
    check_view(payload)
    return dict(payload)


def _placed(state: State, args: Json, *, push: bool) -> Json:
    payload = checked(args["view"])
    if payload["type"] != "modal":
        raise SlackError(
            "invalid_arguments",
            response_metadata={"messages": ["[ERROR] unsupported type: home [json-pointer:/view/type]"]},
        )
    if (external_id := payload.get("external_id")) and _external(state, external_id):
        raise SlackError("duplicate_external_id")
    trigger_id = args.get("trigger_id") or args.get("interactivity_pointer")
    if not trigger_id:
        raise SlackError(
            "invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field: trigger_id"]}
        )
    trigger = state.take_trigger(str(trigger_id))
    if push and not state.stacks.get(trigger.user):
        raise SlackError("not_found")
    return {"view": view_object(state, state.place_view(trigger.user, payload, push=push))}


def _external(state: State, external_id: str) -> View | None:
    everything = [*state.homes.values(), *(view for stack in state.stacks.values() for view in stack)]
    return next((view for view in everything if view.payload.get("external_id") == external_id), None)


def _fresh(args: Json, view: View) -> None:
    if args.get("hash") and args["hash"] != view.hash:
        raise SlackError("hash_conflict")
