"""`countersign run` as somebody at a terminal uses it: asked, decided, run, and ended."""

import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground import seed
from playground.house import House
from store.model.policy import MINUTE
from tests import servers
from tests.stories.conftest import OpenHouse
from tests.stories.people import ask, card, press, says
from tests.stories.programs import until_waiting
from tests.stories.shell import ran, typed
from tests.stories.terminal import Terminal
from tests.stories.test_login import kept, log_in
from tests.tokens import machine_token

ASK = ("run", "payments/prod", "--for", "30m", "--reason", "INC-7 payments fail")
SERVER = (
    "--",
    "sh",
    "-c",
    'echo "serving from $DATABASE_URL"; trap "echo bye; exit 4" TERM; while :; do sleep 0.05; done',
)
SHOW = ("--", "sh", "-c", 'test "$STRIPE_KEY" = sk_live_playground_51Hxyz && echo "got $STRIPE_KEY"')


@pytest.mark.seeded
async def test_asked_approved_and_run_until_the_clock_ends_it(house: House) -> None:
    async with typed(house, seed.ROSA, *ASK, "--on-end", "term", *SERVER) as run:
        said = await run.says("@payments-leads can decide on request", "http", "Ctrl-C withdraws it.")
        assert "You ask to open payments/prod for 30 minutes." in said
        assert re.search(r"before \d\d:\d\d CET: http", said)
        asked = await card(house, "Waiting for approval", "INC-7 payments fail")
        await press(house, seed.BEN, asked, "approve")
        await run.says("Approved. You have access until", "CET (30 minutes).")
        assert await run.prints("serving") == "serving from ***\n"
        await until_waiting(house)
        await house.advance(26 * MINUTE)
        await run.says("Access to payments/prod ends in", "minutes, at", "countersign request extend")
        await house.advance(4 * MINUTE)
        await run.says("has ended: the program is told to end")
        assert await run.ends() == 4
    assert run.out == "serving from ***\nbye\n"
    await says(house, asked, "Ended by itself")


async def test_ended_by_somebody_it_is_told_and_goes_on_where_that_is_wanted(house: House) -> None:
    async with typed(house, seed.ROSA, *ASK, *SERVER) as run:
        await run.says("can decide")
        asked = await card(house, "Waiting for approval", "INC-7 payments fail")
        await press(house, seed.BEN, asked, "approve")
        await run.prints("serving")
        request = re.search(r"request ([0-9A-Z]{10})", run.err)
        assert request is not None
        assert (await ran(house, seed.BEN, "request", "end", request[1], "--reason", "enough"))[0] == 0
        await run.says("has ended. The program goes on with what it has; --on-end term would end it.")
        run.process.send_signal(signal.SIGTERM)
        assert await run.ends() == 4


async def test_denied_it_says_by_whom_and_why(house: House) -> None:
    async with typed(house, seed.ROSA, *ASK, *SERVER) as run:
        await run.says("can decide")
        asked = await card(house, "Waiting for approval", "INC-7 payments fail")
        await press(house, seed.BEN, asked, "deny")
        await house.workspace.submit(
            seed.BEN, house.workspace.modal(seed.BEN).id, {"reason": {"reason": "not before the release"}}
        )
        assert await run.ends() == 1
    assert "was denied by ben: not before the release." in run.err
    assert run.out == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_told_to_end_while_it_waits_it_withdraws_what_it_asked(
    house: House, number: signal.Signals, code: int
) -> None:
    async with typed(house, seed.ROSA, *ASK, *SERVER) as run:
        await run.says("Ctrl-C withdraws it.")
        asked = await card(house, "Waiting for approval", "INC-7 payments fail")
        run.process.send_signal(number)
        assert await run.ends() == code
    assert "was withdrawn." in run.err
    await says(house, asked, "Withdrawn")


@pytest.mark.seeded
async def test_what_somebody_asked_in_slack_is_waited_for_and_stays(house: House) -> None:
    await ask(house, seed.ROSA, "open payments/prod for 15m because INC-9")
    asked = await card(house, "Waiting for approval", "INC-9")
    async with typed(house, seed.ROSA, *ASK, *SERVER) as run:
        await run.says("You have asked to open payments/prod already.", "Ctrl-C stops waiting; the request stays.")
        run.process.send_signal(signal.SIGINT)
        assert await run.ends() == 130
    assert "stays. Withdraw it: countersign request withdraw" in run.err
    await press(house, seed.BEN, asked, "approve")
    await says(house, asked, "Approved")
    code, out, err = await ran(house, seed.ROSA, "run", "payments/prod", "--no-request", *SHOW)
    assert (code, out) == (0, "got ***\n"), err
    assert "Approved. You have access until" in err
    code, out, err = await ran(house, seed.ROSA, "run", "payments/prod", "--no-request", "--no-mask", *SHOW)
    assert (code, out) == (0, "got sk_live_playground_51Hxyz\n")
    assert "You have access until" in err


