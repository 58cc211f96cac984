"""The whole way with an unmodified Bolt: a command, a modal, a card, a click, a changed card."""

from playground.slack.sight import actions_of, text_of
from tests.playground.small import bolt

MODAL = {
    "type": "modal",
    "callback_id": "asked",
    "private_metadata": "C0OPEN",
    "title": {"type": "plain_text", "text": "Ask"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "why",
            "label": {"type": "plain_text", "text": "Why"},
            "element": {"type": "plain_text_input", "action_id": "text", "max_length": 20},
        }
    ],
}


def card(text: str, *, decided: bool = False):
    section = {"type": "section", "block_id": "what", "text": {"type": "plain_text", "text": text}}
    button = {
        "type": "button",
        "action_id": "approve",
        "text": {"type": "plain_text", "text": "Approve"},
        "value": "R1",
    }
    return [section] if decided else [section, {"type": "actions", "block_id": "decide", "elements": [button]}]


async def test_a_request_goes_from_command_to_decided_card(workspace, connect):
    app = bolt(workspace)

    @app.command("/ask")
    async def ask(ack, body, client):
        await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        await ack()

    @app.view("asked")
    async def asked(ack, view, client):
        why = view["state"]["values"]["why"]["text"]["value"]
        await client.chat_postMessage(channel=view["private_metadata"], text=f"Asked: {why}", blocks=card(why))
        await ack()

    @app.action("approve")
    async def approve(ack, body, client):
        text = f"Approved by {body['user']['id']}"
        await client.chat_update(
            channel=body["channel"]["id"], ts=body["message"]["ts"], text=text, blocks=card(text, decided=True)
        )
        await ack()

    await connect(app)
    assert (await workspace.slash("U0ANA", "C0OPEN", "/ask")).acked
    modal = workspace.modal("U0ANA")
    assert text_of(modal).startswith("Ask\nSend")

    assert (await workspace.submit("U0ANA", modal.id, {"why": {"text": None}})).errors == {
        "why": "Please complete this required field."
    }
    assert "why" in (await workspace.submit("U0ANA", modal.id, {"why": {"text": "x" * 21}})).errors
    seen = await workspace.submit("U0ANA", modal.id, {"why": {"text": "deploy"}})
    assert (seen.ok, seen.acked, seen.action) == (True, True, None)
    assert workspace.modals("U0ANA") == []

    [posted] = workspace.messages("general")
    assert actions_of(posted) == ["approve"]
    assert (await workspace.click("U0BEN", "C0OPEN", posted.ts, "approve")).acked
    [now] = workspace.messages("C0OPEN")
    assert now.text == "Approved by U0BEN"
    assert actions_of(now) == []
    assert workspace.troubles == []
    assert [call.method for call in workspace.calls if call.method not in ("auth.test", "apps.connections.open")] == [
        "views.open",
        "chat.postMessage",
        "chat.update",
    ]
    assert all(call.ok for call in workspace.calls)
