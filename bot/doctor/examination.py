"""The examination: which parts are looked at, in which order, and with what."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Final

from slack_sdk.web.async_client import AsyncWebClient

from bot import policy_file
from bot.doctor import github as githubs
from bot.doctor import mail as mails
from bot.doctor import outside as outsides
from bot.doctor import slack as slacks
from bot.doctor import store as stores
from bot.doctor.finding import Finding, fail, ok, warn
from bot.holders import Holders, Keeping, configured
from bot.outside import Outside
from bot.policies import Bootstrap
from bot.settings import Settings
from bot.slack.lookup import SlackLookup
from bot.slack.wire import TIMEOUT_S, Slack, SlackRefused
from store.keys.ring import Keyring
from store.model.errors import AccessError, Invalid, Unavailable
from store.model.secret import Secret
from store.redis.client import Client, connect
from store.redis.clock import Dial, no_skew, now_ms
from store.redis.embedded import running
from store.redis.environments import Environments
from store.redis.inspection import Inspection, known_installation
from store.redis.keys import Keys
from store.redis.policies import Policies
from store.redis.scripts import Scripts

if TYPE_CHECKING:
    from store.model.policy import PolicySet

NO_GROUPS: Final = (
    "This workspace's plan has no user groups, and the policies name some: list people instead (users: […])."
)


async def examine(
    settings: Settings, random: Callable[[int], bytes], *, mail_to: str | None = None
) -> AsyncIterator[Finding]:
    """Everything that can be reached. What cannot be looked at is a finding, never an error. `mail_to` is sent a test."""
    for sentence in settings.warnings:
        yield warn("settings", sentence)
    folder = settings.data / "redis"
    url = settings.redis_url.reveal().decode() if settings.redis_url is not None else await running(folder)
    client = connect(url) if url is not None else None
    try:
        examination = _Examination(settings, client, random, mail_to)
        try:
            async for finding in examination.all():
                yield finding
        finally:
            await examination.close()
    finally:
        if client is not None:
            await client.aclose()


class _Examination:
    """Parts look at what earlier ones found, and pass where that is missing."""

    def __init__(
        self, settings: Settings, client: Client | None, random: Callable[[int], bytes], mail_to: str | None
    ) -> None:
        self._settings = settings
        self._client = client
        self._random = random
        self._mail_to = mail_to
        self._keys: Keys | None = None
        self._ring: Keyring | None = None
        self._opened: Holders | None = None
        self._slack: Slack | None = None
        self._team_id = ""
        self._policies: PolicySet | None = None

    async def all(self) -> AsyncIterator[Finding]:
        parts: tuple[tuple[str, Callable[[], AsyncIterator[Finding]]], ...] = (
            ("redis", self._redis),
            ("keys", self._holders),
            ("token", self._tokens),
            ("policies", self._in_force),
            ("policies", self._file),
            ("people", self._people),
            ("channels", self._channels),
            ("mail", self._mail),
            ("github", self._github),
            ("keys", self._wraps),
            ("connectors", self._outside),
            ("locks", self._locks),
            ("timers", self._waiting),
            ("versions", self._versions),
            ("memory", self._room),
        )
        for about, part in parts:
            try:
                async for finding in part():
                    yield finding
            except AccessError as error:
                yield fail(about, error.sentence)

    @property
    def _embedded(self) -> bool:
        return self._settings.redis_url is None

    async def _redis(self) -> AsyncIterator[Finding]:
        folder = self._settings.data / "redis"
        if self._client is None:
            yield warn(
                "redis",
                f"The server in {folder} does not run now, so what it holds was not looked at. Ask again while countersign serve runs.",
            )
            return
        where = f"The server in {folder}" if self._embedded else "Redis"
        async for finding in stores.redis(self._client, where):
            yield finding
        installation = await known_installation(self._client)
        if installation is not None:
            self._keys = Keys(installation)

    async def _holders(self) -> AsyncIterator[Finding]:
        """Where no Countersign is known to have run, nobody can say whether a missing file is a loss."""
        settings = self._settings
        if self._keys is None:
            for finding in await stores.missing_files(settings.keys):
                yield finding
            settings = settings.model_copy(update={"keys": tuple(path for path in settings.keys if path.exists())})
        self._opened = holders = await configured(settings, self._random, make=False)
        for fault in holders.faults:
            yield fail("keys", fault)
        if self._client is None or self._keys is None:
            self._ring = Keyring(holders.all, "none", self._random, time.monotonic)
        else:
            keeping = Keeping.of(holders, self._client, self._keys, Scripts(self._client), self._random, no_skew)
            self._ring = keeping.ring
            with suppress(Unavailable):  # it is kept as a fault
                await keeping.rosters.follow()
            for finding in stores.roster(keeping.rosters, keeping.ring):
                yield finding
        async for finding in stores.challenged(self._ring):
            yield finding

    async def close(self) -> None:
        if self._opened is not None:
            await self._opened.close()

    async def _tokens(self) -> AsyncIterator[Finding]:
        bot, app = self._settings.slack_bot_token, self._settings.slack_app_token
        if bot is not None:
            client = self._web(bot)
            team_id, findings = await slacks.bot_token(client, slacks.wanted_scopes())
            for finding in findings:
                yield finding
            if team_id is not None:
                self._slack, self._team_id = Slack(client), team_id
        if app is not None:
            yield await slacks.app_token(Slack(self._web(app)))

    def _web(self, token: Secret) -> AsyncWebClient:
        return AsyncWebClient(
            token=token.reveal().decode(), base_url=self._settings.slack_api_url, timeout=int(TIMEOUT_S)
        )

    async def _in_force(self) -> AsyncIterator[Finding]:
        if self._client is None or self._keys is None:
            return
        policies = Policies(self._client, self._keys, Scripts(self._client))
        if not await policies.number():
            return
        self._policies = found = await policies.current()
        told = f"{len(found.policies)} rules for {len(found.targets)} targets"
        yield ok("policies", f"Version {found.number} is in force: {told}.")
        if self._slack is None:
            return
        dial = Dial(self._client, no_skew, time.monotonic)
        lookup = SlackLookup(self._slack)
        difference = await Bootstrap(self._settings.policies, policies, lookup, dial, no_skew).difference()
        if lookup.without_groups:
            yield warn("policies", NO_GROUPS)
        for line in (difference or "").splitlines():
            yield warn("policies", line)

    async def _file(self) -> AsyncIterator[Finding]:
        """Where none are in force yet: what the first start would take in."""
        path = self._settings.policies
        if self._policies is not None:
            return
        if not path.exists():
            right = "Copy policies.starter.yml there and put your own in, or set COUNTERSIGN_POLICIES."
            where = path.absolute()
            if self._client is None:
                yield warn("policies", f"There is no file {where}. A first start needs one. {right}")
            else:
                yield fail("policies", f"There are none yet, and no file {where}. {right}")
            return
        lookup = SlackLookup(self._slack) if self._slack is not None else None
        try:
            file = policy_file.read(path)
            if lookup is not None:
                self._policies = await policy_file.resolve(file, lookup)
        except Invalid as error:
            if lookup is not None and lookup.without_groups:
                yield fail("policies", NO_GROUPS)
            for line in error.sentence.splitlines():
                yield fail("policies", line)
            return
        except SlackRefused as error:
            yield fail("policies", error.sentence)
            return
        looked = "" if self._slack is not None else " Its names were not looked up."
        yield ok(
            "policies", f"{path} can be used; where there are no policies yet, the first start takes it in.{looked}"
        )

    async def _people(self) -> AsyncIterator[Finding]:
        if self._slack is not None and self._policies is not None:
            async for finding in slacks.people(self._slack, self._policies, self._team_id):
                yield finding

    async def _channels(self) -> AsyncIterator[Finding]:
        if self._slack is not None and self._policies is not None:
            async for finding in slacks.channels(self._slack, self._policies):
                yield finding

    async def _mail(self) -> AsyncIterator[Finding]:
        identity = f"{self._random(12).hex()}.doctor"
        async for finding in mails.mail(
            self._settings.mail, self._policies, self._mail_to, identity=identity, date=formatdate()
        ):
            yield finding

    async def _github(self) -> AsyncIterator[Finding]:
        async for finding in githubs.github(self._settings.github, self._policies):
            yield finding

    async def _wraps(self) -> AsyncIterator[Finding]:
        if self._client is None or self._keys is None or self._ring is None or self._policies is None:
            return
        environments = self._environments(self._client, self._keys, self._ring)
        inspection = Inspection(self._client, self._keys)
        async for finding in stores.wraps(self._policies, environments, inspection, self._ring):
            yield finding

    async def _outside(self) -> AsyncIterator[Finding]:
        if self._client is None or self._keys is None or self._ring is None or self._policies is None:
            return
        policies = Policies(self._client, self._keys, Scripts(self._client))
        outside = Outside(policies, self._environments(self._client, self._keys, self._ring))
        try:
            async for finding in outsides.hooks(outside, self._policies):
                yield finding
            if await policies.number():
                async for finding in outsides.connectors(outside, self._policies):
                    yield finding
        finally:
            await outside.close()

    async def _locks(self) -> AsyncIterator[Finding]:
        if self._client is None or self._keys is None:
            return
        names = self._policies.names if self._policies is not None else {}
        async for finding in stores.locks(Inspection(self._client, self._keys), names):
            yield finding

    async def _waiting(self) -> AsyncIterator[Finding]:
        if self._client is None or self._keys is None:
            return
        now = await now_ms(self._client, no_skew)
        inspection = Inspection(self._client, self._keys)
        async for finding in stores.waiting(inspection, now, serving=self._embedded):
            yield finding

    async def _versions(self) -> AsyncIterator[Finding]:
        if self._client is None or self._keys is None:
            return
        async for finding in stores.versions(Inspection(self._client, self._keys), self._settings.versions):
            yield finding

    async def _room(self) -> AsyncIterator[Finding]:
        if self._client is None or self._keys is None:
            return
        found = await Inspection(self._client, self._keys).room()
        disk = self._settings.data / "redis" if self._embedded else None
        for finding in stores.room(found, await now_ms(self._client, no_skew), disk):
            yield finding

    def _environments(self, client: Client, keys: Keys, ring: Keyring) -> Environments:
        return Environments(client, keys, Scripts(client), ring, no_skew, self._random)
