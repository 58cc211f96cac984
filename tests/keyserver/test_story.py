"""Key servers come and go, as processes: what is sealed stays readable while one of those that were given its key lives."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from store.keys.envelope import open_version
from store.keys.identity import Identity
from store.keys.ring import Keyring
from store.keys.server import KeyServer
from store.model.errors import Unavailable
from store.model.sealed import Epoch, Held, Manifest, SealedEntry
from store.model.secret import Secret
from tests.keyserver.processes import KeyServerProcess
from tests.store.keys.holders import Draws

INSTALLATION = "abc123"


class Company:
    """One Countersign, which is started anew with the key servers it is told of."""

    def __init__(self, folder: Path, caller: Identity) -> None:
        self._folder, self._caller = folder, caller
        self._servers: dict[str, KeyServerProcess] = {}
        self._holders: list[KeyServer] = []
        self._sealed: dict[str, tuple[Epoch, Manifest, dict[str, SealedEntry]]] = {}

    async def server(self, name: str) -> None:
        self._servers[name] = KeyServerProcess(self._folder, name, self._caller.certificate)
        await self._servers[name].start()

    async def dies(self, *names: str) -> None:
        for name in names:
            await self._servers[name].die()

    async def ring(self, *names: str) -> Keyring:
        """After a restart: nothing is remembered of before."""
        await self.close()
        self._holders = [
            KeyServer(self._servers[name].address, self._caller, random=Draws(f"holder {name}")) for name in names
        ]
        return Keyring(self._holders, INSTALLATION, Draws("ring"), lambda: 0.0)

    def name_of(self, server: str) -> str:
        return self._servers[server].called

    async def seal(self, ring: Keyring, environment: str, value: bytes) -> None:
        epoch, key = await ring.mint(environment, secure=True)
        entry = key.seal("PASSWORD", f"{environment}-1", Secret(value))
        held = Held(entry_id=entry.entry_id, ciphertext_hash=entry.ciphertext_hash)
        manifest = key.sign(Manifest(environment_id=environment, number=1, entries={"PASSWORD": held}))
        self._sealed[environment] = (epoch, manifest, {"PASSWORD": entry})

    async def learn(self, ring: Keyring, environment: str) -> None:
        epoch, manifest, entries = self._sealed[environment]
        healed = await ring.heal(epoch)
        assert healed is not None
        self._sealed[environment] = (healed, manifest, entries)

    async def opened(self, ring: Keyring, environment: str) -> bytes:
        epoch, manifest, entries = self._sealed[environment]
        values = open_version(manifest, entries, {epoch.number: await ring.open(epoch)})
        return values["PASSWORD"].reveal()

    async def close(self) -> None:
        for holder in self._holders:
            await holder.close()
        self._holders = []

    async def end(self) -> None:
        await self.close()
        for server in self._servers.values():
            await server.die()


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Company]:
    caller = await Identity.load_or_make(tmp_path / "bot.key", Draws("bot"))
    found = Company(tmp_path, caller)
    yield found
    await found.end()


async def test_keys_outlive_every_server_that_was_given_them_one_after_the_other(company: Company) -> None:
    for name in "AB":
        await company.server(name)
    ring = await company.ring("A", "B")
    await company.seal(ring, "old", b"of the first day")

    await company.dies("B")
    assert await company.opened(await company.ring("A", "B"), "old") == b"of the first day"
    with pytest.raises(Unavailable, match=r"needs two working key holders, and only .* works"):
        await company.seal(await company.ring("A", "B"), "lonely", b"never sealed")

    await company.server("C")
    await company.learn(await company.ring("A", "B", "C"), "old")
    await company.dies("A")
    assert await company.opened(await company.ring("A", "B", "C"), "old") == b"of the first day"

    await company.server("D")
    await company.learn(await company.ring("C", "D"), "old")
    await company.dies("C", "D")

    await company.server("E")
    with pytest.raises(Unavailable) as caught:
        await company.opened(await company.ring("E"), "old")
    assert caught.value.detail == "keys_missing"
    for name in "ABCD":
        assert company.name_of(name) in caught.value.sentence
    with pytest.raises(Unavailable, match="needs two working key holders"):
        await company.seal(await company.ring("E"), "new", b"of the last day")

    await company.server("F")
    ring = await company.ring("E", "F")
    await company.seal(ring, "new", b"of the last day")
    assert await company.opened(await company.ring("F"), "new") == b"of the last day"
    with pytest.raises(Unavailable, match="No key holder opens environment old"):
        await company.opened(ring, "old")
