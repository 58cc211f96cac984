"""Callers: which Countersigns a key server answers, as certificates in a folder that its owner fills."""

import re
import ssl
from pathlib import Path
from typing import Final

from store.keys.identity import read_certificate
from store.model.errors import Conflict, Invalid, NotFound

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
PEM_BYTES: Final = 4096


class Callers:
    """What lies in the folder now is what counts: a certificate that is taken out is refused at the next request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = -1
        self._names: dict[str, str] = {}
        self._certificates: dict[str, str] = {}

    def allow(self, name: str, certificate: str) -> str:
        """Its pin. Raises `Invalid` and `Conflict`."""
        if not NAME.fullmatch(name):
            raise Invalid(f"“{name[:80]}” is no name for a caller: small letters, digits and -, up to 63.")
        pin, pem = read_certificate(certificate)
        known = self.names()
        if pin in known:
            raise Conflict(f"This certificate is allowed already, as {known[pin]}.", code="taken")
        if name in known.values():
            raise Conflict(
                f"There is a caller {name} already. Take another name, or forget that one first.", code="taken"
            )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{name}"
        draft.write_text(pem)
        draft.replace(self._folder / f"{name}.pem")
        return pin

    def forget(self, name: str) -> None:
        """Raises `NotFound`."""
        if not NAME.fullmatch(name) or name not in self.names().values():
            raise NotFound(f"There is no caller {name[:80]} here.")
        (self._folder / f"{name}.pem").unlink(missing_ok=True)

    def names(self) -> dict[str, str]:
        """By pin. Raises `Invalid` for a file that is no certificate: better nobody than not the one that was meant."""
        self._look()
        return dict(self._names)

    def name_of(self, pin: str) -> str | None:
        self._look()
        return self._names.get(pin)

    def admit(self, context: ssl.SSLContext) -> None:
        """Lets through the handshake who has come into the folder since. Who has left it is refused behind it."""
        self._look()
        for certificate in self._certificates.values():
            context.load_verify_locations(cadata=certificate)

    def _look(self) -> None:
        try:
            stamp = self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            self._stamp, self._names, self._certificates = -1, {}, {}
            return
        if stamp == self._stamp:
            return
        names, certificates = {}, {}
        for file in sorted(self._folder.glob("*.pem")):
            with file.open() as opened:
                try:
                    pin, certificates[file.stem] = read_certificate(opened.read(PEM_BYTES))
                except (Invalid, UnicodeDecodeError):
                    raise Invalid(f"{file} is not a certificate. Take it out, or allow the caller again.") from None
            names[pin] = file.stem
        self._stamp, self._names, self._certificates = stamp, names, certificates
