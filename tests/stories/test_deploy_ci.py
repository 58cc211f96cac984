"""CI asks for a deploy and waits: the very command in a process of its own, people in Slack, a receiver that reports by HTTP."""

import asyncio
import json
import os
import pty
import re
import signal
import sys
from typing import Any, Final

import aiohttp
import pytest

from playground import seed
from playground.hooks import HookDelivery
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import text_of
from store.model.policy import MINUTE
from tests.stories.conftest import OpenHouse
from tests.stories.people import audited, card, modal, press, quiet, says
from tests.stories.programs import got, program, refused, sent
from tests.stories.shell import ROOT, Typed, ran, typed
from tests.tokens import machine_token, person_token

API: Final = "payments/prod#api"
ASK: Final = ("deploy", API, "--version", "v1.2.3", "--ref", "9f2c41d", "--reason", "INC-7")
WAIT: Final = (*ASK, "--wait", "--timeout", "30m")
BODY: Final = {"kind": "deploy", "target": API, "version": "v1.2.3", "ref": "9f2c41d", "reason": "INC-7"}


async def ci(house: House, **changed: Any) -> str:
    """The token of a machine that may ask for deploys. Who answers for it is no requester of the rule."""
    fields: dict[str, Any] = {"targets": (API,), "actions": ("deploy",), "owner": seed.ANA, **changed}
    return await machine_token(house.app.tokens, house.now_ms(), **fields)


async def told(house: House, event: str = "deploy") -> HookDelivery:
    """The newest of this kind that the receiver has got."""

    def there() -> list[HookDelivery]:
        return [one for one in house.hooks.deliveries if one.event == event and one.status == 204]

    return (await house.workspace.wait_for(there))[-1]


async def post(house: House, path: str, raw: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{house.app.http.port}") as http,
        http.post(path, data=raw, headers=headers) as response,
    ):
        return response.status, await response.json()


async def reports(house: House, deploy: HookDelivery, outcome: str, **said: str) -> tuple[int, Any]:
    """As its receiver: to where it was told to, signed with the secret of the hook."""
    raw = json.dumps({"outcome": outcome, **said}).encode()
    url = json.loads(deploy.body)["data"]["deploy"]["status_url"]
    return await post(house, url, raw, house.hooks.signed("api", raw))


async def asked(house: House, run: Typed, *words: str) -> Message:
    await run.says("can decide on request", "Ctrl-C takes it back.")
    return await card(house, "Waiting for approval", "deploy v1.2.3", *words)


async def started(house: House, run: Typed) -> tuple[Message, HookDelivery]:
    shown = await asked(house, run)
    await press(house, seed.BEN, shown, "approve_and_deploy")
    await run.says("Started by ben. The receiver reports how it goes.")
    return shown, await told(house)


async def running(house: House, target: str = API) -> str:
    """A deploy that a machine has asked for, and somebody has started."""
    async with program(house, await ci(house, targets=(target,))) as machine:
        request = (await sent(machine, "/v1/requests", {**BODY, "target": target}, 201))["id"]
    await press(house, seed.BEN, await card(house, request), "approve_and_deploy")
    await told(house)
    return str(request)


