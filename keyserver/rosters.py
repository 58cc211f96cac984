"""Rosters: the newest roster that a key server was told of by each caller, on disk. It answers for no other one."""

import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from cryptography.hazmat.primitives.constant_time import bytes_eq

from store.keys.envelope import EPOCH, EnvironmentKey, epoch_context
from store.keys.holder import UNKNOWN_ROSTER
from store.model.errors import AccessError, Forbidden, Unavailable
from store.model.roster import ROSTER, Roster
from store.model.sealed import fields_of, length_prefixed
from store.model.secret import Secret

Unwrap = Callable[[bytes, bytes], Awaitable[bytes]]


class Rosters:
    """One file for each caller and installation. `fingerprint`: of this key server, which a roster must name."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._known: dict[Path, Roster | None] = {}

    def admit(self, caller: str, context: bytes, told: str) -> None:
        """Whether the key of this context is given to who says that `told`, number and MAC, is the newest roster. Raises `Forbidden`."""
        match fields_of(context):
            case [what, installation, environment, number] if what == EPOCH:
                known = self.known(caller, installation.decode("ascii", "replace"))
            case _:
                return  # a challenge is no key
        if environment == ROSTER.encode():
            if known is not None and int.from_bytes(number, "big") < known.number:
                raise _unknown(f"it knows roster {known.number}, and this is the key of an older one")
        elif known is not None and told != f"{known.number}:{known.mac}":
            raise _unknown(f"it knows roster {known.number}, and you say {told.partition(':')[0] or 'none'}")
        elif known is None and told:
            raise _unknown("it has not been told of one")

    async def learn(self, caller: str, installation: str, text: str, wrapped: bytes, unwrap: Unwrap) -> Roster:
        """Takes a newer roster that is authenticated with a key which only this key server can have wrapped. Raises `Forbidden`."""
        known = self.known(caller, installation)
        try:
            roster = Roster.from_json(text)
            context = epoch_context(installation, ROSTER, roster.number)
            secret = Secret(await unwrap(wrapped, context))
            key = EnvironmentKey(
                secret, installation=installation, environment_id=ROSTER, epoch=roster.number, random=lambda _: b""
            )
        except AccessError:
            raise _unknown("what it was told of is not genuine") from None
        if not bytes_eq(key.authenticate(roster.canonical(installation)).encode(), (roster.mac or "").encode()):
            raise _unknown("what it was told of is not genuine")
        if self._fingerprint not in roster.fingerprints:
            raise _unknown(f"roster {roster.number} does not name it")
        if known is not None and known != roster:
            follows = roster.number > known.number + 1 or roster.previous_mac == known.mac
            if roster.number <= known.number or not follows:
                raise _unknown(f"it knows roster {known.number}, and roster {roster.number} does not come after it")
        self._keep(caller, installation, roster)
        return roster

    def known(self, caller: str, installation: str) -> Roster | None:
        path = self._path(caller, installation)
        if path not in self._known:
            try:
                self._known[path] = Roster.from_json(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                self._known[path] = None
        return self._known[path]

    def _keep(self, caller: str, installation: str, roster: Roster) -> None:
        path = self._path(caller, installation)
        draft = path.with_suffix(".new")
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            draft.write_text(roster.to_json(), encoding="utf-8")
            draft.replace(path)
        except OSError as error:
            raise Unavailable(f"{path} cannot be written ({error.strerror}).", code="rosters") from None
        self._known[path] = roster

    def _path(self, caller: str, installation: str) -> Path:
        place = hashlib.sha256(length_prefixed(caller, installation)).hexdigest()[:32]
        return self._folder / f"{place}.json"


def _unknown(why: str) -> Forbidden:
    return Forbidden(f"This key server does not answer for that roster: {why}.", code=UNKNOWN_ROSTER)
