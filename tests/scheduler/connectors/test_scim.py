import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from aiohttp import web

from scheduler.connectors.contract import Connector, Quarantined, Refused
from scheduler.connectors.outgoing import Outgoing
from scheduler.connectors.scim import ScimGroups
from scheduler.connectors.scim_wire import MOST_BYTES, member_path
from store.model.errors import AccessError, Invalid, Unavailable
from store.model.secret import Secret
from tests.scheduler.connectors.conftest import Handler, Serve
from tests.scheduler.connectors.scim_servers import (
    TOKEN,
    EmptiesForGood,
    Failing,
    FailingAfterEffect,
    FakeScim,
    LetsOthersIn,
    LyingYes,
    RealScim,
    RemovesEverybody,
    SilentAfterEffect,
    StaleRead,
    Vanished,
    real_scim,
)

ANA, BEN, CLEO = "ana@example.com", "ben@example.com", "cleo@example.com"
GROUP = "aws-admins"

To = Callable[[FakeScim], Awaitable[Connector]]


@pytest.fixture
def real() -> Iterator[RealScim]:
    with real_scim() as server:
        yield server


@pytest.fixture
async def outgoing() -> AsyncIterator[Outgoing]:
    async with Outgoing(allow=["127.0.0.0/8"], total_ms=1_000) as client:
        yield client


@pytest.fixture
def okta(real: RealScim, outgoing: Outgoing) -> Connector:
    return ScimGroups(real.url, Secret(TOKEN.encode()), outgoing, name="okta")


@pytest.fixture
def to(serve: Serve, outgoing: Outgoing) -> To:
    async def connect(server: FakeScim) -> Connector:
        url = await serve(server.handle)
        return ScimGroups(f"{url}/scim/v2/", Secret(TOKEN.encode()), outgoing, name="okta")

    return connect


async def refused_by(handler: Handler, serve: Serve, outgoing: Outgoing) -> AccessError:
    connector = ScimGroups(await serve(handler), Secret(TOKEN.encode()), outgoing, name="okta")
    with pytest.raises((Refused, Unavailable)) as fault:
        await connector.has(GROUP, ANA)
    assert TOKEN not in fault.value.sentence
    return fault.value


# The real server


async def test_a_person_enters_and_leaves_a_group(real: RealScim, okta: Connector) -> None:
    ana, ben = real.user(ANA), real.user(BEN)
    group = real.group(GROUP, ben)
    assert not await okta.has(GROUP, ANA)
    await okta.add(GROUP, ANA)
    assert real.members_of(group) == {ana, ben}
    assert await okta.has(GROUP, ANA)
    assert await okta.members(GROUP) == {ANA, BEN}
    await okta.remove(GROUP, ANA)
    assert real.members_of(group) == {ben}
    assert not await okta.has(GROUP, ANA)


async def test_twice_is_no_error(real: RealScim, okta: Connector) -> None:
    ana = real.user(ANA)
    group = real.group(GROUP)
    for _ in range(2):
        await okta.add(GROUP, ANA)
        assert real.members_of(group) == {ana}
    for _ in range(2):
        await okta.remove(GROUP, ANA)
        assert real.members_of(group) == set()


async def test_an_account_s_case_does_not_matter(real: RealScim, okta: Connector) -> None:
    real.user("Ana@Example.com")
    real.group("AWS-Admins")
    await okta.add(GROUP, "aNA@example.COM")
    assert await okta.has(GROUP, ANA)
    assert await okta.members(GROUP) == {ANA}


async def test_a_person_is_found_by_an_address_where_the_user_name_is_something_else(
    real: RealScim, okta: Connector
) -> None:
    real.user("u100", "ana.maria@example.com", "ana+work@example.com")
    real.group(GROUP)
    await okta.add(GROUP, "ana+work@example.com")
    assert await okta.members(GROUP) == {"ana.maria@example.com"}
    assert await okta.members(GROUP, frozenset({"Ana+Work@example.com", BEN})) == {"ana+work@example.com"}


@pytest.mark.parametrize(
    "name", ['say "hi"', "back\\slash", '" or displayName pr or "', "a&b=c?d#e+f %20", "Ünï 中 👍", "tab\tline\n"]
)
async def test_no_name_breaks_out_of_its_filter(real: RealScim, okta: Connector, name: str) -> None:
    ana = real.user(ANA)
    real.group("other")
    group = real.group(name)
    await okta.add(name, ANA)
    assert real.members_of(group) == {ana}
    with pytest.raises(Refused, match="knows no"):
        await okta.add(name, '" or userName pr or "')


