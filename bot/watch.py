"""Watch: does Redis keep what it is told, and do the key holders work."""

from collections.abc import Awaitable, Callable

import structlog

from bot.http.health import Check
from scheduler.metrics import Metrics
from store.model.errors import Unavailable
from store.redis.client import Client
from store.redis.clock import Dial
from store.redis.durability import Verdict, inspect
from store.redis.policies import Policies

log = structlog.stdlib.get_logger(__name__)


class Watch:
    def __init__(
        self,
        redis: Client,
        dial: Dial,
        metrics: Metrics,
        custody: Callable[[], Awaitable[list[str]]],
    ) -> None:
        """`custody` looks after the keys, and answers what is not well with them."""
        self._redis = redis
        self._dial = dial
        self._metrics = metrics
        self._custody = custody
        self.sentences: tuple[str, ...] = ()  # what is not well, for the owners
        self._said: frozenset[str] = frozenset()
        self._unfit: str | None = None

    def fit(self) -> str | None:
        """Why nothing may be given now; None where it may."""
        return self._unfit

    async def first_look(self) -> None:
        """Raises `Unavailable` for a Redis that forgets: nothing is started on it."""
        found = await inspect(self._redis)
        if found.verdict is Verdict.REFUSE:
            raise Unavailable(" ".join(finding.sentence for finding in found.findings), code="redis_forgets")
        await self.look()

    async def look(self) -> None:
        """Once a minute. Raises `Unavailable`."""
        await self._dial.sync()
        found = await inspect(self._redis)
        sentences = [finding.sentence for finding in found.findings]
        sentences += await self._custody()
        self._unfit = None
        if not found.may_grant:
            worst = max(found.findings, key=lambda finding: finding.verdict)
            self._unfit = f"Nothing is granted or read for now. {worst.sentence}"
        self._metrics.degraded.set(0 if found.may_grant else 1)
        self.sentences = tuple(sentences)
        for sentence in sentences:
            if sentence not in self._said:
                log.warning("health", why=sentence)
        self._said = frozenset(sentences)

    async def redis(self) -> str | None:
        try:
            await self._redis.ping()
        except Unavailable as error:
            return error.sentence
        return None

    def policies(self, policies: Policies) -> Check:
        async def check() -> str | None:
            try:
                return None if await policies.number() else "There are no policies yet."
            except Unavailable as error:
                return error.sentence

        return check
