"""Logging in: a computer asks, a person types its code and confirms, and the computer gets a token that nobody else can read."""

import contextlib
import hmac
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from store.keys import computer
from store.model.audit import Audit
from store.model.effect import TellToken
from store.model.errors import Conflict, Forbidden, NotFound, Unavailable
from store.model.identity import request_id
from store.model.lifecycle.world import demand
from store.model.login import Attempt, login_code, parse_login_code, poll_hash
from store.model.people import Directory, People, Wanted, not_told
from store.model.standing import may_act
from store.model.token import Token, unknown_token, write_token
from store.redis.logins import Logins
from store.redis.tokens import Tokens

MINUTE_MS: Final = 60_000
CODE_MS: Final = 10 * MINUTE_MS
TOKEN_MS: Final = 15 * MINUTE_MS
WINDOW_MS: Final = 10 * MINUTE_MS
CLOCK_MS: Final = 2 * MINUTE_MS  # how far the clock of a computer may be off when it proves itself
ASKS_MOST: Final = 10  # logins from one address in a window
ASKS_MOST_OF_ALL: Final = 300  # and from all of them
GUESSES_MOST: Final = 5  # wrong codes by one person in a window
RENEWALS_MOST: Final = 120  # from one address in a window, proven or not
SESSIONS_MOST: Final = 20  # of one person
MINTED_TIMES: Final = 5
POLL_BYTES: Final = 32
HOST_MOST: Final = 80

_OVER: Final = "This login is over: its code holds for ten minutes and for one person. Begin again: countersign login"


@dataclass(frozen=True, slots=True)
class Begun:
    """`poll` is told to the computer alone."""

    attempt: Attempt
    poll: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renewed:
    sealed: str
    expires_ms: int