async def test_a_group_may_be_named_by_its_id(real: RealScim, okta: Connector) -> None:
    ana = real.user(ANA)
    first, second = real.group("twins"), real.group("twins")
    with pytest.raises(Refused, match="several groups"):
        await okta.add("twins", ANA)
    await okta.add(f"id:{second}", ANA)
    assert (real.members_of(first), real.members_of(second)) == (set(), {ana})
    with pytest.raises(Refused, match="has no group"):
        await okta.add("id:../Users", ANA)


async def test_the_unknown_and_the_deactivated_need_a_person(real: RealScim, okta: Connector) -> None:
    real.user(BEN, active=False)
    real.group(GROUP)
    with pytest.raises(Refused, match=r"knows no “ana@example\.com”"):
        await okta.add(GROUP, ANA)
    assert not await okta.has(GROUP, ANA)
    await okta.remove(GROUP, ANA)
    with pytest.raises(Refused, match="deactivated"):
        await okta.add(GROUP, BEN)
    for act in (okta.has, okta.add, okta.remove):
        with pytest.raises(Refused, match="has no group"):
            await act("nowhere", BEN)


async def test_one_of_several_people_of_one_address_is_not_guessed(real: RealScim, okta: Connector) -> None:
    real.user("u1", ANA)
    real.user("u2", ANA)
    real.group(GROUP)
    with pytest.raises(Refused, match="several people"):
        await okta.add(GROUP, ANA)


async def test_twenty_at_once_all_enter_and_all_leave(real: RealScim, okta: Connector) -> None:
    ids = {real.user(f"p{n}@example.com") for n in range(20)}
    group = real.group(GROUP)
    await asyncio.gather(*(okta.add(GROUP, f"p{n}@example.com") for n in range(20)))
    assert real.members_of(group) == ids
    await asyncio.gather(*(okta.remove(GROUP, f"p{n}@example.com") for n in range(20)))
    assert real.members_of(group) == set()


async def test_doctor_s_check(real: RealScim, okta: Connector, outgoing: Outgoing) -> None:
    real.group(GROUP)
    await okta.check()
    await okta.check(GROUP)
    with pytest.raises(Refused, match="has no group"):
        await okta.check("nowhere")
    with pytest.raises(Refused, match="does not accept our token"):
        await ScimGroups(real.url, Secret(b"wrong"), outgoing).check()


async def test_the_token_is_fetched_for_each_request(real: RealScim, outgoing: Outgoing) -> None:
    real.group(GROUP)
    current = [b"expired"]

    async def token() -> Secret:
        return Secret(current[0])

    connector = ScimGroups(real.url, token, outgoing)
    with pytest.raises(Refused, match="does not accept our token"):
        await connector.check(GROUP)
    current[0] = TOKEN.encode() + b"\n"
    await connector.check(GROUP)


@pytest.mark.parametrize("token", [b"", b" \n", b"two words", b"line\r\nX: y", "ümlaut".encode(), b"\xff"])
async def test_a_token_that_is_none_is_refused_without_showing_it(
    real: RealScim, outgoing: Outgoing, token: bytes
) -> None:
    with pytest.raises(Refused, match="no token can hold") as fault:
        await ScimGroups(real.url, Secret(token), outgoing).check()
    assert "words" not in fault.value.sentence


@pytest.mark.parametrize(
    "url",
    ["http://example.com/scim", "https://10.0.0.1/", "https://example.com/scim?x=1", "https://u:p@example.com/", ""],
)
def test_a_base_url_is_judged_when_it_is_configured(url: str) -> None:
    with pytest.raises(Invalid):
        ScimGroups(url, Secret(b"t"), Outgoing())


# Servers that lie


async def test_a_yes_that_changes_nothing_is_no_yes(to: To) -> None:
    server = LyingYes()
    connector = await to(server)
    with pytest.raises(Unavailable, match="does not show the change yet") as fault:
        await connector.add(GROUP, ANA)
    assert fault.value.detail == "not_seen"
    assert not await connector.has(GROUP, ANA)
    server.members = ["u-ben"]
    with pytest.raises(Unavailable, match="does not show the change yet"):
        await connector.remove(GROUP, BEN)
    assert await connector.has(GROUP, BEN)


