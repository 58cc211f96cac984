"""A mail server on loopback, with TLS of an authority made for the test, that refuses and fails when told to."""

import asyncio
import datetime as dt
import email
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Final

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scheduler.connectors.smtp import MailServer
from store.model.secret import Secret

USER: Final = "countersign"
PASSWORD: Final = "kanarienvogel-smtp"
SENDER: Final = "countersign@example.com"
USES: Final = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


class Authority:
    """One certificate, for localhost alone, and the file of who signed it. For `SSL_CERT_FILE`."""

    def __init__(self, folder: Path) -> None:
        born = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        root, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Countersign's tests")])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])

        def signed(name: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.CertificateBuilder:
            """With all that Python 3.13 looks for (RFC 5280)."""
            use = dict.fromkeys(USES, False) | ({"key_cert_sign": True} if ca else {"digital_signature": True})
            by = x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key())
            builder = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
            builder = builder.serial_number(x509.random_serial_number()).not_valid_before(born)
            builder = builder.not_valid_after(born + dt.timedelta(days=36500)).add_extension(by, critical=False)
            builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            builder = builder.add_extension(x509.KeyUsage(**use), critical=True)
            return builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)

        authority = signed(issuer, root, ca=True).sign(root, hashes.SHA256())
        names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
        server = signed(subject, own, ca=False).add_extension(names, critical=False).sign(root, hashes.SHA256())
        pem = serialization.Encoding.PEM
        secret = own.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "server.pem").write_bytes(secret + server.public_bytes(pem))
        self.file = folder / "authority.pem"
        self.file.write_bytes(authority.public_bytes(pem))
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(folder / "server.pem")


class Postbox:
    """`letters`: what was taken, in the order it came. It may be stopped and started again on the same port.

    `rcpt` and `data`: what the next ones are answered instead, in turn; "drop" ends the connection after the message was
    taken, "drop first" before. `users`: user → password; None asks nobody.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, implicit: bool = False, users: dict[str, str] | None = None
    ) -> None:
        self.letters: list[EmailMessage] = []
        self.raw: list[bytes] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.encrypted: list[bool] = []
        self.connections = 0
        self.rcpt: list[str] = []
        self.data: list[str] = []
        self.port = 0
        self._tls = tls
        self._implicit = implicit
        self._users = users
        self._server: asyncio.Server | None = None
        self._arrived = asyncio.Event()

    def at(self, **changed: Any) -> MailServer:
        """As a program that is set up well knows it."""
        security = "tls" if self._implicit else "starttls" if self._tls else "plain"
        known = {"user": USER, "password": Secret(PASSWORD.encode())} if self._users else {}
        fields = {"host": "localhost", "port": self.port, "security": security, "sender": SENDER, **known, **changed}
        return MailServer(**fields)

    def environ(self) -> dict[str, str]:
        """The same, as settings. For the file of the authority, set `SSL_CERT_FILE`."""
        scheme = "smtps" if self._implicit else "smtp+starttls" if self._tls else "smtp"
        user = f"{USER}@" if self._users else ""
        known = {"COUNTERSIGN_SMTP_PASSWORD": PASSWORD} if self._users else {}
        return {
            "COUNTERSIGN_SMTP": f"{scheme}://{user}localhost:{self.port}",
            "COUNTERSIGN_SMTP_FROM": f"Countersign <{SENDER}>",
            **known,
        }

    def to(self) -> list[str]:
        return sorted(address for _, addresses in self.envelopes for address in addresses)

    async def arrived(self, count: int, within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while len(self.letters) < count:
                self._arrived.clear()
                await self._arrived.wait()

    async def start(self) -> None:
        tls = self._tls if self._implicit else None
        self._server = await asyncio.get_running_loop().create_server(
            self._talk, "localhost", self.port, ssl=tls, family=2
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def _talk(self) -> SMTP:
        self.connections += 1
        starts = self._tls if not self._implicit else None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Requiring AUTH")  # it knows of no TLS but STARTTLS
            return SMTP(
                self,
                hostname="localhost",
                tls_context=starts,
                require_starttls=starts is not None,
                auth_required=self._users is not None,
                auth_require_tls=not self._implicit,
                authenticator=self._known,
                enable_SMTPUTF8=True,
            )

    def _known(self, server: SMTP, session: Any, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
        right = (
            isinstance(given, LoginPassword)
            and (self._users or {}).get(given.login.decode()) == given.password.decode()
        )
        return AuthResult(success=right, handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's
        self, server: SMTP, session: Any, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt and (answer := self.rcpt.pop(0)):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        answer = self.data.pop(0) if self.data else ""
        if answer and answer != "drop":
            if answer == "drop first":
                _cut(server)
            return answer
        content = envelope.original_content or b""
        self.raw.append(content)
        letter = email.message_from_bytes(content, policy=default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        self.envelopes.append((envelope.mail_from or "", list(envelope.rcpt_tos)))
        self.encrypted.append(session.ssl is not None or self._implicit)
        self._arrived.set()
        if answer == "drop":
            _cut(server)
        return "250 taken"


def _cut(server: SMTP) -> None:
    assert isinstance(server.transport, asyncio.Transport)
    server.transport.abort()


@asynccontextmanager
async def postbox(**options: Any) -> AsyncIterator[Postbox]:
    box = Postbox(**options)
    await box.start()
    try:
        yield box
    finally:
        await box.stop()
