"""GitHub asks, people decide in Slack, and GitHub hears of it: the assembled program, and GitHub's schemas on a real socket."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from bot.cli.request import _facts
from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import actions_of
from store.model.effect import Knock
from store.model.errors import Conflict
from store.model.policy import HOUR, MINUTE
from store.model.request import Request
from tests.github.fake import GitHub, environ, github, signature
from tests.stories.conftest import OpenHouse
from tests.stories.people import audited, card, modal, press, quiet, says
from tests.stories.programs import got, of_person

POLICIES: Final = """\
version: 1
owners: {{users: [ana@example.com]}}
allow_private: ["{place}"]
targets:
  payments/prod:
    channel: C0APPROVALS
    hooks:
      - {{name: api, url: "{url}", on: [deploy], preset: github-environment, environment: production, holder: ana@example.com}}
      - {{name: web, url: "{url}", on: [deploy], preset: github-environment, environment: website, holder: ben@example.com}}
      - {{name: old, url: "{url}", on: [deploy], preset: github-environment, environment: nobody-decides, holder: ana@example.com}}
policies:
  - name: deploy production
    targets: ["payments/prod#api", "payments/prod#web"]
    actions: [deploy]
    requesters: {{groups: [payments-dev]}}
    approvals: [{{count: 1, from: {{groups: [payments-leads]}}}}]
    enforcement: soft
    bypassers: {{users: [omar@example.com]}}
    request_ttl: 2h
    report_within: 30m
