"""The doctor, beside a running program and a workspace with something wrong in it."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from bot.doctor import Finding, Word, examine
from bot.doctor import github as githubs
from bot.doctor import outside as outsides
from bot.doctor import store as stores
from bot.doctor.slack import wanted_scopes
from bot.github_settings import GitHubAccess
from bot.settings import Settings
from playground import seed
from playground.house import House
from playground.slack.records import Group
from store.keys.file import KeyFile
from store.keys.ring import Coverage
from store.model.environment import Environment
from store.model.lock import Cause, Lock
from store.model.policy import DAY, Notify, TargetConfig
from store.redis.client import Client
from store.redis.commit import Commit
from store.redis.inspection import Inspection, Room
from store.redis.locks import write_lock
from tests.builders import policies, policy
from tests.github.fake import environ, github
from tests.github.gates import HUB
from tests.postbox import PASSWORD, SENDER, USER, Authority, postbox
from tests.servers import DURABLE, Server, valkey_binary

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path / "house")
    await house.open()
    yield house
    await house.close()


async def seen(house: House, *, mail_to: str | None = None, **environ: str) -> list[Finding]:
    settings = Settings.read(house.environ() | environ)
    return [finding async for finding in examine(settings, secrets.token_bytes, mail_to=mail_to)]


def said(findings: list[Finding], word: Word) -> dict[str, str]:
    """By part; several of one part on lines of their own."""
    told: dict[str, str] = {}
    for finding in findings:
        if finding.word is word:
            told[finding.about] = "\n".join(filter(None, (told.get(finding.about), finding.sentence)))
    return told


async def everything(redis: Client) -> dict[bytes, bytes | None]:
    """Every key's value, but for what an audit entry moves."""
    keys = [key async for key in redis.scan_iter("*") if b":audit" not in key and b":command:" not in key]
    return {key: await redis.dump(key) for key in keys}


async def test_where_all_is_well_it_says_so_of_every_part_and_changes_nothing(house: House):
    app = await house.move_in()
    await app.clock.stop()
    await app.relay.drain(5)
    before, audited, calls = await everything(app.redis), await app.audit.number(), len(house.workspace.calls)
    findings = await seen(house)
    assert said(findings, Word.FAIL) == {}
    assert said(findings, Word.WARN) == {}
    assert [*said(findings, Word.OK)] == [
        *("redis", "keys", "token", "scopes", "app token", "policies", "people", "channels", "mail"),
        *("hooks", "connectors"),
        *("timers", "lane slack", "lane connector", "lane hook", "lane mail", "versions", "memory", "disk"),
    ]
    assert await everything(app.redis) == before
    told = await app.audit.after(audited, most=10)
    assert {entry.event for _, entry in told} == {"secrets.used"}, "the connector's token was read, and nothing else"
    assert {call.method for call in house.workspace.calls[calls:]} <= {
        *("auth.test", "apps.connections.open", "users.info", "users.lookupByEmail"),
        *("usergroups.list", "conversations.info"),
    }


async def test_before_the_first_start_it_looks_at_what_there_is(house: House, tmp_path: Path):
    findings = await seen(house)
    assert "does not run now" in said(findings, Word.WARN)["redis"]
    assert "second.key is not there: the next start makes a new one" in said(findings, Word.WARN)["keys"]
    assert "can be used" in said(findings, Word.OK)["policies"]
    assert said(findings, Word.FAIL) == {}
    assert not (tmp_path / "house" / "bot").exists()