async def test_nobody_is_asked_where_that_is_not_wanted_and_nobody_is_waited_for(house: House) -> None:
    code, out, err = await ran(house, seed.ROSA, *ASK, "--no-request", *SHOW)
    assert (code, out) == (3, "")
    assert "You have no access to payments/prod now. Ask for it: countersign env open-request payments/prod" in err
    code, out, err = await ran(house, seed.ROSA, *ASK, "--no-wait", *SHOW)
    assert (code, out) == (124, "")
    assert "Once it is approved, the same command uses it." in err
    code, out, err = await ran(house, seed.ROSA, *ASK, "--timeout", "1s", *SHOW)
    assert (code, out) == (124, "")
    assert "Nobody decided within 1 second." in err


@pytest.mark.seeded
async def test_a_program_that_waits_over_a_restart_of_the_server_goes_on(open_house: OpenHouse) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    house = await open_house(environ={"COUNTERSIGN_HTTP": f"127.0.0.1:{port}"})
    async with typed(house, seed.ROSA, *ASK, *SHOW) as run:
        await run.says("can decide")
        asked = await card(house, "Waiting for approval", "INC-7 payments fail")
        await house.apps.pop().stop()
        await run.says("does not answer. Is it running, and can this computer reach it? Still waiting.")
        await house.move_in()
        await house.workspace.wait_for(lambda: house.workspace.bot_connected)
        await run.says("The server answers again.")
        await press(house, seed.BEN, asked, "approve")
        assert await run.ends() == 0
    assert run.out == "got ***\n"


async def test_nobody_logged_in_is_told_how(house: House) -> None:
    code, out, err = await ran(house, None, *ASK, *SHOW)
    assert (code, out) == (3, "")
    assert "Log in first: countersign login http://127.0.0.1" in err


@pytest.mark.seeded
async def test_a_machine_reads_without_asking_anybody_and_only_what_it_was_let(house: House) -> None:
    token = await machine_token(house.app.tokens, house.now_ms())
    code, out, err = await ran(house, None, "run", "payments/prod", *SHOW, COUNTERSIGN_TOKEN=token)
    assert (code, out, err) == (0, "got ***\n", "")
    code, out, err = await ran(house, None, "run", "payments/staging", *SHOW, COUNTERSIGN_TOKEN=token)
    assert (code, out) == (3, "")


@pytest.mark.seeded
async def test_for_programs_every_step_is_a_line_of_json_and_stdout_is_the_childs(house: House) -> None:
    async with typed(house, seed.ROSA, *ASK, "-o", "json", *SHOW) as run:
        await run.says('"event": "asked"')
        await press(house, seed.BEN, await card(house, "Waiting for approval", "INC-7 payments fail"), "approve")
        assert await run.ends() == 0
    events = [json.loads(line) for line in run.err.splitlines()]
    assert [event["event"] for event in events] == ["filed", "asked", "wait", "active", "started", "exited"]
    assert events[1]["link"].startswith("http")
    assert events[-1]["code"] == 0
    assert run.out == "got ***\n"


@pytest.mark.seeded
async def test_a_token_that_ends_while_it_waits_is_renewed(house: House, tmp_path: Path) -> None:
    terminal = Terminal(house, tmp_path / "rosa")
    assert (await log_in(house, terminal)).code == 0
    first = kept(terminal)["token"]
    async with typed(house, None, *ASK, *SHOW, HOME=str(terminal.folder)) as run:
        await run.says("can decide")
        asked = await card(house, "Waiting for approval", "INC-7 payments fail")
        session, version = await house.app.tokens.find(kept(terminal)["id"])
        assert session is not None
        over = session.model_copy(update={"expires_ms": house.now_ms()})
        await house.app.tokens.put(over, version, "test:over", [])
        await press(house, seed.BEN, asked, "approve")
        assert await run.ends() == 0
    assert run.out == "got ***\n"
    assert kept(terminal)["token"] != first


# -- without a Redis ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def own_server() -> Iterator[servers.Server]:
    own = servers.Server(servers.redis_binary() or servers.valkey_binary(), *servers.DURABLE).start()
    yield own
    own.remove()


async def test_where_redis_is_away_it_says_so_and_exits_6(open_house: OpenHouse, own_server: servers.Server) -> None:
    house = await open_house(environ={"REDIS_URL": own_server.url})
    async with typed(house, seed.ROSA, *ASK, *SHOW) as before:
        await before.says("can decide")
        own_server.kill()
        code, out, err = await ran(house, None, *ASK, *SHOW, COUNTERSIGN_TOKEN="csp_0123456789_" + 43 * "a")
        assert (code, out) == (6, ""), err
        assert "cannot reach what it keeps its records in" in err
        await before.says("Still waiting.")
        before.process.send_signal(signal.SIGINT)
        assert await before.ends() == 130
    assert "may still wait" in before.err