async def test_ci_asks_a_person_approves_and_deploys_the_receiver_reports_and_ci_goes_on(house: House) -> None:
    token = await ci(house)
    async with typed(house, None, *WAIT, COUNTERSIGN_TOKEN=token) as run:
        shown = await asked(house, run, "the machine `ci` (token of <@U0ANA>)", "by a machine")
        assert re.search(r"@payments-leads can decide on request [0-9A-Z]{10} before .*: http", run.err)
        await press(house, seed.BEN, shown, "approve_and_deploy")
        await run.says("Started by ben. The receiver reports how it goes.")
        assert "Approved by ben." in run.err
        deploy = await told(house)
        assert deploy.verified
        assert await reports(house, deploy, "running", stage="Rolling out", log="https://ci.example.com/7") == (
            200, {"request": json.loads(deploy.body)["data"]["request"], "state": "running", "report_before_ms": json.loads(deploy.body)["data"]["deploy"]["report_before_ms"]},
        )  # fmt: skip
        await run.says("Rolling out · https://ci.example.com/7")
        status, answer = await reports(house, deploy, "succeeded", said="6 of 6 are healthy.")
        assert (status, answer["state"]) == (200, "succeeded")
        assert await run.ends() == 0
    assert "(deploy v1.2.3 to payments/prod#api) is deployed" in run.out
    await says(house, shown, "Deployed", "6 of 6 are healthy.")
    await quiet(house)
    assert not [text for text in map(text_of, house.workspace.dm(seed.ANA)) if "Deployed" in text]


async def test_who_answers_for_a_machine_does_not_approve_what_it_asks(house: House) -> None:
    async with typed(house, None, *WAIT, COUNTERSIGN_TOKEN=await ci(house, owner=seed.BEN)) as run:
        shown = await asked(house, run)
        await press(house, seed.BEN, shown, "approve")
        await audited(house, "attempt.refused", seed.BEN)
        await press(house, seed.INES, shown, "approve_and_deploy")
        assert (await reports(house, await told(house), "failed", said="It crashes."))[0] == 200
        assert await run.ends() == 1
    assert "failed: It crashes." in run.err


async def test_denied_and_cancelled_ci_fails_and_says_by_whom_and_why(house: House) -> None:
    async with typed(house, None, *WAIT, COUNTERSIGN_TOKEN=await ci(house)) as run:
        await press(house, seed.BEN, await asked(house, run), "deny")
        await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "the build is red"}})
        assert await run.ends() == 1
    assert "was denied by ben: the build is red." in run.err
    async with typed(house, seed.ROSA, *WAIT) as run:
        shown = await asked(house, run)
        await press(house, seed.BEN, shown, "approve")
        await run.says("Approved by ben. Somebody who may deploy starts it.")
        shown = await says(house, shown, "Approved, not deployed yet")
        await press(house, seed.BEN, shown, "cancel")
        await house.workspace.submit(seed.BEN, modal(house, seed.BEN).id, {"reason": {"reason": "not today"}})
        assert await run.ends() == 1
    assert "was cancelled by ben: not today." in run.err


async def test_superseded_ci_fails(house: House) -> None:
    token = await ci(house)
    async with typed(house, None, *WAIT, COUNTERSIGN_TOKEN=token) as run:
        await asked(house, run)
        newer = await card_of(house, token, {**BODY, "version": "v2"})
        await press(house, seed.BEN, newer, "approve_and_deploy")
        assert await run.ends() == 1
    assert "was superseded: a deploy that was asked for later was started instead" in run.err


async def card_of(house: House, token: str, body: dict[str, str]) -> Message:
    async with program(house, token) as machine:
        return await card(house, (await sent(machine, "/v1/requests", body, 201))["id"])


async def test_without_a_report_ci_fails_when_the_time_for_it_is_over(house: House) -> None:
    async with typed(house, None, *WAIT, COUNTERSIGN_TOKEN=await ci(house)) as run:
        shown, _ = await started(house, run)
        await house.advance(30 * MINUTE)
        assert await run.ends() == 1
    assert "No report came in time" in run.err
    await says(house, shown, "Failed", "No report came in time")


