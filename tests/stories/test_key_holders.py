"""Key holders come and go while the program runs: key servers as processes, requests approved in Slack."""

import json
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.cli import applying, holding
from bot.holders import identity
from bot.main import build
from bot.settings import Settings
from playground import seed
from playground.house import House
from playground.slack.records import Message
from playground.slack.sight import text_of
from store.model.environment import Environment
from store.model.errors import Conflict, Unavailable
from store.model.identity import Target
from store.model.roster import Member
from store.model.secret import Secret
from store.redis.commit import text
from store.redis.environments import Value
from tests.keyserver.processes import KeyServerProcess
from tests.store.keys import openbao
from tests.stories import rules
from tests.stories.conftest import OpenHouse
from tests.stories.people import again, card, press, request_of, says, told

SECURE = "payments/prod: {channel: C0APPROVALS, secure: true}"
LATER = "payments/staging: {channel: C0APPROVALS, secure: true}"
MAIN = "policy:main: {channel: C0APPROVALS}"
BOTH = "targets: [payments/prod, payments/staging]"
POLICY = "name: holders, targets: ['policy:main'], actions: [policy], requesters: {users: [ana@example.com]}, approvals: [{count: 1, from: {groups: [payments-leads]}}]"
CHANGES = f"name: production, {BOTH}, actions: [change, open], {rules.DEVELOPERS}, {rules.ONE_LEAD}"
OLD = b"of the first day"


