"""SCIM 2.0 on the wire: questions, records and faults of one server. RFC 7643 and 7644."""

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urlencode

from scheduler.connectors.contract import Refused
from scheduler.connectors.outgoing import Answer, Outgoing
from store.model.errors import Invalid, Unavailable
from store.model.secret import Secret

MEDIA_TYPE: Final = "application/scim+json"
PATCH_SCHEMA: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
MOST_BYTES: Final = 1024 * 1024  # a group of some five thousand members
PAGE: Final = 100
MOST_PAGES: Final = 20  # a filtered question has one answer; this much is read from a server that ignores filters

_TOKEN: Final = re.compile(r"[!-~]+", re.ASCII)

Token = Secret | Callable[[], Awaitable[Secret]]
Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    """`names`: every address it goes by, in lower case. `account`: its primary address, else its user name."""

    id: str
    account: str
    names: frozenset[str]
    active: bool

    @classmethod
    def of(cls, record: Record) -> "User":
        """Raises `KeyError`, `TypeError` or `AttributeError` for what is no user."""
        emails = [(e["value"].lower(), bool(e.get("primary"))) for e in record.get("emails") or ()]
        primary = sorted(emails, key=lambda email: not email[1])
        user_name = record["userName"].lower()
        account = primary[0][0] if primary else user_name
        names = frozenset({user_name, *(value for value, _ in emails)})
        return cls(_text(record["id"]), account, names, record.get("active") is not False)


@dataclass(frozen=True, slots=True)
class Group:
    """`members`: ids, and whether each is a person (a group may be a member, too). `etag`: None where none is given."""

    id: str
    name: str
    members: Mapping[str, bool]
    etag: str | None

    @classmethod
    def of(cls, record: Record, etag: str | None) -> "Group":
        """Raises `KeyError`, `TypeError` or `AttributeError` for what is no group."""
        members = {_text(m["value"]): m.get("type", "User") != "Group" for m in record.get("members") or ()}
        version = etag or (record.get("meta") or {}).get("version")
        return cls(_text(record["id"]), str(record.get("displayName")), members, _text(version) if version else None)


