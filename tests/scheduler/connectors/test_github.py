"""The GitHub App against GitHub's published schemas on a real socket: one decision at a time, by a token that may no more."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scheduler.connectors.contract import Refused
from scheduler.connectors.github import GitHubApp
from scheduler.connectors.outgoing import Outgoing
from store.model.errors import Unavailable
from store.model.request import Gate
from tests.github.fake import APP_ID, INSTALLATION, GitHub, github, pem

GATE = Gate(
    repository="acme/payments", environment="production", run=7, installation=INSTALLATION, deployment=9, by="octocat", page="https://github.com"
)  # fmt: skip


@pytest.fixture
async def hub() -> AsyncIterator[GitHub]:
    async with github(lambda: 0) as fake:
        yield fake


@pytest.fixture
async def outgoing(hub: GitHub) -> AsyncIterator[Outgoing]:
    async with Outgoing(allow=[hub.place]) as client:
        yield client


@pytest.fixture
def app(hub: GitHub, tmp_path: Path) -> GitHubApp:
    return GitHubApp(hub.base, APP_ID, pem(tmp_path / "app.pem"))


async def test_a_decision_is_taken_once_by_a_token_for_this_repository_alone(
    hub: GitHub, outgoing: Outgoing, app: GitHubApp
):
    hub.waiting.add((7, "production"))
    receipt = await app.decide(outgoing, GATE, "approved", "By ben.")
    assert (receipt.outcome, receipt.status, receipt.error) == ("delivered", 204, None)
    assert hub.decided == [{"run": 7, "environment_name": "production", "state": "approved", "comment": "By ben."}]
    assert hub.asked == ["POST token", "POST /repos/acme/payments/actions/runs/7/deployment_protection_rule"]
    assert (hub.permissions, list(hub.tokens.values())) == ([{"deployments": "write"}], [["payments"]])
    again = await app.decide(outgoing, GATE, "approved", "By ben.")
    assert (again.outcome, again.status) == ("gone", 422)
    assert again.error == "GitHub answered 422: this run does not wait for us, or not any more."
    assert again.excerpt == "No pending custom deployment protection rules"
    assert all(token not in repr((receipt, again)) for token in hub.tokens)


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(403, "retry"), (404, "retry"), (429, "retry"), (500, "retry"), (301, "retry"), (410, "gone")],
)
async def test_what_it_answers_instead_is_tried_again_or_not(
    hub: GitHub, outgoing: Outgoing, app: GitHubApp, status: int, outcome: str
):
    hub.answers.append(status)
    receipt = await app.decide(outgoing, GATE, "rejected", "No.")
    assert (receipt.outcome, receipt.status, receipt.excerpt) == (outcome, status, "as it was told")
    assert receipt.retry_after_ms == (7_000 if status == 429 else None)
    assert hub.decided == []


async def test_what_is_not_installed_not_ours_or_not_there(hub: GitHub, outgoing: Outgoing, tmp_path: Path):
    key = pem(tmp_path / "app.pem")
    elsewhere = GATE.model_copy(update={"installation": 1})
    assert (await GitHubApp(hub.base, APP_ID, key).decide(outgoing, elsewhere, "approved", "")).status == 404
    assert (await GitHubApp(hub.base, "1", key).decide(outgoing, GATE, "approved", "")).status == 401
    other = GATE.model_copy(update={"repository": "acme/web"})
    assert (await GitHubApp(hub.base, APP_ID, key).decide(outgoing, other, "approved", "")).outcome == "gone"
    key.write_text("canary")
    receipt = await GitHubApp(hub.base, APP_ID, key).decide(outgoing, GATE, "approved", "")
    assert (receipt.outcome, receipt.error) == ("retry", f"The private key of the GitHub App, {key}, cannot be used.")
    assert not receipt.sent
    pem(key)
    refused = await GitHubApp("https://127.0.0.1:9", APP_ID, key).decide(outgoing, GATE, "approved", "")
    assert refused.outcome == "refused"  # an address inside, that nobody vouches for
    assert "POST /repos/acme/payments/actions/runs/7/deployment_protection_rule" not in hub.asked


async def test_doctor_asks_whose_key_it_is(hub: GitHub, outgoing: Outgoing, app: GitHubApp, tmp_path: Path):
    assert (await app.check(outgoing))["slug"] == "countersign-acme"
    with pytest.raises(Refused, match="GitHub answered 401: A JSON web token could not be decoded"):
        await GitHubApp(hub.base, "1", tmp_path / "app.pem").check(outgoing)
    with pytest.raises(Unavailable, match="cannot be used"):
        await GitHubApp(hub.base, APP_ID, tmp_path / "gone.pem").check(outgoing)
