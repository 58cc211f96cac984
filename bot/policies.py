"""Bootstrap: the first policies of an installation come from its file. A later start never applies one."""

from pathlib import Path

import structlog

from bot import policy_file
from store.model.errors import AccessError, Invalid
from store.redis.clock import Dial, Skew
from store.redis.policies import Policies

log = structlog.stdlib.get_logger(__name__)


class Bootstrap:
    def __init__(self, path: Path, policies: Policies, lookup: policy_file.Lookup, dial: Dial, skew: Skew) -> None:
        self._path = path
        self._policies = policies
        self._lookup = lookup
        self._dial = dial
        self._skew = skew

    async def policies(self) -> None:
        """Raises `Invalid` with all that is wrong in the file, `Unavailable` while Slack does not resolve its names."""
        if await self._policies.number():
            return
        if not self._path.exists():
            raise Invalid(
                f"There are no policies yet, and no file {self._path.absolute()}. Copy policies.starter.yml there and put your own in, "
                "or set COUNTERSIGN_POLICIES.",
                code="no_policies",
            )
        file = policy_file.read(self._path)
        resolved = await policy_file.resolve(file, self._lookup)
        if await self._policies.create(resolved, actor="clock", now_ms=self._dial.now_ms(), skew_ms=self._skew()):
            log.info("policies taken in", file=str(self._path), number=1)

    async def difference(self) -> str | None:
        """A sentence where the file says something else than what is in force. For doctor."""
        if not self._path.exists():
            return None
        try:
            resolved = await policy_file.resolve(policy_file.read(self._path), self._lookup)
            current = await self._policies.current()
        except AccessError as error:
            return error.sentence
        if resolved.model_copy(update={"number": current.number}) == current:
            return None
        return (
            f"{self._path} differs from the policies in force (version {current.number}), and nothing applies it by itself: "
            "countersign policy diff says how, countersign policy apply asks for it, countersign policy export writes those in force."
        )
