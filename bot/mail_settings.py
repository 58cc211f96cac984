"""The mail server, as the environment names it."""

from collections.abc import Callable
from email.headerregistry import Address
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from scheduler.connectors.smtp import MailServer, Security, is_address
from store.keys.transit import LOOPBACK
from store.model.identity import shown
from store.model.secret import Secret

SCHEMES: Final[dict[str, tuple[Security, int]]] = {
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
    "smtp": ("plain", 25),
    "smtp+plain": ("plain", 25),
}
NAMES: Final = (
    *("COUNTERSIGN_SMTP", "COUNTERSIGN_SMTP_FROM"),
    *("COUNTERSIGN_SMTP_PASSWORD", "COUNTERSIGN_SMTP_PASSWORD_FILE"),
)
SHAPE: Final = (
    "COUNTERSIGN_SMTP: it is none of smtp+starttls://user@host:587, smtps://user@host:465, and on your own machine "
    "smtp://localhost:25; leave it out to send no mail."
)
_FILE_MOST: Final = 4096  # bytes of a password with its line break

Problem = Callable[[str], None]


def read_mail(get: Callable[[str], str], problem: Problem, warn: Problem) -> MailServer | None:
    """`get` answers a variable, empty where it is not set. Says each fault, without a secret, and answers None then."""
    if not get("COUNTERSIGN_SMTP"):
        for name in NAMES[1:]:
            if get(name):
                warn(f"{name}: it does nothing without COUNTERSIGN_SMTP.")
        return None
    url = _url(get("COUNTERSIGN_SMTP"), problem)
    sender = _sender(get("COUNTERSIGN_SMTP_FROM"), problem)
    password = read_secret("COUNTERSIGN_SMTP_PASSWORD", get, problem)
    if url is None:
        return None
    security, port = SCHEMES[url.scheme]
    user = unquote(url.username) if url.username else None
    if user is None and password is not None:
        problem("COUNTERSIGN_SMTP: there is a password and no user; write smtp+starttls://user@host:587.")
    if user is not None and password is None and not (get("COUNTERSIGN_SMTP_PASSWORD") or get(NAMES[3])):
        problem("COUNTERSIGN_SMTP_PASSWORD: it is not set, and COUNTERSIGN_SMTP names a user; or set …_PASSWORD_FILE.")
    host = url.hostname or ""
    if security == "plain" and host not in LOOPBACK:
        if url.scheme == "smtp":
            problem(
                f"COUNTERSIGN_SMTP: mail to {host} would travel unencrypted; use smtp+starttls:// or smtps://, "
                "or smtp+plain:// if that is what you want."
            )
        elif user is not None:
            problem(
                f"COUNTERSIGN_SMTP: a password to {host} would travel unencrypted; use smtp+starttls:// or smtps://."
            )
        else:
            warn(f"COUNTERSIGN_SMTP: mail to {host} travels unencrypted.")
    if sender is None:
        return None
    return MailServer(host, url.port or port, security, sender[1], sender[0], user, password)


def _url(value: str, problem: Problem) -> SplitResult | None:
    url = _split(value)
    if url is None:
        problem(SHAPE)
        return None
    if url.password is not None:
        problem(
            "COUNTERSIGN_SMTP: a password does not belong into an address; set COUNTERSIGN_SMTP_PASSWORD or …_PASSWORD_FILE."
        )
        return None
    return url


def _split(value: str) -> SplitResult | None:
    if not value.isprintable() or " " in value:
        return None
    try:
        url = urlsplit(value)
        more = url.path.strip("/") or url.query or url.fragment
        right = url.scheme in SCHEMES and url.hostname and url.port != 0 and not more
    except ValueError:  # an open bracket, a port that is none
        return None
    return url if right else None


def _sender(value: str, problem: Problem) -> tuple[str, str] | None:
    """What is shown, and the address: `Countersign <countersign@example.com>`, or the address alone."""
    name, opened, rest = value.rpartition("<")
    address = rest.removesuffix(">") if opened else value
    called = name.strip().strip('"') or "Countersign"
    if opened and not rest.endswith(">"):
        address = ""
    if not is_address(address) or not called.isprintable() or len(called) > 80:
        told = f"{shown(value)} is not one" if value else "it is not set"
        problem(f"COUNTERSIGN_SMTP_FROM: an address like countersign@example.com is meant, and {told}.")
        return None
    return str(Address(called, addr_spec=address).display_name), address


def read_secret(name: str, get: Callable[[str], str], problem: Problem) -> Secret | None:
    """From the variable of this name, or the file that NAME_FILE names. None where neither is set, or after a problem."""
    direct, file = get(name), get(f"{name}_FILE")
    if direct and file:
        problem(f"{name}: {name}_FILE is set too; keep one of them.")
        return None
    if direct:
        return Secret(direct.encode())
    if not file:
        return None
    try:
        with Path(file).open("rb") as opened:
            found = opened.read(_FILE_MOST).rstrip(b"\r\n")
        found.decode()
    except (OSError, ValueError):
        problem(f"{name}_FILE: {file} cannot be read.")
        return None
    if not found:
        problem(f"{name}_FILE: {file} is empty.")
        return None
    return Secret(found)