class ScimWire:
    """One server. `name` is what sentences call it. The token is fetched anew for each request.

    Every method raises `Unavailable` or `Refused`.
    """

    def __init__(self, name: str, base_url: str, token: Token, outgoing: Outgoing) -> None:
        outgoing.check_url(base_url)
        if "?" in base_url or "#" in base_url:
            raise Invalid("The address of a SCIM server has neither ? nor #.", code="bad_url")
        self.name = name
        self._base = base_url.rstrip("/")
        self._token = token
        self._outgoing = outgoing

    async def group(self, group_id: str) -> Group | None:
        answer = await self._ask("GET", f"/Groups/{quote(group_id, safe='')}")
        if answer.status == 404:
            return None
        try:
            group = Group.of(self._record(answer), answer.headers.get("etag"))
        except (KeyError, TypeError, AttributeError):
            raise self._nonsense() from None
        if group.id != group_id:
            raise self._nonsense()
        return group

    async def user(self, user_id: str) -> User | None:
        answer = await self._ask("GET", f"/Users/{quote(user_id, safe='')}", {"attributes": "userName,emails,active"})
        return None if answer.status == 404 else self._user(self._record(answer))

    async def groups_named(self, name: str) -> list[Group]:
        found = await self._search("/Groups", "displayName", name, {"excludedAttributes": "members"})
        try:
            groups = [Group.of(record, None) for record in found]
        except (KeyError, TypeError, AttributeError):
            raise self._nonsense() from None
        return [group for group in groups if group.name.casefold() == name.casefold()]

    async def users_named(self, attribute: str, account: str) -> list[User]:
        """`attribute`: userName or emails.value. What a server that ignores filters adds is left out again."""
        found = await self._search("/Users", attribute, account, {"attributes": "userName,emails,active"})
        return [user for user in map(self._user, found) if account.lower() in user.names]

    async def patch_members(self, group: Group, operation: Mapping[str, Any]) -> Answer:
        """Any status that is not a fault of the server or of our token comes back: 204, 400, 404, 409, 412."""
        body = {"schemas": [PATCH_SCHEMA], "Operations": [operation]}
        return await self._ask("PATCH", f"/Groups/{quote(group.id, safe='')}", body=body, etag=group.etag)

    async def supports_patch(self) -> bool:
        """False only where the server says so; many have no such page."""
        answer = await self._ask("GET", "/ServiceProviderConfig")
        if answer.status == 404:
            return True
        patch = self._record(answer).get("patch")
        return not (isinstance(patch, dict) and patch.get("supported") is False)

    async def list_groups(self) -> None:
        self._record(await self._ask("GET", "/Groups", {"count": "1", "excludedAttributes": "members"}))

    async def _search(self, path: str, attribute: str, value: str, extra: Mapping[str, str]) -> list[Record]:
        # A string in a filter is written as in JSON (RFC 7644, 3.4.2.2), so nothing in it can end it early.
        expression = f"{attribute} eq {json.dumps(value)}"
        found: list[Record] = []
        start = 1
        for _ in range(MOST_PAGES):
            query = {"filter": expression, "startIndex": str(start), "count": str(PAGE), **extra}
            page = self._record(await self._ask("GET", path, query))
            records, total = page.get("Resources") or [], page.get("totalResults")
            if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
                raise self._nonsense()
            found += records
            start += len(records)
            if not records or not isinstance(total, int) or start > total:
                return found
        raise Refused(f"{self.name} answers a question for one name with thousands of records.", code="ignores_filters")

    async def _ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        body: Mapping[str, Any] | None = None,
        etag: str | None = None,
    ) -> Answer:
        headers = {
            "Accept": f"{MEDIA_TYPE}, application/json",
            "Authorization": f"Bearer {await self._bearer()}",
            "Cache-Control": "no-cache",
        }
        if body is not None:
            headers["Content-Type"] = MEDIA_TYPE
        if etag is not None:
            headers["If-Match"] = etag
        answer = await self._outgoing.request(
            method,
            f"{self._base}{path}?{urlencode(query, quote_via=quote)}" if query else f"{self._base}{path}",
            headers=headers,
            body=None if body is None else json.dumps(body).encode(),
            most=MOST_BYTES,
        )
        self._raise_faults(answer)
        return answer

    def _raise_faults(self, answer: Answer) -> None:
        status, pause = answer.status, answer.retry_after_ms()
        match status:
            case 401:
                raise Refused(f"{self.name} does not accept our token. Has it expired?", code="bad_credentials")
            case 403:
                raise Refused(f"{self.name} accepts our token, but it may not do this.", code="not_permitted")
            case 429:
                raise Unavailable(f"{self.name} asks us to slow down.", code="too_many", retry_after_ms=pause)
            case 501 | 405:
                raise Refused(f"{self.name} cannot do this (it answered {status}).", code="not_supported")
            case _ if status >= 500 or status in (408, 425):
                sentence = f"{self.name} has a fault of its own (it answered {status})."
                raise Unavailable(sentence, code="outside_fault", retry_after_ms=pause)
            case _ if 300 <= status < 400:
                raise Refused(f"{self.name} redirects us, and redirects are not followed.", code="redirected")

    def _record(self, answer: Answer) -> Record:
        if answer.status >= 300:
            raise Refused(f"{self.name} did not understand us (it answered {answer.status}).", code="not_understood")
        if answer.fault == "too_large":
            raise Refused(f"{self.name} answered with more than {MOST_BYTES // 1024} KiB.", code="too_large")
        try:
            record = json.loads(answer.body) if answer.fault is None else None
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict):
            raise self._nonsense()
        return record

    def _user(self, record: Record) -> User:
        try:
            return User.of(record)
        except (KeyError, TypeError, AttributeError):
            raise self._nonsense() from None

    def _nonsense(self) -> Unavailable:
        return Unavailable(f"{self.name} answered with something that is not SCIM.", code="malformed")

    async def _bearer(self) -> str:
        secret = self._token if isinstance(self._token, Secret) else await self._token()
        token = secret.reveal().strip().decode(errors="replace")
        if not _TOKEN.fullmatch(token):
            raise Refused(
                f"The token for {self.name} is empty, or holds what no token can hold.", code="bad_credentials"
            )
        return token


def member_path(user_id: str) -> str:
    """The filter that removes this one: without it a PATCH removes everybody."""
    if not user_id:
        raise ValueError("a member without an id")
    return f"members[value eq {json.dumps(user_id)}]"


def values(ids: Sequence[str]) -> list[dict[str, str]]:
    return [{"value": each} for each in ids]


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    return value
