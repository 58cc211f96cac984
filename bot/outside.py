"""Outside: the clients of outside systems, as the policies of now name them."""

import asyncio
from typing import TYPE_CHECKING, Final

from bot.github_settings import GitHubAccess
from scheduler.connectors.contract import Connector, Refused
from scheduler.connectors.outgoing import Outgoing
from scheduler.connectors.scim import ScimGroups
from store.model.errors import Invalid, NotFound
from store.model.policy import ConnectorConfig, PolicySet
from store.model.secret import Secret
from store.redis.environments import Environments
from store.redis.policies import Policies

if TYPE_CHECKING:
    from scheduler.connectors.github import GitHubApp

TOKEN: Final = "_TOKEN"  # noqa: S105 - the connector `okta` finds its token under the name OKTA_TOKEN


class Outside:
    """Clients are kept while their configuration stays: a connector takes turns within itself."""

    def __init__(self, policies: Policies, environments: Environments) -> None:
        self._policies = policies
        self._environments = environments
        self._clients: dict[tuple[str, ...], Outgoing] = {}
        self._connectors: dict[tuple[str, ConnectorConfig, tuple[str, ...]], Connector] = {}

    async def outgoing(self, policies: PolicySet) -> Outgoing:
        if policies.allow_private not in self._clients:
            self._clients[policies.allow_private] = Outgoing(allow=policies.allow_private)
        return self._clients[policies.allow_private]

    async def connector(self, name: str) -> Connector:
        """Raises `Refused` for one that the policies do not name, or name by an address that may not be reached."""
        policies = await self._policies.current()
        config = policies.connectors.get(name)
        if config is None:
            raise Refused(f"The policies name no connector {name} any more.", code="unknown_connector")
        slot = (name, config, policies.allow_private)
        if slot not in self._connectors:

            async def token() -> Secret:
                try:
                    return await self._environments.machine_read(
                        config.credentials, token_name(name), purpose=f"connector {name}"
                    )
                except NotFound as error:
                    raise Refused(error.sentence, code=error.detail) from None

            try:
                self._connectors[slot] = ScimGroups(config.url, token, await self.outgoing(policies), name=name)
            except Invalid as error:
                raise Refused(error.sentence, code=error.detail) from None
        return self._connectors[slot]

    async def close(self) -> None:
        await asyncio.gather(*(client.close() for client in self._clients.values()))


def github_app(access: GitHubAccess | None) -> "GitHubApp | None":
    """Of what the environment names. Its library is there only where an App is."""
    if access is None:
        return None
    from scheduler.connectors.github import GitHubApp  # noqa: PLC0415 - the extra github

    return GitHubApp(access.api, access.app_id, access.key)


def token_name(connector: str) -> str:
    return connector.upper().replace("-", "_") + TOKEN