async def test_who_waits_no_longer_exits_124_and_the_same_key_finds_it_again(house: House) -> None:
    token = await ci(house)
    words = (*ASK, "--wait", "--key", "run-7")
    code, out, err = await ran(house, None, *words, "--timeout", "1s", COUNTERSIGN_TOKEN=token)
    assert (code, out) == (124, "")
    assert "the same command with the same --key goes on waiting" in err
    request = re.search(r"request ([0-9A-Z]{10})", err)
    assert request is not None
    async with typed(house, None, *words, COUNTERSIGN_TOKEN=token) as run:
        await run.says(f"request {request[1]}")
        await press(house, seed.BEN, await card(house, request[1]), "approve_and_deploy")
        await run.says("Started by ben.")
        await reports(house, await told(house), "succeeded")
        assert await run.ends() == 0
    code, out, err = await ran(house, None, *words, "-o", "json", COUNTERSIGN_TOKEN=token)
    assert (code, json.loads(out)["id"], json.loads(out)["state"]) == (0, request[1], "succeeded")
    other = await ran(house, None, *ASK[:3], "v9", "--key", "run-7", COUNTERSIGN_TOKEN=token)
    assert (other[0], "With the key run-7 something else was asked for" in other[2]) == (5, True)


async def test_without_wait_it_asks_and_ends(house: House) -> None:
    code, out, err = await ran(house, None, *ASK, "-o", "json", COUNTERSIGN_TOKEN=await ci(house))
    said = json.loads(out)
    assert (code, said["state"], said["machine"]["name"]) == (0, "pending", "ci")
    assert (said["deploy"]["version"], said["deploy"]["ref"], said["requester"]) == ("v1.2.3", "9f2c41d", seed.ANA)
    assert {json.loads(line)["event"] for line in err.splitlines()} == {"asked"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_told_to_end_it_takes_back_what_it_asked(house: House, number: signal.Signals) -> None:
    async with typed(house, None, *WAIT, COUNTERSIGN_TOKEN=await ci(house)) as run:
        shown = await asked(house, run)
        run.process.send_signal(number)
        assert await run.ends() == 128 + number
    assert "was withdrawn." in run.err
    await says(house, shown, "Withdrawn by the machine `ci`")


async def test_told_to_end_while_it_runs_it_cancels(house: House) -> None:
    async with typed(house, None, *WAIT, COUNTERSIGN_TOKEN=await ci(house)) as run:
        shown, deploy = await started(house, run)
        run.process.send_signal(signal.SIGINT)
        assert await run.ends() == 130
    assert "was cancelled. What the receiver has begun, it must stop by itself." in run.err
    await says(house, shown, "Cancelled by the machine `ci`")
    status, answer = await reports(house, deploy, "succeeded")
    assert (status, answer["code"]) == (409, "too_late")


async def test_at_a_terminal_one_line_moves(house: House) -> None:
    leader, follower = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(house.folder), "TERM": "xterm"}
    environ |= {"COUNTERSIGN_URL": f"http://127.0.0.1:{house.app.http.port}", "COUNTERSIGN_TOKEN": await ci(house)}
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", *WAIT, env=environ, cwd=ROOT, stdin=follower, stdout=follower, stderr=follower
    )
    os.close(follower)
    shown = b""

    async def until(*words: bytes) -> None:
        nonlocal shown
        async with asyncio.timeout(20):
            while not all(word in shown for word in words):
                shown += await asyncio.to_thread(os.read, leader, 4096)

    try:
        await until(b"\r\x1b[2KWaiting for @payments-leads: ")
        await press(house, seed.BEN, await card(house, "Waiting for approval", "deploy v1.2.3"), "approve_and_deploy")
        await reports(house, await told(house), "running", stage="Rolling out")
        await until(b"\r\x1b[2KDeploying, Rolling out: ")
        await reports(house, await told(house), "succeeded")
        await until(b"is deployed")
        assert await run.wait() == 0
    finally:
        os.close(leader)


# -- what is refused -------------------------------------------------------------------------------------------------------


