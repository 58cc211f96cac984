"""Identity: who a process is to another one over TLS, out of one guarded key file and nothing else.

Key and certificate follow from the file: whoever keeps a copy of it keeps the identity, and there is no certificate to renew.
Both sides pin each other's certificate, so no authority can vouch for anybody else.
"""

import asyncio
import hashlib
import ssl
import tempfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from store.keys import guarded
from store.keys.holder import KEY_BYTES, Random
from store.model.errors import Invalid
from store.model.sealed import length_prefixed
from store.model.secret import Secret

# Fixed, so that the certificate is the same bytes each time it is made.
SUBJECT: Final = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "countersign")])
SERIAL: Final = 1
FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
UNTIL: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280: no expiry
PEM_BYTES: Final = 4096


class Identity:
    """`pin` is the SHA-256 of the certificate in DER, as 64 hex digits: what the other side is told beforehand."""

    def __init__(self, secret: Secret, random: Random) -> None:
        seed = HKDFExpand(SHA256(), KEY_BYTES, length_prefixed("countersign/identity/1/tls")).derive(secret.reveal())
        self.__key = Ed25519PrivateKey.from_private_bytes(seed)
        self.__random = random
        public = self.__key.public_key()
        builder = x509.CertificateBuilder(SUBJECT, SUBJECT, public, SERIAL, FROM, UNTIL)
        self._certificate = builder.sign(self.__key, algorithm=None)
        self.pin = pin_of(self._certificate.public_bytes(Encoding.DER))

    @classmethod
    async def load_or_make(cls, path: Path, random: Random) -> "Identity":
        """Raises `Unavailable` with what is wrong with the file and what to do."""
        await asyncio.to_thread(guarded.make_if_absent, path, random)
        return cls(await asyncio.to_thread(guarded.read, path), random)

    @property
    def certificate(self) -> str:
        """In PEM, for the other side."""
        return self._certificate.public_bytes(Encoding.PEM).decode()

    def calling(self) -> ssl.SSLContext:
        """For who calls. It shows who it is; whom it reached, the caller checks by the pin before it says anything."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return self._showing(context)

    def answering(self, known: Iterable[str]) -> ssl.SSLContext:
        """For who is called. Nobody comes through the handshake but with one of these certificates, in PEM."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # each stands for itself
        for certificate in known:
            context.load_verify_locations(cadata=certificate)
        return self._showing(context)

    def _showing(self, context: ssl.SSLContext) -> ssl.SSLContext:
        """OpenSSL takes keys from files only: what lies there for a moment is encrypted under a password of that moment."""
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        password = self.__random(KEY_BYTES).hex().encode()
        sealed = self.__key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
        with tempfile.TemporaryDirectory(prefix="countersign-") as folder:
            file = Path(folder, "identity.pem")
            file.write_bytes(sealed + self.certificate.encode())
            context.load_cert_chain(file, password=password)
        return context

    def __repr__(self) -> str:
        return f"Identity({self.pin[:16]}…)"


def pin_of(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def read_certificate(text: str) -> tuple[str, str]:
    """(pin, PEM) of a certificate as `Identity.certificate` gives it. Raises `Invalid`."""
    try:
        found = x509.load_pem_x509_certificate(text[:PEM_BYTES].encode())
    except ValueError:
        raise Invalid("This is not a certificate in PEM. Copy all of it, with its BEGIN and END lines.") from None
    return pin_of(found.public_bytes(Encoding.DER)), found.public_bytes(Encoding.PEM).decode()
