"""Modals: triggers, stacks, hashes, what a client checks, and what an app may answer."""

from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from playground.slack.records import Json, NotPossible
from tests.playground.small import actions, bolt, button, field, home, modal, option, refused, section, text_input


@pytest.fixture
def trigger(workspace):
    return lambda user="U0ANA": workspace.new_trigger(user)


async def test_a_trigger_works_once_and_for_three_seconds(workspace, api, clock, trigger):
    one, late = trigger(), trigger()
    await api.views_open(trigger_id=one, view=modal())
    async with refused("exchanged_trigger_id"):
        await api.views_open(trigger_id=one, view=modal())
    clock.now_ms += 3_000
    await api.views_open(trigger_id=late, view=modal())
    late = trigger()
    clock.now_ms += 3_001
    async with refused("expired_trigger_id"):
        await api.views_open(trigger_id=late, view=modal())
    async with refused("invalid_trigger_id"):
        await api.views_open(trigger_id="1.2.3", view=modal())
    async with refused("invalid_arguments"):
        await api.views_open(view=modal())


async def test_a_refused_view_leaves_its_trigger_unused(api, trigger):
    one = trigger()
    async with refused("invalid_arguments"):
        await api.views_open(trigger_id=one, view=modal(colour="red"))
    await api.views_open(trigger_id=one, view=modal())


async def test_a_stack_is_three_deep(workspace, api, trigger):
    async with refused("not_found"):
        await api.views_push(trigger_id=trigger(), view=modal())
    first = await api.views_open(trigger_id=trigger(), view=modal())
    second = await api.views_push(trigger_id=trigger(), view=modal())
    await api.views_push(trigger_id=trigger(), view=modal())
    assert (second["view"]["root_view_id"], second["view"]["previous_view_id"]) == (first["view"]["id"],) * 2
    async with refused("push_limit_reached"):
        await api.views_push(trigger_id=trigger(), view=modal())
    assert len(workspace.modals("U0ANA")) == 3


async def test_an_update_needs_the_hash_of_now(workspace, api, trigger):
    view = (await api.views_open(trigger_id=trigger(), view=modal()))["view"]
    changed = await api.views_update(view_id=view["id"], hash=view["hash"], view=modal(section("new")))
    assert changed["view"]["hash"] != view["hash"]
    async with refused("hash_conflict"):
        await api.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    await workspace.close("U0ANA", view["id"])
    async with refused("not_found"):
        await api.views_update(view_id=view["id"], view=modal())


async def test_an_external_id_is_unique(api, trigger):
    await api.views_open(trigger_id=trigger(), view=modal(external_id="mine"))
    await api.views_update(external_id="mine", view=modal(section("new"), external_id="mine"))
    async with refused("duplicate_external_id"):
        await api.views_open(trigger_id=trigger("U0BEN"), view=modal(external_id="mine"))


def answering(workspace, **answer) -> AsyncApp:
    app = bolt(workspace)

    @app.view("sent")
    async def sent(ack):
        await ack(**answer)

    return app


async def opened(workspace, *blocks, user="U0ANA", **more) -> str:
    client = AsyncWebClient(token=workspace.bot_token, base_url=f"{workspace.base_url}/api/")
    await client.views_open(trigger_id=workspace.new_trigger(user), view=modal(*blocks, **more))
    return str(workspace.modal(user).id)


async def test_errors_stand_under_their_fields_until_the_next_try(workspace, connect):
    await connect(answering(workspace, response_action="errors", errors={"field": "Not like that."}))
    view_id = await opened(workspace)
    seen = await workspace.submit("U0ANA", view_id, {"field": {"text": "x"}})
    assert (seen.ok, seen.acked, seen.action, seen.errors) == (False, True, "errors", {"field": "Not like that."})
    assert workspace.modal("U0ANA").errors == {"field": "Not like that."}