async def test_a_machine_asks_only_for_what_it_was_let_and_sees_only_what_it_asked_for(house: House) -> None:
    request = await running(house)
    async with program(house, await ci(house)) as other:  # another token of the same owner
        assert await refused(other, f"/v1/requests/{request}", 404) == "not_found"
        for verb, body in (("withdraw", {}), ("cancel", {"reason": "x"})):
            assert await refused(other, f"/v1/requests/{request}/{verb}", 404, body=body) == "not_found"
        assert await refused(other, "/v1/requests", 403, body={**BODY, "target": "payments/prod"}) == "not_let_in"
        assert await refused(other, "/v1/requests", 403, body={"kind": "open", "target": "payments/prod"}) == "machine"
        assert await refused(other, f"/v1/requests/{request}/deploy", 403, body={}) == "machine"
    async with program(house, await ci(house, actions=("read", "report"), targets=(API,))) as reader:
        assert await refused(reader, "/v1/requests", 403, body=BODY) == "not_let_in"


async def test_a_machine_of_somebody_who_has_left_asks_for_nothing(house: House) -> None:
    token = await ci(house, owner=seed.INES)
    house.workspace.set_kind(seed.INES, "deactivated")
    await quiet(house)
    async with program(house, token) as machine:
        assert await refused(machine, "/v1/requests", 403, body=BODY) == "forbidden"


async def test_a_person_asks_starts_and_cancels_over_http(house: House) -> None:
    async with (
        program(house, await person_token(house.app.tokens, seed.ROSA, house.now_ms())) as rosa,
        program(house, await person_token(house.app.tokens, seed.BEN, house.now_ms())) as ben,
    ):
        request = (await sent(rosa, "/v1/requests", BODY, 201))["id"]
        await press(house, seed.BEN, await card(house, request), "approve")
        assert (await got(rosa, f"/v1/requests/{request}?wait=30&state=pending"))["state"] == "approved"
        assert await refused(rosa, f"/v1/requests/{request}/deploy", 403, body={}) == "forbidden"
        found = await sent(ben, f"/v1/requests/{request}/deploy")
        assert (found["state"], found["deploy"]["started_by"]) == ("running", seed.BEN)
        assert (await sent(rosa, f"/v1/requests/{request}/cancel", {"reason": "the build is red"}))[
            "state"
        ] == "cancelled"
        body = {**BODY, "version": "no version"}
        assert await refused(rosa, "/v1/requests", 400, body=body) == "bad_version"
        assert await refused(rosa, "/v1/requests", 400, body={**BODY, "duration_ms": 1}) == "bad_body"
        assert await refused(rosa, f"/v1/deploys/{request}/status", 403, body={"outcome": "failed"}) == "machine_only"


async def test_a_report_that_is_not_signed_as_it_should_be_is_not_heard(house: House) -> None:
    request = await running(house)
    path, raw = f"/v1/deploys/{request}/status", b'{"outcome": "succeeded"}'
    good, now_ms = house.hooks.signed("api", raw), house.now_ms()
    stranger = dict(house.hooks.secrets)
    house.hooks.secrets["other"] = "whsec_" + 43 * "A" + "="
    wrong: list[tuple[bytes, dict[str, str]]] = [
        (raw + b" ", good),
        (raw, {**good, "webhook-id": "report_other"}),
        (raw, {**good, "webhook-timestamp": str(int(good["webhook-timestamp"]) + 1)}),
        (raw, {**good, "webhook-timestamp": "soon"}),
        (raw, {**good, "webhook-signature": "v1,AAAA"}),
        (raw, {**good, "webhook-signature": good["webhook-signature"].replace("v1,", "v2,")}),
        (raw, {name: value for name, value in good.items() if name != "webhook-id"}),
        (raw, house.hooks.signed("other", raw)),
        (raw, house.hooks.signed("api", raw, at_ms=now_ms - 302_000)),
        (raw, house.hooks.signed("api", raw, at_ms=now_ms + 302_000)),
        (raw, house.hooks.signed("api", raw, message_id=f"msg_{request}_api_deploy")),
    ]
    for body, headers in wrong:
        status, answer = await post(house, path, body, headers)
        assert (status, answer["code"]) == (401, "bad_signature"), headers
    for nowhere in ("/v1/deploys/0000000000/status", "/v1/deploys/nothing/status"):
        assert (await post(house, nowhere, raw, good))[0] == 401
    assert (await house.app.requests.get(request)).request.state == "running"
    assert (await post(house, path, raw, good))[0] == 200
    assert stranger.keys() == {"api"}