class LoggingIn:
    """Every method raises `AccessError`. `session_ms`: how long one login can be renewed."""

    def __init__(
        self,
        logins: Logins,
        tokens: Tokens,
        directory: Directory,
        random: Callable[[int], bytes],
        now_ms: Callable[[], int],
        session_ms: int,
    ) -> None:
        self._logins = logins
        self._tokens = tokens
        self._directory = directory
        self._random = random
        self._now_ms = now_ms
        self._session_ms = session_ms

    # -- the computer --------------------------------------------------------------------------------------------------

    async def ask(self, host: str, seals: str, signs: str, address: str) -> Begun:
        computer.check_keys(seals, signs)
        await self._bound("asks", address, ASKS_MOST, ASKS_MOST_OF_ALL)
        poll = computer.encode(self._random(POLL_BYTES))
        for _ in range(MINTED_TIMES):
            now_ms = self._now_ms()
            attempt = Attempt(
                id=request_id(self._random(7)),
                code=login_code(self._random(5)),
                poll=poll_hash(poll),
                host=host,
                address=address,
                seals=seals,
                signs=signs,
                created_ms=now_ms,
                expires_ms=now_ms + CODE_MS,
            )
            if await self._logins.begin(attempt, [self._audit(attempt, "login.asked", f"address:{address}")]):
                return Begun(attempt, poll)
        raise Unavailable("Too many logins are under way. Try again in a moment.", code="too_many")

    async def fetch(self, login: str, poll: str) -> Attempt | None:
        """What was confirmed, to one who asks, once. None: nobody has said anything yet."""
        attempt, version = await self._polled(login, poll)
        if attempt.state == "denied":
            raise Forbidden("It was denied in Slack.", code="denied")
        if attempt.state != "confirmed":
            return None
        entry = self._audit(attempt, "login.delivered", attempt.by or "")
        await self._take(attempt, version, entry)
        return attempt

    def record(self, login: str) -> str:
        """What moves when somebody types its code, confirms or denies it."""
        return self._logins.record(login)

    async def withdraw(self, login: str, poll: str) -> None:
        """The computer does not want it any more. What was confirmed meanwhile and not fetched ends with it."""
        attempt, version = await self._polled(login, poll)
        await self._take(attempt, version, self._audit(attempt, "login.withdrawn", f"address:{attempt.address}"))
        if attempt.state == "confirmed" and attempt.by is not None:
            await self._tokens.revoke(attempt.id, attempt.by, f"login:withdrawn:{attempt.id}")

    async def renew(self, token_id: str, at_ms: int, nonce: str, signature: str, address: str) -> Renewed:
        """A new secret for the same session, to the computer that proves that it is the same one."""
        await self._bound("renewals", address, RENEWALS_MOST)
        token, version = await self._tokens.find(token_id)
        if token is None or token.signs is None or token.seals is None or token.until_ms is None:
            raise unknown_token()
        if not computer.proves(token.signs, computer.renewal(token_id, at_ms, nonce), signature):
            await self._refuse(token, "signature", address)
            raise unknown_token()
        now_ms = self._now_ms()
        if abs(now_ms - at_ms) > CLOCK_MS:
            await self._refuse(token, "clock", address)
            raise Forbidden(f"The clock of this computer is {abs(now_ms - at_ms) // 1000:,} s off.", code="clock")
        if token.proved_ms is not None and at_ms <= token.proved_ms:
            await self._refuse(token, "replayed", address)
            raise Forbidden("This proof was used already, or is older than one that was.", code="replayed")
        epoch = await self._tokens.epoch(token.holder)
        if token.revoked_ms is not None or now_ms >= token.until_ms or token.epoch != epoch:
            await self._refuse(token, "over", address)
            raise unknown_token()
        people = await self._directory.people(Wanted(users=frozenset({token.holder})))
        try:
            _known(token.holder, people)
        except Forbidden:
            await self._refuse(token, "barred", address)
            raise
        shown, kept = write_token("person", token.id, self._random(32))
        expires_ms = min(now_ms + TOKEN_MS, token.until_ms)
        sealed = computer.seal(shown, token.seals, token.id, expires_ms, self._random)
        renewed = token.model_copy(update={"hash": kept, "expires_ms": expires_ms, "proved_ms": at_ms})
        entry = Audit(
            event="login.renewed",
            actor=token.holder,
            at_ms=now_ms,
            details={"token": token.id, "host": token.name, "address": address},
        )
        command_id = f"renew:{token.id}:{nonce}"
        try:
            await self._tokens.put(renewed, version, command_id, [entry], good_until_ms=people.good_until_ms)
        except Conflict as error:
            if error.detail != "other_command":
                raise
            await self._refuse(token, "replayed", address)
            raise Forbidden("This proof was used already, or is older than one that was.", code="replayed") from None
        return Renewed(sealed, expires_ms)

    # -- the person ----------------------------------------------------------------------------------------------------

    async def typed(self, user: str, code: str) -> Attempt:
        """The attempt whose code this is; from now on nobody else's."""
        await self._demand(user)
        canonical = parse_login_code(code)
        # Counted before it is looked at: of many at once none slips by.
        guesses = await self._logins.count(f"guesses:{user}", WINDOW_MS)
        if guesses > GUESSES_MOST:
            raise Forbidden("Too many wrong codes. Wait ten minutes, and begin again.", code="too_many")
        attempt, version = await self._logins.by_code(canonical)
        if attempt is None or not self._open(attempt) or attempt.by not in (None, user):
            entry = Audit(
                event="login.refused", actor=user, at_ms=self._now_ms(), details={"why": "wrong_code", "tries": guesses}
            )
            await self._logins.note(entry, f"login:guess:{computer.encode(self._random(12))}")
            raise NotFound(
                "No login waits with this code. Codes hold for ten minutes; countersign login shows a new one.",
                code="wrong_code",
            )
        await self._logins.uncount(f"guesses:{user}")
        if attempt.by is None:
            attempt = attempt.model_copy(update={"by": user})
            entry = self._audit(attempt, "login.typed", user)
            if not await self._logins.move(attempt, version, f"login:typed:{attempt.id}", [entry]):
                raise _over()
        return attempt

    async def confirm(self, user: str, login: str) -> Token:
        """It speaks for this person from now on."""
        people = await self._demand(user)
        attempt, version = await self._mine(user, login)
        now_ms = self._now_ms()
        listed = await self._tokens.of(user)
        live = {token.id for token in listed if now_ms < token.ends_ms}
        if len(live) >= SESSIONS_MOST:
            raise Conflict(
                f"You are signed in at {len(live)} places, and that is the most. Sign out of some on App Home first.",
                code="too_many_sessions",
            )
        shown, kept = write_token("person", attempt.id, self._random(32))
        token = Token(
            id=attempt.id,
            kind="person",
            holder=user,
            name=attempt.host,
            hash=kept,
            created_ms=now_ms,
            expires_ms=now_ms + min(TOKEN_MS, self._session_ms),
            epoch=await self._tokens.epoch(user),
            seals=attempt.seals,
            signs=attempt.signs,
            address=attempt.address,
            until_ms=now_ms + self._session_ms,
        )
        confirmed = attempt.model_copy(
            update={
                "state": "confirmed",
                "sealed": computer.seal(shown, attempt.seals, token.id, token.expires_ms, self._random),
                "token_expires_ms": token.expires_ms,
                "until_ms": token.until_ms,
            }
        )
        told = TellToken(
            news="logged_in",
            to=user,
            token=token.id,
            name=attempt.host,
            at_ms=now_ms,
            address=attempt.address,
            fingerprint=computer.fingerprint(attempt.seals, attempt.signs),
        )
        if not await self._logins.confirm(
            confirmed,
            version,
            token,
            over=await self._tokens.over(user, live),
            audit=[self._audit(attempt, "login.confirmed", user)],
            effects=[told],
            good_until_ms=people.good_until_ms,
        ):
            raise _over()
        return token

    async def deny(self, user: str, login: str) -> None:
        attempt, version = await self._mine(user, login)
        denied = attempt.model_copy(update={"state": "denied"})
        entry = self._audit(attempt, "login.denied", user)
        if not await self._logins.move(denied, version, f"login:denied:{attempt.id}", [entry]):
            raise _over()

    # -- what all of them look at --------------------------------------------------------------------------------------

    async def _polled(self, login: str, poll: str) -> tuple[Attempt, int]:
        attempt, version = await self._logins.find(login)
        if attempt is None or not hmac.compare_digest(attempt.poll, poll_hash(poll)):
            raise _over()
        if self._now_ms() >= attempt.expires_ms:
            raise _over()
        return attempt, version

    async def _take(self, attempt: Attempt, version: int, entry: Audit) -> None:
        taker = computer.encode(self._random(16))
        if not await self._logins.take(attempt, version, taker, [entry]):
            raise _over()

    async def _mine(self, user: str, login: str) -> tuple[Attempt, int]:
        attempt, version = await self._logins.find(login)
        if attempt is None or attempt.by != user or not self._open(attempt):
            raise _over()
        return attempt, version

    def _open(self, attempt: Attempt) -> bool:
        return attempt.state == "waiting" and self._now_ms() < attempt.expires_ms

    async def _demand(self, user: str) -> People:
        people = await self._directory.people(Wanted(users=frozenset({user})))
        _known(user, people)
        return people

    async def _bound(self, what: str, address: str, most: int, most_of_all: int | None = None) -> None:
        """Raises `Unavailable` where an address, or all of them, have tried too often."""
        tries = [(await self._logins.count(f"{what}:{network(address)}", WINDOW_MS), most)]
        if most_of_all is not None and tries[0][0] <= most:
            tries.append((await self._logins.count(what, WINDOW_MS), most_of_all))
        for count, bound in tries:
            if count == bound + 1:  # told once a window: the log is not theirs to fill
                entry = Audit(
                    event="login.refused",
                    actor=f"address:{address}",
                    at_ms=self._now_ms(),
                    details={"why": "too_many", "what": what},
                )
                await self._logins.note(entry, f"login:bound:{computer.encode(self._random(12))}")
            if count > bound:
                raise Unavailable(
                    "There were too many tries. Wait ten minutes.", code="too_many", retry_after_ms=WINDOW_MS
                )

    async def _refuse(self, token: Token, why: str, address: str) -> None:
        """That it cannot be noted now changes nothing for who is refused. How often is bounded with the tries."""
        entry = Audit(
            event="login.refused",
            actor=f"address:{address}",
            at_ms=self._now_ms(),
            details={"token": token.id, "user": token.holder, "why": why},
        )
        with contextlib.suppress(Conflict, Unavailable):
            await self._logins.note(entry, f"login:refused:{computer.encode(self._random(12))}")

    def _audit(self, attempt: Attempt, event: str, actor: str) -> Audit:
        details: dict[str, str | int | None] = {
            "login": attempt.id,
            "host": attempt.host,
            "address": attempt.address,
            "key": computer.fingerprint(attempt.seals, attempt.signs),
        }
        return Audit(event=event, actor=actor, at_ms=self._now_ms(), details=details)


def network(address: str) -> str:
    """What counts as one address: of IPv6 the network that one customer has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if found.version == 4:
        return str(found)
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))


def _known(user: str, people: People) -> None:
    """Fail closed. Raises `Unavailable` where Slack has not told, `Forbidden` for who may do nothing here."""
    if user not in people.persons:
        raise not_told()
    demand(may_act(user, people))


def _over() -> NotFound:
    return NotFound(_OVER, code="login_over")