@pytest.mark.parametrize("etags", [True, False])
async def test_everybody_who_was_removed_is_put_back_and_the_group_is_quarantined(to: To, *, etags: bool) -> None:
    server = RemovesEverybody()
    server.etags = etags
    server.members = ["u-ben", "u-cleo", "u-dan"]
    connector = await to(server)
    with pytest.raises(Quarantined, match="3 were lost, 3 of them are back"):
        await connector.add(GROUP, ANA)
    assert set(server.members) >= {"u-ben", "u-cleo", "u-dan"}
    server.members = ["u-ben", "u-cleo", "u-dan"]
    with pytest.raises(Quarantined, match="2 were lost, 2 of them are back"):
        await connector.remove(GROUP, BEN)
    assert set(server.members) == {"u-cleo", "u-dan"}


async def test_what_cannot_be_put_back_is_said(to: To) -> None:
    server = EmptiesForGood()
    server.members = ["u-ben", "u-cleo"]
    with pytest.raises(Quarantined, match="2 were lost, 0 of them are back"):
        await (await to(server)).add(GROUP, ANA)


async def test_others_let_in_by_our_write_quarantine_the_group(to: To) -> None:
    with pytest.raises(Quarantined, match="let others in"):
        await (await to(LetsOthersIn())).add(GROUP, ANA)


@pytest.mark.parametrize("etags", [True, False])
async def test_a_late_read_confirms_nothing_until_it_catches_up(to: To, *, etags: bool) -> None:
    server = StaleRead()
    server.etags = etags
    connector = await to(server)
    for _ in range(3):
        with pytest.raises(Unavailable):
            await connector.add(GROUP, ANA)
        assert not await connector.has(GROUP, ANA)
    assert server.members == ["u-ana"]
    server.catch_up()
    assert await connector.has(GROUP, ANA)
    await connector.add(GROUP, ANA)
    with pytest.raises(Unavailable):
        await connector.remove(GROUP, ANA)
    assert await connector.has(GROUP, ANA)
    server.catch_up()
    await connector.remove(GROUP, ANA)
    assert not await connector.has(GROUP, ANA)


async def test_a_late_read_of_absence_does_not_keep_the_removal_from_being_sent(to: To) -> None:
    server = StaleRead()
    server.etags = False
    connector = await to(server)
    server.members = ["u-ana"]  # reads still show nobody
    await connector.remove(GROUP, ANA)
    assert server.members == []


async def test_silence_after_the_effect_is_settled_by_reading(serve: Serve) -> None:
    server = SilentAfterEffect()
    url = await serve(server.handle)
    async with Outgoing(allow=["127.0.0.0/8"], total_ms=300) as outgoing:
        connector = ScimGroups(f"{url}/scim/v2", Secret(TOKEN.encode()), outgoing)
        await connector.add(GROUP, ANA)
        assert server.members == ["u-ana"]
        await connector.remove(GROUP, ANA)
        assert server.members == []


async def test_a_fault_after_the_effect_is_settled_by_reading(to: To) -> None:
    server = FailingAfterEffect()
    connector = await to(server)
    await connector.add(GROUP, ANA)
    await connector.remove(GROUP, ANA)
    assert server.patches == 2


async def test_a_fault_after_removing_everybody_is_not_overlooked(to: To) -> None:
    class Both(FailingAfterEffect, RemovesEverybody):
        pass

    server = Both()
    server.members = ["u-ben", "u-cleo"]
    with pytest.raises(Quarantined, match="2 were lost"):
        await (await to(server)).add(GROUP, ANA)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
async def test_a_long_fault_is_waited_for_and_heals(to: To, status: int) -> None:
    server = Failing()
    server.status = status
    connector = await to(server)
    for act in (connector.add, connector.remove, connector.has) * 3:
        with pytest.raises(Unavailable) as fault:
            await act(GROUP, ANA)
        assert TOKEN not in fault.value.sentence
        assert fault.value.retry_after_ms == 17_000
    server.status = None
    await connector.add(GROUP, ANA)
    assert await connector.has(GROUP, ANA)


async def test_a_group_that_is_not_found_is_never_an_empty_group(to: To) -> None:
    server = Vanished()
    server.members = ["u-ana"]
    connector = await to(server)
    for act in (connector.has, connector.add, connector.remove):
        with pytest.raises(Refused, match="has no group"):
            await act(GROUP, ANA)
    with pytest.raises(Refused, match="has no group"):
        await connector.members(GROUP)
    server.gone = False
    await connector.remove(GROUP, ANA)
    assert not await connector.has(GROUP, ANA)


