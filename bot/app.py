"""App: the assembled program, and the order in which its parts start and stop."""

import asyncio
from dataclasses import dataclass, field
from typing import Final

import structlog

from bot.asking import Asking
from bot.holders import Keeping
from bot.http.server import HttpServer
from bot.http.waiting import Waiting
from bot.logging_in import LoggingIn
from bot.outside import Outside
from bot.policies import Bootstrap
from bot.settings import Settings
from bot.slack.app import Identity, Running
from bot.slack.directory import SlackDirectory
from bot.slack.homes import Homes
from bot.slack.replies import Replies
from bot.slack.sockets import Sockets, end
from bot.slack.wire import Slack
from bot.watch import Watch
from scheduler.clock import Clock
from scheduler.expiries import Expiries
from scheduler.metrics import Metrics
from scheduler.relay import Relay
from store.model.errors import Unavailable
from store.redis.audit import AuditLog
from store.redis.blobs import Blobs
from store.redis.client import Client
from store.redis.clock import Dial
from store.redis.deliveries import Deliveries
from store.redis.embedded import EmbeddedServer
from store.redis.environments import Environments
from store.redis.hooks import Hooks
from store.redis.older import Older
from store.redis.outbox import Outbox
from store.redis.policies import Policies
from store.redis.requests import Requests
from store.redis.tokens import Tokens
from store.redis.uses import Uses

ACK_S: Final = 3.0  # Slack waits no longer for the answer to a click
# For all that runs when the process is told to stop; whoever supervises it may kill it after fifteen.
DRAIN_S: Final = 9.0
SLACK_AGAIN_S: Final = 5.0

log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class App:
    """The assembled program. `start` and `stop` may be called once each."""

    settings: Settings
    embedded: EmbeddedServer | None
    redis: Client
    dial: Dial
    watch: Watch
    clock: Clock
    relay: Relay
    identity: Identity
    sockets: Sockets | None
    http: HttpServer
    running: Running
    replies: Replies
    homes: Homes
    directory: SlackDirectory
    outside: Outside
    bootstrap: Bootstrap
    deaf: asyncio.Event  # set when this process can no longer hear Slack and had better be started again
    requests: Requests
    environments: Environments
    blobs: Blobs
    policies: Policies
    older: Older
    asking: Asking
    audit: AuditLog
    metrics: Metrics
    keeping: Keeping
    slack: Slack
    deliveries: Deliveries
    hooks: Hooks
    outbox: Outbox
    tokens: Tokens
    uses: Uses
    expiries: Expiries
    logging_in: LoggingIn
    waiting: Waiting
    background: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Raises `AccessError` for what no waiting would mend. A Slack that is silent is waited for: taking back goes on."""
        await self.dial.sync()
        await self.watch.first_look()
        await self.keeping.rosters.begin()
        if await self.policies.number():
            await self.older.mend((await self.policies.current()).targets)
        await self.http.start()
        met = await self._meet_slack()
        self.clock.start()
        self.background.add(asyncio.create_task(self._hear(met=met)))

    async def until_deaf(self) -> None:
        """Raises what `start` would have raised, had Slack not been silent then."""
        done, _ = await asyncio.wait(self.background)
        for task in done:
            task.result()

    async def stop(self) -> None:
        """Hears nothing new, ends what it has begun, and leaves the rest to the next start: it all lies in Redis."""
        clock = asyncio.get_running_loop().time
        until = clock() + DRAIN_S

        def left() -> float:
            return max(0.0, until - clock())

        for task in self.background:
            await end(task)
        if self.sockets is not None:
            await self.running.ended(ACK_S)  # whoever has clicked is answered while there is a socket for it
            await self.sockets.close()
        self.waiting.close()  # whoever waits over HTTP is answered while there is a site to answer
        await self.http.stop()
        self.environments.forget()
        await self.running.ended(left())
        await self.uses.drain()
        await self.clock.stop()
        await self.relay.drain(left())
        await self.replies.drain(left())
        await self.directory.close()
        await self.outside.close()
        await self.slack.close()
        self.keeping.ring.forget()
        await self.keeping.holders.close()
        await self.redis.aclose()
        if self.embedded is not None:
            await self.embedded.stop()

    async def _meet_slack(self) -> bool:
        """False while Slack does not answer. Raises `SlackRefused` for a token that is none, `Invalid` for the first policies."""
        try:
            await self.identity.learn()
            await self.bootstrap.policies()
            if self.sockets is not None:
                await self.sockets.check()
                await self.sockets.connect()
        except Unavailable as error:
            log.warning("not ready yet", why=error.sentence)
            return False
        log.info("ready", mode=self.settings.mode, http=self.http.port)
        return True

    async def _hear(self, *, met: bool) -> None:
        """Ends when Slack, once met, is not heard any more."""
        while not met:
            await asyncio.sleep(SLACK_AGAIN_S)
            met = await self._meet_slack()
        await self.deaf.wait()