"""


@pytest.fixture
async def hub(open_house: OpenHouse, tmp_path: Path) -> AsyncIterator[tuple[House, GitHub]]:
    async with github(lambda: 0) as fake:
        policies = POLICIES.format(place=fake.place, url=fake.repository_url)
        house = await open_house(policies=policies, environ=environ(tmp_path, fake.base))
        fake.changed = house.workspace.changed
        fake.now_ms, fake.deliver_to = house.now_ms, f"http://127.0.0.1:{house.app.http.port}/github/events"
        yield house, fake
        assert house.workspace.troubles == []


async def heard(house: House, fake: GitHub, job: dict[str, Any]) -> dict[str, Any]:
    """What GitHub was told of this job."""
    run = int(job["deployment_callback_url"].split("/")[-2])
    return (await house.workspace.wait_for(lambda: [each for each in fake.decided if each["run"] == run]))[-1]


async def asked(house: House, job: dict[str, Any], *words: str) -> Message:
    run = job["deployment_callback_url"].split("/")[-2]
    return await card(house, "Waiting for approval", f"run {run}", *words)


async def requests(house: House) -> list[Request]:
    return await house.app.requests.listed(f"mine:{seed.ANA}", most=50)


async def test_approved_and_started_the_job_goes_on_and_its_end_is_the_end(hub: tuple[House, GitHub]) -> None:
    house, fake = hub
    job = await fake.asks()
    shown = await asked(
        house,
        job,
        "GitHub, from `acme/payments` (<@U0ANA> answers for it)",
        "started by `octocat`",
        "by GitHub",
        "v1.2.3",
    )
    await press(house, seed.ROSA, shown, "approve")  # no approver
    await audited(house, "attempt.refused", seed.ROSA)
    await press(house, seed.BEN, shown, "approve")
    await says(house, shown, "Approved, not deployed yet")
    assert fake.decided == []
    await press(house, seed.INES, shown, "deploy")
    told = await heard(house, fake, job)
    assert (told["state"], told["environment_name"]) == ("approved", "production")
    assert told["comment"].startswith(
        "Approved by ben, by the rule “deploy production”. Started by ines. Countersign request "
    )
    assert fake.permissions == [{"deployments": "write"}]
    assert await fake.deliver(
        "deployment_status", fake.status(job, "in_progress", log_url="https://github.com/log")
    ) == (202, "Recorded.")
    await says(house, shown, "In progress at GitHub", "https://github.com/log")
    assert await fake.deliver("deployment_status", fake.status(job, "inactive")) == (202, "Ignored.")
    others = fake.status(job, "success")
    others["repository"]["full_name"] = "evil/payments"
    assert await fake.deliver("deployment_status", others) == (202, "Ignored.")
    assert await fake.deliver("deployment_status", fake.status(job, "success")) == (202, "Recorded.")
    await says(house, shown, "Deployed")
    assert await fake.deliver("deployment_status", fake.status(job, "failure")) == (202, "Ignored.")
    (request,) = await requests(house)
    assert (request.state, request.requester, request.asker) == ("succeeded", seed.ANA, "github:acme/payments")
    async with of_person(house, seed.BEN) as ben:
        told = await got(ben, f"/v1/requests/{request.id}")
    assert (told["github"]["repository"], told["github"]["by"], told.get("machine")) == (
        "acme/payments",
        "octocat",
        None,
    )
    assert f"GitHub, run {told['github']['run']} of acme/payments by octocat (ana (U0ANA) answers for it)" in str(
        _facts(request, {seed.ANA: "ana"})
    )
    with pytest.raises(Conflict, match="GitHub has taken it"):  # it would let through what waits there by now
        await house.app.hooks.replay(request.id, "api", actor=seed.BEN, command_id="replay")
    await quiet(house)
    assert len(fake.decided) == 1

    job = await fake.asks()
    shown = await asked(house, job)
    await press(house, seed.BEN, shown, "approve_and_deploy")
    await heard(house, fake, job)
    assert await fake.deliver("deployment_status", fake.status(job, "error", description="It crashes.")) == (
        202,
        "Recorded.",
    )
    shown = await says(house, shown, "Failed", "It crashes.")
    assert "deploy_again" not in actions_of(shown)  # nobody asks for it but GitHub


async def test_whatever_ends_it_before_it_is_started_the_job_is_turned_away_with_the_reason(
    hub: tuple[House, GitHub],
) -> None:
    house, fake = hub
    job = await fake.asks()
    await press(house, seed.BEN, await asked(house, job), "deny")
    reason = "the build is *red*, @octocat <b>"
    await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": reason}})
    told = await heard(house, fake, job)
    assert told["state"] == "rejected"
    assert told["comment"].startswith("Denied by ben: the build is \\*red\\*, @\u200boctocat \\<b\\>. Countersign")

    older, newer = await fake.asks(), await fake.asks()
    await press(house, seed.BEN, await asked(house, newer), "approve_and_deploy")
    assert (await heard(house, fake, newer))["state"] == "approved"
    told = await heard(house, fake, older)
    assert (told["state"], "Superseded: " in told["comment"], "was started." in told["comment"]) == (
        "rejected",
        True,
        True,
    )

    waits = await fake.asks(environment="website")
    shown = await asked(house, waits, "<@U0BEN> answers for it")
    await press(house, seed.BEN, shown, "approve")  # who answers for it decides nothing about it
    await audited(house, "attempt.refused", seed.BEN)
    await press(house, seed.INES, shown, "approve")
    shown = await says(house, shown, "Approved, not deployed yet")
    await press(house, seed.INES, shown, "cancel")
    await house.workspace.submit(seed.INES, modal(house, seed.INES).id, {"reason": {"reason": "not today."}})
    told = await heard(house, fake, waits)
    assert (told["state"], told["comment"].partition("Cancelled")[2][:20]) == ("rejected", " by ines: not today.")

    late = await fake.asks(environment="website")
    await asked(house, late)
    await house.advance(3 * HOUR)
    told = await heard(house, fake, late)
    assert (told["state"], told["comment"][:28]) == ("rejected", "Nobody decided it in time. C")
    (silent,) = [each for each in await requests(house) if each.run is not None]  # nobody has said how it went
    assert silent.state == "failed"
    assert len(fake.decided) == 5


async def test_who_breaks_the_glass_lets_the_job_through_loudly(hub: tuple[House, GitHub]) -> None:
    house, fake = hub
    job = await fake.asks()
    shown = await asked(house, job)
    await press(house, seed.OMAR, shown, "break_glass")
    await house.workspace.submit(seed.OMAR, modal(house, seed.OMAR).id, {"reason": {"reason": "payments are down"}})
    shown = await says(house, shown, "glass broken")
    await press(house, seed.INES, shown, "deploy")
    told = await heard(house, fake, job)
    assert told["state"] == "approved"
    assert told["comment"].startswith("Let through without the approvals by omar: payments are down. Started by ines.")


async def test_nobody_is_asked_twice_and_one_answer_is_for_all_jobs_of_a_run(hub: tuple[House, GitHub]) -> None:
    house, fake = hub
    job = await fake.asks()
    run = int(job["deployment_callback_url"].split("/")[-2])
    shown = await asked(house, job)
    assert (await fake.deliver("deployment_protection_rule", job))[0] == 202
    await fake.asks(run=run)
    assert len(await requests(house)) == 1
    await press(house, seed.BEN, shown, "approve_and_deploy")
    await heard(house, fake, job)
    assert (await fake.deliver("deployment_protection_rule", job))[0] == 202
    (request,) = await requests(house)
    assert request.gate is not None
    killed = Knock(gate=request.gate, version="v1.2.3", ref=job["deployment"]["sha"], at_ms=house.now_ms())
    await house.app.outbox.put([killed], command_id="as after a process that was killed in between")
    await quiet(house)
    assert len(await requests(house)) == 1
    again = await fake.asks(run=run)
    await asked(house, again)  # another job of that run, once the first ones were let through
    assert len(await requests(house)) == 2
    other = fake.job(run=run, environment="production")
    other["deployment"]["ref"] = "v1.2.4"
    assert await fake.deliver("deployment_protection_rule", other) == (202, "Asked.")
    await asked(house, other, "v1.2.4")
    assert len(await requests(house)) == 3
    await house.advance(25 * HOUR)
    assert await fake.deliver("deployment_protection_rule", job) == (202, "Ignored: this has waited for a day already.")


async def test_what_nobody_may_decide_is_turned_away_and_says_why(hub: tuple[House, GitHub]) -> None:
    house, fake = hub
    told = await heard(house, fake, await fake.asks(environment="nobody-decides"))
    assert told["state"] == "rejected"
    assert told["comment"].startswith("Nobody was asked: No rule says who may decide")
    assert await requests(house) == []


async def test_github_hears_it_also_when_it_was_away_and_what_is_true_then(hub: tuple[House, GitHub]) -> None:
    house, fake = hub
    fake.answers[:] = [500, 0]
    lost = await fake.asks()
    shown = await asked(house, lost)
    await press(house, seed.BEN, shown, "approve_and_deploy")
    await says(house, shown, "not delivered yet, status 500")
    await house.advance(6_000)  # it takes it, and nobody hears that it did
    await says(house, shown, "not delivered yet, no answer, 2 attempts")
    await house.advance(6 * MINUTE)
    await says(house, shown, "failed, status 422")
    assert [each["state"] for each in fake.decided] == ["approved"]
    assert await fake.deliver("deployment_status", fake.status(lost, "success")) == (202, "Recorded.")

    fake.answers[:] = [503]
    job = await fake.asks(environment="website")
    shown = await asked(house, job)
    await press(house, seed.INES, shown, "approve_and_deploy")
    shown = await says(house, shown, "not delivered yet, status 503")
    await press(house, seed.INES, shown, "cancel")
    await house.workspace.submit(seed.INES, modal(house, seed.INES).id, {"reason": {"reason": "stop"}})
    await says(house, shown, "Cancelled")
    await house.advance(6_000)
    assert (await heard(house, fake, job))["state"] == "rejected"


REFUSED: Final[dict[str, tuple[Callable[[GitHub], dict[str, Any]], dict[str, str | None], int]]] = {
    "no signature": (GitHub.job, {"X-Hub-Signature-256": None}, 401),
    "another secret": (GitHub.job, {"X-Hub-Signature-256": signature(b"{}", "b" * 32)}, 401),
    "only SHA-1": (GitHub.job, {"X-Hub-Signature-256": None, "X-Hub-Signature": "sha1=x"}, 401),
    "no form": (GitHub.job, {"X-Hub-Signature-256": "x"}, 401),
    "no ASCII": (GitHub.job, {"X-Hub-Signature-256": "sha256=é"}, 401),
    "no deployment": (lambda hub: _without(hub.job(), "deployment"), {}, 400),
    "no installation": (lambda hub: _without(hub.job(), "installation"), {}, 400),
    "nobody's environment": (lambda hub: hub.job(environment="staging"), {}, 404),
    "another repository": (lambda hub: hub.job(repository=_named(hub, "evil/payments")), {}, 404),
    "inside": (lambda hub: hub.job(deployment_callback_url="http://169.254.169.254/repos/acme/payments/actions/runs/1/deployment_protection_rule"), {}, 403),
    "somebody's host": (lambda hub: hub.job(deployment_callback_url=f"{hub.base}.evil.example/repos/acme/payments/actions/runs/1/deployment_protection_rule"), {}, 403),
    "another's runs": (lambda hub: hub.job(deployment_callback_url=f"{hub.base}/repos/evil/payments/actions/runs/1/deployment_protection_rule"), {}, 403),
    "no run": (lambda hub: hub.job(deployment_callback_url=f"{hub.repository_url}/actions/runs/1/deployment_protection_rule/../../2"), {}, 403),
    "an event that nobody asked for": (GitHub.job, {"X-GitHub-Event": "push"}, 202),
    "another action": (lambda hub: {**hub.job(), "action": "other"}, {}, 202),
    "a ping": (lambda hub: {"zen": "x", "hook_id": 1}, {"X-GitHub-Event": "ping"}, 200),
}  # fmt: skip


def _without(job: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in job.items() if key != name}


def _named(hub: GitHub, name: str) -> dict[str, Any]:
    repository: dict[str, Any] = hub.job()["repository"]
    return {**repository, "full_name": name}


async def test_what_is_not_signed_or_not_ours_asks_nobody_and_calls_nobody(hub: tuple[House, GitHub]) -> None:
    house, fake = hub
    for name, (made, headers, status) in REFUSED.items():
        assert (await fake.deliver("deployment_protection_rule", made(fake), **headers))[0] == status, name
    for garbage in (
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 10_000,
        b'{"action": "requested", "deployment": {"id": -1}}',
    ):
        assert (await fake.deliver("deployment_protection_rule", garbage))[0] == 400, garbage
    assert (await fake.deliver("deployment_protection_rule", b"{}" + b" " * 1024 * 1024))[0] == 413
    assert await fake.deliver("deployment_status", fake.status(fake.job(), "success")) == (202, "Ignored.")
    assert await house.app.outbox.depth("hook") == 0
    assert await requests(house) == []
    assert fake.asked == []
