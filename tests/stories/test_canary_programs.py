"""Secret values and tokens on their way through programs, HTTP and terminals, and through each failure: where they lie, and everywhere else."""

import base64
import io
import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from redis.asyncio import Redis

from playground import seed
from playground.house import House
from playground.slack.records import Message
from store.model.policy import MINUTE
from tests.servers import Server
from tests.stories import evidence
from tests.stories.everywhere import ENTERED, descendants, of_files, of_processes, of_temporary_files, searched
from tests.stories.people import again, approved, card, press, quiet, says
from tests.stories.programs import PROD, of_machine, of_person, sent
from tests.stories.shell import ran, typed
from tests.stories.test_command_line import request_in
from tests.stories.test_edit import edits
from tests.tokens import machine_token

pytestmark = pytest.mark.seeded

Places = dict[str, bytes]
STAGING: Final = "payments/staging"
SECRETS: Final = f"{PROD}/secrets"
READS: Final = ("", "?format=dotenv", "?version=3", "?after=1&wait=1")


class Birds:
    """A value for each way in, so that a hit says where it came from; others in each run, so that nothing but this run is found."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    def __getitem__(self, way: str) -> str:
        word = f"kanari{way.replace(' ', '')}{secrets.token_hex(6)}"
        return self.of.setdefault(way, f"{word}=\"zw1 läut\" & '$(x)' %25")

    def plain(self, way: str) -> str:
        """Without what a file's grammar would ask to be escaped."""
        return self.of.setdefault(way, f"kanari{way}{secrets.token_hex(6)} zw1")

    def hits(self, places: Mapping[str, bytes]) -> set[tuple[str, str]]:
        """(which value, where)."""
        return {
            (way, place)
            for place, content in places.items()
            for way, value in self.of.items()
            if evidence.holds(content, value)
        }


@pytest.fixture
def birds() -> Birds:
    return Birds()


def told(places: Places) -> None:
    for name, content in places.items():
        print(f"searched: {name}, {len(content):,} bytes")  # noqa: T201 - what was looked at is a part of the answer
    assert all(places.values()), "an empty place was not searched"
    for place, certain in CERTAIN.items():  # the search itself finds what is known to be there
        assert certain in places[place], place


CERTAIN: Final = {
    "log": b"readSecrets",
    "append-only file": b"ZADD",
    "Redis": b"INC-7",
    "audit log": b"secrets.read",
    "calls to Slack": b"chat.postMessage",
    "what Slack sent": b"block_actions",
    "messages": b"INC-7",
    "files of the program": b"countersign-key",
    "metrics": b"countersign_commands_total",
    "command lines and environments": b"pytest",
}


def test_what_is_planted_on_the_machine_is_found(tmp_path: Path, birds: Birds) -> None:
    """In a temporary file, a file in memory, a command line and an environment of another process, and our own environment."""
    since = time.time() - 60  # noqa: TID251 - what files are dated by
    places: Places = {}
    for folder in (Path(tempfile.gettempdir()), Path("/dev/shm")):  # noqa: S108
        with tempfile.NamedTemporaryFile(dir=folder) as planted:
            planted.write(birds[folder.name].encode())
            planted.flush()
            places[folder.name] = of_temporary_files(since)
    for way, words, environ in (("argument", [birds["argument"]], {}), ("variable", [], {"BIRD": birds["variable"]})):
        process = subprocess.Popen(
            ["sh", "-c", "echo; read _", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **environ},
        )
        assert process.stdout is not None
        process.stdout.readline()  # its command line is there some time after it was started
        try:
            places[way] = of_processes()
            assert process.pid in descendants(os.getpid())
            assert not birds.hits({"without it": of_processes(but={process.pid})}) & {(way, "without it")}
        finally:
            process.kill()
            process.communicate()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_text(birds["file"])
    places["file"] = of_files([tmp_path])
    assert birds.hits(places) == {(way, way) for way in places}


