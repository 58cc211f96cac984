"""The directory: fresh by the store's clock, asked for once, and what is not known is never a no."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import pytest
from redis.asyncio import Redis

from bot.slack import directory as asking
from bot.slack.directory import BUDGET_S, MARGIN_MS, SlackDirectory, person
from bot.slack.wire import Slack
from playground.slack.workspace import Workspace
from store.model.errors import Unavailable
from store.model.people import FRESH_MS, Wanted
from store.model.policy import Circle
from store.redis.facts import Facts
from store.redis.keys import Keys
from tests.builders import INSTALLATION, NOW

TEAM: Final = "T0PLAYGND"
ANA, LEADS = Wanted(users=frozenset({"U0ANA"})), Wanted(groups=frozenset({"S0LEADS"}))
BOTH: Final = ANA | LEADS


class Clock:
    """The store's: it stands until it is moved."""

    def __init__(self) -> None:
        self.now_ms = NOW

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


Another = Callable[[], SlackDirectory]


@pytest.fixture
async def another(slack: Slack, real_redis: Redis, clock: Clock) -> AsyncIterator[Another]:
    """One more process."""
    made: list[SlackDirectory] = []

    def make() -> SlackDirectory:
        facts = Facts(real_redis, Keys(INSTALLATION))
        made.append(SlackDirectory(slack, facts, team_id=lambda: TEAM, now_ms=clock))
        return made[-1]

    yield make
    for directory in made:
        await directory.close()


@pytest.fixture
def directory(another: Another) -> SlackDirectory:
    return another()


def calls(town: Workspace, method: str) -> int:
    return sum(call.method == method for call in town.calls)


# -- how long a fact is good ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_ms", "asked"), [(0, 1), (FRESH_MS - MARGIN_MS, 1), (FRESH_MS - MARGIN_MS + 1, 2), (-1, 2)]
)
async def test_a_fact_is_good_for_a_while_by_the_clock_of_the_store(directory, town, clock, age_ms, asked):
    await directory.people(BOTH)
    clock.now_ms += age_ms
    people = await directory.people(BOTH)
    assert calls(town, "users.info") == calls(town, "usergroups.users.list") == asked
    assert people.as_of_ms == (NOW if asked == 1 else clock.now_ms)
    assert people.groups["S0LEADS"].members == {"U0ANA", "U0BEN"}
    assert people.persons["U0ANA"].name == "ana"


async def test_a_snapshot_is_as_old_as_its_oldest_fact(directory, clock):
    await directory.people(ANA)
    clock.now_ms += 10_000
    people = await directory.people(BOTH)
    assert people.as_of_ms == NOW
    assert people.good_until_ms == NOW + FRESH_MS


async def test_a_fact_is_as_old_as_the_question(directory, town, clock):
    town.faults.delay("users.info", 0.05)
    learning = asyncio.create_task(directory.people(ANA))
    await town.wait_for(lambda: town.faults.struck)
    clock.now_ms += 9_000  # while Slack thinks
    assert (await learning).as_of_ms == NOW


async def test_what_one_process_learnt_counts_for_another(another, town, clock):
    await another().people(BOTH)
    clock.now_ms += 10_000
    people = await another().people(BOTH)
    assert len(town.calls) == 2
    assert people.as_of_ms == NOW  # when it was learnt, not when it was heard
    assert not people.lacks(BOTH)


async def test_what_another_process_learnt_grows_old_as_well(another, town, clock):
    await another().people(BOTH)
    clock.now_ms += FRESH_MS - MARGIN_MS + 1
    await another().people(BOTH)
    assert len(town.calls) == 4


@pytest.mark.parametrize(
    "body", ["", "{", "null", '{"schema":99,"id":"U0ANA","name":"ana"}', '{"schema":1,"id":"U0ANA"}']
)
async def test_a_shared_fact_that_cannot_be_read_is_asked_for(directory, real_redis, body):
    await real_redis.set(Keys(INSTALLATION).facts("U0ANA"), f"{NOW} {body}")
    assert (await directory.people(ANA)).persons["U0ANA"].name == "ana"


# -- once at a time ---------------------------------------------------------------------------------------------------


async def test_what_is_being_asked_is_not_asked_twice(directory, town):
    town.faults.delay("usergroups.users.list", 0.05)
    found = await asyncio.gather(*(directory.people(BOTH) for _ in range(10)))
    assert calls(town, "users.info") == calls(town, "usergroups.users.list") == 1
    assert not any(people.lacks(BOTH) for people in found)


# -- who waits, and how long ------------------------------------------------------------------------------------------


async def test_what_slack_does_not_say_in_time_is_left_out_and_learnt_all_the_same(directory, town, monkeypatch):
    assert BUDGET_S <= 1.2  # of Slack's three seconds
    await directory.people(ANA)
    monkeypatch.setattr(asking, "BUDGET_S", 0.05)
    town.faults.delay("usergroups.users.list", 0.3)
    people = await directory.people(BOTH)
    assert people.persons.keys() == {"U0ANA"}
    assert people.groups == {}
    assert Circle(groups=frozenset({"S0LEADS"})).has("U0BEN", people) is None  # unknown, which is not no
    patient = await directory.people(BOTH, patient=True)
    assert not patient.lacks(BOTH)
    assert calls(town, "usergroups.users.list") == 1