async def test_a_search_that_lost_a_person_does_not_make_a_member_absent(to: To) -> None:
    class Forgetful(FakeScim):
        def listing(
            self, request: web.Request, records: list[dict[str, object]], attributes: tuple[str, ...]
        ) -> web.Response:
            return super().listing(request, [] if attributes[0] == "userName" else records, attributes)

    server = Forgetful()
    server.members = ["u-ben", "u-ana"]
    connector = await to(server)
    assert await connector.has(GROUP, ANA)
    assert not await connector.has(GROUP, CLEO)
    await connector.remove(GROUP, ANA)
    assert server.members == ["u-ben"]
    del server.users["u-ben"]
    with pytest.raises(Refused, match="does not describe"):
        await connector.has(GROUP, CLEO)


async def test_a_server_that_ignores_filters_does_not_make_the_first_person_the_right_one(to: To) -> None:
    class Deaf(FakeScim):
        def listing(
            self, request: web.Request, records: list[dict[str, object]], attributes: tuple[str, ...]
        ) -> web.Response:
            return super().listing(
                request.clone(rel_url=request.rel_url.without_query_params("filter", "count").update_query(count=2)),
                records,
                attributes,
            )

    server = Deaf()
    connector = await to(server)
    await connector.add(GROUP, CLEO)
    assert server.members == ["u-cleo"]
    with pytest.raises(Refused, match="knows no"):
        await connector.add(GROUP, "nobody@example.com")


async def test_a_change_by_others_between_read_and_write_is_read_again(to: To) -> None:
    class Busy(FakeScim):
        async def patch(self, request: web.Request) -> web.StreamResponse:
            if self.patches == 0:
                self.members, self.version = [*self.members, "u-dan"], self.version + 1
            return await super().patch(request)

    server = Busy()
    server.members = ["u-ben"]
    await (await to(server)).add(GROUP, ANA)
    assert server.members == ["u-ben", "u-dan", "u-ana"]
    assert server.patches == 2


async def test_a_group_that_never_holds_still_is_tried_again_later(to: To) -> None:
    class Restless(FakeScim):
        async def patch(self, request: web.Request) -> web.StreamResponse:
            self.version += 1
            return await super().patch(request)

    with pytest.raises(Unavailable, match="being changed by others"):
        await (await to(Restless())).add(GROUP, ANA)


async def test_one_who_is_removed_by_another_process_meanwhile_is_not_put_back(to: To) -> None:
    class Shared(FakeScim):
        async def patch(self, request: web.Request) -> web.StreamResponse:
            answer = await super().patch(request)
            self.members, self.version = [each for each in self.members if each != "u-ben"], self.version + 1
            return answer

    server = Shared()
    server.members = ["u-ben", "u-cleo"]
    await (await to(server)).add(GROUP, ANA)
    assert server.members == ["u-cleo", "u-ana"]
    assert server.patches == 1


async def test_many_who_go_at_once_are_an_alarm_even_if_others_wrote(to: To) -> None:
    class Emptied(FakeScim):
        async def patch(self, request: web.Request) -> web.StreamResponse:
            answer = await super().patch(request)
            self.members, self.version = ["u-ana"], self.version + 1
            return answer

    server = Emptied()
    server.members = ["u-ben", "u-cleo"]
    with pytest.raises(Quarantined, match="2 were lost, 0 of them are back"):
        await (await to(server)).add(GROUP, ANA)
    assert server.patches == 1  # nobody was put back: whoever wrote last may have meant it: a person decides


async def test_two_processes_and_one_group_quarantine_nobody(to: To) -> None:
    server = FakeScim()
    here, there = await to(server), await to(server)

    async def until_done(act: Callable[[str, str], Awaitable[None]], account: str) -> None:
        for _ in range(50):
            try:
                return await act(GROUP, account)
            except Unavailable:
                continue
        raise AssertionError(account)

    for _ in range(5):
        await asyncio.gather(*(until_done(c.add, a) for c, a in ((here, ANA), (there, BEN), (here, CLEO))))
        assert set(server.members) == {"u-ana", "u-ben", "u-cleo"}
        await asyncio.gather(
            until_done(here.remove, ANA), until_done(there.remove, BEN), until_done(there.add, "dan@example.com")
        )
        assert set(server.members) == {"u-cleo", "u-dan"}
        server.members, server.version = [], server.version + 1


@pytest.mark.parametrize("status", [400, 404])
async def test_a_removal_that_finds_nothing_to_remove_is_done(to: To, status: int) -> None:
    class NoTarget(FakeScim):
        async def patch(self, request: web.Request) -> web.StreamResponse:
            return self.error(status)

    server = NoTarget()
    connector = await to(server)
    await connector.remove(GROUP, ANA)
    with pytest.raises(Refused, match=f"it answered {status}"):
        await connector.add(GROUP, ANA)
    server.members = ["u-ana"]
    with pytest.raises(Refused, match=f"it answered {status}"):
        await connector.remove(GROUP, ANA)