async def test_values_over_http_lie_in_what_was_asked_and_answered_and_nowhere_else(
    heard: io.StringIO,
    house: House,
    birds: Birds,
    real_redis: Redis,
    real_server: Server,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    since = tmp_path.stat().st_mtime
    answers: dict[str, list[bytes]] = {"answers that give values": [], "answers of errors": [], "other answers": []}

    async with of_person(house, seed.ROSA) as rosa, of_machine(house) as machine:

        async def call(session: aiohttp.ClientSession, method: str, path: str, **more: Any) -> tuple[int, bytes]:
            async with session.request(method, path, **more) as response:
                body = await response.read() + repr(dict(response.headers)).encode()
                kind = (
                    "answers of errors"
                    if response.status >= 400
                    else "answers that give values"
                    if path.startswith(SECRETS)
                    else "other answers"
                )
                answers[kind].append(body)
                return response.status, body

        await refused_in_every_shape(call, rosa, birds)
        asked = await asked_over_http(house, rosa, birds)
        await edits(house, seed.ROSA, asked, set=f"EDITED={birds['edited in Slack']}")
        await says(house, asked, "Edited by")
        await approved_by_both(house, asked)

        opening = await sent(
            rosa,
            "/v1/requests",
            {"kind": "open", "target": "payments/prod", "reason": "INC-7", "duration_ms": 15 * MINUTE},
            201,
        )
        assert (await call(rosa, "GET", SECRETS))[0] == 403
        await approved(house, await card(house, opening["id"]), seed.BEN)
        await sent(rosa, f"/v1/requests/{opening['id']}/activate")
        for session in (rosa, machine):
            for query in READS:
                status, _ = await call(session, "GET", SECRETS + query)
                assert status == (400 if "dotenv" in query else 200)  # there is a file in it
        await gone_wrong(house, call, rosa, birds, real_redis, monkeypatch)
        back = await sent(
            rosa, "/v1/requests", {"kind": "change", "target": "payments/prod", "reason": "back", "rollback_to": 2}, 201
        )
        await approved_by_both(house, await card(house, back["id"]))
        status, body = await call(rosa, "GET", f"{SECRETS}?format=dotenv")
        assert status == 200
        assert b"DATABASE_URL" in body
        await sent(rosa, f"/v1/requests/{opening['id']}/end", {})
        assert (await call(rosa, "GET", SECRETS))[0] == 403
        for path in (
            "/openapi.json",
            "/healthz",
            "/readyz",
            "/v1/environments",
            PROD,
            f"{PROD}/versions",
            f"{PROD}/diff?from=2&to=3",
            "/v1/requests?mine=1",
        ):
            assert (await call(rosa, "GET", path))[0] == 200, path
    await quiet(house)

    places = await searched(house, heard, real_redis, real_server, capfd)
    places |= {name: b"\n".join(found) for name, found in answers.items()}
    places["command lines and environments"] = of_processes()
    places["temporary files"] = of_temporary_files(since)
    told(places)
    assert b"Authorization" not in places["log"]
    hits = birds.hits(places)
    merged = {"value", "file", "reference", "edited in Slack"}
    assert hits == {
        ("edited in Slack", ENTERED),
        ("as a name", "answers of errors"),  # names are not secret, and whoever sent it is told which one it is
        *((way, "answers that give values") for way in merged),
    }
    assert set(birds.of) > merged | {"crash", "full", "no keys"}


async def asked_over_http(house: House, rosa: aiohttp.ClientSession, birds: Birds) -> Message:
    blob = await sent(rosa, f"{PROD}/blobs", {"value": birds["reference"]}, 201)
    entries = [
        {"name": "TYPED", "value": birds["value"]},
        {"name": "tls/key.pem", "base64": base64.b64encode(birds["file"].encode()).decode(), "mode": 0o400},
        {"name": "SEALED", "reference": blob["reference"]},
    ]
    body = {"kind": "change", "target": "payments/prod", "reason": "INC-7", "entries": entries}
    asked = await sent(rosa, "/v1/requests", body, 201, headers={"Idempotency-Key": "once"})
    again = await sent(rosa, "/v1/requests", body, 201, headers={"Idempotency-Key": "once"})
    assert asked["id"] == again["id"]
    return await card(house, asked["id"])


async def approved_by_both(house: House, shown: Message) -> None:
    await press(house, seed.BEN, again(house, shown), "approve")
    await says(house, shown, "1 of 2 approvals")
    await press(house, seed.INES, again(house, shown), "approve")
    await says(house, shown, "Merged as version")


async def refused_in_every_shape(call: Any, rosa: aiohttp.ClientSession, birds: Birds) -> None:
    """Where a value stands in the wrong place or shape, so that every complaint has it at hand."""
    value = birds["refused"]
    ask: dict[str, Any] = {"kind": "change", "target": "payments/prod", "reason": "INC-7"}
    bodies: list[Any] = [
        {**ask, "entries": [{"name": "A", "valeu": value}]},
        {**ask, "entries": [{"name": birds["as a name"], "value": value}]},
        {**ask, "entries": [{"name": "1A", "value": value}]},
        {**ask, "entries": [{"name": "A", "value": {"nested": value}}]},
        {**ask, "entries": [{"name": "A", "value": [value]}]},
        {**ask, "entries": [{"name": "A", "base64": value}]},
        {**ask, "entries": [{"name": "A", "reference": value}]},
        {**ask, "entries": [{"name": "A", "value": value, "mode": value}]},
        {**ask, "entries": [{"name": "A", "value": value}, {"name": "A", "value": value}]},
        {**ask, "entries": [{"name": "A", "value": value * 3000}]},
        {**ask, "entries": value},
        {**ask, "kind": value, "entries": []},
        {**ask, "target": "payments/nowhere", "entries": [{"name": "A", "value": value}]},
        {**ask, "kind": "open", "entries": [{"name": "A", "value": value}]},
        {**ask, value: "A"},
        [value],
        value,
    ]
    for body in bodies:
        status, _ = await call(rosa, "POST", "/v1/requests", json=body)
        assert 400 <= status < 500, (status, body)
    for raw in (json.dumps({"entries": value})[:-1], f'{{"a": {value}}}', value):
        for kind in ("application/json", "text/plain", "multipart/form-data"):
            status, _ = await call(rosa, "POST", "/v1/requests", data=raw.encode(), headers={"Content-Type": kind})
            assert 400 <= status < 500
    for body in (
        {"value": value, "name": "1A"},
        {"value": value, "base64": value},
        {"velue": value},
        {"base64": value},
        {"value": value * 3000},
    ):
        status, _ = await call(rosa, "POST", f"{PROD}/blobs", json=body)
        assert 400 <= status < 500, body
    assert (await call(rosa, "POST", "/v1/requests", json=bodies[0], headers={"Authorization": "Bearer nobody"}))[
        0
    ] == 401


async def gone_wrong(
    house: House, call: Any, rosa: aiohttp.ClientSession, birds: Birds, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key holders that are away, a server that is full, a value that was altered, and mistakes of ours with the value at hand."""

    def change(way: str) -> dict[str, Any]:
        entries = [{"name": "NEVER", "value": birds[way]}]
        return {"kind": "change", "target": "payments/prod", "reason": "INC-7", "entries": entries}

    def forget() -> None:
        house.app.keeping.ring.forget()
        house.app.environments.forget()

    keys = [path for path in (house.folder / "bot" / "keys").iterdir() if path.suffix == ".key"]
    assert keys != []
    for path in keys:
        path.rename(path.with_suffix(".away"))
    forget()
    assert (await call(rosa, "GET", SECRETS))[0] == 503
    assert (await call(rosa, "POST", "/v1/requests", json=change("no keys")))[0] == 503
    for path in keys:
        path.with_suffix(".away").rename(path)

    await redis.config_set("maxmemory", "1mb")
    assert (await call(rosa, "POST", "/v1/requests", json=change("full")))[0] == 503
    assert (await call(rosa, "POST", f"{PROD}/blobs", json={"value": birds["full blob"]}))[0] == 503
    await redis.config_set("maxmemory", "0")

    environment = await house.app.environments.find("payments/prod")
    assert environment is not None
    where = house.app.environments._keys.entries(environment.id)
    kept = await redis.hgetall(where)
    for name, body in kept.items():
        await redis.hset(where, name, bytes(body).replace(b"A", b"B"))  # type: ignore[arg-type]  # bytes, as asked for
    forget()
    status, body = await call(rosa, "GET", SECRETS)
    assert (status, b"tampered" in body) == (503, True)
    await redis.hset(where, mapping=kept)  # type: ignore[arg-type]  # the same

    async def crashes(*_: object, **held: object) -> None:
        plain = birds["crash"]
        try:
            json.loads(plain)
        except ValueError as error:
            raise RuntimeError(f"cannot seal {plain}: {held}") from error

    with monkeypatch.context() as patched:
        patched.setattr(house.app.environments, "seal", crashes)
        assert (await call(rosa, "POST", "/v1/requests", json=change("crash")))[0] == 500
    with monkeypatch.context() as patched:
        patched.setattr(house.app.environments, "read_by_token", crashes)
        assert (await call(rosa, "GET", SECRETS))[0] == 500


# -- at a terminal ----------------------------------------------------------------------------------------------------

WHY: Final = ("--reason", "INC-7")
GATHERED: Final = frozenset({"pipe", "@file", "import", "draft"})  # what is merged, and may be read


class Desk:
    """Where Rosa types commands. `places`: what they said, and what they printed where values were asked for."""

    def __init__(self, house: House, birds: Birds, folder: Path) -> None:
        self.house, self.birds, self.folder = house, birds, folder
        self.home, self.temporary = folder / "home", folder / "tmp"
        for each in (self.home, self.temporary):
            each.mkdir()
        self.environ: dict[str, Any] = {"HOME": str(self.home), "TMPDIR": str(self.temporary)}
        self.places: Places = {"printed values": b"", "said by commands": b""}

    async def types(self, *words: str, code: int = 0, given: str | None = None, values: bool = False) -> str:
        raw = None if given is None else given.encode()
        done, out, err = await ran(self.house, None, *words, given=raw, apart=True, **self.environ)
        assert done == code, (words, out, err)
        self.places["printed values" if values else "said by commands"] += out.encode()
        self.places["said by commands"] += err.encode()
        return out + err

    async def agreed(self, said: str) -> None:
        await approved(self.house, await card(self.house, request_in(said)), seed.OMAR)

    async def logs_in(self) -> None:
        async with typed(self.house, None, "login", apart=True, **self.environ) as login:
            said = await login.says("/countersign login", "The key of this computer")
            shown = said.split("/countersign login ")[1].split()[0]
            await self.house.workspace.slash(seed.ROSA, seed.APPROVALS, "/countersign", f"login {shown}")
            await self.house.workspace.submit(seed.ROSA, self.house.workspace.modal(seed.ROSA).id, {})
            assert await login.ends() == 0
        self.places["said by commands"] += (login.out + login.err).encode()
        kept = json.loads((self.home / ".config" / "countersign" / "credentials.json").read_text())
        (session,) = kept["sessions"].values()
        self.birds.of["token"] = session["token"].split("_", 2)[2]

    async def asks(self) -> None:
        """From a pipe, a file, an import, a draft; and one is sealed and not named."""
        birds, folder = self.birds, self.folder
        (folder / "key").write_text(birds["@file"])
        (folder / "more.env").write_text(f"IMPORTED='{birds.plain('import')}'\n")
        pipe = ("PIPED=-", f"FILED=@{folder / 'key'}")
        await self.agreed(await self.types("secrets", "set", STAGING, *pipe, *WHY, given=birds["pipe"]))
        await self.agreed(await self.types("secrets", "import", STAGING, str(folder / "more.env"), *WHY))
        await self.types("secrets", "set", STAGING, "DRAFTED=-", "--draft", given=birds["draft"])
        await self.agreed(await self.types("secrets", "submit", STAGING, *WHY))
        await self.types("seal", STAGING, given=birds["seal"])

    async def is_refused(self) -> None:
        birds = self.birds
        broken = birds.plain("broken")
        for name, text in (
            ("a.json", f'{{"A": "{broken}", '),
            ("a.yaml", f"A: [{broken}\nB: }}"),
            ("a.env", f"A='{broken}\nB\n"),
        ):
            (self.folder / name).write_text(text)
            await self.types("secrets", "import", STAGING, str(self.folder / name), *WHY, code=2)
        await self.types("secrets", "set", STAGING, "A=-", *WHY, given=birds["refused"] * 2000, code=2)
        await self.types("secrets", "set", "payments/nowhere", "A=-", *WHY, given=birds["refused"], code=2)
        # What stands on a command line is the shell's and everybody's already: that is said, and it is not repeated.
        said = await self.types("secrets", "set", STAGING, f"A={birds['on the line']}", *WHY)
        assert "history" in said

    async def reads(self) -> None:
        await self.agreed(await self.types("env", "open-request", STAGING, "--access-duration=1h", *WHY))
        await self.types("env", "open", STAGING, "--activate", code=2)  # dotenv cannot say all of them
        for form in ("json", "shell"):
            await self.types("env", "open", STAGING, "--format", form, values=True)
        for words in (("secrets", "diff", STAGING), ("secrets", "history", STAGING), ("env", "ls"), ("whoami",)):
            await self.types(*words)

    async def runs(self, machine: str) -> None:
        """The environment of what runs is the one place."""
        child = ("sh", "-c", 'echo "have $PIPED"; echo "and $FILED" >&2; read _ < /dev/zero')
        async with typed(self.house, None, "run", STAGING, "--", *child, apart=True, **self.environ) as run:
            await run.prints("have")
            inside = descendants(run.process.pid) - {run.process.pid}
            of_them = [Path(f"/proc/{one}/environ").read_bytes() for one in inside]
            self.places["what runs"] = b"".join(of_them)
            self.places["command lines and environments"] = of_processes(but=inside)
            run.process.terminate()
            await run.ends()
        self.places["said by commands"] += (run.out + run.err).encode()
        told = {**self.environ, "COUNTERSIGN_TOKEN": machine}
        async with typed(self.house, None, "run", STAGING, "--", "sh", "-c", "exit 3", apart=True, **told) as run:
            assert await run.ends() == 3
        self.places["said by commands"] += (run.out + run.err).encode()
        await self.types("run", STAGING, "--", str(self.folder / "nothing"), code=4)


@pytest.mark.timeout(300)  # thirty processes, one after the other
@pytest.mark.parametrize("heard", ["text"], indirect=True)
@pytest.mark.slow
async def test_values_and_tokens_at_a_terminal_lie_where_they_are_printed_and_in_what_runs_and_nowhere_else(
    heard: io.StringIO,
    house: House,
    birds: Birds,
    real_redis: Redis,
    real_server: Server,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    since = tmp_path.stat().st_mtime
    desk = Desk(house, birds, tmp_path)
    machine = await machine_token(house.app.tokens, house.now_ms(), targets=(STAGING,))
    birds.of["machine's token"] = machine.split("_", 2)[2]
    await desk.logs_in()
    await desk.asks()
    await desk.is_refused()
    await desk.reads()
    await desk.runs(machine)
    await desk.types("logout")
    await desk.types("env", "open", STAGING, code=3)
    await quiet(house)

    places = desk.places | await searched(house, heard, real_redis, real_server, capfd)
    places["home"] = of_files([desk.home]) or b"nothing is left"
    places["temporary files"] = of_temporary_files(since) + of_files([desk.temporary])
    told(places)
    assert birds.hits(places) == {(way, place) for way in GATHERED for place in ("printed values", "what runs")}