async def test_a_message_counts_once_also_where_it_was_refused(house: House) -> None:
    request = await running(house)
    path = f"/v1/deploys/{request}/status"
    first = b'{"outcome": "running", "stage": "one"}'
    headers = house.hooks.signed("api", first)
    assert (await post(house, path, first, headers))[0] == 200
    second = b'{"outcome": "running", "stage": "two"}'
    assert (await post(house, path, second, house.hooks.signed("api", second)))[0] == 200
    assert (await post(house, path, first, headers))[1]["code"] == "replayed"
    bad = b'{"outcome": "running", "log": "https://x.example.com/a b"}'
    assert (await post(house, path, bad, house.hooks.signed("api", bad)))[1]["code"] == "bad_body"
    known = house.hooks.signed("api", second)  # nothing is new in it now
    assert (await post(house, path, second, known))[0] == 200
    other = b'{"outcome": "running", "stage": "three"}'
    assert (await post(house, path, other, house.hooks.signed("api", other)))[0] == 200
    assert (await post(house, path, second, known))[1]["code"] == "replayed"
    raced = b'{"outcome": "running", "stage": "four"}'
    headers = house.hooks.signed("api", raced)
    answers = await asyncio.gather(*(post(house, path, raced, headers) for _ in range(6)))
    assert sorted(status for status, _ in answers) == [200, 409, 409, 409, 409, 409]
    assert (await lent(house, request))[0] == 201
    headers = house.hooks.signed("api", b"")
    answers = await asyncio.gather(*(post(house, f"/v1/deploys/{request}/token", b"", headers) for _ in range(3)))
    assert sorted(status for status, _ in answers) == [201, 409, 409]
    assert {answer.get("code") for status, answer in answers if status == 409} == {"replayed"}


async def test_a_machine_that_may_report_reports_and_no_other(house: House) -> None:
    request = await running(house)
    path, body = f"/v1/deploys/{request}/status", {"outcome": "running", "stage": "Rolling out"}
    for actions, targets in (
        (("read",), ("payments/prod",)),
        (("report",), ("payments/staging",)),
        (("report",), ("payments/prod",)),
    ):
        async with program(house, await ci(house, actions=actions, targets=targets)) as other:
            assert await refused(other, path, 404, body=body) == "not_found"
    async with program(house, await ci(house, actions=("report",))) as machine:
        assert (await sent(machine, path, body))["state"] == "running"
        assert (await sent(machine, path, body))["state"] == "running"  # known already
        assert (await sent(machine, path, {"outcome": "failed", "said": "It crashes."}))["state"] == "failed"
        assert await refused(machine, path, 409, body={"outcome": "succeeded"}) == "too_late"


# -- what the job reads ----------------------------------------------------------------------------------------------------

PROD: Final = "/v1/environments/payments/prod/secrets"


async def lent(house: House, request: str) -> tuple[int, Any]:
    return await post(house, f"/v1/deploys/{request}/token", b"", house.hooks.signed("api", b""))


async def change(house: House) -> None:
    """Two people let a change of production through."""
    async with program(house, await person_token(house.app.tokens, seed.ROSA, house.now_ms())) as rosa:
        entries = [{"name": "STRIPE_KEY", "value": "sk_live_rotated"}]
        body = {"kind": "change", "target": "payments/prod", "reason": "rotate", "entries": entries}
        request = (await sent(rosa, "/v1/requests", body, 201))["id"]
        for user in (seed.BEN, seed.INES):
            await press(house, user, await card(house, request), "approve")
        assert (await got(rosa, f"/v1/requests/{request}?wait=30&state=pending"))["state"] == "merged"