async def test_who_is_patient_is_told_that_it_cannot_be_known(directory, town, monkeypatch):
    monkeypatch.setattr(asking, "PATIENCE_S", 0.05)
    town.faults.hang("users.info")
    with pytest.raises(Unavailable) as raised:
        await directory.people(ANA, patient=True)
    assert raised.value.detail == "people_unknown"


@pytest.mark.parametrize(
    "fault",
    [
        lambda faults: faults.rate_limit("*", times=9),
        lambda faults: faults.status("*", 503, times=9),
        lambda faults: faults.error("*", "internal_error", times=9),
        lambda faults: faults.error("*", "token_revoked", times=9),
        lambda faults: faults.reset("*", times=9),
        lambda faults: faults.status("*", 200, times=9),
    ],
    ids=["rate limit", "503", "internal_error", "token_revoked", "reset", "a page instead of an answer"],
)
async def test_no_answer_is_not_a_no(directory, town, clock, fault):
    fault(town.faults)
    people = await directory.people(BOTH)
    assert people.lacks(BOTH)
    assert people.persons == {}
    assert people.groups == {}
    town.faults.clear()
    clock.now_ms += 1_000  # where it said to wait
    assert not (await directory.people(BOTH)).lacks(BOTH)  # it was not kept as an answer


async def test_slack_is_not_asked_before_the_time_it_asks_for_is_over(directory, town, clock):
    town.faults.rate_limit("users.info", retry_after=7)
    for _ in range(3):
        people = await directory.people(BOTH)
        assert people.lacks(BOTH)
        assert people.groups["S0LEADS"].members == {"U0ANA", "U0BEN"}  # a method of its own, with a limit of its own
    with pytest.raises(Unavailable) as refusal:
        await directory.people(BOTH, patient=True)
    assert refusal.value.retry_after_ms == 7_000
    assert calls(town, "users.info") == 1
    clock.now_ms += 6_999
    assert (await directory.people(BOTH)).lacks(BOTH)
    assert calls(town, "users.info") == 1
    clock.now_ms += 1
    assert not (await directory.people(BOTH)).lacks(BOTH)
    assert calls(town, "users.info") == 2


async def test_a_redis_that_is_silent_costs_sharing_and_nothing_else(slack, clock, real_redis):
    class Down(Facts):
        async def get(self, principals: Any) -> dict[str, tuple[int, str]]:
            raise Unavailable("Redis does not answer.")

        async def put(self, fact: Any, known_ms: int) -> None:
            raise Unavailable("Redis does not answer.")

    directory = SlackDirectory(slack, Down(real_redis, Keys(INSTALLATION)), team_id=lambda: TEAM, now_ms=clock)
    assert not (await directory.people(BOTH)).lacks(BOTH)
    await directory.close()


# -- what changed -----------------------------------------------------------------------------------------------------


async def test_what_slack_says_has_changed_is_asked_anew_by_every_process(another, town):
    first, second = another(), another()
    await first.people(BOTH)
    town.set_group("S0LEADS", ["U0ANA"])
    assert (await first.people(LEADS)).groups["S0LEADS"].members == {"U0ANA", "U0BEN"}
    await first.drop("S0LEADS")
    for directory in (first, second):
        assert (await directory.people(LEADS)).groups["S0LEADS"].members == {"U0ANA"}
    assert calls(town, "usergroups.users.list") == 2
    assert calls(town, "users.info") == 1


async def test_an_answer_from_before_the_change_is_not_kept(directory, town):
    town.faults.delay("usergroups.users.list", 0.1)
    learning = asyncio.create_task(directory.people(LEADS))
    await town.wait_for(lambda: town.faults.struck)  # it was asked, and is answered from before
    town.set_group("S0LEADS", ["U0ANA"])
    await directory.drop("S0LEADS")
    assert (await directory.people(LEADS)).groups["S0LEADS"].members == {"U0ANA"}
    await learning
    assert (await directory.people(LEADS)).groups["S0LEADS"].members == {"U0ANA"}


