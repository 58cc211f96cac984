"""`request`, `audit`, `hooks` and `doctor` beside the running program, as the owner of its machine."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from playground import seed
from playground.house import House
from store.redis.embedded import running
from tests.bot.cli.conftest import Run
from tests.stories.people import ask, card, press, says


@pytest.fixture
async def lived_in(house: House) -> AsyncIterator[House]:
    await house.move_in()
    await house.workspace.wait_for(lambda: house.workspace.bot_connected)
    yield house
    for app in house.apps:
        await app.stop()
    house.apps.clear()


async def test_a_request_is_listed_and_shown_while_it_lives_and_after(lived_in: House, run_here: Run):
    house, environ = lived_in, lived_in.environ()
    await ask(house, seed.ROSA, "open payments/staging for 1h", {"reason": {"reason": "a\u202elook \x1b[31mat it"}})
    found = await card(house, "payments/staging", "look")
    [row] = (await run_here("request", "ls", **environ)).out.splitlines()
    request, state, what, by, _since, until = row.split("\t")
    assert (state, what, by) == ("pending", "open payments/staging", seed.ROSA)
    assert until.endswith("UTC")
    shown = await run_here("request", "show", request.lower(), **environ)
    assert (shown.code, shown.err) == (0, "")
    assert "alook [31mat it" in shown.out, "what would move the cursor or turn the line is gone"
    assert "\x1b" not in shown.out
    await press(house, seed.BEN, found, "approve")
    await says(house, found, "Approved")
    asked = json.loads((await run_here("request", "show", request, "-o", "json", **environ)).out)
    assert asked["state"] == "approved"
    assert [review["by"] for review in asked["reviews"]] == [seed.BEN]
    mine = json.loads((await run_here("request", "ls", "--mine", seed.ROSA, "-o", "json", **environ)).out)
    assert request in [each["id"] for each in mine]
    assert any(each["state"] == "merged" for each in mine)
    nobody = await run_here("request", "ls", "--mine", "U0NOBODY", **environ)
    assert (nobody.code, nobody.out) == (0, "")


async def test_no_value_is_in_what_is_shown(lived_in: House, run_here: Run):
    mine = json.loads((await run_here("request", "ls", "--mine", seed.ROSA, "-o", "json", **lived_in.environ())).out)
    [touches] = [each["payload"]["touches"] for each in mine if each["target"] == "payments/prod"]
    assert touches
    assert all(touch.keys() == {"name", "is"} for touch in touches)


async def test_the_newest_audit_entries_come_last(lived_in: House, run_here: Run):
    tail = await run_here("audit", "tail", "-n", "3", **lived_in.environ())
    numbers = [int(row.split("\t")[0]) for row in tail.out.splitlines()]
    newest = await lived_in.app.audit.number()
    assert numbers == [newest - 2, newest - 1, newest]
    entries = [
        json.loads(line)
        for line in (await run_here("audit", "tail", "-n", "500", "-o", "json", **lived_in.environ())).out.splitlines()
    ]
    assert [entry["event"] for entry in entries[:2]] == ["roster.created", "policy.created"]
    assert {"number", "event", "actor", "at_ms"} <= entries[0].keys()


async def test_a_hooks_secret_is_what_its_deliveries_are_signed_with_and_showing_it_is_noted(
    lived_in: House, run_here: Run
):
    shown = await run_here("hooks", "secret", "payments/prod", "api", **lived_in.environ())
    assert shown.code == 0
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{32}\n", shown.out)
    assert shown.out.strip() == lived_in.hooks.secrets["api"]
    assert "whsec_" not in shown.err
    [entry] = [entry for _, entry in await lived_in.app.audit.newest(most=50) if entry.event == "hook.secret_shown"]
    assert (entry.target, entry.details) == ("payments/prod", {"hook": "api"})
    again = await run_here("hooks", "secret", "payments/prod", "api", **lived_in.environ())
    assert (again.code, again.out) == (5, "")
    assert "was shown already" in again.err
    assert "countersign hooks rotate payments/prod api" in again.err


async def test_the_secret_of_a_receiver_under_notify_is_what_its_notices_are_signed_with(house: House, run_here: Run):
    url = f"{house.server.base_url}/hooks/decisions"
    file = house.folder / "policies.yml"
    named = f'actions: [open]\n    notify: {{webhooks: ["{url}"]}}\n'
    file.write_text(file.read_text().replace("actions: [open]\n", named, 1))
    app = await house.move_in()
    shown = await run_here("hooks", "notice-secret", url, **house.environ())
    assert shown.code == 0
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]{32}\n", shown.out)
    assert "whsec_" not in shown.err
    [entry] = [entry for _, entry in await app.audit.newest(most=50) if entry.event == "hook.secret_shown"]
    assert entry.details == {"hook": url}
    house.hooks.secrets["decisions"] = shown.out.strip()
    await house.workspace.wait_for(lambda: house.workspace.bot_connected)
    await ask(house, seed.ROSA, "open payments/prod for 1h because INC-7")
    await press(house, seed.BEN, await card(house, "payments/prod", "INC-7"), "approve")
    await house.workspace.wait_for(lambda: [each for each in house.hooks.deliveries if each.name == "decisions"])
    [told] = [each for each in house.hooks.deliveries if each.name == "decisions"]
    assert (told.event, told.verified, told.status) == ("decision.approved", True, 204)
    assert b"INC-7" not in told.body
    await app.stop()
    house.apps.clear()


NOT_THERE = [
    (("hooks", "secret", "payments/prod", "nix"), 4, "payments/prod has no hook “nix”. It has api."),
    (("hooks", "secret", "payments/staging", "nix"), 4, "payments/staging has no hook “nix”. It has none."),
    (("hooks", "secret", "payments/nix", "api"), 4, "The policies name no target payments/nix."),
    (
        ("hooks", "notice-secret", "https://nix.example.com/x"),
        4,
        "No rule names “https://nix.example.com/x” under notify",
    ),
    (("hooks", "secret", "PAYMENTS", "api"), 2, "“PAYMENTS” is not a target."),
    (("request", "show", "0123456789"), 4, "There is no request 0123456789 here."),
    (("request", "show", "short"), 2, "“short” is not a request id."),
]


async def test_what_is_not_there_is_said(lived_in: House, run_here: Run):
    for arguments, code, sentence in NOT_THERE:
        ran = await run_here(*arguments, **lived_in.environ())
        assert (ran.code, ran.out) == (code, ""), arguments
        assert ran.err.startswith(sentence)


@pytest.mark.parametrize("arguments", [("request", "ls"), ("audit", "tail"), ("hooks", "secret", "a/b", "c")])
async def test_looking_starts_nothing(run_here: Run, tmp_path: Path, arguments: tuple[str, ...]):
    ran = await run_here(*arguments, HOME=str(tmp_path))
    assert ran.code == 6
    assert "start countersign serve" in ran.err
    assert ("countersign login" in ran.err) == (arguments[0] == "request")
    assert await running(tmp_path / ".local/share/countersign/redis") is None
    assert list(tmp_path.iterdir()) == []


async def test_looking_into_a_redis_without_an_installation_makes_none(run: Run, run_here: Run, redis_url: str):
    ran = await run_here("audit", "tail", REDIS_URL=redis_url, HOME="/nowhere")
    assert (ran.code, ran.err) == (4, "No Countersign has ever started on this Redis.\n")
    ran = await run("doctor", "-o", "json", REDIS_URL=redis_url)
    findings = json.loads(ran.out)["findings"]
    assert {"redis", "keys"} <= {finding["about"] for finding in findings}
    again = await run_here("audit", "tail", REDIS_URL=redis_url, HOME="/nowhere")
    assert again.code == 4


async def test_doctor_prints_a_line_a_finding_and_its_exit_code_says_whether_something_fails(lived_in: House, run: Run):
    well = await run("doctor", **lived_in.environ())
    assert well.code == 0, well.out
    assert well.err == ""
    assert all(re.match(r"(OK  |WARN)  [a-z ]{14}  \S", line) for line in well.out.splitlines())
    lived_in.workspace.archive(seed.APPROVALS)
    ill = await run("doctor", "-o", "json", **lived_in.environ())
    assert ill.code == 1
    report = json.loads(ill.out)
    assert report["ok"] is False
    assert [finding["about"] for finding in report["findings"] if finding["word"] == "FAIL"] == ["channels"]


async def test_doctor_without_tokens_says_so_and_looks_at_the_rest(lived_in: House, run: Run):
    environ = lived_in.environ()
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
        del environ[name]
    ran = await run("doctor", **environ)
    assert ran.code == 1
    assert re.search(r"^FAIL  settings +SLACK_BOT_TOKEN: it is not set", ran.out, re.MULTILINE)
    assert re.search(r"^OK    redis ", ran.out, re.MULTILINE)


async def test_a_question_is_answered_by_the_policies_in_force_and_the_people_of_now(lived_in: House, run_here: Run):
    question = ("policy", "explain", "--as", "rosa@example.com", "open", "payments/prod", "--for", "2h", "-o", "json")
    ran = await run_here(*question, **lived_in.environ())
    assert (ran.code, ran.err) == (0, "")
    answer = json.loads(ran.out)
    assert answer["verdict"] == "possible"
    assert answer["only_slack_knows"] == []
    assert [(each["id"], each["groups"]) for each in answer["thresholds"][0]["could"]] == [
        (seed.BEN, ["@payments-leads"]),
        (seed.INES, ["@payments-leads"]),
    ]
    assert [each["id"] for each in answer["bypassers"]] == [seed.OMAR]
    guest = await run_here(
        "policy", "explain", "--as", "U0GIL", "open", "payments/prod", "-o", "json", **lived_in.environ()
    )
    assert guest.code == 3
    assert json.loads(guest.out)["hindrances"] == ["barred", "not_requester"]
    assert "a guest in this workspace" in json.loads(guest.out)["sentence"]


async def test_without_a_token_the_policies_in_force_say_what_stays_open(lived_in: House, run_here: Run):
    environ = lived_in.environ()
    for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
        del environ[name]
    ran = await run_here("policy", "explain", "--as", seed.ROSA, "open", "payments/prod", "-o", "json", **environ)
    answer = json.loads(ran.out)
    assert (ran.code, answer["verdict"], answer["enough"]) == (0, "depends", None)
    assert answer["only_slack_knows"][:2] == ["who is in @payments-dev", "who is in @payments-leads"]


async def test_what_is_exported_is_accepted_and_means_the_same(lived_in: House, run_here: Run, tmp_path: Path):
    environ = lived_in.environ()
    exported = await run_here("policy", "export", **environ)
    assert (exported.code, exported.err) == (0, "")
    file = tmp_path / "exported.yml"
    file.write_text(exported.out)
    assert (await run_here("policy", "check", "-q", str(file))).code == 0
    same = await run_here("policy", "diff", str(file), **environ)
    assert (same.code, same.out) == (0, "")
    original = Path(environ["COUNTERSIGN_POLICIES"])
    assert (await run_here("policy", "diff", str(original), **environ)).code == 0
    file.write_text(exported.out.replace("max_duration: 30m", "max_duration: 45m"))
    changed = await run_here("policy", "diff", str(file), **environ)
    assert changed.code == 1
    assert changed.out == "rule “open production”: changed\n  break_glass.max_duration: 30m → 45m\n"
