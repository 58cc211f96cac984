"""The mail server in the environment: what is right, what is wrong in one line, and no password in any of them."""

from pathlib import Path

import pytest

from bot.settings import BadSettings, Settings
from scheduler.connectors.smtp import MailServer
from store.model.secret import Secret

BASE = {"HOME": "/home/ana"}
FROM = {"COUNTERSIGN_SMTP_FROM": "countersign@example.com"}
WORD = {"COUNTERSIGN_SMTP_PASSWORD": "canaryCANARY"}


def read(**environ: str) -> Settings:
    return Settings.read({**BASE, **environ}, slack=False)


def server(url: str, **environ: str) -> MailServer:
    found = read(COUNTERSIGN_SMTP=url, **{**FROM, **environ}).mail
    assert found is not None
    return found


def problems(**environ: str) -> str:
    with pytest.raises(BadSettings) as raised:
        read(**environ)
    assert "canary" not in raised.value.sentence.lower()
    (line,) = raised.value.problems
    return line


def test_without_a_server_there_is_none():
    assert read().mail is None


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("smtp+starttls://mail.example.com", ("mail.example.com", 587, "starttls")),
        ("smtp+starttls://mail.example.com:2525", ("mail.example.com", 2525, "starttls")),
        ("smtps://mail.example.com", ("mail.example.com", 465, "tls")),
        ("smtp://localhost", ("localhost", 25, "plain")),
        ("smtp://127.0.0.1:1025", ("127.0.0.1", 1025, "plain")),
        ("smtp://[::1]:1025/", ("::1", 1025, "plain")),
        ("smtp+plain://relay.internal", ("relay.internal", 25, "plain")),
    ],
)
def test_addresses_of_servers(url: str, where: tuple[str, int, str]):
    found = server(url)
    assert (found.host, found.port, found.security) == where
    assert (found.user, found.password, found.sender, found.name) == (
        None,
        None,
        FROM["COUNTERSIGN_SMTP_FROM"],
        "Countersign",
    )


def test_only_an_unencrypted_way_off_this_machine_is_warned_of():
    assert read(COUNTERSIGN_SMTP="smtp://localhost", **FROM).warnings == ()
    assert read(COUNTERSIGN_SMTP="smtp+starttls://h.example", **FROM).warnings == ()
    (line,) = read(COUNTERSIGN_SMTP="smtp+plain://h.example", **FROM).warnings
    assert line == "COUNTERSIGN_SMTP: mail to h.example travels unencrypted."


@pytest.mark.parametrize("user", ["countersign", "ana%40example.com"])
def test_a_user_signs_in(user: str, tmp_path: Path):
    found = server(f"smtp+starttls://{user}@mail.example.com", **WORD)
    assert found.user == user.replace("%40", "@")
    assert found.password is not None
    assert found.password.reveal() == b"canaryCANARY"
    assert "canary" not in repr(read(COUNTERSIGN_SMTP="smtps://u@h.example", **FROM, **WORD)).lower()
    (tmp_path / "password").write_bytes(b"canaryCANARY\n")
    kept = server(f"smtps://{user}@mail.example.com", COUNTERSIGN_SMTP_PASSWORD_FILE=str(tmp_path / "password"))
    assert kept.password == Secret(b"canaryCANARY")


@pytest.mark.parametrize(
    ("given", "name", "address"),
    [
        ("ana@example.com", "Countersign", "ana@example.com"),
        ("Approvals <ana@example.com>", "Approvals", "ana@example.com"),
        ('"Approvals, at Example" <ana@example.com>', "Approvals, at Example", "ana@example.com"),
    ],
)
def test_who_it_comes_from(given: str, name: str, address: str):
    found = server("smtps://mail.example.com", COUNTERSIGN_SMTP_FROM=given)
    assert (found.name, found.sender) == (name, address)


URL = "COUNTERSIGN_SMTP: it is none of smtp+starttls://"
WRONG: list[tuple[dict[str, str], str]] = [
    *(
        ({"COUNTERSIGN_SMTP": url, **FROM}, URL)
        for url in (
            *("mail.example.com", "mail.example.com:587", "http://mail.example.com", "smtp+starttls://"),
            *("smtps://h:99999", "smtps://h:x", "smtps://[::1", "smtps://h/path", "smtps://h?tls=no", "smtps://h:0"),
            *("smtps://h ost", "smtps://h\x07"),
        )
    ),
    (
        {"COUNTERSIGN_SMTP": "smtps://u:canary@h", **FROM},
        "COUNTERSIGN_SMTP: a password does not belong into an address",
    ),
    (
        {"COUNTERSIGN_SMTP": "smtp://mail.example.com", **FROM},
        "COUNTERSIGN_SMTP: mail to mail.example.com would travel",
    ),
    (
        {"COUNTERSIGN_SMTP": "smtp+plain://u@mail.example.com", **FROM, **WORD},
        "COUNTERSIGN_SMTP: a password to mail.example.com would travel unencrypted",
    ),
    ({"COUNTERSIGN_SMTP": "smtps://h", **FROM, **WORD}, "COUNTERSIGN_SMTP: there is a password and no user"),
    ({"COUNTERSIGN_SMTP": "smtps://u@h", **FROM}, "COUNTERSIGN_SMTP_PASSWORD: it is not set"),
    (
        {"COUNTERSIGN_SMTP": "smtps://h"},
        "COUNTERSIGN_SMTP_FROM: an address like countersign@example.com is meant, and it is not set",
    ),
    *(
        ({"COUNTERSIGN_SMTP": "smtps://h", "COUNTERSIGN_SMTP_FROM": sender}, "COUNTERSIGN_SMTP_FROM: an address like")
        for sender in ("ana", "Ana <ana>", "Ana <ana@example.com", "ana@example.com, b@example.com", "A\nB <a@b.io>")
    ),
    (
        {"COUNTERSIGN_SMTP": "smtps://u@h", **FROM, "COUNTERSIGN_SMTP_PASSWORD_FILE": "/nowhere"},
        "COUNTERSIGN_SMTP_PASSWORD_FILE: /nowhere cannot be read.",
    ),
    (
        {"COUNTERSIGN_SMTP": "smtps://u@h", **FROM, **WORD, "COUNTERSIGN_SMTP_PASSWORD_FILE": "/nowhere"},
        "COUNTERSIGN_SMTP_PASSWORD: COUNTERSIGN_SMTP_PASSWORD_FILE is set too",
    ),
]


@pytest.mark.parametrize(("environ", "line"), WRONG)
def test_what_is_wrong_is_one_line(environ: dict[str, str], line: str):
    assert problems(**environ).startswith(line)


def test_an_empty_password_file_is_no_password(tmp_path: Path):
    (tmp_path / "password").write_bytes(b"\n")
    line = problems(COUNTERSIGN_SMTP="smtps://u@h", **FROM, COUNTERSIGN_SMTP_PASSWORD_FILE=str(tmp_path / "password"))
    assert line.endswith("is empty.")


def test_what_does_nothing_alone_is_said():
    (line,) = read(**FROM).warnings
    assert line == "COUNTERSIGN_SMTP_FROM: it does nothing without COUNTERSIGN_SMTP."