async def test_a_conflict_because_the_person_is_in_already_is_success(to: To) -> None:
    class Already(StaleRead):
        async def patch(self, request: web.Request) -> web.StreamResponse:
            self.catch_up()
            return self.error(409)

    server = Already()
    server.members = ["u-ana"]
    await (await to(server)).add(GROUP, ANA)


@pytest.mark.parametrize(
    ("status", "kind", "sentence"),
    [
        (301, Refused, "redirects"),
        (400, Refused, "did not understand"),
        (401, Refused, "does not accept our token"),
        (403, Refused, "may not do this"),
        (404, Refused, "did not understand"),
        (405, Refused, "cannot do this"),
        (501, Refused, "cannot do this"),
        (418, Refused, "did not understand"),
        (429, Unavailable, "slow down"),
        (500, Unavailable, "fault of its own"),
    ],
)
async def test_each_status_is_a_sentence(
    serve: Serve, outgoing: Outgoing, status: int, kind: type[AccessError], sentence: str
) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=TOKEN)

    fault = await refused_by(answer, serve, outgoing)
    assert type(fault) is kind
    assert sentence in fault.sentence


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>login</html>",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        b"\xff\xfe",
        b'{"totalResults": 1, "Resources": 5}',
        b'{"totalResults": 1, "Resources": ["x"]}',
        b'{"totalResults": 1, "Resources": [{}]}',
        b'{"totalResults": 1, "Resources": [{"id": 5, "displayName": "aws-admins"}]}',
        b'{"totalResults": 1, "Resources": [{"id": "", "displayName": "aws-admins"}]}',
    ],
)
async def test_nonsense_is_no_answer(serve: Serve, outgoing: Outgoing, body: bytes) -> None:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type="application/scim+json")

    fault = await refused_by(answer, serve, outgoing)
    assert fault.detail == "malformed"


@pytest.mark.parametrize("members", ['"x"', "[5]", '[{"value": 5}]', '[{"value": ""}]', "[{}]", '{"value": "u-ana"}'])
async def test_members_that_cannot_be_read_are_not_no_members(serve: Serve, outgoing: Outgoing, members: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/Groups":
            return web.json_response({"totalResults": 1, "Resources": [{"id": "g", "displayName": GROUP}]})
        return web.Response(text=f'{{"id": "g", "displayName": "{GROUP}", "members": {members}}}')

    assert (await refused_by(answer, serve, outgoing)).detail == "malformed"


async def test_another_group_than_the_one_asked_for_is_not_read(serve: Serve, outgoing: Outgoing) -> None:
    async def answer(request: web.Request) -> web.Response:
        if request.path == "/Groups":
            return web.json_response({"totalResults": 1, "Resources": [{"id": "g", "displayName": GROUP}]})
        return web.json_response({"id": "h", "displayName": GROUP})

    assert (await refused_by(answer, serve, outgoing)).detail == "malformed"


async def test_an_answer_too_large_and_a_list_without_end_are_refused(serve: Serve, outgoing: Outgoing) -> None:
    async def large(_: web.Request) -> web.Response:
        return web.Response(body=b" " * (MOST_BYTES + 1))

    async def endless(_: web.Request) -> web.Response:
        return web.json_response({"totalResults": 10**9, "Resources": [{"id": "x", "displayName": "y"}] * 100})

    assert (await refused_by(large, serve, outgoing)).detail == "too_large"
    assert (await refused_by(endless, serve, outgoing)).detail == "ignores_filters"


async def test_a_group_among_the_members_is_kept_and_is_nobody_s_account(serve: Serve, outgoing: Outgoing) -> None:
    class Nested(FakeScim):
        def answer(self, record: dict[str, object], version: int | None = None) -> web.Response:
            members = record.get("members")
            if isinstance(members, list):
                record["members"] = [*members, {"value": "g-2", "type": "Group"}]
            return super().answer(record, version)

    server = Nested()
    url = await serve(server.handle)
    connector = ScimGroups(f"{url}/scim/v2", Secret(TOKEN.encode()), outgoing)
    await connector.add(GROUP, ANA)
    assert await connector.members(GROUP) == {ANA}
    assert not [each for each in server.asked if "g-2" in each]


def test_a_removal_always_names_whom() -> None:
    assert json.loads(member_path('a"]b').removeprefix("members[value eq ").removesuffix("]")) == 'a"]b'
    with pytest.raises(ValueError, match="without an id"):
        member_path("")
