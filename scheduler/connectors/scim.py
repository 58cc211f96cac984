"""Memberships in groups of a SCIM 2.0 server: looked up, changed by one, read back."""

import asyncio
from collections.abc import Set as AbstractSet
from typing import Final
from weakref import WeakValueDictionary

from scheduler.connectors.contract import Quarantined, Refused
from scheduler.connectors.outgoing import Answer, Outgoing
from scheduler.connectors.scim_wire import Group, ScimWire, Token, User, member_path, values
from store.model.errors import AccessError, Unavailable
from store.model.identity import shown

BY_ID: Final = "id:"
ATTEMPTS: Final = 3  # to write between two changes by others
READERS: Final = 8  # members looked up at the same time
LOOK: Final = "Somebody should look at that group and at that server before anything else is done there."
MAY_HAVE_HAPPENED: Final = frozenset({"timeout", "broken_off", "outside_fault"})


class ScimGroups:
    """A `Connector`. A group is its display name, or `id:` and its id, which survives renaming and has no namesakes.

    A person is found by `userName`, else by e-mail address. `base_url` ends before `/Groups`. Raises `Invalid` for a
    base URL that cannot be used.
    """

    def __init__(self, base_url: str, token: Token, outgoing: Outgoing, *, name: str = "The SCIM server") -> None:
        self._wire = ScimWire(name, base_url, token, outgoing)
        self._name = name
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def has(self, group: str, account: str) -> bool:
        found = await self._group(group)
        user = await self._find(account)
        if user is not None:
            return user.id in found.members
        # The search knows nobody, but a search may lag behind: ask the members themselves, by id.
        people = await self._people(found)
        if any(person is not None and account.lower() in person.names for person in people.values()):
            return True
        if None in people.values():
            raise Refused(
                f"{self._name} knows no {shown(account)}, but somebody it does not describe is in {shown(group)}.",
                code="unknown_account",
            )
        return False

    async def members(self, group: str, known: AbstractSet[str] = frozenset()) -> frozenset[str]:
        """Groups that are members, and members without a record, are nobody's account and left out."""
        wanted = {account.lower() for account in known}
        accounts: set[str] = set()
        for person in (await self._people(await self._group(group))).values():
            if person is not None:
                accounts |= (person.names & wanted) or {person.account}
        return frozenset(accounts)

    async def check(self, group: str | None = None) -> None:
        await self._wire.list_groups()
        if not await self._wire.supports_patch():
            raise Refused(f"{self._name} says it cannot change a group by PATCH.", code="not_supported")
        if group is not None:
            await self._group(group)

    async def add(self, group: str, account: str) -> None:
        async with self._turn(group):
            before = await self._group(group)
            user = await self._find(account)
            if user is None:
                raise Refused(f"{self._name} knows no {shown(account)}.", code="unknown_account")
            if not user.active:
                raise Refused(f"{shown(account)} is deactivated in {self._name}.", code="inactive_account")
            await self._change(group, before, user, present=True)

    async def remove(self, group: str, account: str) -> None:
        async with self._turn(group):
            before = await self._group(group)
            user = await self._find(account) or await self._find_member(before, account)
            if user is not None:
                await self._change(group, before, user, present=False)

    async def _change(self, group: str, before: Group, user: User, *, present: bool) -> None:
        fault: AccessError | None = None
        patched: Answer | None = None
        for _ in range(ATTEMPTS):
            # Somebody who reads as absent is removed all the same: the read may be older than the membership.
            if present and user.id in before.members:
                return
            try:
                patched = await self._patch(before, user, present=present)
            except Unavailable as unknown:
                if unknown.detail not in MAY_HAVE_HAPPENED:
                    raise
                fault = unknown
                break
            if patched.status not in (409, 412):
                break
            before = await self._group(f"{BY_ID}{before.id}")
        else:
            raise Unavailable(
                f"{shown(group)} in {self._name} is being changed by others all the time.", code="contended"
            )
        if patched is not None and patched.status >= 400:
            sentence = f"{self._name} does not change {shown(group)} as asked (it answered {patched.status})."
            fault = Refused(sentence, code="not_understood")
        after = await self._group(f"{BY_ID}{before.id}")
        await self._guard(group, before, after, user, patched)
        if (user.id in after.members) != present:
            raise fault or Unavailable(
                f"{self._name} said yes, but {shown(group)} does not show the change yet.", code="not_seen"
            )

    async def _patch(self, group: Group, user: User, *, present: bool) -> Answer:
        if present:
            return await self._wire.patch_members(group, {"op": "add", "path": "members", "value": values([user.id])})
        return await self._wire.patch_members(group, {"op": "remove", "path": member_path(user.id)})

    async def _guard(self, group: str, before: Group, after: Group, user: User, patched: Answer | None) -> None:
        """Raises `Quarantined` when somebody else came or went by our write.

        Where entity tags prove that another writer came between our write and our read, one other member more or less
        is taken for his doing. Without such proof it is taken for ours: better an alarm too many.
        """
        lost = before.members.keys() - after.members.keys() - {user.id}
        gained = after.members.keys() - before.members.keys() - {user.id}
        written = patched.headers.get("etag") if patched is not None else None
        tagged = written is not None and after.etag is not None
        if tagged and written != after.etag and len(lost) <= 1:
            return
        if lost:
            back = await self._put_back(after, sorted(lost)) if not tagged or written == after.etag else 0
            raise Quarantined(
                f"Asked to change one member of {shown(group)}, {self._name} removed others, too: {len(lost)} were lost, "
                f"{back} of them are back. {LOOK}"
            )
        if gained and tagged:
            raise Quarantined(
                f"Asked to change one member of {shown(group)}, {self._name} let others in, too: {len(gained)}. {LOOK}"
            )

    async def _put_back(self, group: Group, ids: list[str]) -> int:
        """How many of `ids` are seen in the group again."""
        try:
            await self._wire.patch_members(group, {"op": "add", "path": "members", "value": values(ids)})
            now = await self._group(f"{BY_ID}{group.id}")
        except AccessError:
            return 0
        return sum(each in now.members for each in ids)

    async def _group(self, name: str) -> Group:
        """Raises `Refused` where there is none, or more than one. A missing group is never an empty one."""
        group_id = name.removeprefix(BY_ID)
        if not name.startswith(BY_ID):
            found = await self._wire.groups_named(name)
            if len(found) > 1:
                raise Refused(
                    f"{self._name} has several groups called {shown(name)}. Name the one by its id, as in id:1a2b3c.",
                    code="ambiguous_group",
                )
            group_id = found[0].id if found else ""
        group = await self._wire.group(group_id) if group_id else None
        if group is None:
            raise Refused(f"{self._name} has no group {shown(name)}.", code="unknown_group")
        return group

    async def _find(self, account: str) -> User | None:
        for attribute in ("userName", "emails.value"):
            try:
                found = await self._wire.users_named(attribute, account)
            except Refused as refusal:
                if refusal.detail == "not_understood" and attribute == "emails.value":
                    return None  # an optional filter
                raise
            if len({user.id for user in found}) > 1:
                raise Refused(f"{self._name} knows several people as {shown(account)}.", code="ambiguous_account")
            if found:
                return found[0]
        return None

    async def _find_member(self, group: Group, account: str) -> User | None:
        people = await self._people(group)
        return next((each for each in people.values() if each is not None and account.lower() in each.names), None)

    async def _people(self, group: Group) -> dict[str, User | None]:
        """By id; None for a member without a record."""
        gate = asyncio.Semaphore(READERS)

        async def read(user_id: str) -> User | None:
            async with gate:
                return await self._wire.user(user_id)

        ids = [each for each, is_person in group.members.items() if is_person]
        results = await asyncio.gather(*map(read, ids), return_exceptions=True)
        people: dict[str, User | None] = {}
        for user_id, result in zip(ids, results, strict=True):
            if isinstance(result, BaseException):
                raise result
            people[user_id] = result
        return people

    def _turn(self, group: str) -> asyncio.Lock:
        """One write to a group at a time, or the member whom one call removes looks like one lost by the other."""
        lock = self._turns.get(group)
        if lock is None:
            lock = self._turns[group] = asyncio.Lock()
        return lock