class Slow(Facts):
    """Answers and keeps only when it may."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, Keys(INSTALLATION))
        self.come, self.go = asyncio.Event(), asyncio.Event()

    async def get(self, principals: Any) -> dict[str, tuple[int, str]]:
        found = await super().get(principals)
        if found:
            self.come.set()
            await self.go.wait()
        return found

    async def put(self, fact: Any, known_ms: int) -> None:
        self.come.set()
        await self.go.wait()
        await super().put(fact, known_ms)


async def changed_while_slow(slow: Slow, directory: SlackDirectory, town: Workspace, clock: Clock) -> None:
    learning = asyncio.create_task(directory.people(LEADS))
    async with asyncio.timeout(5):
        await slow.come.wait()
    clock.now_ms += 1
    town.set_group("S0LEADS", ["U0ANA"])
    await directory.drop("S0LEADS")
    slow.go.set()
    await learning


async def test_what_redis_answered_from_before_the_change_is_not_kept(another, slack, town, clock, real_redis):
    await another().people(LEADS)
    slow = Slow(real_redis)
    directory = SlackDirectory(slack, slow, team_id=lambda: TEAM, now_ms=clock)
    await changed_while_slow(slow, directory, town, clock)
    assert (await directory.people(LEADS)).groups["S0LEADS"].members == {"U0ANA"}
    await directory.close()


async def test_what_was_shared_after_the_change_from_before_it_is_dropped(another, slack, town, clock, real_redis):
    slow = Slow(real_redis)
    directory = SlackDirectory(slack, slow, team_id=lambda: TEAM, now_ms=clock)
    await changed_while_slow(slow, directory, town, clock)
    assert (await another().people(LEADS)).groups["S0LEADS"].members == {"U0ANA"}
    await directory.close()


# -- who they are -----------------------------------------------------------------------------------------------------

BARRED: Final = {
    "U0ANA": None,
    "U0GIL": "a guest in this workspace",
    "U0GUS": "a guest in this workspace",
    "U0DORA": "deactivated in Slack",
    "U0SAM": "from another workspace",
    "U0TIM": "from another workspace",
    "U0ROBO": "not a person",
    "U0NOBODY": "deactivated in Slack",
}


@pytest.mark.parametrize(("user", "barred"), BARRED.items())
async def test_who_may_not_act_here(directory, user, barred):
    people = await directory.people(Wanted(users=frozenset({user})))
    assert people.persons[user].barred == barred


@pytest.mark.parametrize("group", ["S0NOWHERE", "S0GONE"])
async def test_a_group_that_is_not_there_is_nobody(directory, group):
    people = await directory.people(Wanted(groups=frozenset({group})))
    assert people.groups[group].members == frozenset()
    assert Circle(groups=frozenset({group})).has("U0ANA", people) is False


async def test_without_user_groups_in_the_plan_every_group_is_nobody(directory, town):
    town.paid = False
    people = await directory.people(BOTH)
    assert people.groups["S0LEADS"].members == frozenset()
    assert people.persons["U0ANA"].barred is None


WHOLE: Final[dict[str, Any]] = {
    "id": "U0ANA",
    "team_id": TEAM,
    "name": "ana",
    "deleted": False,
    "is_bot": False,
    "is_restricted": False,
    "is_ultra_restricted": False,
}


@pytest.mark.parametrize(
    ("changed", "barred"),
    [
        ({}, None),
        ({"deleted": True}, "deactivated in Slack"),
        ({"deleted": None}, "deactivated in Slack"),
        ({"team_id": "T0OTHER"}, "from another workspace"),
        ({"team_id": None}, "from another workspace"),
        ({"is_stranger": True}, "from another workspace"),
        ({"is_bot": True}, "not a person"),
        ({"is_bot": None}, "not a person"),
        ({"id": "USLACKBOT"}, "not a person"),
        ({"is_restricted": True}, "a guest in this workspace"),
        ({"is_ultra_restricted": True}, "a guest in this workspace"),
        ({"is_restricted": None}, "a guest in this workspace"),
        ({"is_ultra_restricted": None}, "a guest in this workspace"),
        # Enterprise Grid: at home in every workspace that its record names.
        ({"id": "W0ANA", "team_id": "E0BIG", "enterprise_user": {"teams": ["T0OTHER", TEAM]}}, None),
        ({"id": "W0ANA", "team_id": "E0BIG", "enterprise_user": {"teams": ["T0OTHER"]}}, "from another workspace"),
        ({"id": "W0ANA", "team_id": "E0BIG", "enterprise_user": {}}, "from another workspace"),
        ({"team_id": "T0OTHER", "enterprise_user": {"teams": [TEAM]}, "is_stranger": True}, "from another workspace"),
    ],
)
def test_what_slack_does_not_say_counts_against_the_person(changed, barred):
    user = {name: value for name, value in {**WHOLE, **changed}.items() if value is not None}
    assert person(user, TEAM).barred == barred


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"profile": {"display_name": "Ana C.", "real_name": "Ana Costa"}}, "Ana C."),
        ({"profile": {"display_name": "", "real_name": "Ana Costa"}}, "Ana Costa"),
        ({"real_name": "Ana Costa"}, "Ana Costa"),
        ({}, "ana"),
        ({"name": ""}, "U0ANA"),
    ],
)
def test_a_person_is_called_by_the_first_name_there_is(said, name):
    assert person({**WHOLE, **said}, TEAM).name == name
    assert person({**WHOLE, **said}, TEAM).email is None


async def test_no_more_is_kept_than_there_is_room_for(directory, monkeypatch):
    monkeypatch.setattr(asking, "KEPT", 3)
    for user in BARRED:
        await directory.people(Wanted(users=frozenset({user})))
    assert len(directory._known) == 3


async def test_while_nobody_knows_which_workspace_is_ours_nobody_is_a_stranger(slack, real_redis, clock):
    directory = SlackDirectory(slack, Facts(real_redis, Keys(INSTALLATION)), team_id=lambda: "", now_ms=clock)
    assert (await directory.people(ANA)).persons == {}
    await directory.close()
