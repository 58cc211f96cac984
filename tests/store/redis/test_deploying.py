"""Deploys in the store: what runs where is one record, which every start and every end moves."""

from typing import Any

import pytest

from store.model.command import Cancel, Deploy, Due, Report
from store.model.errors import Conflict
from store.model.identity import Target
from store.model.policy import HOUR, Hook, TargetConfig
from store.model.request import Request
from store.model.slots import Slots
from tests.builders import ANA, REQ, approve, draft, leads, policy
from tests.store.redis.corridor import Corridor, Gate, command_for
from tests.store.redis.test_races import at_once, count

API, WEB, PROD = "payments/prod#api", "payments/prod#web", "payments/prod"
ON = frozenset({"deploy"})
TARGETS = {
    PROD: TargetConfig(hooks=(Hook(name="api", url="https://a", on=ON), Hook(name="web", url="https://w", on=ON)))
}


@pytest.fixture
async def deploys(corridor: Corridor) -> Corridor:
    await corridor.enact(policy(actions=frozenset({"deploy"}), approvals=(leads(1),)), targets=TARGETS)
    return corridor


async def approved(corridor: Corridor, target: str = API) -> Request:
    made = draft("deploy", identity=corridor.id(), target=Target.parse(target))
    outcome = await corridor.requests.submit(made, f"ask:{made.id}")
    assert outcome.request is not None
    corridor.skew_ms += 1  # each was asked for after the one before
    return await corridor.do(outcome.request, command_for(outcome.request, approve, ANA))


def start(asked: Request, actor: str = ANA, **fields: Any) -> Deploy:
    return Deploy(**{"id": f"deploy:{asked.id}:{actor}", "actor": actor, **fields})


async def slots(corridor: Corridor) -> Slots:
    body = await corridor.redis.hget(corridor.keys.head(f"deploys:{PROD}"), "body")
    return Slots.from_json(body) if body is not None else Slots()


@pytest.mark.parametrize(
    ("one", "other", "both"), [(API, API, False), (API, WEB, True), (PROD, API, False), (API, PROD, False)]
)
async def test_of_two_that_start_at_once_one_runs_where_they_meet(deploys, one, other, both):
    first, second = await approved(deploys, one), await approved(deploys, other)
    answers = await at_once(deploys, (first, start(first)), (second, start(second)))
    states = sorted([await deploys.state(first), await deploys.state(second)])
    running = (await slots(deploys)).running
    assert len(running) == states.count("running") == (2 if both else 1)
    assert await count(deploys, "deploy.started") == len(running)
    if not both and one != other:
        assert (states, "occupied" in answers) == (["approved", "running"], True)


async def test_the_same_deploy_pressed_by_many_starts_once(deploys):
    asked = await approved(deploys)
    answers = await at_once(deploys, *[(asked, start(asked, id=f"press{number}")) for number in range(20)])
    assert answers.count("Started. The card shows how it goes.") == 1
    assert await count(deploys, "deploy.started") == 1


async def test_what_starts_supersedes_in_its_own_commit_what_was_asked_for_before(deploys):
    older, newer = await approved(deploys), await approved(deploys)
    await deploys.do(newer, start(newer))
    assert [await deploys.state(each) for each in (older, newer)] == ["superseded", "running"]
    assert (await slots(deploys)).running == {API: newer.id}
    assert await deploys.redis.zrange(deploys.keys.index(f"touch:deploys:{PROD}:{API}"), 0, -1) == []


async def test_of_more_than_are_looked_at_the_rest_finds_out_when_it_would_start(deploys):
    older = [await approved(deploys) for _ in range(26)]
    newer = await approved(deploys)
    await deploys.do(newer, start(newer))
    await deploys.do(newer, Report(id="r", actor="relay", outcome="succeeded"))
    left = [each for each in older if await deploys.state(each) == "approved"]
    assert left
    assert (await deploys.do(left[0], start(left[0]))).state == "superseded"


@pytest.mark.parametrize("how", ["succeeded", "failed", "cancelled", "unreported"])
async def test_however_it_ends_the_place_is_free_and_its_end_is_said_once(deploys, how):
    asked = await approved(deploys)
    await deploys.do(asked, start(asked))
    ends: dict[str, Any] = {
        "cancelled": Cancel(id="c", actor=REQ, reason="stop"),
        "unreported": Due(id="d", actor="clock", timer="deadline", at_ms=deploys.now_ms + HOUR),
    }
    if how == "unreported":
        deploys.skew_ms += HOUR
    said = ends.get(how) or Report(id="r", actor="relay", outcome=how)
    answers = await at_once(deploys, (asked, said), (asked, Report(id="other", actor="machine:X", outcome="failed")))
    assert (await slots(deploys)).running == {}
    ended = [
        event for event in await deploys.events() if event in ("deploy.succeeded", "deploy.failed", "deploy.cancelled")
    ]
    assert len(ended) == 1
    assert len(set(answers) & {"too_late", "out_of_time"}) == 1
    after = await approved(deploys)
    assert (await deploys.do(after, start(after))).state == "running"


async def test_a_start_that_was_decided_before_another_one_is_decided_again(deploys):
    first, second = await approved(deploys, API), await approved(deploys, PROD)
    other = deploys.replica()
    await other.get(second.id)

    async def overtake() -> None:
        deploys.scripts.gate = None
        await deploys.replica().apply(first.id, start(first))

    deploys.scripts.gate = Gate(1, overtake)
    with pytest.raises(Conflict, match=f"Deploy {first.id} is running there"):
        await other.apply(second.id, start(second))
    assert (await slots(deploys)).running == {API: first.id}