@pytest.mark.parametrize(
    ("options", "word", "words"),
    [
        (("--appendonly", "no"), Word.FAIL, "appendonly yes"),
        (("--appendonly", "yes", "--appendfsync", "no"), Word.FAIL, "appendfsync always"),
        (("--appendonly", "yes", "--appendfsync", "everysec"), Word.WARN, "appendfsync always"),
        ((*DURABLE, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"), Word.FAIL, "noeviction"),
        ((*DURABLE, "--replicaof", "127.0.0.1 1"), Word.FAIL, "replica"),
    ],
)
async def test_a_redis_that_may_forget(house: House, options: tuple[str, ...], word: Word, words: str):
    server = Server(valkey_binary(), *options).start()
    try:
        findings = await seen(house, REDIS_URL=server.url)
    finally:
        server.remove()
    assert words in said(findings, word)["redis"]


async def test_a_redis_that_is_not_there(house: House, tmp_path: Path):
    findings = await seen(house, REDIS_URL=f"unix://{tmp_path}/nobody")
    assert "does not answer" in said(findings, Word.FAIL)["redis"]
    assert "token" in said(findings, Word.OK), "the rest is looked at all the same"


async def test_tokens_that_slack_refuses(house: House):
    findings = await seen(house, SLACK_BOT_TOKEN="xoxb-of-another-app", SLACK_APP_TOKEN="xapp-of-another-app")
    failed = said(findings, Word.FAIL)
    assert "SLACK_BOT_TOKEN (invalid_auth)" in failed["token"]
    assert "SLACK_APP_TOKEN (invalid_auth)" in failed["app token"]


async def test_scopes_that_are_missing_or_too_many(house: House):
    state = house.workspace
    state.manifest = replace(state.manifest, scopes=wanted_scopes() - {"im:write", "users:read.email"})
    assert "lacks im:write, users:read.email" in said(await seen(house), Word.FAIL)["scopes"]
    state.manifest = replace(state.manifest, scopes=wanted_scopes() | {"files:read"})
    assert "also has files:read" in said(await seen(house), Word.WARN)["scopes"]


async def test_channels_and_people_that_are_not_what_policies_take_them_for(house: House):
    await house.move_in()
    house.workspace.archive(seed.APPROVALS)
    house.workspace.set_kind(seed.ANA, "deactivated")
    house.workspace.set_group("S0DEV", [])
    findings = await seen(house)
    assert "is archived" in said(findings, Word.FAIL)["channels"]
    assert "ana@example.com (U0ANA), who is deactivated in Slack" in said(findings, Word.WARN)["people"]
    assert "@payments-dev (S0DEV) has no members" in said(findings, Word.WARN)["groups"]


async def test_a_rule_that_nobody_can_fulfil(house: House):
    await house.move_in()
    house.workspace.set_group("S0LEADS", [seed.BEN])
    assert "people" not in said(await seen(house), Word.FAIL)
    house.workspace.set_kind(seed.ANA, "deactivated")  # of two places, one is left to somebody who does not count
    assert "Nothing can be approved under “change production”" in said(await seen(house), Word.FAIL)["people"]


async def test_the_bot_must_be_in_its_channels(house: House):
    await house.move_in()
    house.workspace.remove_bot(seed.APPROVALS)
    assert "/invite @Countersign" in said(await seen(house), Word.FAIL)["channels"]


async def test_a_group_that_is_gone(house: House):
    await house.move_in()
    house.workspace.groups["S0DEV"] = Group("S0DEV", "payments-dev", [], disabled=True)
    assert "@payments-dev (S0DEV), and Slack knows no such user group" in said(await seen(house), Word.FAIL)["groups"]


async def test_a_plan_without_user_groups_is_told_in_plain_words(house: House):
    house.workspace.paid = False
    assert "plan has no user groups" in said(await seen(house), Word.FAIL)["policies"]
    house.workspace.paid = True
    await house.move_in()
    house.workspace.paid = False
    findings = await seen(house)
    assert "plan has no user groups" in said(findings, Word.FAIL)["groups"]
    assert "plan has no user groups" in said(findings, Word.WARN)["policies"]


async def test_a_file_that_differs_is_a_warning_and_one_that_is_wrong_is_told(house: House):
    await house.move_in()
    file = house.folder / "policies.yml"
    file.write_text(file.read_text().replace("change production", "change what matters"))
    assert "differs from the policies in force" in said(await seen(house), Word.WARN)["policies"]
    file.write_text("version: 2\n")
    assert "policies.yml:1:" in said(await seen(house), Word.WARN)["policies"]


async def test_a_wrong_file_before_the_first_start_fails_with_every_line(house: House):
    file = house.folder / "policies.yml"
    file.write_text(file.read_text().replace("payments-dev]", "nobodys]"))
    failed = said(await seen(house), Word.FAIL)["policies"].splitlines()
    assert len(failed) > 1
    assert all("@nobodys" in line for line in failed)


async def test_a_lost_key_is_named_with_what_hangs_on_it(house: House):
    app = await house.move_in()
    app.settings.keys[1].unlink()
    findings = await seen(house)
    assert "second.key" in said(findings, Word.FAIL)["keys"]
    assert "Only first.key works" in said(findings, Word.WARN)["keys"]
    assert "payments/prod can be opened by first.key alone" in said(findings, Word.WARN)["keys"]


async def test_who_was_not_approved_and_who_is_not_configured_are_told_apart(house: House):
    app = await house.move_in()
    first, second = app.settings.keys
    third = house.folder / "third.key"
    await KeyFile.load_or_make(third, random=secrets.token_bytes)
    findings = await seen(house, COUNTERSIGN_KEYS=f"{first},{third}")
    warned = said(findings, Word.WARN)["keys"]
    assert "third.key is in COUNTERSIGN_KEYS and not in the roster, so it is given no key." in warned
    assert "second.key is in the roster and not in COUNTERSIGN_KEYS here" in warned
    assert "Only first.key works" in warned
    failed = said(await seen(house, COUNTERSIGN_KEYS=str(third)), Word.FAIL)["keys"]
    assert "No key holder of the roster works here: it lists first.key, second.key." in failed
    assert second.exists()


async def test_a_missing_policy_file_is_named_before_the_first_start(house: House, tmp_path: Path):
    (house.folder / "policies.yml").unlink()
    server = Server(valkey_binary(), *DURABLE).start()
    places = {"COUNTERSIGN_POLICIES": "", "HOME": str(tmp_path)}
    try:
        assert f"no file {Path.cwd() / 'policies.yml'}" in said(await seen(house, **places), Word.WARN)["policies"]
        found = await seen(house, REDIS_URL=server.url, **places)
    finally:
        server.remove()
    assert "There are none yet, and no file" in said(found, Word.FAIL)["policies"]


async def test_who_is_locked_out_of_breaking_the_glass_is_listed(house: House):
    app = await house.move_in()
    for user, why, at_ms in ((seed.OMAR, "disputed", 1), ("U0ELSE", "overdue", 2)):
        lock = Lock(user=user, causes=(Cause(request="7Q2M4XK9TB", why=why, at_ms=at_ms),))
        commit = Commit(app.requests._keys, f"test:{user}")
        write_lock(commit, lock, 0)
        await commit.run(app.requests._scripts, 0)
    first, second = said(await seen(house), Word.WARN)["locks"].splitlines()
    assert first.startswith("The break-glass of omar@example.com (U0OMAR) is locked, because 7Q2M4XK9TB was disputed.")
    assert second.startswith("The break-glass of U0ELSE is locked, because 7Q2M4XK9TB was not countersigned in time.")
    found = [each async for each in stores.locks(_Full(app.redis, app.requests._keys), {})]
    assert [each.sentence for each in found][1:] == ["1 more is locked."]


class _Full(Inspection):
    """As if one were the most that is listed."""

    async def locks(self, *, most: int) -> tuple[list[Lock], int]:
        return await super().locks(most=1)


async def test_an_outside_directory_that_is_down(house: House):
    await house.move_in()
    assert house.scim is not None
    house.scim.stop()
    assert "directory: " in said(await seen(house), Word.FAIL)["connectors"]


async def test_the_mail_server_is_signed_in_to_and_only_a_test_is_sent(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with postbox(tls=authority.context, users={USER: PASSWORD}) as box:
        told = said(await seen(house, **box.environ()), Word.OK)["mail"]
        assert told == f"localhost:{box.port} answers by STARTTLS, signed in as countersign; mail comes from {SENDER}."
        assert box.letters == []
        told = said(await seen(house, mail_to="ana@example.com", **box.environ()), Word.OK)["mail"]
        assert told.endswith("A test is on its way to ana@example.com.")
        assert box.to() == ["ana@example.com"]
        box.rcpt.append("550 no such mailbox")
        failed = said(await seen(house, mail_to="gone@example.com", **box.environ()), Word.FAIL)["mail"]
        assert failed.startswith("The test did not leave. The mail server")
        wrong = {**box.environ(), "COUNTERSIGN_SMTP_PASSWORD": "canary-wrong"}
        failed = said(await seen(house, mail_to="ana@example.com", **wrong), Word.FAIL)["mail"]
        assert failed == f"The mail server localhost:{box.port} does not let “countersign” in: 535."
    failed = said(await seen(house, **box.environ()), Word.FAIL)["mail"]
    assert failed.endswith("could not be reached.")
    assert box.to() == ["ana@example.com"]


async def test_mail_that_policies_count_on_needs_a_server(house: House):
    assert "the approvers hear in Slack alone" in said(await seen(house), Word.OK)["mail"]
    assert "no mail server to send a test by" in said(await seen(house, mail_to="a@b.io"), Word.FAIL)["mail"]
    file = house.folder / "policies.yml"
    notify = "actions: [open]\n    notify: {email: [security@example.com]}\n"
    file.write_text(file.read_text().replace("actions: [open]\n", notify, 1))
    await house.move_in()
    failed = said(await seen(house), Word.FAIL)["mail"]
    assert failed.startswith("“open production” mails its decisions, and there is no mail server: set COUNTERSIGN_SMTP")


async def test_the_github_app_is_signed_in_to_and_the_policies_name_its_github(tmp_path: Path):
    async def found(access: GitHubAccess | None, *urls: str) -> list[tuple[Word, str]]:
        hooks = tuple(HUB.model_copy(update={"url": url, "name": f"h{at}"}) for at, url in enumerate(urls))
        rules = policies(targets={"payments/prod": TargetConfig(hooks=hooks)}, allow_private=(hub.place,))
        return [(each.word, each.sentence) async for each in githubs.github(access, rules)]

    async with github(lambda: 0) as hub:
        access = Settings.read({"HOME": "/", **environ(tmp_path, hub.base)}, slack=False).github
        assert access is not None
        assert await found(None) == []
        [(word, said)] = await found(None, hub.repository_url)
        assert (word, said[:49]) == (Word.FAIL, "payments/prod, hook h0, waits for GitHub, and the")
        right = f"The App countersign-acme answers at {hub.base}; environments that wait for it: 1."
        assert await found(access, hub.repository_url) == [(Word.OK, right)]
        [(word, said), _] = await found(access, "https://api.github.com/repos/acme/payments")
        assert (word, said.endswith(f"is not at the GitHub of the App, {hub.base}.")) == (Word.FAIL, True)
        hub.app["events"] = ["deployment_protection_rule"]
        [(word, said)] = await found(access)
        assert (word, "how a deploy ends is not heard" in said) == (Word.WARN, True)
        hub.app = {"events": ["push"], "permissions": {"deployments": "read"}}
        [(word, said)] = await found(access)
        assert (word, said) == (
            Word.FAIL,
            "The App countersign-acme lacks the permission Deployments, read and write and the event Deployment protection rule; give it that on its page.",
        )
        [(word, said)] = await found(access._replace(app_id="1"))
        assert (word, said) == (
            Word.FAIL, "The App 1 cannot be used. GitHub answered 401: A JSON web token could not be decoded",
        )  # fmt: skip


async def test_a_receiver_of_notices_that_may_not_be_reached(house: House):
    app = await house.move_in()
    rule = policy(notify=Notify(webhooks=("https://10.0.0.7/x", "https://example.com/y")))
    found = [finding async for finding in outsides.hooks(app.outside, policies(rule, targets={}))]
    assert [(each.word, each.sentence.partition(":")[0]) for each in found] == [
        (Word.FAIL, "“rule” tells https"),
        (Word.OK, "1 hook may be sent where the policies say."),
    ]


async def test_work_that_nobody_does_is_late(house: House):
    app = await house.move_in()
    await app.clock.stop()
    await app.redis.zadd(app.requests._keys.due, {"7Q2M4XK9TB/deadline": app.dial.now_ms() - 3 * 60_000})
    await app.redis.zadd(app.requests._keys.lane("hook"), {"redeploy:e/api": app.dial.now_ms() - 2 * 60_000})
    await app.redis.hset(app.requests._keys.effect("slack", "card:X"), "attempts", "9")
    await app.redis.zadd(app.requests._keys.lane("slack"), {"card:X": app.dial.now_ms() + DAY})
    findings = await seen(house)
    assert "due for 3 minutes" in said(findings, Word.FAIL)["timers"]
    assert "for 2 minutes" in said(findings, Word.FAIL)["lane hook"]
    assert "tried 9 times" in said(findings, Word.WARN)["lane slack"]


@pytest.mark.parametrize(
    ("room", "word", "words"),
    [
        (Room(10, None, False, None, None), Word.OK, "does not say of how much"),
        (Room(10 * 1024**2, 1024**3, True, None, 0), Word.OK, "10.0 MiB used of 1.0 GiB, at the pace so far full in 1,014 days"),
        (Room(10 * 1024**2, 1024**3, False, None, 10 * DAY - 1), Word.OK, "10.0 MiB used of 1.0 GiB in the machine."),
        (Room(900 * 1024**2, 1024**3, True, None, None), Word.WARN, "still takes access back"),
        (Room(400 * 1024**2, 1024**3, True, None, 0), Word.WARN, "full in 15 days"),
    ],
)  # fmt: skip
def test_room_is_told_with_the_days_left_where_there_is_a_pace(room: Room, word: Word, words: str):
    [finding] = stores.room(room, 10 * DAY, None)
    assert finding.word is word
    assert words in finding.sentence


@pytest.mark.parametrize(
    ("holding", "secure", "word", "words"),
    [
        (("a", "b"), True, None, ""),
        (("a",), False, Word.WARN, "can be opened by a alone. B is away."),
        (("a",), True, Word.FAIL, "nothing new is sealed there until two holders work"),
        ((), False, Word.FAIL, "cannot be opened by anybody. B is away."),
    ],
)
def test_who_opens_an_environment(holding: tuple[str, ...], secure: bool, word: Word | None, words: str):  # noqa: FBT001 - a column of the table
    coverage = Coverage(holding=holding, failing={} if len(holding) > 1 else {"b": "B is away."}, unknown=())
    finding = stores._covered(Environment(id="0" * 24, target="payments/prod"), coverage, secure=secure)
    assert (finding.word if finding else None) is word
    assert words in (finding.sentence if finding else "")
