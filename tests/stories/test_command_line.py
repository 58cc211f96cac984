"""Environments, secrets and requests at a terminal, without a value in Slack or on a disk."""

import json
import re
import signal
import stat
from pathlib import Path

import pytest

from playground import seed
from playground.house import House
from playground.slack.records import Message
from store.model.policy import MINUTE
from tests.stories.people import approved, asks, card, press
from tests.stories.shell import ran, typed

VALUE = "hunter2-of-the-story"
STAGING = "payments/staging"


def request_in(text: str) -> str:
    found = re.search(r"[Rr]equest ([0-9A-Z]{10})", text)
    assert found is not None, text
    return found[1]


async def card_of(house: House, request: str) -> Message:
    return await card(house, request)


async def changed(house: House, *words: str, given: bytes | None = None) -> str:
    """Rosa asks at a terminal, and Omar approves."""
    why = () if "--reason" in words else ("--reason", "INC-7")
    code, out, err = await ran(house, seed.ROSA, *words, *why, given=given)
    assert code == 0, (out, err)
    await approved(house, await card_of(house, request_in(err)), seed.OMAR)
    return err


async def holding(house: House) -> None:
    """Rosa may read staging now."""
    code, _, err = await ran(
        house, seed.ROSA, "env", "open-request", STAGING, "--access-duration=1h", "--reason", "INC-7"
    )
    assert code == 0, err
    await approved(house, await card_of(house, request_in(err)), seed.OMAR)
    assert (await ran(house, seed.ROSA, "request", "activate", request_in(err)))[0] == 0


@pytest.mark.seeded
async def test_an_environment_is_asked_for_begun_and_printed(house: House) -> None:
    code, out, err = await ran(
        house, seed.ROSA, "env", "open-request", STAGING, "--access-duration-seconds=7200", "--grant-expiration=1h",
        "--description=INC-7", "-o", "json",
    )  # fmt: skip
    assert code == 0, err
    asked = json.loads(out)
    assert (asked["state"], asked["duration_ms"], asked["reason"]) == ("pending", 120 * MINUTE, "INC-7")
    code, out, err = await ran(house, seed.ROSA, "env", "open", STAGING)
    assert (code, out) == (3, "")
    assert f"Request {asked['id']} still waits for" in err
    await approved(house, await card_of(house, asked["id"]), seed.OMAR)
    code, out, err = await ran(house, seed.ROSA, "env", "open", STAGING)
    assert (code, out) == (5, "")
    assert "is approved and not begun: --activate begins its 2 hours." in err

    code, out, err = await ran(house, seed.ROSA, "env", "open", STAGING, "--activate")
    assert code == 0, err
    assert out == "".join(f"{name}={value}\n" for name, value in sorted(seed.SECRETS[STAGING].items()))
    assert "You have access until" in err
    code, out, err = await ran(house, seed.ROSA, "env", "open", STAGING, "--format", "shell")
    assert out == "".join(f"export {name}='{value}'\n" for name, value in sorted(seed.SECRETS[STAGING].items()))
    code, out, err = await ran(house, seed.ROSA, "env", "open", STAGING, "--format", "json")
    assert (json.loads(out), err) == (seed.SECRETS[STAGING], "")

    code, out, _ = await ran(house, seed.ROSA, "env", "ls")
    rows = {row.split("\t")[0]: row.split("\t")[1:] for row in out.splitlines()}
    assert rows["payments/prod"][1:] == ["change, deploy, open", ""]
    assert rows[STAGING][2].endswith("CET")
    code, out, err = await ran(house, seed.BEN, "env", "open", STAGING)
    assert (code, out) == (3, "")
    assert f"Ask for it: countersign env open-request {STAGING}" in err


