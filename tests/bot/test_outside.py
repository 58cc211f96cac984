"""Outside: clients as the policies of now name them, with tokens that never leave their environment."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
from redis.asyncio import Redis

from bot.outside import Outside, token_name
from playground.scim import ScimServer
from scheduler.connectors.contract import Refused
from store.model.identity import Target, TargetId
from store.model.lifecycle import Draft
from store.model.policy import ConnectorConfig, TargetConfig
from store.model.request import Change
from store.model.secret import Secret
from store.redis.environments import Value
from tests.builders import ANA, BOB, REQ, TARGETS, approve, policy
from tests.store.redis.corridor import Corridor

TOKEN: Final = "kanarienvogel-7"
CREDENTIALS: Final[TargetId] = "countersign/connectors"


@pytest.fixture(scope="module")
def directory() -> Iterator[ScimServer]:
    server = ScimServer(token=TOKEN, users=[("ureq@example.com", "Req")], groups=["admins"])
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def corridor(real_redis: Redis, directory: ScimServer) -> Corridor:
    corridor = Corridor(real_redis)
    await enact(corridor, directory)
    return corridor


@pytest.fixture
async def outside(corridor: Corridor) -> AsyncIterator[Outside]:
    outside = Outside(corridor.policies, corridor.environments)
    yield outside
    await outside.close()


async def enact(
    corridor: Corridor, directory: ScimServer, *, allow: bool = True, named: bool = True, also: str = ""
) -> None:
    place = directory.url.removeprefix("http://").partition("/")[0]
    config = ConnectorConfig(type="scim", url=directory.url, credentials=CREDENTIALS)
    await corridor.enact(
        policy(targets=("payments/prod", "role:*", CREDENTIALS)),
        targets={**TARGETS, CREDENTIALS: TargetConfig()},
        connectors={"okta": config} if named else {},
        allow_private=tuple(filter(None, (place if allow else "", also))),
    )


async def give_token(corridor: Corridor, token: str = TOKEN) -> None:
    """As everything else gets there: somebody asks, others approve."""
    environment = await corridor.environments.ensure(CREDENTIALS)
    sealing = await corridor.environments.seal(environment, {"OKTA_TOKEN": Value(Secret(token.encode()))})
    payload = Change(environment_id=environment.id, touches=sealing.touches)
    draft = Draft(corridor.id(), "change", Target.parse(CREDENTIALS), REQ, REQ, payload, "a token")
    asked = (await corridor.requests.submit(draft, f"ask:{draft.id}", sealing.entries)).request
    assert asked is not None
    for lead in (ANA, BOB):
        await corridor.requests.apply(asked.id, approve(asked, lead, id=f"{asked.id}:{lead}"))


async def test_a_connector_reads_with_the_token_of_its_environment(corridor, outside):
    await give_token(corridor)
    connector = await outside.connector("okta")
    assert await connector.has("admins", "ureq@example.com") is False
    assert "secrets.used" in await corridor.events()


async def test_a_token_that_is_not_there_is_refused_with_what_to_do(corridor, outside):
    connector = await outside.connector("okta")
    with pytest.raises(Refused) as raised:
        await connector.has("admins", "ureq@example.com")
    assert raised.value.sentence == "countersign/connectors has no OKTA_TOKEN: ask for a change that sets it."
    assert raised.value.detail == "no_credentials"


async def test_a_token_that_is_replaced_is_used_at_once(corridor, outside):
    await give_token(corridor, "an older one")
    connector = await outside.connector("okta")
    with pytest.raises(Refused) as raised:
        await connector.has("admins", "ureq@example.com")
    assert "an older one" not in raised.value.sentence
    await give_token(corridor)
    assert await connector.has("admins", "ureq@example.com") is False


async def test_a_connector_that_the_policies_do_not_name_is_refused(corridor, outside, directory):
    await outside.connector("okta")
    await enact(corridor, directory, named=False)
    with pytest.raises(Refused, match="name no connector okta any more") as raised:
        await outside.connector("okta")
    assert raised.value.detail == "unknown_connector"


async def test_a_client_is_kept_as_long_as_its_configuration_stays(corridor, outside, directory):
    first = await outside.connector("okta")
    await enact(corridor, directory)
    assert await outside.connector("okta") is first
    await enact(corridor, directory, also="10.1.0.0/16")
    assert await outside.connector("okta") is not first


async def test_an_address_that_nobody_vouches_for_any_more_is_not_reached(corridor, outside, directory):
    await give_token(corridor)
    await (await outside.connector("okta")).has("admins", "ureq@example.com")
    await enact(corridor, directory, allow=False)
    with pytest.raises(Refused, match="unless the owner allows it"):
        await outside.connector("okta")


@pytest.mark.parametrize(
    ("connector", "name"), [("okta", "OKTA_TOKEN"), ("my-idp", "MY_IDP_TOKEN"), ("a1", "A1_TOKEN")]
)
def test_what_a_connectors_token_is_called(connector, name):
    assert token_name(connector) == name
