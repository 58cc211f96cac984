"""The mail server: one message to one address, over a connection that is encrypted and proven unless the owner says otherwise."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Final, Literal

import aiosmtplib

from scheduler.connectors.contract import Refused
from store.model.errors import Unavailable
from store.model.identity import shown
from store.model.secret import Secret

STEP_S: Final = 10.0  # for one word of the conversation
TOTAL_S: Final = 30.0  # for all of it: well within the patience of the relay
GOODBYE_S: Final = 2.0
OURS: Final = frozenset({530, 534, 535, 538})  # what is wrong with how we sign in, and not with the message

# ASCII alone, and nothing in it that ends a header or begins another address.
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]{0,61}[A-Za-z0-9]"
)
_DOTS: Final = re.compile(r"^\.|\.\.|\.@")

Security = Literal["starttls", "tls", "plain"]


@dataclass(frozen=True, slots=True)
class MailServer:
    """`sender`: the address alone; `name`: what stands before it. With `starttls` nothing is said before it is encrypted."""

    host: str
    port: int
    security: Security
    sender: str
    name: str = "Countersign"
    user: str | None = None
    password: Secret | None = None

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Letter:
    """Plain text for everybody, and the same for those whose program shows HTML."""

    subject: str
    text: str
    html: str


def is_address(text: str) -> bool:
    """One that a message can be sent to, as it stands, without any quoting."""
    return len(text) <= 254 and _ADDRESS.fullmatch(text) is not None and _DOTS.search(text) is None


def compose(server: MailServer, to: str, letter: Letter, *, identity: str, date: str) -> bytes:
    """The message as it goes over the wire: the same bytes each time. `identity`: what stands before the @ of its Message-ID.

    Raises `Refused` for what cannot stand in a header.
    """
    if not is_address(to):
        raise Refused(f"{shown(to)} is not an address that mail can be sent to.", code="bad_address")
    broken = Refused("A line break does not stand in a header.", code="bad_header")
    if not {"\r", "\n"}.isdisjoint(letter.subject):
        raise broken  # the library lets one pass at the very end, where it ends all headers
    message = EmailMessage(policy=WIRE.clone(cte_type="7bit"))  # which every server on the way can carry
    try:
        message["From"] = Address(server.name, addr_spec=server.sender)
        message["To"] = Address(addr_spec=to)
        message["Subject"] = letter.subject
        message["Date"] = date
        message["Message-ID"] = f"<{identity}@{server.domain}>"
    except ValueError:
        raise broken from None
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice is sent back
    message["X-Auto-Response-Suppress"] = "All"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    message.set_boundary(f"=_{identity.partition('.')[0]}")  # else it is another one each time
    return message.as_bytes()


async def send(server: MailServer, to: str, message: bytes) -> None:
    """Returns when the server has taken it. Raises `Refused` where it never will, `Unavailable` where it may later.

    After an `Unavailable` it may have been taken all the same: the Message-ID tells the second one from another.
    """
    async with _connected(server) as client:
        try:
            await client.sendmail(server.sender, [to], message)
        except aiosmtplib.SMTPRecipientsRefused as refused:
            first = refused.recipients[0]
            raise _refusal(server, first.code, first.message) from None
        except aiosmtplib.SMTPResponseException as refused:
            raise _refusal(server, refused.code, refused.message) from None


async def check(server: MailServer) -> None:
    """For doctor: it answers, it encrypts, and it knows us. Nothing is sent. Raises `Unavailable`."""
    async with _connected(server):
        pass


@contextlib.asynccontextmanager
async def _connected(server: MailServer) -> AsyncIterator[aiosmtplib.SMTP]:
    """Everything that goes wrong on the way becomes one of our sentences; what the block raises of ours passes."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=server.domain,  # else a name server is asked for ours
        timeout=STEP_S,
        use_tls=server.security == "tls",
        start_tls=server.security == "starttls",
        tls_context=ssl.create_default_context() if server.security != "plain" else None,
    )
    try:
        async with asyncio.timeout(TOTAL_S):
            await client.connect()
            if server.user is not None and server.password is not None:
                await client.login(server.user, server.password.reveal().decode())
            yield client
        with contextlib.suppress(aiosmtplib.SMTPException, OSError):  # it is done, whatever becomes of the goodbye
            await client.quit(timeout=GOODBYE_S)
    except ssl.SSLError as failed:
        raise _unreached(server, failed) from None
    except aiosmtplib.SMTPAuthenticationError as refused:
        raise Unavailable(
            f"The mail server {server} does not let {shown(server.user or '')} in: {refused.code}.", code="auth"
        ) from None
    except aiosmtplib.SMTPResponseException as refused:
        raise Unavailable(f"The mail server {server} answered {refused.code}.", code="answered") from None
    except TimeoutError:
        raise Unavailable(f"The mail server {server} did not answer in time.", code="timeout") from None
    except aiosmtplib.SMTPServerDisconnected:
        raise Unavailable(f"The mail server {server} broke off the conversation.", code="broken_off") from None
    except aiosmtplib.SMTPConnectError as failed:
        raise _unreached(server, failed) from None
    except aiosmtplib.SMTPException:
        what = "STARTTLS" if server.security == "starttls" else "a way to sign in that we know"
        raise Unavailable(
            f"The mail server {server} does not offer {what}, so nothing is sent there.", code="not_offered"
        ) from None
    except OSError:
        raise Unavailable(f"The mail server {server} could not be reached.", code="unreachable") from None
    finally:
        client.close()


def _unreached(server: MailServer, failed: Exception) -> Unavailable:
    """The library wraps most of what TLS said into an error of its own."""
    match failed if isinstance(failed, ssl.SSLError) else failed.__cause__:
        case ssl.SSLCertVerificationError():
            return Unavailable(f"The mail server {server} did not show a certificate that we trust.", code="tls")
        case ssl.SSLError():
            return Unavailable(f"The mail server {server} and we could not agree on a secure connection.", code="tls")
        case _:
            return Unavailable(f"The mail server {server} could not be reached.", code="unreachable")


def _refusal(server: MailServer, code: int, said: str) -> Refused | Unavailable:
    """4xx may pass (RFC 5321, 4.2.1); a 5xx that is about the message, the sender or the recipient never does."""
    if 500 <= code < 600 and code not in OURS:
        return Refused(f"The mail server {server} refused it for good: {code} {shown(said, 200)}.", code=str(code))
    return Unavailable(f"The mail server {server} does not take it now: {code}.", code=str(code))
