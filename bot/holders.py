"""Holders: the key holders that the settings name, ready to be asked."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.settings import Settings
from store.keys.file import KeyFile
from store.keys.holder import Holder, Random
from store.keys.identity import Identity
from store.keys.ring import Keyring
from store.keys.server import KeyServer
from store.keys.transit import Transit
from store.model.errors import AccessError, Unavailable
from store.redis.client import Client
from store.redis.clock import Skew
from store.redis.epochs import Epochs
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.rosters import Rosters
from store.redis.scripts import Scripts

IDENTITY: Final = "identity.key"  # who this Countersign is to key servers, in the data folder


@dataclass(frozen=True, slots=True)
class Holders:
    """`addresses` by fingerprint, as the roster keeps them. `faults`: what the settings name and cannot be used, a sentence each."""

    all: tuple[Holder, ...]
    addresses: Mapping[str, str]
    faults: tuple[str, ...] = ()

    async def close(self) -> None:
        for holder in self.all:
            if isinstance(holder, KeyServer | Transit):
                with suppress(OSError):
                    await holder.close()


async def configured(settings: Settings, random: Random, *, make: bool) -> Holders:
    """With `make`, a key file that is not there is made, and every fault stops it: raises `AccessError`. Else it goes on with the rest, which may be nothing."""
    found: list[Holder] = []
    addresses: dict[str, str] = {}
    faults: list[AccessError] = []
    for path in settings.keys:
        try:
            file = await _file(path, random, make=make)
        except AccessError as error:
            faults.append(error)
        else:
            found.append(file)
            addresses[file.fingerprint] = str(path.absolute())
    for address in settings.key_servers:
        remote = await _remote(settings, address, random)
        found.append(remote)
        addresses[remote.fingerprint] = address
    if faults and make:
        raise faults[0]
    return Holders(tuple(found), addresses, tuple(fault.sentence for fault in faults))


@dataclass(frozen=True, slots=True)
class Keeping:
    """All that looks after keys, on one Redis. The roster is not followed yet."""

    holders: Holders
    ring: Keyring
    policies: Policies
    epochs: Epochs
    rosters: Rosters

    @classmethod
    def of(cls, holders: Holders, redis: Client, keys: Keys, scripts: Scripts, random: Random, skew: Skew) -> "Keeping":
        """Raises `Invalid` where two holders are one."""
        ring = Keyring(holders.all, keys.installation, random, time.monotonic)
        policies = Policies(redis, keys, scripts)
        epochs = Epochs(redis, keys, scripts, ring, policies, skew)
        rosters = Rosters(redis, keys, scripts, ring, epochs, holders.addresses, skew)
        return cls(holders, ring, policies, epochs, rosters)


async def identity(settings: Settings, random: Random) -> Identity:
    """Made at its first use. Raises `Unavailable`."""
    return await Identity.load_or_make(settings.data / IDENTITY, random)


async def _file(path: Path, random: Random, *, make: bool) -> KeyFile:
    return await (KeyFile.load_or_make if make else KeyFile.load)(path, random=random)


async def _remote(settings: Settings, address: str, random: Random) -> KeyServer | Transit:
    if not address.startswith("transit+"):
        return KeyServer(address, await identity(settings, random), random=random)
    if settings.transit is None:
        raise Unavailable("COUNTERSIGN_TRANSIT_TOKEN_FILE is not set.", code="token")
    return Transit(address, settings.transit.token, random=random, namespace=settings.transit.namespace)
