"""The mail server: real ones on loopback, real TLS, and everything they may answer."""

import asyncio
import contextlib
import email
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.connectors import smtp
from scheduler.connectors.contract import Refused
from scheduler.connectors.smtp import Letter, MailServer, compose, is_address, send
from store.model.errors import Unavailable
from store.model.secret import Secret
from tests.postbox import PASSWORD, SENDER, USER, Authority, Postbox, postbox

LETTER = Letter("Glass broken: open payments/prod", "Omar – let it pass.\n", "<p>Omar – let it pass.</p>\n")
DATE = "Tue, 14 Nov 2023 22:13:20 -0000"
KNOWN = {USER: PASSWORD}
TO = "ben@example.com"

Open = Callable[..., Awaitable[Postbox]]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Authority:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    async with AsyncExitStack() as stack:

        async def one(**options: Any) -> Postbox:
            return await stack.enter_async_context(postbox(**options))

        yield one


def message(server: MailServer, to: str = TO, letter: Letter = LETTER, identity: str = "abc.countersign") -> bytes:
    return compose(server, to, letter, identity=identity, date=DATE)


async def sent(server: MailServer, to: str = TO) -> None:
    await send(server, to, message(server, to))


# -- what is sent -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_message_arrives_encrypted_from_a_user_who_signed_in(
    opened: Open, trusted: Authority, *, implicit: bool
):
    box = await opened(tls=trusted.context, implicit=implicit, users=KNOWN)
    await sent(box.at())
    assert box.envelopes == [(SENDER, [TO])]
    assert box.encrypted == [True]
    (letter,) = box.letters
    assert letter["From"] == "Countersign <countersign@example.com>"
    assert letter["To"] == TO
    assert letter["Subject"] == LETTER.subject
    assert letter["Message-ID"] == "<abc.countersign@example.com>"
    assert letter["Date"] == DATE
    assert letter["Auto-Submitted"] == "auto-generated"
    plain, html = letter.iter_parts()
    assert plain.get_content_type() == "text/plain"
    assert plain.get_content().replace("\r\n", "\n") == LETTER.text
    assert html.get_content_type() == "text/html"
    assert html.get_content().replace("\r\n", "\n") == LETTER.html
    assert box.raw[0].isascii()


def test_the_same_letter_is_the_same_bytes():
    server = MailServer("localhost", 25, "plain", SENDER)
    assert message(server) == message(server)


async def test_a_goodbye_that_is_not_answered_changes_nothing(opened: Open):
    box = await opened()

    async def vanish(server: Any, *_: Any) -> str:
        server.transport.abort()
        return "221 Bye"

    box.handle_QUIT = vanish  # type: ignore[attr-defined]  # aiosmtpd looks it up by name
    await sent(box.at())
    assert len(box.letters) == 1


# -- who is not trusted -----------------------------------------------------------------------------------------------


async def test_where_no_starttls_is_offered_nothing_is_sent(opened: Open, trusted: Authority):
    box = await opened()
    with pytest.raises(Unavailable, match="does not offer STARTTLS, so nothing is sent there"):
        await sent(box.at(security="starttls"))
    assert box.connections == 1
    assert box.letters == []


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_that_nobody_vouches_for_is_refused(opened: Open, authority: Authority, *, implicit: bool):
    box = await opened(tls=authority.context, implicit=implicit, users=KNOWN)
    with pytest.raises(Unavailable, match="did not show a certificate that we trust") as raised:
        await sent(box.at())
    assert raised.value.detail == "tls"
    assert box.letters == []


@pytest.mark.parametrize("implicit", [False, True])
async def test_a_certificate_for_another_name_is_refused(opened: Open, trusted: Authority, *, implicit: bool):
    box = await opened(tls=trusted.context, implicit=implicit, users=KNOWN)
    with pytest.raises(Unavailable, match="did not show a certificate that we trust"):
        await sent(box.at(host="127.0.0.1"))
    assert box.letters == []


async def test_a_server_that_speaks_no_tls_is_refused(opened: Open, trusted: Authority):
    box = await opened()
    with pytest.raises(Unavailable) as raised:
        await sent(box.at(security="tls"))
    assert raised.value.detail == "tls"


async def test_a_wrong_password_is_said_and_never_shown(opened: Open, trusted: Authority):
    box = await opened(tls=trusted.context, users=KNOWN)
    with pytest.raises(Unavailable, match="does not let “countersign” in: 535") as raised:
        await sent(box.at(password=Secret(b"kanarienvogel-wrong")))
    assert "kanarienvogel" not in raised.value.sentence
    assert "kanarienvogel" not in repr(box.at())
    with pytest.raises(Unavailable) as raised:  # who does not sign in is our fault too, and not the message's
        await sent(box.at(user=None, password=None))
    assert raised.value.detail == "530"
    assert box.letters == []


async def test_a_server_without_a_way_to_sign_in_gets_no_password(opened: Open, trusted: Authority):
    box = await opened()
    with pytest.raises(Unavailable, match="does not offer a way to sign in"):
        await sent(box.at(user=USER, password=Secret(PASSWORD.encode())))


