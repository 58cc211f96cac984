"""What the environment says: read once, at the start, every fault told at once."""

import difflib
import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from bot import github_settings, mail_settings
from bot.github_settings import GitHubAccess
from bot.policy_file import durations
from scheduler.connectors.smtp import MailServer
from store.keys import server, transit
from store.model.errors import Invalid
from store.model.secret import Secret

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "text", "auto"]  # auto: text for a person at a terminal, else JSON lines

VERSIONS: Final = 100
VERSIONS_MOST: Final = 1_000
SLACK_API_URL: Final = "https://slack.com/api/"
SIGNING_SECRET_LENGTH: Final = 20  # Slack's have 32; AsyncApp takes an empty one without a word
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warning", "error")
FORMATS: Final[tuple[Format, ...]] = ("json", "text")
PLACE: Final = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\s/]+)(:(?P<port>[0-9]{1,5}))?")
PUBLIC: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?")
SESSION_MS: Final = 12 * durations.HOUR_MS
SHORTEST_MS: Final = 5 * durations.MINUTE_MS
LONGEST_MS: Final = 720 * durations.HOUR_MS

NAMES: Final = (
    *("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "SLACK_API_URL", "REDIS_URL"),
    *("COUNTERSIGN_DATA", "COUNTERSIGN_POLICIES", "COUNTERSIGN_KEYS", "COUNTERSIGN_HTTP", "COUNTERSIGN_LOG"),
    *("COUNTERSIGN_PROXIES", "COUNTERSIGN_SESSION", "COUNTERSIGN_PUBLIC_URL"),
    *("COUNTERSIGN_TRANSIT_TOKEN_FILE", "COUNTERSIGN_TRANSIT_NAMESPACE"),
    "COUNTERSIGN_VERSIONS",
    *mail_settings.NAMES,
    *github_settings.NAMES,
)
OF_THE_CLI: Final = ("COUNTERSIGN_URL", "COUNTERSIGN_TOKEN")  # read where somebody uses a server, not where one runs
OAUTH: Final = ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET")
TOKENS: Final = {
    "xoxb-": "a bot token",
    "xapp-": "an app-level token",
    "xoxp-": "a user token",
    "xoxe-": "a refresh token",
    "xwfp-": "a workflow token",
}


class BadSettings(Invalid):
    """`problems`: one line each, naming the variable, what is wrong and what would be right; never a secret."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems), code="bad_settings")
        self.problems = problems


class Mode(StrEnum):
    SOCKET = "socket"
    HTTP = "http"


class Address(NamedTuple):
    host: str
    port: int  # 0: any free one

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Log(NamedTuple):
    level: Level = "info"
    format: Format = "auto"


class TransitAccess(NamedTuple):
    """`token`: a file, read at each use."""

    token: Path
    namespace: str = ""


class Settings(BaseModel):
    """`redis_url` None: the embedded server runs in `data`. `warnings` are for the log: they stop nothing."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    slack_bot_token: Secret | None = None
    slack_app_token: Secret | None = None
    slack_signing_secret: Secret | None = None
    slack_api_url: str = SLACK_API_URL
    redis_url: Secret | None = None
    data: Path
    policies: Path = Path("policies.yml")
    keys: tuple[Path, ...]  # key files
    key_servers: tuple[str, ...] = ()  # addresses: https://… with its pin, or transit+https://…
    transit: TransitAccess | None = None
    http: Address = Address("127.0.0.1", 8080)
    public_url: str = ""  # where that is reached from outside, without a slash at its end
    log: Log = Log()
    proxies: tuple[IPv4Network | IPv6Network, ...] = ()  # whose X-Forwarded-For is believed
    session_ms: int = SESSION_MS  # how long one login can be renewed
    mail: MailServer | None = None
    github: GitHubAccess | None = None
    versions: int = VERSIONS  # of each environment that are kept
    warnings: tuple[str, ...] = ()

    @property
    def mode(self) -> Mode:
        return Mode.HTTP if self.slack_app_token is None else Mode.SOCKET

    @classmethod
    def read(cls, environ: Mapping[str, str], *, slack: bool = True) -> Self:
        """Raises BadSettings. `slack=False` for commands that do not speak to Slack: its tokens may then be absent."""
        reader = _Reader(environ)
        data = reader.data()
        files, servers = reader.keys(data)
        found = cls(
            slack_bot_token=reader.token("SLACK_BOT_TOKEN", "xoxb-"),
            slack_app_token=reader.token("SLACK_APP_TOKEN", "xapp-"),
            slack_signing_secret=reader.signing_secret(),
            slack_api_url=reader.api_url(),
            redis_url=reader.redis_url(),
            data=data,
            policies=reader.policies(),
            keys=files,
            key_servers=servers,
            transit=reader.transit(servers),
            http=reader.http(),
            public_url=reader.public_url(),
            log=reader.log(),
            proxies=reader.proxies(),
            session_ms=reader.session(),
            versions=reader.versions(),
            mail=mail_settings.read_mail(reader.get, reader.problems.append, reader.warnings.append),
            github=github_settings.read_github(reader.get, reader.problems.append, reader.warnings.append),
        )
        if slack:
            reader.need_slack()
        reader.look_for_typos()
        if reader.problems:
            raise BadSettings(tuple(reader.problems))
        return found.model_copy(update={"warnings": tuple(reader.warnings)})


class _Reader:
    """Reads each variable once; a fault is kept and the default taken, so that the next ones are looked at too."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def get(self, name: str) -> str:
        """Empty is the same as absent, as in a compose file that passes a variable on."""
        return self.environ.get(name, "").strip()

    def token(self, name: str, prefix: str) -> Secret | None:
        if not (value := self.get(name)):
            return None
        if not value.startswith(prefix):
            other = next(
                (f"it begins as {what} does" for start, what in TOKENS.items() if value.startswith(start)),
                "it does not",
            )
            self.problems.append(f"{name}: {TOKENS[prefix]} begins with {prefix}, and {other}.")
        elif not re.fullmatch(r"[A-Za-z0-9.-]{10,}", value):
            self.problems.append(
                f"{name}: it is cut off, or has characters that no token has; copy it again from the page of your app."
            )
        return Secret(value.encode())

    def signing_secret(self) -> Secret | None:
        if not (value := self.get("SLACK_SIGNING_SECRET")):
            return None
        if len(value) < SIGNING_SECRET_LENGTH:
            self.problems.append(
                f"SLACK_SIGNING_SECRET: it has {len(value)} characters, Slack's have 32; copy it from Basic Information on the page of your app.",
            )
        return Secret(value.encode())

    def api_url(self) -> str:
        value = self.get("SLACK_API_URL") or SLACK_API_URL
        try:
            parts = urlsplit(value)
        except ValueError:  # an open bracket
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self.problems.append(
                f"SLACK_API_URL: an address like {SLACK_API_URL} is meant; leave it out for the real Slack."
            )
        elif parts.scheme == "http" and parts.hostname not in transit.LOOPBACK:
            self.warnings.append(
                f"SLACK_API_URL: tokens go to {parts.hostname} unencrypted; use https outside your own machine."
            )
        return value.rstrip("/") + "/"

    def redis_url(self) -> Secret | None:
        if not (value := self.get("REDIS_URL")):
            return None
        scheme, _, rest = value.partition("://")
        place = rest.partition("?")[0]
        hosts, _, path = place.rpartition("@")[2].partition("/")
        if scheme in ("redis", "rediss"):
            right = _is_place(hosts) and _is_number(path)
        elif scheme == "unix":
            right = bool(path) and not hosts
        elif scheme in ("redis+sentinel", "rediss+sentinel"):
            service, _, number = path.partition("/")
            right = all(map(_is_place, hosts.split(","))) and bool(service) and _is_number(number)
        else:
            right = False
        if not right:
            self.problems.append(
                "REDIS_URL: it is none of redis://host:6379/0, rediss://host:6379/0 (TLS), unix:///path/to/socket, "
                "redis+sentinel://host:26379,host:26379/service; leave it out to let Countersign run a server of its own.",
            )
        return Secret(value.encode())

    def data(self) -> Path:
        home = self.get("HOME")
        if value := self.get("COUNTERSIGN_DATA"):
            path = self._path(value)
        elif value := self.get("XDG_DATA_HOME"):
            path = Path(value) / "countersign"
        else:
            path = Path(home) / ".local" / "share" / "countersign" if home else Path()
        if not path.is_absolute():
            self.problems.append("COUNTERSIGN_DATA: the full path of a folder is meant, like /var/lib/countersign.")
        elif path.exists() and not path.is_dir():
            self.problems.append(f"COUNTERSIGN_DATA: {path} is not a folder.")
        return path

    def policies(self) -> Path:
        path = self._path(self.get("COUNTERSIGN_POLICIES") or "policies.yml")
        if self.get("COUNTERSIGN_POLICIES") and not path.is_file():
            self.problems.append(f"COUNTERSIGN_POLICIES: there is no file {path}.")
        return path

    def keys(self, data: Path) -> tuple[tuple[Path, ...], tuple[str, ...]]:
        """Files and addresses. Two files by default, as `secure` targets need: on one disk they prove the way, on two they prove something."""
        if not (value := self.get("COUNTERSIGN_KEYS")):
            return (data / "keys" / "first.key", data / "keys" / "second.key"), ()
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not parts or len(set(parts)) < len(parts):
            self.problems.append(
                "COUNTERSIGN_KEYS: paths of key files, addresses of key servers (https://host:8490#PIN) and of keys of a transit engine "
                "(transit+https://host:8200/mount/key) are meant, separated by commas, each one once."
            )
        addresses = tuple(part for part in parts if "://" in part)
        for address in addresses:
            try:
                (transit.parse_address if address.startswith("transit+") else server.parse_address)(address)
            except Invalid as error:
                self.problems.append(f"COUNTERSIGN_KEYS: {error.sentence}")
        return tuple(self._path(part) for part in parts if "://" not in part), addresses

    def transit(self, addresses: tuple[str, ...]) -> TransitAccess | None:
        token, namespace = self.get("COUNTERSIGN_TRANSIT_TOKEN_FILE"), self.get("COUNTERSIGN_TRANSIT_NAMESPACE")
        if not token and any(address.startswith("transit+") for address in addresses):
            self.problems.append(
                "COUNTERSIGN_TRANSIT_TOKEN_FILE: it is not set; it names the file that holds the token for the transit engine in COUNTERSIGN_KEYS."
            )
        return TransitAccess(self._path(token), namespace) if token else None

    def http(self) -> Address:
        value = self.get("COUNTERSIGN_HTTP") or "127.0.0.1:8080"
        match = PLACE.fullmatch(value)
        if match is None or match["port"] is None or not _is_place(value):
            self.problems.append(
                "COUNTERSIGN_HTTP: host:port is meant, like 127.0.0.1:8080, or 0.0.0.0:8080 for all addresses."
            )
            return Address("127.0.0.1", 8080)
        return Address(match["host"].strip("[]"), int(match["port"]))

    def public_url(self) -> str:
        value = self.get("COUNTERSIGN_PUBLIC_URL").rstrip("/")
        if value and not PUBLIC.fullmatch(value):
            self.problems.append("COUNTERSIGN_PUBLIC_URL: a URL is meant, like https://countersign.example.com.")
            return ""
        return value

    def proxies(self) -> tuple[IPv4Network | IPv6Network, ...]:
        found = []
        for part in re.split(r"[\s,]+", self.get("COUNTERSIGN_PROXIES")):
            try:
                found += [ip_network(part)] if part else []
            except ValueError:
                self.problems.append(
                    "COUNTERSIGN_PROXIES: addresses or networks are meant, separated by commas, like 10.0.0.0/8, 192.0.2.7."
                )
                return ()
        if any(network.prefixlen == 0 for network in found):
            self.problems.append(
                "COUNTERSIGN_PROXIES: that is every address there is, so anybody could say where they come from."
            )
        return tuple(found)

    def session(self) -> int:
        if not (value := self.get("COUNTERSIGN_SESSION")):
            return SESSION_MS
        try:
            session_ms = durations.parse(value)
        except ValueError as error:
            self.problems.append(f"COUNTERSIGN_SESSION: {error}")
            return SESSION_MS
        if not SHORTEST_MS <= session_ms <= LONGEST_MS:
            self.problems.append(
                "COUNTERSIGN_SESSION: a login holds for 5 minutes at least and 30 days (720h) at most."
            )
        return session_ms

    def log(self) -> Log:
        level, form = Log()
        for word in re.split(r"[\s,]+", self.get("COUNTERSIGN_LOG").lower()):
            if word in LEVELS:
                level = word
            elif word in FORMATS:
                form = word
            elif word:
                self.problems.append(
                    f"COUNTERSIGN_LOG: a level ({', '.join(LEVELS)}), a format ({', '.join(FORMATS)}) or both are meant, like `debug,text`."
                )
                break
        return Log(level, form)

    def versions(self) -> int:
        value = self.get("COUNTERSIGN_VERSIONS")
        if not value:
            return VERSIONS
        if re.fullmatch(r"[0-9]{1,5}", value) is None or not 2 <= int(value) <= VERSIONS_MOST:
            self.problems.append(
                f"COUNTERSIGN_VERSIONS: how many versions of each environment are kept is meant, a number from 2 to {VERSIONS_MOST:,}."
            )
            return VERSIONS
        return int(value)

    def need_slack(self) -> None:
        if not self.get("SLACK_BOT_TOKEN"):
            self.problems.append("SLACK_BOT_TOKEN: it is not set; Install App on the page of your app shows it, xoxb-…")
        if not self.get("SLACK_APP_TOKEN") and not self.get("SLACK_SIGNING_SECRET"):
            self.problems.append(
                "SLACK_APP_TOKEN: it is not set; Basic Information, App-Level Tokens makes one, xapp-… with connections:write. "
                "(To be called over HTTP instead, set SLACK_SIGNING_SECRET.)",
            )

    def look_for_typos(self) -> None:
        for name in sorted(self.environ):
            if name in OAUTH:
                self.warnings.append(
                    f"{name}: it would switch Slack's library to OAuth installation; Countersign does without, remove it."
                )
            elif name.startswith(("COUNTERSIGN_", "SLACK_")) and name not in (*NAMES, *OF_THE_CLI):
                self._look_at(name)

    def _look_at(self, name: str) -> None:
        """A near miss stops the start, unless it is in Slack's namespace, which others use too, and the right one is well."""
        ours = name.startswith("COUNTERSIGN_")
        if right := _nearest(name):
            line = f"{name}: there is no such variable; {right} is meant?"
            stops = ours or any(problem.startswith(f"{right}:") for problem in self.problems)
            (self.problems if stops else self.warnings).append(line)
        elif ours:
            self.warnings.append(f"{name}: there is no such variable, it does nothing.")

    def _path(self, value: str) -> Path:
        home = self.get("HOME")
        return Path(home) / value[2:] if home and value.startswith("~/") else Path(value)


def _is_place(text: str) -> bool:
    match = PLACE.fullmatch(text)
    return match is not None and int(match["port"] or 0) < 2**16


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[0-9]{0,5}", text) is not None


def _nearest(name: str) -> str | None:
    room, _, rest = name.partition("_")
    rests = {known.partition("_")[2]: known for known in NAMES if known.startswith(room + "_")}
    close = difflib.get_close_matches(rest, rests, n=1, cutoff=0.7) or [
        known for known in rests if rest.startswith(known + "_")
    ]
    return rests[close[0]] if close else None
