"""The single values of a policy file: each is text in the file, and each says what would be right when it is wrong."""

import ipaddress
import re
from typing import Annotated, Any, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import BeforeValidator, WithJsonSchema

from bot.policy_file import durations, moments, patterns
from store.model import headers, template
from store.model.identity import WORD, shown

USER_ID: Final = re.compile(r"[UW][A-Z0-9]{2,20}")
GROUP_ID: Final = re.compile(r"S[A-Z0-9]{2,20}")
CHANNEL_ID: Final = re.compile(r"[CG][A-Z0-9]{6,20}")
EMAIL: Final = re.compile(
    r"[^@\s\"<>,;:()\[\]\\]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}"
)
HANDLE: Final = re.compile(r"@?[\w.-]{1,80}")
CHANNEL_NAME: Final = re.compile(r"#[^\s#A-Z@,<>]{1,80}")
HOST_AND_PORT: Final = re.compile(r"(?:[a-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}")
_ENVIRONMENT: Final = re.compile(rf"(?:{WORD}/)?{WORD}/{WORD}")
_SEGMENT: Final = r"[a-z0-9*](?:[a-z0-9*-]{0,61}[a-z0-9*])?"
_GLOB: Final = re.compile(rf"(?:{WORD}/)?{_SEGMENT}/{_SEGMENT}(?:\#{_SEGMENT})?|(?:role|policy):{_SEGMENT}")


def text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError(f"here stands {shape(value)}; write a single value.")


def shape(value: Any) -> str:
    return "a mapping" if isinstance(value, dict) else "a list" if isinstance(value, list | tuple) else "nothing"


def _version(value: Any) -> int:
    if text(value) != "1":
        raise ValueError(f"{shown(value)} is no version this program reads; write version: 1.")
    return 1


def _switch(value: Any) -> bool:
    if text(value) not in ("true", "false"):
        raise ValueError(f"{shown(value)} is neither; write true or false.")
    return bool(value == "true")


def _count(value: Any) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text(value)) or not 1 <= int(value) <= 20:
        raise ValueError(f"{shown(value)} is not a count; write a whole number from 1 to 20.")
    return int(value)


def _duration(value: Any) -> str:
    durations.parse(text(value))
    return str(value)


def _line(value: Any) -> str:
    if not 1 <= len(text(value)) <= 80 or not value.isprintable() or value != value.strip():
        raise ValueError(
            f"{shown(value)} is not a name; write 1 to 80 characters on one line, without spaces at the ends."
        )
    return str(value)


def _word(value: Any) -> str:
    if not re.fullmatch(WORD, text(value)):
        raise ValueError(f"{shown(value)} is not a name; use lower-case letters, digits and hyphens.")
    return str(value)


def _header_name(value: Any) -> str:
    if not headers.NAME.fullmatch(text(value)):
        raise ValueError(f"{shown(value)} is not the name of a header; write one like X-Team.")
    if headers.ours(value):
        raise ValueError(f"{shown(value)} is set by Countersign itself; remove it.")
    if headers.secret(value):
        raise ValueError(
            f"{shown(value)} would hold a secret, and this file holds none; remove it, and name credentials instead."
        )
    return str(value)


def _header_value(value: Any) -> str:
    if not headers.VALUE.fullmatch(text(value)):
        raise ValueError(f"{shown(value)} cannot stand in a header; write 1 to 500 plain characters on one line.")
    return str(value)


def _template(value: Any) -> str:
    if found := template.faults(text(value)):
        told = "; ".join(
            f"line {each.line}, column {each.column} of the template: {each.sentence}" for each in found[:5]
        )
        raise ValueError(f"{told}.")
    return str(value)


def _ref(value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,199}", text(value)):
        raise ValueError(f"{shown(value)} is not a branch or tag; write one like main.")
    return str(value)


def _user(value: Any) -> str:
    if USER_ID.fullmatch(text(value)):
        return str(value)
    if EMAIL.fullmatch(value) and len(value) <= 254:
        return str(value).lower()
    if GROUP_ID.fullmatch(value) or value.startswith("@"):
        raise ValueError(f"{shown(value)} is not a person; write an e-mail or a user id here, and groups under groups.")
    raise ValueError(
        f"{shown(value)} is not a person; write an e-mail like ana@example.com or a Slack user id like U024BE7LH."
    )


def _group(value: Any) -> str:
    if GROUP_ID.fullmatch(text(value)):
        return str(value)
    if HANDLE.fullmatch(value) and not USER_ID.fullmatch(value):
        return str(value).removeprefix("@").lower()
    if USER_ID.fullmatch(value) or EMAIL.fullmatch(value):
        raise ValueError(f"{shown(value)} is a person; list persons under users.")
    raise ValueError(
        f"{shown(value)} is not a group; write a handle like payments-dev or a Slack group id like S0614TZR7."
    )


def _channel(value: Any) -> str:
    if not CHANNEL_ID.fullmatch(text(value)) and not CHANNEL_NAME.fullmatch(value):
        raise ValueError(
            f'{shown(value)} is not a channel; write its id like C024BE91L, or its name in quotes like "#approvals".'
        )
    return str(value)


def _email(value: Any) -> str:
    if not EMAIL.fullmatch(text(value)) or len(value) > 254:
        raise ValueError(f"{shown(value)} is not an e-mail address; write one like security@example.com.")
    return str(value)


