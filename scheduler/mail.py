"""Mail: who is told by e-mail is told once as far as can be, and a server that is dead delays nobody but itself."""

import hashlib
from collections.abc import Callable
from email.utils import formatdate
from typing import Final

import structlog

from scheduler.connectors import smtp
from scheduler.connectors.contract import Refused
from scheduler.connectors.smtp import Letter, MailServer
from scheduler.metrics import Metrics
from scheduler.undelivered import undelivered
from store.model.audit import Audit
from store.model.effect import Mail, MailApprovers
from store.model.errors import Unavailable
from store.model.lifecycle import World, named
from store.model.people import Directory, People, Wanted
from store.model.policy import DAY
from store.model.request import RELAY
from store.redis.outbox import Claimed, Outbox
from store.redis.requests import Requests

PATIENCE_MS: Final = 3 * DAY
TRIES_LEAST: Final = 5  # also where nobody of us was there to try
FIRST_PAUSE_MS: Final = 5_000
LONGEST_PAUSE_MS: Final = 10 * 60_000  # so soon after a server is back, the last one has it

log = structlog.stdlib.get_logger(__name__)


class Mailing:
    """`server` None: none is set. `letter` draws what is said, with the names of whom Slack tells in time."""

    def __init__(
        self,
        server: MailServer | None,
        letter: Callable[[World, Mail, People], Letter],
        requests: Requests,
        directory: Directory,
        outbox: Outbox,
        metrics: Metrics,
        jitter: Callable[[], float],
        installation: str,
    ) -> None:
        self._server = server
        self._letter = letter
        self._requests = requests
        self._directory = directory
        self._outbox = outbox
        self._metrics = metrics
        self._jitter = jitter
        self._installation = installation

    async def approvers(self, effect: MailApprovers, claimed: Claimed) -> None:
        """One mail a person, so that one who cannot be reached holds nobody up."""
        world = await self._requests.get(effect.request)
        if self._server is None:
            await self._skip(world, effect, claimed, "no mail server is set")
            return
        if world.rules is None:
            await self._skip(world, effect, claimed, "no rule names approvers any more")
            return
        rule = world.rules.now
        people = await self._directory.people(rule.wanted, patient=True)
        approvers = {user for threshold in rule.approvals for user in threshold.circle.members(people)}
        mails = [
            Mail(request=effect.request, news=effect.news, at_ms=effect.at_ms, by=effect.by, to=user)
            for user in sorted(approvers - {world.request.requester, world.request.beneficiary})
        ]
        await self._outbox.put(mails, command_id=effect.key)

    async def mail(self, effect: Mail, claimed: Claimed) -> None:
        """One message to one address. Raises `Unavailable` as long as it may still arrive."""
        world = await self._requests.get(effect.request)
        if self._server is None:
            await self._skip(world, effect, claimed, "no mail server is set")
            return
        address, why = await self._address(world, effect)
        if address is None:
            await self._skip(world, effect, claimed, why)
            return
        users = frozenset((world.request.requester, world.request.beneficiary, *effect.by))
        people = await self._directory.people(Wanted(users=users))
        try:
            await smtp.send(self._server, address, self._message(self._server, address, world, effect, people))
        except Refused as refusal:
            await self._give_up(world, effect, claimed, address, refusal.sentence)
        except Unavailable as error:
            if claimed.now_ms - claimed.since_ms >= PATIENCE_MS and claimed.attempts >= TRIES_LEAST:
                await self._give_up(world, effect, claimed, address, f"{error.sentence} It was tried for three days.")
                return
            raise Unavailable(error.sentence, code=error.detail, retry_after_ms=self._pause(claimed.attempts)) from None

    def _message(self, server: MailServer, address: str, world: World, effect: Mail, people: People) -> bytes:
        """Its id and its date are the event's: where it is sent twice, the second is known for what it is."""
        identity = hashlib.sha256(f"{self._installation} {effect.key}".encode()).hexdigest()[:40]
        date = formatdate(effect.at_ms / 1000)
        letter = self._letter(world, effect, people)
        return smtp.compose(server, address, letter, identity=f"{identity}.countersign", date=date)

    async def _address(self, world: World, effect: Mail) -> tuple[str | None, str]:
        """Where it goes; else why nowhere. Raises `Unavailable` where Slack does not say who somebody is."""
        if effect.to is None:
            still = named(world.policy_now, effect)
            return (effect.address if still else None), "the policies do not name this address any more"
        people = await self._directory.people(Wanted(users=frozenset((effect.to,))), patient=True)
        person = people.persons[effect.to]
        if person.barred is not None:
            return None, f"they are {person.barred}"
        if person.email is None or not smtp.is_address(person.email):
            return None, "Slack tells no address of theirs that mail can be sent to"
        listed = world.rules.now.notify.email if world.rules is not None else ()
        if person.email.lower() in (each.lower() for each in listed):
            return None, "the rule mails the same news to their address"
        return person.email, ""

    async def _skip(self, world: World, effect: Mail | MailApprovers, claimed: Claimed, why: str) -> None:
        """Nobody is left out in silence."""
        to = (effect.to or effect.address) if isinstance(effect, Mail) else "approvers"
        log.warning("mail not sent", request=effect.request, news=effect.news, to=to, why=why)
        entry = Audit(
            event="mail.skipped",
            actor=RELAY,
            at_ms=claimed.now_ms,
            request=effect.request,
            target=world.request.target,
            details={"news": effect.news, "to": to, "why": why},
        )
        await self._outbox.put([], command_id=f"skip:{effect.key}", audit=[entry])

    async def _give_up(self, world: World, effect: Mail, claimed: Claimed, address: str, why: str) -> None:
        self._metrics.alarms.labels("mail").inc()
        await undelivered(self._outbox, world, effect, claimed, route="mail", to=address, why=why)

    def _pause(self, attempts: int) -> int:
        longest = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** min(attempts, 10))
        return int(longest * (0.5 + self._jitter() / 2))
