"""Hooks: what each of their events says, and what people do to the telling."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from standardwebhooks import Webhook

from scheduler.circuit import OPENS_AFTER
from scheduler.connectors.hook import DELAYS_MS, excerpt
from scheduler.connectors.outgoing import Answer
from scheduler.hook_body import JSON_SCHEMA
from scheduler.webhooks import trial
from store.model.command import Activate, Cancel, Command, Deploy, End, Present, Report
from store.model.errors import Conflict, Forbidden, NotFound
from store.model.identity import Target
from store.model.policy import DAY, HOUR, Policy
from store.model.request import RELAY, Change, Deployment, Request
from store.model.secret import Secret
from store.redis.environments import HOOK, Value, hook_name
from store.redis.hooks import MACHINE_OWNER, OVERLAP_MS
from tests.builders import ANA, BOB, OWNER, PROD, REQ, STRANGER, approve, leads, policy
from tests.builders import draft as drawn
from tests.scheduler.hooked import House
from tests.store.redis.corridor import command_for

EVERY = frozenset({"change", "deploy", "rollback", "access.granted", "access.ended"})
DEPLOYS = policy(name="deploys", actions=frozenset({"deploy"}), approvals=(leads(1),))


async def listening(house: House, *rules: Policy, **changed: Any) -> None:
    """A version is there, and one hook hears of everything from now on."""
    await house.merged()
    await house.run()
    house.receiver.deliveries.clear()
    await house.enact(*(rules or (policy(), DEPLOYS)), **{"on": EVERY, **changed})


async def deployed(house: House, version: str = "v1.2.3") -> Request:
    asked = drawn("deploy", target=PROD, identity=house.corridor.id(), payload=Deployment(version=version))
    outcome = await house.corridor.requests.submit(asked, f"ask:{asked.id}")
    assert outcome.request is not None
    request = await house.corridor.do(outcome.request, command_for(outcome.request, approve, ANA))
    return await house.corridor.do(request, Deploy(id=f"deploy:{request.id}", actor=ANA))


def bodies(house: House) -> list[dict[str, Any]]:
    found = [json.loads(each.body) for each in house.receiver.deliveries]
    for each in found:
        Draft202012Validator(JSON_SCHEMA).validate(each)
    assert all(each.verified for each in house.receiver.deliveries)
    return found


# -- events -----------------------------------------------------------------------------------------------------------


async def test_a_deploy_is_told_with_what_its_job_needs(house: House) -> None:
    await listening(house)
    request = await deployed(house)
    await house.run()
    (told,) = bodies(house)
    assert told == {
        "type": "deploy",
        "schema": 1,
        "timestamp": house.corridor.now_ms // 1000,
        "data": {
            "target": "payments/prod",
            "environment": "payments/prod",
            "environment_version": 2,
            "hook": "api",
            "request": request.id,
            "requested_by": REQ,
            "decided_by": [ANA],
            "deploy": {
                "version": "v1.2.3",
                "ref": None,
                "started_by": ANA,
                "status_url": f"/v1/deploys/{request.id}/status",
                "report_before_ms": house.corridor.now_ms + HOUR,
            },
        },
    }
    assert house.receiver.deliveries[0].id == f"msg_{request.id}_api_deploy"
    delivery = await house.delivery(request)
    assert (delivery.state, delivery.event, delivery.place) == ("delivered", "deploy", "api:deploy")
    assert await house.next_in_ms() is None


async def test_a_deploy_says_the_same_at_each_try_whatever_became_of_it(house: House) -> None:
    await listening(house)
    await deployed(house)
    house.receiver.answer("api", 500)
    await house.run()
    house.corridor.skew_ms += HOUR - 1
    await house.merged(A="newer")
    await house.run()
    house.corridor.skew_ms += 2
    tries = [each for each in house.receiver.deliveries if each.event == "deploy"]
    assert len(tries) == 2
    assert len({(each.id, each.body) for each in tries}) == 1


@pytest.mark.parametrize("answer", [500, 410])
@pytest.mark.parametrize(
    "end", [Cancel(id="end", actor=REQ, reason="red"), Report(id="end", actor=RELAY, outcome="failed")]
)
async def test_a_deploy_that_is_over_is_told_to_nobody(house: House, end: Command, answer: int) -> None:
    await listening(house)
    request = await deployed(house)
    house.receiver.answer("api", answer)
    await house.run()
    await house.corridor.do(request, end)
    for _ in range(2):
        await house.run()
        house.corridor.skew_ms += DELAYS_MS[1]
    delivery = await house.delivery(request)
    assert (len(house.receiver.deliveries), delivery.state, delivery.attempts) == (1, "overtaken", 1)
    assert await house.hooks.dead(most=9) == []
    assert await house.next_in_ms() is None
    with pytest.raises(Conflict, match=f"Deploy {request.id} is over"):
        await house.hooks.retry(request.id, "api", actor=REQ, command_id="retry")


async def test_a_deploy_that_was_told_and_is_over_is_not_replayed(house: House) -> None:
    await listening(house)
    request = await deployed(house)
    await house.run()
    await house.corridor.do(request, Cancel(id="end", actor=REQ, reason="red"))
    with pytest.raises(Conflict, match=f"Deploy {request.id} is over"):
        await house.hooks.replay(request.id, "api", actor=REQ, command_id="replay")


async def test_one_that_succeeded_is_told_until_a_newer_one_is_started(house: House) -> None:
    await listening(house)
    house.receiver.answer("api", 500, times=2)
    request = await deployed(house)
    await house.run()
    await house.corridor.do(request, Report(id="end", actor=RELAY, outcome="succeeded"))
    house.corridor.skew_ms += DELAYS_MS[1]
    await house.run()
    assert (await house.delivery(request)).attempts == 2
    newer = await deployed(house, "v1.2.4")
    house.corridor.skew_ms += DELAYS_MS[2]
    await house.run()
    assert [(await house.delivery(each)).state for each in (request, newer)] == ["overtaken", "delivered"]
    assert [each["data"]["request"] for each in bodies(house)] == [request.id, request.id, newer.id]


async def test_a_deploy_lets_a_version_go_first_that_nobody_was_told_of(house: House) -> None:
    await listening(house)
    await house.merged(A="newer")
    assert await house.corridor.outbox.claim("hook", most=1, lease_ms=600)  # by a process that dies
    await deployed(house)
    await house.run()
    assert bodies(house) == []
    for _ in range(3):
        house.corridor.skew_ms += 600
        await house.run()
    assert [each["type"] for each in bodies(house)] == ["change", "deploy"]
    assert bodies(house)[1]["data"]["environment_version"] == 3


async def test_a_version_that_was_tried_in_vain_holds_no_deploy_up(house: House) -> None:
    await listening(house)
    await house.merged(A="newer")
    house.receiver.answer("api", 500)
    await house.run()
    await deployed(house)
    await house.run()
    assert [each["type"] for each in bodies(house)] == ["change", "deploy"]


@pytest.mark.parametrize(
    ("on", "said"), [({"change"}, "change"), ({"change", "rollback"}, "rollback"), ({"rollback"}, "rollback")]
)
async def test_a_rollback_is_told_as_such_to_who_listens_for_it(house: House, on: set[str], said: str) -> None:
    await listening(house, on=frozenset(on))
    asked, sealing = await house.corridor.draft("change", A="older")
    assert isinstance(asked.payload, Change)
    back = replace(asked, payload=asked.payload.model_copy(update={"back_to": 1}))
    outcome = await house.corridor.requests.submit(back, f"ask:{back.id}", sealing.entries)
    assert outcome.request is not None
    for who in (ANA, BOB):
        await house.corridor.do(outcome.request, command_for(outcome.request, approve, who))
    await house.run()
    (told,) = bodies(house)
    assert (told["type"], told["data"]["environment_version"]) == (said, 3)


async def test_access_is_told_when_it_begins_and_when_it_ends(house: House) -> None:
    await listening(house)
    request = await house.corridor.approved("open")
    active = await house.corridor.do(request, Activate(id="activate", actor=REQ))
    await house.run()
    await house.corridor.do(request, End(id="end", actor=REQ))
    await house.run()
    begun, ended = bodies(house)
    assert begun["type"] == "access.granted"
    assert active.lease is not None
    assert begun["data"]["access"] == {"kind": "open", "for": REQ, "until_ms": active.lease.until_ms}
    assert begun["data"]["environment_version"] is None
    assert (ended["type"], ended["data"]["access"]["until_ms"]) == ("access.ended", None)
    told = await house.deliveries.of((await house.corridor.requests.get(request.id)).request)
    assert [(each.place, each.state) for each in told] == [
        ("api:access.granted", "delivered"),
        ("api:access.ended", "delivered"),
    ]


async def test_a_role_has_hooks_too_with_a_secret_of_their_own(house: House) -> None:
    await listening(house, policy(), policy(name="roles", actions=frozenset({"access"}), targets=("role:*",)))
    request = await house.corridor.approved("access")
    await house.corridor.do(request, Activate(id="activate", actor=REQ))
    await house.corridor.do(request, Present(id="present", actor="relay"))
    (signing,) = await house.hooks.secrets(request.target, "api")
    assert signing.reveal().decode() != house.receiver.secrets["api"]
    house.receiver.secrets["api"] = signing.reveal().decode()
    await house.run()
    (told,) = bodies(house)
    assert (told["data"]["target"], told["data"]["environment"]) == (request.target, None)


# -- anew -------------------------------------------------------------------------------------------------------------


async def given_up(house: House) -> Request:
    await listening(house)
    request = await deployed(house)
    house.receiver.answer("api", 410)
    await house.run()
    return request


async def test_what_was_given_up_is_a_dead_letter_until_it_is_told_after_all(house: House) -> None:
    request = await given_up(house)
    assert [(each.request, each.place) for each in await house.hooks.dead(most=9)] == [(request.id, "api:deploy")]
    await house.hooks.retry(request.id, "api", actor=REQ, command_id="retry")
    assert await house.hooks.dead(most=9) == []
    await house.run()
    assert [(each.status, each.id) for each in house.receiver.deliveries] == [
        (410, f"msg_{request.id}_api_deploy"),
        (204, f"msg_{request.id}_api_deploy"),
    ]
    assert (await house.delivery(request)).state == "delivered"
    assert "hook.retried" in await house.corridor.events()


async def test_a_retry_begins_the_schedule_again(house: House) -> None:
    request = await given_up(house)
    house.receiver.answer("api", 500, times=99)
    await house.hooks.retry(request.id, "api:deploy", actor=ANA, command_id="retry")
    for _ in DELAYS_MS:
        await house.run()
        house.corridor.skew_ms += await house.next_in_ms() or 0
    delivery = await house.delivery(request)
    assert (delivery.state, delivery.attempts) == ("failed", 1 + len(DELAYS_MS))


async def test_a_retry_does_not_wait_for_the_pause(house: House) -> None:
    await listening(house)
    request = await deployed(house)
    house.receiver.answer("api", 500)
    await house.run()
    assert await house.next_in_ms() == DELAYS_MS[1]
    await house.hooks.retry(request.id, "api", actor=OWNER, command_id="retry")
    await house.run()
    assert (await house.delivery(request)).state == "delivered"


async def test_a_version_that_was_given_up_is_told_on_retry_and_never_after_a_newer_one(house: House) -> None:
    await house.merged()
    old = await house.merged(A="1")
    house.receiver.answer("api", 410)
    await house.run()
    assert [each.request for each in await house.hooks.dead(most=9)] == [old.id]
    new = await house.merged(A="2")
    with pytest.raises(Conflict, match="version 4 since, or will be: version 3 does not follow"):
        await house.hooks.retry(old.id, "api", actor=REQ, command_id="early")
    await house.run()
    assert (await house.delivery(old)).state == "overtaken"
    assert (await house.delivery(new)).state == "delivered"
    assert await house.hooks.dead(most=9) == []
    with pytest.raises(Conflict, match="A newer version was announced instead"):
        await house.hooks.retry(old.id, "api", actor=REQ, command_id="late")
    await house.hooks.replay(new.id, "api", actor=REQ, command_id="replay")
    await house.run()
    versions = [json.loads(each.body)["data"]["environment_version"] for each in house.receiver.deliveries]
    assert versions == [3, 4, 4]
    assert len({(each.id, each.body) for each in house.receiver.deliveries[1:]}) == 1


async def test_an_older_version_that_was_delivered_is_not_sent_again(house: House) -> None:
    old = await house.merged()
    await house.run()
    await house.merged(A="2")
    await house.run()
    with pytest.raises(Conflict, match="version 2 does not follow it"):
        await house.hooks.replay(old.id, "api", actor=REQ, command_id="replay")


@pytest.mark.parametrize("actor", [REQ, ANA, OWNER, MACHINE_OWNER])
async def test_who_may_have_it_told_again(house: House, actor: str) -> None:
    request = await given_up(house)
    assert (await house.hooks.retry(request.id, "api", actor=actor, command_id="retry")).state == "waiting"


async def test_who_may_not(house: House) -> None:
    request = await given_up(house)
    with pytest.raises(Forbidden, match="Only the person who asked"):
        await house.hooks.retry(request.id, "api", actor=STRANGER, command_id="retry")
    assert (await house.delivery(request)).state == "failed"
    assert (await house.corridor.events())[-1] == "attempt.refused"


@pytest.mark.parametrize("actor", [ANA, REQ, STRANGER])
async def test_who_may_not_hold_a_hook_or_replace_its_secret(house: House, actor: str) -> None:
    for attempt in (house.hooks.pause, house.hooks.resume, house.hooks.rotate):
        with pytest.raises(Forbidden, match="Only an owner"):
            await attempt("payments/prod", "api", actor=actor, command_id=attempt.__name__)
        assert (await house.corridor.events())[-1] == "attempt.refused"


async def test_a_test_is_sent_by_owners_once_a_press(house: House) -> None:
    named = await house.hooks.named("payments/prod", "api")
    for actor in (ANA, REQ, STRANGER):
        with pytest.raises(Forbidden, match="Only an owner"):
            await house.hooks.test(named, actor=actor, command_id=actor)
        assert (await house.corridor.events())[-1] == "attempt.refused"
    pressed = [await house.hooks.test(named, actor=OWNER, command_id="press") for _ in range(2)]
    assert pressed == [True, False]
    assert (await house.corridor.events()).count("hook.tested") == 1


async def test_what_is_not_there_is_said(house: House) -> None:
    request = await given_up(house)
    with pytest.raises(NotFound, match="has told no hook “web”"):
        await house.hooks.retry(request.id, "web", actor=REQ, command_id="a")
    with pytest.raises(Conflict, match="was never delivered: retry it"):
        await house.hooks.replay(request.id, "api", actor=REQ, command_id="b")
    with pytest.raises(NotFound, match=r"has no hook “web”\. It has api"):
        await house.hooks.pause("payments/prod", "web", actor=OWNER, command_id="c")
    with pytest.raises(NotFound, match="There is no request"):
        await house.hooks.retry("REQVEST099", "api", actor=REQ, command_id="d")


# -- held -------------------------------------------------------------------------------------------------------------


async def test_what_is_paused_hears_nothing_and_of_the_newest_when_it_goes_on(house: House) -> None:
    await listening(house)
    await house.hooks.pause("payments/prod", "api", actor=OWNER, command_id="pause", reason="moving")
    for value in "ab":
        await house.merged(A=value)
    request = await deployed(house)
    await house.run()
    house.corridor.skew_ms += 7 * DAY
    await house.run()
    assert house.receiver.deliveries == []
    assert await house.next_in_ms() is None
    with pytest.raises(Conflict, match=r"paused\. Resume it first"):
        await house.hooks.retry(request.id, "api", actor=REQ, command_id="retry")
    [(_, _, receiver, waits)] = [each for each in await house.hooks.listed() if each[0] == "payments/prod"]
    assert receiver.paused is not None
    assert (receiver.paused.by, receiver.paused.reason, waits) == (OWNER, "moving", 2)
    assert await house.hooks.resume("payments/prod", "api", actor=OWNER, command_id="resume") == 2
    for _ in range(2):
        await house.run()
        house.corridor.skew_ms += 600
    assert [each["type"] for each in bodies(house)] == ["change", "deploy"]
    assert {each["data"]["environment_version"] for each in bodies(house)} == {4}
    assert ("hook.paused" in await house.corridor.events(), "hook.resumed" in await house.corridor.events()) == (
        True,
        True,
    )
    with pytest.raises(Conflict, match="is not paused"):
        await house.hooks.resume("payments/prod", "api", actor=OWNER, command_id="again")


# -- secrets ----------------------------------------------------------------------------------------------------------


async def test_a_rotated_secret_signs_beside_the_former_one_for_a_day_and_then_alone(house: House) -> None:
    await listening(house)
    former = house.receiver.secrets["api"]
    fresh = (await house.hooks.rotate("payments/prod", "api", actor=OWNER, command_id="rotate")).reveal().decode()
    assert fresh != former

    async def told() -> list[str]:
        """By which secrets the newest delivery verifies, as the package of the standard sees it."""
        await house.merged(A=str(house.corridor.skew_ms))
        await house.run()
        newest = house.receiver.deliveries[-1]
        headers = {name.lower(): value for name, value in newest.headers.items()}
        signatures = headers["webhook-signature"].split(" ")
        expected = {
            name: Webhook(secret).sign(newest.id, _moment(headers), newest.body.decode())
            for name, secret in (("former", former), ("fresh", fresh))
        }
        return [name for name, signature in expected.items() if signature in signatures]

    assert await told() == ["former", "fresh"]
    house.corridor.skew_ms += OVERLAP_MS - 1
    assert await told() == ["former", "fresh"]
    house.corridor.skew_ms += 1
    house.receiver.secrets["api"] = fresh
    assert await told() == ["fresh"]
    environment = await house.environment()
    fields = await house.corridor.redis.hkeys(house.corridor.keys.entries(environment.id))
    assert b"hook:api.former" not in fields
    assert "hook.secret_retired" in await house.corridor.events()
    assert await house.next_in_ms() is None


def _moment(headers: dict[str, str]) -> Any:
    return datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)


async def test_a_secret_goes_by_itself_where_nothing_is_sent(house: House) -> None:
    await house.merged()
    await house.run()
    await house.hooks.rotate("payments/prod", "api", actor=OWNER, command_id="rotate", overlap_ms=HOUR)
    await house.run()
    assert await house.next_in_ms() == HOUR
    house.corridor.skew_ms += HOUR
    await house.run()
    environment = await house.environment()
    assert await house.corridor.environments.former_signing_secret(environment, "api") is None
    assert len(await house.hooks.secrets("payments/prod", "api")) == 1


# -- other forms ------------------------------------------------------------------------------------------------------

TOKEN = "ghp_kanarienvogel0123456789"


async def with_token(house: House) -> None:
    environment = await house.corridor.environments.ensure("countersign/hooks")
    sealing = await house.corridor.environments.seal(environment, {"API_TOKEN": Value(Secret(TOKEN.encode()))})
    payload = Change(environment_id=environment.id, touches=sealing.touches)
    asked = drawn("change", target=Target.parse("countersign/hooks"), identity=house.corridor.id(), payload=payload)
    outcome = await house.corridor.requests.submit(asked, f"ask:{asked.id}", sealing.entries)
    assert outcome.request is not None
    for who in (ANA, BOB):
        await house.corridor.do(outcome.request, command_for(outcome.request, approve, who))


ALL = policy(targets=("payments/prod", "countersign/hooks"))


async def test_github_hears_in_its_own_words_and_with_a_token(house: House) -> None:
    await listening(house, ALL, preset="github-dispatch", credentials="countersign/hooks")
    await with_token(house)
    await house.merged(A="newer")
    await house.run()
    told = house.receiver.deliveries[-1]
    assert told.headers["Authorization"] == f"Bearer {TOKEN}"
    assert told.headers["Accept"] == "application/vnd.github+json"
    body = json.loads(told.body)
    assert body["event_type"] == "countersign.change"
    Draft202012Validator(JSON_SCHEMA).validate(body["client_payload"])
    assert "secrets.used" in await house.corridor.events()


async def test_a_workflow_gets_it_as_one_input(house: House) -> None:
    await listening(house, ALL, preset="github-workflow", ref="release/1")
    await house.merged(A="newer")
    await house.run()
    body = json.loads(house.receiver.deliveries[-1].body)
    assert (body["ref"], list(body["inputs"])) == ("release/1", ["countersign"])
    Draft202012Validator(JSON_SCHEMA).validate(json.loads(body["inputs"]["countersign"]))


async def test_a_template_is_filled_and_headers_go_along(house: House) -> None:
    written = (
        '{"text": "{{ data.target }} \\"{{ type }}\\" {{ data.deploy.ref }}", "n": {{ data.environment_version }}}'
    )
    headers = {"X-Team": "payments", "Host": "elsewhere.example", "Content-Type": "text/html"}
    await listening(house, ALL, preset="template", template=written, headers=headers)
    await house.merged(A="newer")
    await house.run()
    told = house.receiver.deliveries[-1]
    assert told.verified
    assert json.loads(told.body) == {"text": 'payments/prod "change" ', "n": 3}
    assert (told.headers["X-Team"], told.headers["Content-Type"]) == ("payments", "application/json")
    assert told.id.startswith("msg_")
    assert told.headers["Host"] == house.place


async def test_a_token_that_is_missing_is_tried_again_and_said(house: House) -> None:
    await listening(house, ALL, credentials="countersign/hooks")
    request = await house.merged(A="newer")
    await house.run()
    delivery = await house.delivery(request)
    assert delivery.state == "waiting"
    assert "has no API_TOKEN" in delivery.receipts[-1].said
    await with_token(house)
    house.corridor.skew_ms += DELAYS_MS[1]
    await house.run()
    assert (await house.delivery(request)).state == "delivered"


async def test_a_token_is_not_read_for_a_host_that_is_left_alone(house: House) -> None:
    await listening(house, ALL, credentials="countersign/hooks")
    await with_token(house)
    house.receiver.answer("api", 0, times=OPENS_AFTER)
    request = await house.merged(A="newer")
    for _ in range(OPENS_AFTER):
        await house.hooks.retry(request.id, "api", actor=REQ, command_id=house.corridor.id())
        await house.run()
    read = (await house.corridor.events()).count("secrets.used")
    assert read == OPENS_AFTER
    await house.hooks.retry(request.id, "api", actor=REQ, command_id=house.corridor.id())
    await house.run()
    assert (await house.delivery(request)).state == "waiting"
    assert (await house.corridor.events()).count("secrets.used") == read


async def test_a_token_that_is_missing_is_no_silence_of_the_host(house: House) -> None:
    await listening(house, ALL, credentials="countersign/hooks")
    request = await house.merged(A="newer")
    for tries in range(1, OPENS_AFTER + 1):
        await house.run()
        assert len((await house.delivery(request)).receipts) == tries
        assert house.webhooks._circuits.aside_ms(f"http://{house.place}", now_ms=house.corridor.now_ms) is None
        house.corridor.skew_ms += await house.next_in_ms() or 0


async def test_what_goes_wrong_at_ones_place_gives_it_back(house: House) -> None:
    await listening(house, ALL, credentials="countersign/hooks")
    await with_token(house)
    environment = await house.corridor.environments.ensure("countersign/hooks")
    kept = house.corridor.keys.entries(environment.id)
    await house.merged(A="newer")
    await house.corridor.redis.rename(kept, "lost")
    for _ in range(OPENS_AFTER + 1):
        await house.run()
        house.corridor.skew_ms += await house.next_in_ms() or 0
    assert house.webhooks._circuits.under_way() == 0
    assert house.receiver.deliveries == []
    await house.corridor.redis.rename("lost", kept)
    await house.run()
    assert [each.status for each in house.receiver.deliveries] == [204]


async def test_a_test_says_that_it_cannot_be_signed(house: House) -> None:
    await listening(house)
    named = await house.hooks.named("payments/prod", "api")
    outgoing = await house.webhooks._outgoing(await house.corridor.policies.current())
    environments, environment = house.corridor.environments, await house.environment()
    key = await environments.key(environment.id, environment.epoch)
    entry = key.seal(hook_name(f"{HOOK}api"), house.corridor.id(), Secret(b"hunter2"), mode=0o600)
    await house.corridor.redis.hset(house.corridor.keys.entries(environment.id), f"{HOOK}api", entry.to_json())
    receipt = await trial(house.hooks, environments, outgoing, named, "msg_test_1", house.corridor.now_ms)
    assert (receipt.outcome, receipt.status) == ("refused", None)
    assert "hunter2" not in repr(receipt)
    assert house.receiver.deliveries == []


async def test_a_test_says_what_the_receiver_says(house: House) -> None:
    await listening(house)
    named = await house.hooks.named("payments/prod", "api")
    outgoing = await house.webhooks._outgoing(await house.corridor.policies.current())
    environments = house.corridor.environments
    receipt = await trial(house.hooks, environments, outgoing, named, "msg_test_1", house.corridor.now_ms)
    assert (receipt.outcome, receipt.status) == ("delivered", 204)
    (told,) = bodies(house)
    assert (told["type"], told["data"]["hook"]) == ("test", "api")


async def test_a_press_that_comes_twice_is_one(house: House) -> None:
    request = await given_up(house)
    for _ in range(2):
        await house.hooks.retry(request.id, "api", actor=REQ, command_id="press")
    await house.run()
    assert len(house.receiver.deliveries) == 2
    assert (await house.corridor.events()).count("hook.retried") == 1


def test_a_receipt_never_holds_the_token_or_the_secret_that_a_receiver_repeats() -> None:
    said = f"you sent Bearer {TOKEN} and whsec_abc, thank you"
    answer = Answer(200, {"content-type": "text/plain"}, said.encode())
    assert excerpt(answer) == said
    assert excerpt(answer, [Secret(TOKEN.encode()), Secret(b"whsec_abc")]) == (
        "you sent Bearer [hidden] and [hidden], thank you"
    )