class Company:
    """One Countersign, which is started anew with the key servers it is told of."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self._folder = house, folder
        self.servers: dict[str, KeyServerProcess] = {}
        self._certificate = ""

    async def server(self, name: str) -> KeyServerProcess:
        if not self._certificate:
            settings = Settings.read(self.house.environ(), slack=False)
            self._certificate = (await identity(settings, secrets.token_bytes)).certificate
        self.servers[name] = server = KeyServerProcess(self._folder, name, self._certificate)
        await server.start()
        return server

    def told_of(self, *names: str) -> None:
        self.house._environ["COUNTERSIGN_KEYS"] = ",".join(self.servers[name].address for name in names)

    async def starts(self, *names: str) -> None:
        """With these settings, and nothing remembered of before."""
        self.told_of(*names)
        await self.restarts()

    async def restarts(self) -> None:
        for app in self.house.apps:
            await app.stop()
        self.house.apps.clear()
        app = await build(Settings.read(self.house.environ()), skew=self.house.skew_ms)
        self.house.apps.append(app)  # not `move_in`: what the house seeds needs a key that opens
        await app.start()

    async def seals(self, value: bytes, target: str = "payments/prod") -> Message:
        app = self.house.app
        await app.asking.change(
            seed.ROSA,
            Target.parse(target),
            {"PASSWORD": Value(Secret(value))},
            reason="INC-7",
            ticket=None,
            command_id=secrets.token_hex(8),
        )
        app.clock.nudge()
        asked = await card(self.house, "Waiting for approval", "PASSWORD", target)
        await press(self.house, seed.BEN, asked, "approve")
        return await says(self.house, asked, "Merged as version")

    async def reads(self, target: str = "payments/prod") -> bytes:
        """What lies there now, straight from the store: whether keys open it, not who may."""
        environments = self.house.app.environments
        environment = await self.environment(target)
        head = await environments.head(environment.id)
        held = head.entries["PASSWORD"]
        keys = self.house.app.environments._keys
        from store.model.sealed import SealedEntry

        body = await self.house.app.redis.hget(keys.entries(environment.id), held.entry_id)
        entry = SealedEntry.from_json(text(body))
        head.admit("PASSWORD", entry)
        return (await environments.open(environment.id, "PASSWORD", entry)).reveal()

    async def environment(self, target: str) -> Environment:
        found = await self.house.app.environments.find(target)
        assert found is not None
        return found

    async def asks(self, what: str, name: str) -> Message:
        address = self.servers[name].address
        _, asked = await holding.ask(self.house.environ(), what, address, seed.ANA, reason=f"{name} comes", ticket=None)  # type: ignore[arg-type]  # add or remove
        for app in self.house.apps:
            app.clock.nudge()
        assert asked.request is not None
        return await card(self.house, "Waiting for approval", asked.request.id)

    async def adds(self, name: str) -> None:
        asked = await self.asks("add", name)
        await press(self.house, seed.BEN, asked, "approve")
        await says(self.house, asked, "Merged")
        await self.house.app.relay.settled()
        assert self.servers[name].called in [member.name for member in self._members()]

    def _members(self) -> tuple[Member, ...]:
        roster = self.house.app.keeping.rosters.current
        return roster.members if roster is not None else ()

    async def learned(self, name: str) -> None:
        """The audit log says that it was given the key of an environment."""
        called = self.servers[name].called
        entries = [entry for _, entry in await self.house.app.audit.newest(most=1_000)]
        learned = [
            entry for entry in entries if entry.event == "keys.learned" and entry.details["environment"] != "roster"
        ]
        assert any(called in str(entry.details["holders"]) for entry in learned)


@pytest.fixture
async def company(open_house: OpenHouse, tmp_path: Path) -> AsyncIterator[Company]:
    house = await open_house(processes=0, policies=rules.policies(CHANGES, POLICY, targets=(SECURE, LATER, MAIN)))
    company = Company(house, tmp_path / "servers")
    yield company
    for server in company.servers.values():
        await server.die()


async def test_secrets_outlive_every_key_server_that_was_given_their_key(company: Company) -> None:
    for name in "AB":
        await company.server(name)
    await company.starts("A", "B")
    await company.seals(OLD)
    assert (await company.environment("payments/prod")).secure

    await company.servers["B"].die()
    await company.starts("A", "B")
    assert await company.reads() == OLD
    with pytest.raises(Unavailable, match=r"needs two working key holders, and only .* works"):
        await company.seals(b"never sealed", "payments/staging")

    await company.server("C")
    await company.starts("A", "B", "C")
    assert any(
        company.servers["C"].called in line and "not in the roster" in line
        for line in company.house.app.watch.sentences
    )
    await company.adds("C")
    await company.learned("C")
    await company.servers["A"].die()
    await company.starts("A", "B", "C")
    assert await company.reads() == OLD

    await company.server("D")
    await company.starts("C", "D")
    await company.adds("D")
    await company.learned("D")
    await company.servers["C"].die()
    await company.starts("C", "D")
    assert await company.reads() == OLD
    await company.servers["D"].die()

    await company.server("E")
    await company.starts("E")
    with pytest.raises(Unavailable) as caught:
        await company.reads()
    assert caught.value.detail == "keys_missing"
    for name in "ABCD":
        assert company.servers[name].called in caught.value.sentence
    with pytest.raises(Unavailable, match="countersign keys recover"):
        await company.asks("add", "E")
    roster = await holding.recover(company.house.environ(), seed.ANA, "C and D burned down")
    assert [member.name for member in roster.members] == [company.servers["E"].called]
    await company.starts("E")
    with pytest.raises(Unavailable, match="needs two working key holders"):
        await company.seals(b"of the last day", "payments/staging")

    await company.server("F")
    await company.starts("E", "F")
    await company.adds("F")
    await company.seals(b"of the last day", "payments/staging")
    await company.servers["E"].die()
    await company.starts("E", "F")
    assert await company.reads("payments/staging") == b"of the last day"
    with pytest.raises(Unavailable, match="No key holder opens environment"):
        await company.reads()
    assert company.house.workspace.troubles == []


async def test_the_card_shows_the_fingerprint_and_a_key_server_remembers_the_roster(company: Company) -> None:
    for name in "ABC":
        await company.server(name)
    await company.starts("A", "B")
    await company.seals(OLD)
    await company.starts("A", "B", "C")
    asked = await company.asks("add", "C")
    pin = company.servers["C"].address.partition("#")[2]
    assert " ".join(pin[at : at + 4] for at in range(0, 32, 4)) in text_of(asked)
    assert "compare the fingerprint with what the console of the key server shows" in text_of(asked)
    await press(company.house, seed.BEN, asked, "approve")
    await says(company.house, asked, "Merged")
    await company.house.app.relay.settled()
    await company.learned("C")
    assert request_of(again(company.house, asked))
    assert (
        "unknown_roster" in (company.servers["A"].folder / "ledger.jsonl").read_text()
    )  # the older one was asked for once
    with pytest.raises(Conflict, match="is in the roster already"):
        await company.asks("add", "C")


async def test_the_last_two_of_a_secure_environment_stay(company: Company) -> None:
    for name in "AB":
        await company.server(name)
    await company.starts("A", "B")
    await company.seals(OLD)
    with pytest.raises(Conflict, match="it needs two"):
        await company.asks("remove", "B")


async def test_a_replica_that_has_not_heard_of_a_new_roster_hears_of_it_from_the_key_server(company: Company) -> None:
    for name in "ABC":
        await company.server(name)
    await company.starts("A", "B")
    await company.seals(OLD)
    company.told_of("A", "B", "C")
    other = await build(Settings.read(company.house.environ()), skew=company.house.skew_ms)
    await other.start()
    try:
        await company.starts("A", "B", "C")
        asked = await company.asks("add", "C")
        await press(company.house, seed.BEN, asked, "approve")
        await says(company.house, asked, "Merged")
        apps = (company.house.app, other)
        for app in apps:
            await app.relay.settled()
        environment = await company.environment("payments/prod")
        for app in sorted(apps, key=lambda each: each.keeping.ring.roster, reverse=True):
            app.keeping.ring.forget()  # so that A or B is asked, and told of roster 2 by the first of the two
            assert (await app.environments.head(environment.id)).number == 2
        assert [app.keeping.ring.roster for app in apps] == [2, 2]
    finally:
        await other.stop()


async def test_who_was_removed_is_given_no_key_any_more(company: Company) -> None:
    for name in "ABC":
        await company.server(name)
    await company.starts("A", "B", "C")
    await company.seals(OLD)
    asked = await company.asks("remove", "C")
    assert "rotate the keys afterwards" in text_of(asked)
    await press(company.house, seed.BEN, asked, "approve")
    await says(company.house, asked, "Merged")
    await company.house.app.relay.settled()
    done = [moved async for _, moved in holding.rotate(company.house.environ(), "payments/prod")][-1]
    assert (done.done, done.spoiled) == (done.total, ())
    environment = await company.environment("payments/prod")
    newest = (await company.house.app.keeping.epochs.epochs(environment))[-1]
    assert {wrap.holder for wrap in newest.wraps.values()} == {company.servers[name].called for name in "AB"}
    assert await company.reads() == OLD
    unwrapped = [line for line in ledger(company.servers["C"]) if line["did"] == "unwrap" and line["answer"] == "done"]
    assert not any(line["about"].endswith(f"{environment.id}/{environment.epoch}") for line in unwrapped)


def ledger(server: KeyServerProcess) -> list[dict[str, str]]:
    return [json.loads(line) for line in (server.folder / "ledger.jsonl").read_text().splitlines()]


async def test_secure_is_switched_on_with_two_and_moves_what_lay_there(company: Company, tmp_path: Path) -> None:
    """Asked for at the terminal, refused while one works; and at the approval, where one has died since."""
    file = company.house.folder / "policies.yml"
    secure = file.read_text(encoding="utf-8")
    file.write_text(secure.replace("secure: true", "secure: false"), encoding="utf-8")
    for name in "AB":
        await company.server(name)
    await company.starts("A", "B")
    await company.seals(OLD)
    assert not (await company.environment("payments/prod")).secure
    wanted = tmp_path / "secure.yml"
    wanted.write_text(secure, encoding="utf-8")
    how = {"reason": "It holds cards now", "ticket": None, "request": None, "dry_run": False}
    await company.servers["B"].die()
    with pytest.raises(Unavailable, match="needs two working key holders, and only one works"):
        await applying.apply(company.house.environ(), wanted, seed.ANA, **how)  # type: ignore[arg-type]  # as they are named
    await company.servers["B"].start()
    await applying.apply(company.house.environ(), wanted, seed.ANA, **how)  # type: ignore[arg-type]  # the same
    company.house.app.clock.nudge()
    asked = await card(company.house, "Waiting for approval", "It holds cards now")
    await company.servers["B"].die()
    await press(company.house, seed.BEN, asked, "approve")
    await told(company.house, seed.BEN, "needs two working key holders")
    assert not (await company.environment("payments/prod")).secure
    await company.servers["B"].start()
    await press(company.house, seed.BEN, again(company.house, asked), "approve")
    await says(company.house, asked, "Merged as version 2")
    await company.house.app.relay.settled()
    environment = await company.environment("payments/prod")
    assert (environment.secure, environment.epoch) == (True, 2)
    assert await company.reads() == OLD


async def test_a_transit_engine_holds_keys_beside_a_file(company: Company, tmp_path: Path) -> None:
    """A real OpenBao, which dies."""
    token, file = tmp_path / "token", tmp_path / "first.key"
    token.write_text(openbao.ROOT)
    async with openbao.running() as bao:
        address = f"transit+{bao.url}/transit/countersign"
        settings = {"COUNTERSIGN_KEYS": f"{file},{address}", "COUNTERSIGN_TRANSIT_TOKEN_FILE": str(token)}
        company.house._environ |= settings
        await company.restarts()
        await company.seals(OLD)
        assert (await company.environment("payments/prod")).secure
        file.rename(tmp_path / "away")
        await company.restarts()
        assert await company.reads() == OLD, "from the engine alone"
        (tmp_path / "away").rename(file)
    await company.restarts()
    assert await company.reads() == OLD, "from the file alone"
    assert any("does not answer" in line for line in company.house.app.watch.sentences)