async def test_update_push_and_clear(workspace, connect):
    handler = await connect(
        answering(workspace, response_action="update", view=modal(section("second"), callback_id="other"))
    )
    view_id = await opened(workspace)
    assert (await workspace.submit("U0ANA", view_id, {"field": {"text": "x"}})).ok
    assert (workspace.modal("U0ANA").id, workspace.modal("U0ANA").blocks[0]["text"]["text"]) == (view_id, "second")
    await handler.close_async()
    await workspace.wait_for(lambda: not workspace.bot_connected)

    handler = await connect(answering(workspace, response_action="push", view=modal()))
    view_id = await opened(workspace)
    assert (await workspace.submit("U0ANA", view_id, {"field": {"text": "x"}})).action == "push"
    assert workspace.modals("U0ANA")[0].id == view_id
    assert len(workspace.modals("U0ANA")) == 2
    await handler.close_async()
    await workspace.wait_for(lambda: not workspace.bot_connected)

    await connect(answering(workspace, response_action="clear"))
    assert (await workspace.submit("U0ANA", workspace.modal("U0ANA").id, {"field": {"text": "x"}})).ok
    assert workspace.modals("U0ANA") == []


@pytest.mark.parametrize(
    "answer",
    [
        {"response_action": "errors", "errors": {"nowhere": "x"}},
        {"response_action": "update", "view": modal(colour="red")},
    ],
)
async def test_an_answer_that_slack_would_not_take_is_trouble_for_the_person_and_for_the_test(
    workspace, connect, answer
):
    await connect(answering(workspace, **answer))
    view_id = await opened(workspace)
    seen = await workspace.submit("U0ANA", view_id, {"field": {"text": "x"}})
    assert (seen.ok, seen.sentence) == (False, "We had some trouble connecting. Try again?")
    assert len(workspace.troubles) == 1
    assert workspace.modal("U0ANA").id == view_id


async def test_no_answer_leaves_the_modal_open(workspace):
    view_id = await opened(workspace)
    seen = await workspace.submit("U0ANA", view_id, {"field": {"text": "kept"}})
    assert (seen.acked, seen.sentence) == (False, "We had some trouble connecting. Try again?")
    assert workspace.modal("U0ANA").values["field"]["text"]["value"] == "kept"


async def test_only_the_top_modal_of_its_own_person_can_be_used(workspace, api, trigger):
    below = await opened(workspace)
    await api.views_push(trigger_id=trigger(), view=modal(section()))
    with pytest.raises(NotPossible):
        await workspace.submit("U0ANA", below)
    with pytest.raises(NotPossible):
        await workspace.submit("U0BEN", below)


async def test_closing_is_told_where_the_app_asked_and_clears_where_it_said(workspace, api, connect, trigger):
    app = bolt(workspace)
    closed = []

    @app.view_closed("sent")
    async def gone(ack, body):
        closed.append((body["view"]["id"], body["is_cleared"]))
        await ack()

    await connect(app)
    below = await opened(workspace, notify_on_close=True)
    await workspace.close("U0ANA", below)
    assert closed == [(below, False)]
    below = await opened(workspace, notify_on_close=True)
    top = (await api.views_push(trigger_id=trigger(), view=modal(clear_on_close=True)))["view"]["id"]
    await workspace.close("U0ANA", top)
    assert workspace.modals("U0ANA") == []
    assert closed[1:] == [(below, True)]