def _glob(value: Any) -> str:
    if not _GLOB.fullmatch(text(value)):
        raise ValueError(
            f"{shown(value)} matches no target; write one like payments/prod, payments/*, payments/prod#api or role:aws-admin "
            "(* never crosses / : #)."
        )
    return str(value)


def _environment(value: Any) -> str:
    if not _ENVIRONMENT.fullmatch(text(value)):
        raise ValueError(f"{shown(value)} is not an environment; write one like countersign/connectors.")
    return str(value)


def _pattern(value: Any) -> str:
    return patterns.check(text(value))


def _outside_group(value: Any) -> str:
    if not 1 <= len(text(value)) <= 200 or not value.isprintable() or value != value.strip():
        raise ValueError(f"{shown(value)} is not the name of a group; write 1 to 200 characters on one line.")
    return str(value)


def _private(value: Any) -> str:
    if not HOST_AND_PORT.fullmatch(text(value)) or not 0 < int(value.rpartition(":")[2]) < 65536:
        raise ValueError(f'{shown(value)} is not a host and port; write one like "127.0.0.1:9000".')
    return str(value)


def _week(value: Any) -> str:
    moments.parse_week(text(value))
    return str(value)


def _moment(value: Any) -> str:
    moments.parse_moment(text(value))
    return str(value)


def _zone(value: Any) -> str:
    return moments.check_zone(text(value))


def _url(value: Any) -> str:
    parts = split(text(value))
    if (
        parts is None
        or parts.scheme not in ("https", "http")
        or not parts.hostname
        or not value.isascii()
        or " " in value
    ):
        raise ValueError(f"{shown(value)} is not a URL; write one like https://deploy.example.com/hooks/api.")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL holds a user name or password; keep credentials out of this file.")
    if parts.fragment:
        raise ValueError("the URL has a # part, which is never sent; remove it.")
    return str(value)


def split(url: str) -> SplitResult | None:
    """None where it is no URL."""
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def host_and_port(url: str) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{parts.port or (80 if parts.scheme == 'http' else 443)}"


def on_a_private_address(url: str) -> bool:
    """As far as the text tells: the address is looked at again whenever something is sent."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        odd = host.rpartition(".")[2].startswith(
            tuple("0123456789")
        )  # 2130706433 and 0x7f.1 are 127.0.0.1 to many a resolver
        return odd or host == "localhost" or host.endswith((".localhost", ".internal", ".local"))
    return not address.is_global


def _schema(pattern: str | None = None, **more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **({"pattern": f"^(?:{pattern})$"} if pattern else {}), **more})


Version = Annotated[int, BeforeValidator(_version), WithJsonSchema({"const": 1})]
Switch = Annotated[bool, BeforeValidator(_switch)]
Count = Annotated[int, BeforeValidator(_count), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": 20})]
Duration = Annotated[str, BeforeValidator(_duration), _schema("[0-9]+h(?:[0-5]?[0-9]m)?|[0-9]+m|[0-9]+s")]
Week = Annotated[str, BeforeValidator(_week), _schema(moments.WEEK)]
Moment = Annotated[str, BeforeValidator(_moment), _schema(moments.MOMENT)]
Zone = Annotated[str, BeforeValidator(_zone), _schema(minLength=1, maxLength=60)]
Line = Annotated[str, BeforeValidator(_line), _schema(minLength=1, maxLength=80)]
Word = Annotated[str, BeforeValidator(_word), _schema(WORD)]
User = Annotated[str, BeforeValidator(_user), _schema(rf"{USER_ID.pattern}|[^@\s]+@[^@\s]+\.[A-Za-z]+")]
UserGroup = Annotated[str, BeforeValidator(_group), _schema(rf"{GROUP_ID.pattern}|@?[^@\s#]+")]
Channel = Annotated[str, BeforeValidator(_channel), _schema(rf"{CHANNEL_ID.pattern}|#[^\s#]+")]
Email = Annotated[str, BeforeValidator(_email), _schema(r"[^@\s]+@[^@\s]+\.[A-Za-z]+")]
Glob = Annotated[str, BeforeValidator(_glob), _schema(_GLOB.pattern.replace(r"\#", "#"))]
Environment = Annotated[str, BeforeValidator(_environment), _schema(_ENVIRONMENT.pattern)]
Pattern = Annotated[str, BeforeValidator(_pattern), _schema(format="regex", minLength=1, maxLength=patterns.LONGEST)]
OutsideGroup = Annotated[str, BeforeValidator(_outside_group), _schema(minLength=1, maxLength=200)]
HostAndPort = Annotated[str, BeforeValidator(_private), _schema(HOST_AND_PORT.pattern)]
Url = Annotated[str, BeforeValidator(_url), _schema(r"https?://[^\s#@]+", format="uri")]
HeaderName = Annotated[str, BeforeValidator(_header_name), _schema(minLength=1, maxLength=100)]
HeaderValue = Annotated[str, BeforeValidator(_header_value), _schema(minLength=1, maxLength=500)]
Template = Annotated[str, BeforeValidator(_template), _schema(minLength=1, maxLength=template.LONGEST)]
Ref = Annotated[str, BeforeValidator(_ref), _schema("[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")]