@pytest.mark.seeded
async def test_the_job_reads_what_is_deployed_in_its_version_while_it_runs(house: House) -> None:
    request = await running(house)
    status, answer = await lent(house, request)
    assert (status, answer["target"]) == (201, "payments/prod")
    version = answer["environment_version"]
    async with program(house, answer["token"]) as job:
        await change(house)
        read = await got(job, PROD)
        assert read["version"] == version
        assert {one["name"]: one["value"] for one in read["entries"]} == seed.SECRETS["payments/prod"]
        assert (await got(job, f"{PROD}?version={version}"))["version"] == version
        assert await refused(job, f"{PROD}?version={version + 1}", 403) == "not_let_in"
        assert await refused(job, "/v1/environments/payments/staging/secrets", 403) == "not_let_in"
        assert await refused(job, "/v1/requests", 403, body=BODY) == "not_let_in"
        assert await refused(job, f"/v1/deploys/{request}/status", 404, body={"outcome": "succeeded"}) == "not_found"
        code, out, err = await ran(house, None, "env", "open", "payments/prod", COUNTERSIGN_TOKEN=answer["token"])
        assert (code, "sk_live_playground_51Hxyz" in out) == (0, True), err
        entries = [entry for _, entry in await house.app.audit.newest(most=50)]
        assert [one.details["version"] for one in entries if one.event == "token.lent"] == [version]
        assert any(one.event == "secrets.read" and one.actor == f"machine:{answer['token'][4:14]}" for one in entries)

        await reports(house, await told(house), "succeeded")
        assert await refused(job, PROD, 401) == "bad_token"
    status, answer = await lent(house, request)
    assert (status, answer["code"]) == (409, "not_running")


@pytest.mark.seeded
async def test_a_lent_token_ends_with_the_time_to_report_and_when_it_is_cancelled(house: House) -> None:
    request = await running(house)
    _, answer = await lent(house, request)
    async with program(house, await ci(house)) as machine:
        again = await sent(machine, f"/v1/deploys/{request}/token", {}, 201)
        assert again["expires_ms"] == answer["expires_ms"] <= house.now_ms() + 30 * MINUTE
    async with program(house, answer["token"]) as job:
        assert (await got(job, PROD))["entries"]
        async with program(house, await person_token(house.app.tokens, seed.BEN, house.now_ms())) as ben:
            await sent(ben, f"/v1/requests/{request}/cancel", {"reason": "stop"})
        assert await refused(job, PROD, 401) == "bad_token"


async def test_nothing_is_lent_to_what_is_not_started_nor_to_whom_proves_nothing(house: House) -> None:
    async with program(house, await ci(house)) as machine:
        request = (await sent(machine, "/v1/requests", BODY, 201))["id"]
        assert await refused(machine, f"/v1/deploys/{request}/token", 409, body={}) == "not_running"
    assert (await lent(house, request))[1]["code"] == "bad_signature"
    async with program(house, await ci(house, actions=("read",), targets=("payments/prod",))) as reader:
        assert await refused(reader, f"/v1/deploys/{request}/token", 404, body={}) == "not_found"
    async with program(house, None) as nobody:
        assert await refused(nobody, f"/v1/deploys/{request}/token", 401, body={}) == "no_token"


async def test_a_policy_without_such_a_hook_lets_nothing_be_asked(open_house: OpenHouse) -> None:
    from tests.stories import rules

    rule = f"name: deploy, targets: [payments/prod], actions: [deploy], {rules.DEVELOPERS}, {rules.ONE_LEAD}"
    house = await open_house(policies=rules.policies(rule))
    async with program(house, await ci(house)) as machine:
        assert await refused(machine, "/v1/requests", 400, body=BODY) == "no_hook"