INPUTS: dict[str, tuple[Json, Any, Json]] = {
    "text": (text_input(), "words", {"value": "words"}),
    "empty text": (text_input(), None, {"value": None}),
    "number": ({"type": "number_input", "is_decimal_allowed": False}, 7, {"value": "7"}),
    "email": ({"type": "email_text_input"}, "a@example.com", {"value": "a@example.com"}),
    "url": ({"type": "url_text_input"}, "https://example.com", {"value": "https://example.com"}),
    "date": ({"type": "datepicker"}, "2026-01-02", {"selected_date": "2026-01-02"}),
    "time": ({"type": "timepicker"}, "12:30", {"selected_time": "12:30"}),
    "date and time": ({"type": "datetimepicker"}, 1760000000, {"selected_date_time": 1760000000}),
    "user": ({"type": "users_select"}, "U0BEN", {"selected_user": "U0BEN"}),
    "users": ({"type": "multi_users_select"}, ["U0BEN"], {"selected_users": ["U0BEN"]}),
    "channel": ({"type": "channels_select"}, "C0OPEN", {"selected_channel": "C0OPEN"}),
    "select": ({"type": "static_select", "options": [option("a")]}, "a", {"selected_option": option("a")}),
    "nothing selected": ({"type": "static_select", "options": [option("a")]}, None, {"selected_option": None}),
    "radio": ({"type": "radio_buttons", "options": [option("a")]}, "a", {"selected_option": option("a")}),
    "boxes": (
        {"type": "checkboxes", "options": [option("a"), option("b")]},
        ["b"],
        {"selected_options": [option("b")]},
    ),
    "selects": (
        {"type": "multi_static_select", "options": [option("a"), option("b")]},
        ["a", "b"],
        {"selected_options": [option("a"), option("b")]},
    ),
    "initial text": (text_input(initial_value="was"), ..., {"value": "was"}),
    "initial date": ({"type": "datepicker", "initial_date": "2026-01-02"}, ..., {"selected_date": "2026-01-02"}),
    "initial user": ({"type": "users_select", "initial_user": "U0BEN"}, ..., {"selected_user": "U0BEN"}),
    "initial users": ({"type": "multi_users_select", "initial_users": ["U0BEN"]}, ..., {"selected_users": ["U0BEN"]}),
    "initial option": (
        {"type": "static_select", "options": [option("a")], "initial_option": option("a")},
        ...,
        {"selected_option": option("a")},
    ),
    "initial boxes": (
        {"type": "checkboxes", "options": [option("a")], "initial_options": [option("a")]},
        ...,
        {"selected_options": [option("a")]},
    ),
}


@pytest.mark.parametrize("case", INPUTS)
async def test_each_kind_of_input_has_slacks_state(workspace, connect, case):
    element, given, state = INPUTS[case]
    element = {"action_id": "text"} | element
    app = bolt(workspace)
    got = []

    @app.view("sent")
    async def sent(ack, view):
        got.append(view["state"]["values"]["field"]["text"])
        await ack()

    await connect(app)
    view_id = await opened(workspace, field(element, optional=True))
    seen = await workspace.submit("U0ANA", view_id, {} if given is ... else {"field": {"text": given}})
    assert seen.ok, seen
    assert got == [{"type": element["type"]} | state]


@pytest.mark.parametrize(
    ("element", "given"),
    [
        (text_input(), None),
        (text_input(), ""),
        (text_input(max_length=3), "long"),
        (text_input(min_length=3), "no"),
        ({"type": "number_input", "is_decimal_allowed": False}, "1.5"),
        ({"type": "number_input", "is_decimal_allowed": False}, "many"),
        ({"type": "number_input", "is_decimal_allowed": False, "max_value": "3"}, 4),
        ({"type": "email_text_input"}, "ana"),
        ({"type": "url_text_input"}, "ana"),
        ({"type": "checkboxes", "options": [option("a")]}, []),
        ({"type": "multi_users_select", "max_selected_items": 1}, ["U0ANA", "U0BEN"]),
    ],
)
async def test_a_client_complains_before_the_app_hears_anything(workspace, element, given):
    view_id = await opened(workspace, field({"action_id": "text"} | element))
    seen = await workspace.submit("U0ANA", view_id, {"field": {"text": given}})
    assert list(seen.errors) == ["field"]
    assert workspace.envelopes == []


async def test_what_is_not_offered_cannot_be_chosen(workspace):
    view_id = await opened(workspace, field({"type": "static_select", "action_id": "text", "options": [option("a")]}))
    with pytest.raises(NotPossible, match="not offered"):
        await workspace.submit("U0ANA", view_id, {"field": {"text": "z"}})
    with pytest.raises(NotPossible, match="no other"):
        await workspace.submit("U0ANA", view_id, {"field": {"other": "z"}})