# -- what it answers --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["rcpt", "data"])
@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("550 no such mailbox", Refused),
        ("554 no", Refused),
        ("451 later", Unavailable),
        ("421 busy", Unavailable),
        ("530 sign in first", Unavailable),
    ],
)
async def test_for_good_or_for_now(opened: Open, where: str, answer: str, raised: type[Exception]):
    box = await opened()
    getattr(box, where).append(answer)
    with pytest.raises((Refused, Unavailable)) as told:
        await sent(box.at())
    assert type(told.value) is raised
    assert answer[:3] in told.value.sentence
    assert box.letters == []
    await sent(box.at())
    assert len(box.letters) == 1


async def test_a_connection_that_is_cut_may_be_tried_again_under_the_same_id(opened: Open):
    box = await opened()
    box.data += ["drop first", "drop"]
    for _ in range(2):
        with pytest.raises(Unavailable) as raised:
            await sent(box.at())
        assert raised.value.detail == "broken_off"
    await sent(box.at())
    assert [letter["Message-ID"] for letter in box.letters] == ["<abc.countersign@example.com>"] * 2
    assert box.raw[0] == box.raw[1]


async def test_a_server_that_is_not_there_is_named():
    async with postbox() as box:
        server = box.at()
    with pytest.raises(Unavailable, match=f"The mail server localhost:{server.port} could not be reached"):
        await sent(server)


async def test_a_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(smtp, "STEP_S", 0.1)
    heard: list[asyncio.StreamWriter] = []
    deaf = await asyncio.start_server(lambda _, writer: heard.append(writer), "127.0.0.1", 0)
    server = MailServer("127.0.0.1", deaf.sockets[0].getsockname()[1], "plain", SENDER)
    with pytest.raises(Unavailable, match="did not answer in time"):
        await sent(server)
    deaf.close()
    for writer in heard:
        writer.close()


async def test_a_server_that_says_one_letter_at_a_time_is_left(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(smtp, "TOTAL_S", 0.3)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError), contextlib.closing(writer):
            for _ in range(100):
                writer.write(b"220-x\r\n")
                await writer.drain()
                await asyncio.sleep(0.05)

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    where = MailServer("127.0.0.1", server.sockets[0].getsockname()[1], "plain", SENDER)
    with pytest.raises(Unavailable, match="did not answer in time"):
        await sent(where)
    server.close()


# -- what can be written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["a@b.io", "ben.o-k+x@mail.example.org", "o'neil@example.com", "UPPER@EXAMPLE.COM", "a@xn--bcher-kva.example"],
)
def test_addresses(text: str):
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "ana", "ana@localhost", "@example.com", "a@b@example.com", "ana@example.com ", "a b@example.com"),
        *("ana@example.com\nBcc: eve@example.com", "ana@example.com\r", "ana@example.com,eve@example.com"),
        *(
            "<ana@example.com>",
            "ana@exam_ple.com",
            "ana@-a.com",
            ".ana@example.com",
            "a..b@example.com",
            "a.@example.com",
        ),
        *(
            "änna@example.com",
            f"{'a' * 65}@example.com",
            f"a@{'b' * 60}.{'c' * 60}.{'d' * 60}.{'e' * 60}.{'f' * 20}.com",
        ),
    ],
)
def test_what_is_none(text: str):
    assert not is_address(text)
    with pytest.raises(Refused, match="is not an address"):
        message(MailServer("localhost", 25, "plain", SENDER), to=text)


@pytest.mark.parametrize(
    "subject", ["Approved\r\nBcc: eve@example.com", "Approved\nBcc: eve@example.com", "Approved\n", "\r"]
)
def test_a_line_break_does_not_stand_in_a_subject(subject: str):
    server = MailServer("localhost", 25, "plain", SENDER)
    with pytest.raises(Refused, match="line break"):
        message(server, letter=Letter(subject, "", ""))


@given(subject=st.text(max_size=200), to=st.text(max_size=60), text=st.text(max_size=200))
@example(subject="\n", to="", text="")
def test_nobody_writes_a_header_or_another_recipient(subject: str, to: str, text: str):
    server = MailServer("localhost", 25, "plain", SENDER)
    for address in (to, TO):
        try:
            raw = message(server, to=address, letter=Letter(subject, text, text))
        except Refused:
            continue
        read = email.message_from_bytes(raw, policy=default)
        assert [name.lower() for name in read] == [
            *("from", "to", "subject", "date", "message-id", "auto-submitted", "x-auto-response-suppress"),
            *("mime-version", "content-type"),
        ]
        assert [each.addr_spec for each in read["To"].addresses] == [address]


async def test_doctor_signs_in_and_sends_nothing(opened: Open, trusted: Authority, tmp_path: Path):
    box = await opened(tls=trusted.context, users=KNOWN)
    await smtp.check(box.at())
    assert (box.connections, box.letters) == (1, [])