@pytest.mark.seeded
async def test_values_are_set_from_a_pipe_and_a_file_and_gone_back_from(house: House, tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text(VALUE + "\n")
    said = await changed(
        house,
        "secrets",
        "set",
        STAGING,
        "STRIPE_KEY=-",
        f"NEW_KEY=@{path}",
        "--reason",
        "rotation",
        given=b"from-a-pipe\n",
    )
    assert re.search(r"changed +STRIPE_KEY", said)
    assert re.search(r"new +NEW_KEY", said)
    code, out, _ = await ran(house, seed.ROSA, "secrets", "names", STAGING)
    assert (code, out.split()) == (0, ["DATABASE_URL", "NEW_KEY", "STRIPE_KEY"])
    assert (await ran(house, seed.ROSA, "secrets", "diff", STAGING))[1] == "+ NEW_KEY\n~ STRIPE_KEY\n"
    assert (await ran(house, seed.ROSA, "secrets", "diff", STAGING, "--from", "3", "--to", "3"))[1] == ""
    code, out, _ = await ran(house, seed.ROSA, "secrets", "history", STAGING)
    newest, *_ = [row.split("\t") for row in out.splitlines()]
    assert (newest[0], newest[2], newest[4]) == ("3", seed.ROSA, "+NEW_KEY ~STRIPE_KEY")

    await changed(house, "secrets", "rollback", STAGING, "2", "--reason", "the new key fails")
    await changed(house, "secrets", "unset", STAGING, "DATABASE_URL")
    await holding(house)
    code, out, _ = await ran(house, seed.ROSA, "env", "open", STAGING, "--format", "json")
    assert json.loads(out) == {"STRIPE_KEY": seed.SECRETS[STAGING]["STRIPE_KEY"]}


async def test_whoever_waits_for_a_change_hears_what_became_of_it(house: House) -> None:
    words = ("secrets", "set", STAGING, "STRIPE_KEY=-", "--reason", "INC-7", "--wait")
    async with typed(house, seed.ROSA, *words, given=b"one") as waits:
        await approved(house, await card_of(house, request_in(await waits.says("can decide"))), seed.OMAR)
        assert await waits.ends() == 0
    assert "is merged" in waits.out
    async with typed(house, seed.ROSA, *words, given=b"two") as waits:
        asked = await card_of(house, request_in(await waits.says("can decide")))
        await press(house, seed.OMAR, asked, "deny")
        await house.workspace.submit(
            seed.OMAR, house.workspace.modal(seed.OMAR).id, {"reason": {"reason": "not like this"}}
        )
        assert await waits.ends() == 1
    assert "was denied by omar@example.com: not like this." in waits.err
    async with typed(house, seed.ROSA, *words, given=b"three") as waits:
        await waits.says("can decide")
        waits.process.send_signal(signal.SIGINT)
        assert await waits.ends() == 130
    assert "Stopped waiting. Request" in waits.err
    assert (await ran(house, seed.ROSA, "request", "show", request_in(waits.err)))[1].count("waits for") == 1


async def test_files_are_imported_with_their_modes_and_lie_in_memory_for_the_program(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "files" / "tls").mkdir(parents=True)
    (tmp_path / "files" / "tls" / "key.pem").write_bytes(b"\x00\xff" + VALUE.encode())
    (tmp_path / "files" / "tls" / "key.pem").chmod(0o440)
    (tmp_path / "more.yaml").write_text("DATABASE_URL: on\nPORT: 0123\n")
    await changed(house, "secrets", "import", STAGING, str(tmp_path / "files"))
    await changed(house, "secrets", "import", STAGING, str(tmp_path / "more.yaml"))
    await holding(house)
    script = 'stat -c "%a %s" "$COUNTERSIGN_FILES/tls/key.pem"; stat -f -c %T "$COUNTERSIGN_FILES"; echo $DATABASE_URL $PORT; tail -c 20 "$COUNTERSIGN_FILES/tls/key.pem"'
    code, out, err = await ran(house, seed.ROSA, "run", STAGING, "--", "sh", "-c", script)
    assert (code, out) == (0, f"440 {2 + len(VALUE)}\ntmpfs\non ***\n{VALUE}"), err
    assert "Not masked in the output, being shorter than 4 characters: DATABASE_URL." in err
    script = 'cat "$COUNTERSIGN_FILES/PORT"; echo; echo "${PORT-none}"'
    code, out, err = await ran(house, seed.ROSA, "run", STAGING, "--files", "--no-mask", "--", "sh", "-c", script)
    assert (code, out) == (0, "0123\nnone\n"), err
    code, out, err = await ran(house, seed.ROSA, "env", "open", STAGING)
    assert (code, out) == (2, "")
    assert "tls/key.pem: dotenv cannot hold files." in err
    code, out, _ = await ran(house, seed.ROSA, "env", "open", STAGING, "--format", "json")
    exported = tmp_path / "exported.json"
    exported.write_text(out)
    code, out, err = await ran(
        house, seed.ROSA, "secrets", "import", STAGING, str(exported), "--reason", "x", "-o", "json"
    )
    assert code == 0, err
    assert {entry["word"] for entry in json.loads(out)["entries"]} == {"unchanged"}


@pytest.mark.seeded
async def test_several_edits_are_gathered_and_asked_for_once(house: House) -> None:
    for words, given in (
        (("set", STAGING, "STRIPE_KEY=-"), VALUE.encode()),
        (("set", STAGING, "tls/cert=-"), b"a file"),
        (("unset", STAGING, "DATABASE_URL"), None),
    ):
        code, _, said = await ran(house, seed.ROSA, "secrets", *words, "--draft", given=given)
        assert (code, "in the draft for payments/staging" in said) == (0, True), said
    kept = house.folder / ".config" / "countersign" / "drafts.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert VALUE not in kept.read_text()
    code, out, _ = await ran(house, seed.ROSA, "secrets", "draft", STAGING)
    assert out == "remove  DATABASE_URL\nset     STRIPE_KEY\nset     tls/cert\n"
    said = await changed(house, "secrets", "submit", STAGING, "--reason", "all at once")
    assert re.search(r"new +tls/cert", said)
    code, _, err = await ran(house, seed.ROSA, "secrets", "submit", STAGING)
    assert code == 5
    assert "There is no draft for payments/staging." in err


async def test_a_draft_is_over_after_an_hour_and_says_so(house: House) -> None:
    assert (await ran(house, seed.ROSA, "secrets", "set", STAGING, "STRIPE_KEY=-", "--draft", given=b"late"))[0] == 0
    await house.advance(61 * MINUTE)
    code, _, err = await ran(house, seed.ROSA, "secrets", "submit", STAGING)
    assert code == 5
    assert "STRIPE_KEY: sealed more than an hour ago, and dropped." in err
    assert (await ran(house, seed.ROSA, "secrets", "draft", STAGING, "--discard"))[0] == 0
    assert (await ran(house, seed.ROSA, "secrets", "draft", STAGING))[1] == ""


async def test_a_value_that_was_sealed_at_the_terminal_is_pasted_into_the_form_in_slack(house: House) -> None:
    code, out, err = await ran(house, seed.ROSA, "seal", STAGING, "STRIPE_KEY", given=VALUE.encode())
    assert code == 0
    assert re.fullmatch(r"sealed:[0-9A-Z]{10}\n", out)
    assert "It works once, and only for you." in err
    values = {f"set:{STAGING}": {"set": f"STRIPE_KEY={out.strip()}"}, "reason": {"reason": "INC-7"}}
    asked = await asks(house, seed.ROSA, f"change {STAGING}", values)
    await approved(house, asked, seed.OMAR)
    await holding(house)
    assert VALUE in (await ran(house, seed.ROSA, "env", "open", STAGING))[1]


async def test_ones_own_requests_are_looked_at_used_and_ended(house: House) -> None:
    _, out, _ = await ran(house, seed.ROSA, "env", "open-request", STAGING, "--reason", "a \x1b[31mlook", "-o", "json")
    first = json.loads(out)["id"]
    code, out, _ = await ran(house, seed.ROSA, "request", "ls")
    [row] = [row.split("\t") for row in out.splitlines() if row.startswith(first)]
    assert row[1:4] == ["pending", f"open {STAGING}", "rosa"]
    code, out, _ = await ran(house, seed.OMAR, "request", "ls", "--waiting")
    assert first in out
    code, out, _ = await ran(house, seed.ROSA, "request", "show", first.lower())
    assert f"Request {first} (open {STAGING}) waits for" in out
    assert "reason:    a [31mlook" in out
    assert "stands:    Waiting for approval by 1 of " in out
    code, out, _ = await ran(house, seed.ROSA, "request", "withdraw", first)
    assert (code, out) == (0, f"Request {first} (open {STAGING}) was withdrawn by rosa.\n")
    code, _, err = await ran(house, seed.ROSA, "request", "activate", first)
    assert code == 5

    _, out, _ = await ran(house, seed.ROSA, "env", "open-request", STAGING, "--reason", "x", "-o", "json")
    second = json.loads(out)["id"]
    await approved(house, await card_of(house, second), seed.OMAR)
    code, out, _ = await ran(house, seed.ROSA, "request", "activate", second)
    assert code == 0
    assert "is in use by omar until" not in out
    code, out, err = await ran(house, seed.ROSA, "request", "extend", second, "--for", "30m", "--reason", "longer")
    assert code == 0, err
    code, out, _ = await ran(house, seed.ROSA, "request", "end", second)
    assert code == 0
    assert "has ended by rosa" in out
    code, _, err = await ran(house, seed.BEN, "request", "show", "0123456789")
    assert code == 4
    for verb in (("withdraw",), ("activate",), ("end",), ("extend", "--for", "1h")):
        code, _, err = await ran(house, "U0GIL", "request", *verb, second)
        assert (code, "or it is not yours to see" in err) == (4, True), (verb, err)


async def test_what_stood_on_the_command_line_is_warned_about(house: House) -> None:
    code, _, err = await ran(house, seed.ROSA, "secrets", "set", STAGING, f"STRIPE_KEY={VALUE}")
    assert code == 2
    assert 'the people who decide need a reason. Add --reason "…".' in err
    assert "STRIPE_KEY stood on the command line" in err
    assert VALUE not in err


async def test_where_something_is_wrong_nothing_is_sent_and_the_place_is_told(house: House, tmp_path: Path) -> None:
    path = tmp_path / "bad.env"
    path.write_text(f"A=b\n{VALUE}\n")
    code, out, err = await ran(house, seed.ROSA, "secrets", "import", STAGING, str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"{path}:2:1: ")
    assert VALUE not in err


async def test_who_may_not_ask_seals_nothing_and_sees_no_names(house: House) -> None:
    for words in (("secrets", "names"), ("secrets", "diff"), ("secrets", "history"), ("seal",)):
        code, out, err = await ran(house, "U0GIL", *words, STAGING, given=b"x")
        assert (code, out) == (4, ""), words
        assert "There is no environment payments/staging here, or it is not yours to see." in err