async def test_an_element_that_dispatches_tells_the_app_what_was_typed_so_far(workspace, connect):
    app = bolt(workspace)
    got = []

    @app.action("pick")
    async def pick(ack, body, client):
        got.append(
            (body["actions"][0]["selected_option"]["value"], body["view"]["state"]["values"]["field"]["text"]["value"])
        )
        view = modal(field(text_input()), field(text_input(), block_id="more"), private_metadata="updated")
        await client.views_update(view_id=body["view"]["id"], hash=body["view"]["hash"], view=view)
        await ack()

    await connect(app)
    select = {"type": "static_select", "action_id": "pick", "options": [option("a"), option("b")]}
    view_id = await opened(workspace, field(text_input()), field(select, block_id="kind", dispatch_action=True))
    assert not (
        await workspace.view_action("U0ANA", view_id, "text", value="typed")
    ).acked  # the app hears nothing of it yet
    assert (await workspace.view_action("U0ANA", view_id, "pick", value="b")).acked
    assert got == [("b", "typed")]
    top = workspace.modal("U0ANA")
    assert (top.payload["private_metadata"], top.values) == (
        "updated",
        {"field": {"text": {"type": "plain_text_input", "value": "typed"}}},
    )


async def test_an_external_select_asks_the_app(workspace, connect):
    app = bolt(workspace)

    @app.options("find")
    async def find(ack, payload):
        await ack(options=[option(payload["value"])])

    @app.view("sent")
    async def sent(ack):
        await ack()

    await connect(app)
    view_id = await opened(workspace, field({"type": "external_select", "action_id": "find", "min_query_length": 1}))
    with pytest.raises(NotPossible):
        await workspace.submit("U0ANA", view_id, {"field": {"find": "prod"}})
    assert await workspace.options("U0ANA", "find", "prod", view_id=view_id) == [option("prod")]
    assert (await workspace.submit("U0ANA", view_id, {"field": {"find": "prod"}})).ok


async def test_an_external_select_asks_from_a_message_and_from_home_too(workspace, api, connect):
    app = bolt(workspace)
    places = []

    @app.options("find")
    async def find(ack, body):
        places.append(body["container"]["type"] + ("" if "view" not in body else " " + body["view"]["type"]))
        await ack(options=[option("prod")])

    await connect(app)
    select = actions({"type": "external_select", "action_id": "find"})
    ts = (await api.chat_postMessage(channel="C0OPEN", text="card", blocks=[select]))["ts"]
    await api.views_publish(user_id="U0ANA", view=home(select))
    view_id = await opened(workspace, field(text_input()), select)
    for where in ({"channel": "C0OPEN", "ts": ts}, {}, {"view_id": view_id}):
        assert await workspace.options("U0ANA", "find", "p", **where) == [option("prod")]
    assert places == ["message", "view home", "view modal"]
    for user, where in (("U0BEN", {"view_id": view_id}), ("U0BEN", {}), ("U0GUS", {"channel": "C0OPEN", "ts": ts})):
        with pytest.raises(NotPossible):
            await workspace.options(user, "find", "p", **where)


async def test_a_button_in_a_modal_has_a_trigger_of_its_own(workspace, connect):
    app = bolt(workspace)

    @app.action("press")
    async def press(ack, body, client):
        await client.views_push(trigger_id=body["trigger_id"], view=modal(section("deeper")))
        await ack()

    await connect(app)
    view_id = await opened(workspace, actions(button()))
    assert (await workspace.view_action("U0ANA", view_id, "press")).acked
    assert len(workspace.modals("U0ANA")) == 2


async def test_another_element_in_the_same_place_does_not_inherit_what_was_typed(workspace, api, connect):
    await connect(answering(workspace))
    view_id = await opened(workspace)
    await workspace.view_action("U0ANA", view_id, "text", value="typed")
    await api.views_update(
        view_id=view_id, view=modal(field({"type": "datepicker", "action_id": "text"}, optional=True))
    )
    assert (await workspace.submit("U0ANA", view_id)).ok
    sent = workspace.envelopes[-1].payload["view"]["state"]["values"]
    assert sent == {"field": {"text": {"type": "datepicker", "selected_date": None}}}
