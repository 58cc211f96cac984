"""Whoever may nothing here, and whatever arrives: nothing moves, nothing breaks, and they are told."""

import asyncio
import copy
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from playground import seed
from playground.house import House
from tests import servers
from tests.doors import listing, probes
from tests.doors.probes import Json
from tests.doors.scene import POLICIES, Scene, staged
from tests.doors.table import DOORS
from tests.github.fake import environ
from tests.lengths import PROFILE, length
from tests.stories.conftest import OpenHouse, bare

LONG: Final = PROFILE == "soak"
SEARCH: Final = settings(  # not shrunk: a failure names its door, and each step of shrinking is a whole conversation
    max_examples=length(80, 500, 5_000), derandomize=not LONG, database=None, deadline=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
# Who may nothing: somebody on every list who is none of ours (any more), and a colleague who is on none.
BARRED: Final = {
    "guest": seed.ANA,
    "deactivated": seed.ANA,
    "bot": seed.ANA,
    "stranger": seed.ANA,
    "colleague": seed.INES,
}
AT_ONCE: Final = ("guest", "colleague")  # the others in `make slow`


@pytest.mark.search
@pytest.mark.parametrize(
    "kind", [kind if kind in AT_ONCE else pytest.param(kind, marks=pytest.mark.slow) for kind in BARRED]
)
async def test_who_may_nothing_here_changes_nothing_at_any_door(open_house: OpenHouse, kind: Any) -> None:
    scene, user = await staged(open_house), BARRED[kind]
    if kind != "colleague":
        scene.house.workspace.set_kind(user, kind)
    await scene.house.workspace.wait_for(lambda: user not in scene.house.app.directory._known)
    before, refused = await scene.kept(), await scene.refusals()
    problems, tried = [], set()
    # Of those whom Slack calls no members each meets every door in some of the states (in `make soak` in all), a colleague in all.
    outsiders = [each for each in BARRED if each != "colleague"]
    step = len(outsiders) if kind in outsiders and not LONG else 1
    first = outsiders.index(kind) % step if kind in outsiders else 0
    for state, asked in list(scene.requests.items())[first::step]:
        for door, made in probes.made_for(scene.house, user, asked.reference, scene.lock).items():
            answer = await scene.send(made())
            tried.add(door)
            if answer.wrong or answer.status != 200 or not answer.answered:
                problems.append((door, state, answer))
    after = await scene.kept()
    assert {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)} == set()
    assert problems == []
    assert await scene.refusals() > refused
    usable = {name for name in DOORS if name.split()[0] in ("action", "view", "menu", "shortcut", "options")}
    assert usable - {row for name in tried for row in listing.met(DOORS, name)} == {"action .*", "action more"}


async def test_news_of_slack_changes_nothing(open_house: OpenHouse) -> None:
    scene = await staged(open_house)
    before = await scene.kept()
    for name in probes.EVENTS:
        for user in (seed.INES, "U0NOBODY"):
            answer = await scene.send(probes.event(scene.house, name, user))
            assert (answer.status, answer.wrong) == (200, ()), name
    assert await scene.kept() == before
    assert {name for name in DOORS if name.startswith("event")} == {f"event {name}" for name in probes.EVENTS}


def _filled(path: str) -> str:
    """With what could be the name of something."""
    for name, like in {"project": "payments", "env": "prod"}.items():
        path = path.replace(f"{{{name}}}", like)
    return re.sub(r"\{\w+\}", "7Q2M4XK9TB", path)


# There nobody can be vouched for yet: what makes no sense is told so, and nothing is given.
LOGGING_IN: Final = ("/v1/login", "/v1/login/renew", "/v1/login/{login}", "/v1/login/{login}/withdraw")


async def test_no_route_but_those_that_tell_nothing_answers_whom_nobody_vouches_for(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    house = await open_house(http=True, environ=environ(tmp_path))
    routes = [name.split()[1:] for name in listing.routes(house.app)]
    harmless = {
        tuple(name.split()[1:]) for name, row in DOORS.items() if name.startswith("route") and not row.sabotaged
    }
    headers = [
        {},
        {"X-Slack-Signature": "v0=" + "0" * 64, "X-Slack-Request-Timestamp": "1"},
        {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-GitHub-Event": "ping"},
        {"Authorization": "Bearer x"},
    ]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{house.app.http.port}") as session:
        for method, path in routes:
            for header in headers:
                for body in (b"", b"{}", b"\xff" * 100):
                    async with session.request(method, _filled(path), data=body, headers=header) as answer:
                        open_to_all = (method, path) in harmless
                        nobody = (
                            (200, 401, 503)
                            if open_to_all
                            else (400, 404, 415)
                            if method == "POST" and path in LOGGING_IN
                            else (401, 403)
                        )
                        assert answer.status in nobody, (method, path, header)


GARBAGE: Final = st.sampled_from(
    [None, 0, -1, 1.5, True, "", " ", "-", ":", "x" * 5_000, "\u202e\0", "🦊", "U0NOBODY", "0000000000:1:aa", [], [None], ["x"], {}, {"id": None}, {"value": 7}]
)  # fmt: skip
MUTATIONS: Final = st.lists(st.tuples(st.integers(0, 1 << 16), st.booleans() | GARBAGE), min_size=1, max_size=3)


@pytest.mark.search
def test_whatever_arrives_breaks_nothing(real_server: servers.Server, tmp_path: Path) -> None:
    """Every door, with fields missing, of another type, empty, oversized or made up; from who may nothing, nothing moves either."""
    with asyncio.Runner() as runner:
        house = runner.run(_empty_house(real_server, tmp_path))
        try:
            scene: Scene = runner.run(staged(_this(house)))
            before = runner.run(scene.kept())
            _garbage(runner, scene)
            assert runner.run(scene.kept()) == before
        finally:
            runner.run(house.close())


def _garbage(runner: asyncio.Runner, scene: Scene) -> None:
    abouts = [asked.reference for asked in scene.requests.values()]

    @SEARCH
    @given(pick=st.integers(0, 1 << 16), which=st.sampled_from(abouts), mutations=MUTATIONS)
    def one(pick: int, which: str, mutations: list[tuple[int, Any]]) -> None:
        doors: dict[str, Callable[[], Json]] = dict(probes.made_for(scene.house, seed.INES, which, scene.lock))
        doors |= {f"event {name}": partial(probes.event, scene.house, name, seed.INES) for name in probes.EVENTS}
        door = list(doors)[pick % len(doors)]
        answer = runner.run(scene.send(_mutated(doors[door](), mutations)))
        assert (answer.wrong, answer.status in (200, 400, 404)) == ((), True), door

    one()


def _mutated(payload: Json, mutations: list[tuple[int, Any]]) -> Json:
    """True takes the field away; False nests what was there once more; anything else takes its place."""
    other = copy.deepcopy(payload)
    for pick, value in mutations:
        places = list(_places(other))
        holder, key = places[pick % len(places)]
        if value is True:
            del holder[key]
        else:
            holder[key] = {"value": holder[key]} if value is False else copy.deepcopy(value)
    return other


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in list(pairs):
        if key not in ("blocks", "is_enterprise_install"):
            yield node, key
            yield from _places(value)


async def _empty_house(server: servers.Server, tmp_path: Path) -> House:
    async with Redis.from_url(server.url) as client:
        await client.flushall()
    bare(tmp_path / "house", POLICIES)
    house = House(tmp_path / "house", environ={"REDIS_URL": server.url}, http=True)
    await house.open()
    await house.move_in()
    return house


def _this(house: House) -> Any:
    async def open_house(**_: Any) -> House:
        return house

    return open_house
