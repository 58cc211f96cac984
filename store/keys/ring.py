"""Keyring: environment keys, kept by several holders so that losing one loses nothing."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from store.keys.envelope import EnvironmentKey
from store.keys.holder import UNKNOWN_ROSTER, Holder, Introduced, Random
from store.model.errors import Invalid, Unavailable
from store.model.identity import shown
from store.model.roster import Roster
from store.model.sealed import FINGERPRINT, HOLDER_NAME, Epoch, Wrap

PATIENCE_S: Final = 2.0  # for one answer of one holder
HEAD_START_S: Final = 0.25  # before the next holder is asked as well
KEPT_S: Final = 300.0
WIPED_S: Final = 60.0  # after it is dropped: who was given it just before is done with it by then
KEPT_KEYS: Final = 64
SECURE_HOLDERS: Final = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Coverage:
    """Who opens an epoch's key: found by opening it, never by counting configuration."""

    holding: tuple[str, ...]  # names
    failing: dict[str, str]  # name → sentence: configured, and cannot open it now
    unknown: tuple[str, ...]  # names in the record whose holder is not configured here

    @property
    def under_replicated(self) -> bool:
        return len(self.holding) < SECURE_HOLDERS


class Keyring:
    """`holders` are those that the settings name. Every one of them that was approved (`admit`) is given every key. `monotonic` in seconds."""

    def __init__(
        self,
        holders: Sequence[Holder],
        installation: str,
        random: Random,
        monotonic: Callable[[], float],
        *,
        patience_s: float = PATIENCE_S,
        head_start_s: float = HEAD_START_S,
    ) -> None:
        self._configured = {holder.fingerprint: holder for holder in holders}
        self._holders = dict(self._configured)
        if len(self._holders) != len(holders):
            raise Invalid(
                "Two of the key holders are one and the same key. Make a new key for one of them.", code="same_holder"
            )
        if len({holder.name for holder in holders}) != len(holders):
            raise Invalid("Two of the key holders have the same name. Rename one of them.", code="same_holder")
        for holder in holders:
            if not (re.fullmatch(HOLDER_NAME, holder.name) and re.fullmatch(FINGERPRINT, holder.fingerprint)):
                raise Invalid(
                    f"{shown(holder.name)} is not a name for a key holder: up to 100 letters, digits, spaces and _ . : / @ + -.",
                    code="bad_holder",
                )
        self._installation = installation
        self._random = random
        self._monotonic = monotonic
        self._patience_s = patience_s
        self._head_start_s = head_start_s
        self._failing: set[str] = set()
        self.roster = 0  # number of the one that was followed last
        self.refresh: Callable[[], Awaitable[object]] | None = (
            None  # follows the newest; asked for where a holder knows a newer one
        )
        self._outdated = False
        self._kept: dict[tuple[str, int, str], tuple[EnvironmentKey, float]] = {}

    @property
    def configured(self) -> dict[str, Holder]:
        """By fingerprint, whether they were approved or not."""
        return dict(self._configured)

    def admit(self, roster: Roster, epoch: Epoch) -> None:
        """From now on its members, and nobody else, are given keys and asked for them. `epoch`: of the key that it is authenticated with."""
        self._holders = {one: self._configured[one] for one in self._configured if one in roster.fingerprints}
        self.roster = roster.number
        for one, holder in self._holders.items():
            if isinstance(holder, Introduced) and one in epoch.wraps:
                holder.meet(roster, epoch.wraps[one].wrapped, self._installation)

    def admit_nobody(self) -> None:
        """Where no roster can be trusted."""
        self._holders = {}

    @property
    def admitted(self) -> dict[str, str]:
        """Names by fingerprint, of those that the settings name and that were approved."""
        return {one: holder.name for one, holder in self._holders.items()}

    def lacking(self, epoch: Epoch) -> frozenset[str]:
        """Fingerprints of those that were approved and have never been given this key."""
        return frozenset(self._holders) - frozenset(epoch.wraps)

    async def mint(
        self, environment_id: str, number: int = 1, *, secure: bool = False, among: Collection[str] | None = None
    ) -> tuple[Epoch, EnvironmentKey]:
        """A new key, wrapped by every holder that works; `among`: by those that the settings name with these fingerprints, approved or not.

        Raises `Unavailable` where that is none, or with `secure` only one.
        """
        holders = (
            self._holders if among is None else {one: self._configured[one] for one in among if one in self._configured}
        )
        key = EnvironmentKey.mint(
            installation=self._installation, environment_id=environment_id, epoch=number, random=self._random
        )
        if secure:
            challenged = await self._challenge(holders)
            able = [holder for fingerprint, holder in holders.items() if challenged[fingerprint] is None]
        else:
            challenged, able = {}, list(holders.values())
        wraps, refusals = await self._entrust(key, able)
        refusals = {holders[one].name: error.sentence for one, error in challenged.items() if error} | refusals
        if len(wraps) < (SECURE_HOLDERS if secure else 1):
            raise _too_few(wraps, refusals, secure=secure)
        epoch = Epoch(environment_id=environment_id, number=number, commitment=key.commitment, wraps=wraps)
        self._keep(epoch, key)
        return epoch, key

    async def recover(self, epoch: Epoch, among: Collection[str]) -> EnvironmentKey:
        """From those that the settings name with these fingerprints, approved or not. Raises `Unavailable`."""
        holders = {one: self._configured[one] for one in among if one in self._configured}
        key, refusals = await self._first(epoch, holders)
        if key is None:
            raise _none_opens(epoch, refusals, _unknown(epoch, holders))
        return key

    async def open(self, epoch: Epoch) -> EnvironmentKey:
        """Raises `Unavailable` (`keys_missing`), naming who would be needed, when no holder gives the key."""
        self.drop_expired()
        if kept := self._kept.get(_slot(epoch)):
            return kept[0]
        key, refusals = await self._first(epoch, self._holders)
        if key is None and self._outdated and self.refresh is not None:
            self._outdated = False
            with suppress(Unavailable):
                await self.refresh()
            key, refusals = await self._first(epoch, self._holders)
        if key is None:
            raise _none_opens(epoch, refusals, _unknown(epoch, self._holders))
        self._keep(epoch, key)
        return key

    async def coverage(self, epoch: Epoch) -> Coverage:
        asked = list(self._holders.values())
        answers = await asyncio.gather(*(self._recover(holder, epoch) for holder in asked))
        found = dict(zip((holder.name for holder in asked), answers, strict=True))
        _wipe(answers)
        return Coverage(
            holding=tuple(name for name, answer in found.items() if isinstance(answer, EnvironmentKey)),
            failing={name: answer.sentence for name, answer in found.items() if isinstance(answer, Unavailable)},
            unknown=_unknown(epoch, self._holders),
        )

    async def heal(self, epoch: Epoch) -> Epoch | None:
        """The record with new wraps for the holders that work and cannot open it; None where nothing changes.

        The key comes from a living holder (or from memory, when the last one has just died). Raises `Unavailable`.
        """
        key = await self.open(epoch)
        holders = list(self._holders.values())
        answers = await asyncio.gather(*(self._recover(holder, epoch) for holder in holders))
        lacking = [holder for holder, answer in zip(holders, answers, strict=True) if isinstance(answer, Unavailable)]
        _wipe(answers)
        wraps, _ = await self._entrust(key, lacking)
        return epoch.model_copy(update={"wraps": epoch.wraps | wraps}) if wraps else None

    async def challenge_all(self) -> dict[str, Unavailable | None]:
        """By fingerprint, of those that were approved: None for a holder that works."""
        return await self._challenge(self._holders)

    async def challenge_configured(self) -> dict[str, Unavailable | None]:
        """The same of every holder that the settings name."""
        return await self._challenge(self._configured)

    async def _challenge(self, holders: Mapping[str, Holder]) -> dict[str, Unavailable | None]:
        answers = await asyncio.gather(*(self._ask(holder, holder.challenge()) for holder in holders.values()))
        return {
            fingerprint: answer if isinstance(answer, Unavailable) else None
            for fingerprint, answer in zip(holders, answers, strict=True)
        }

    def drop_expired(self) -> None:
        now = self._monotonic()
        for slot in [slot for slot, (_, until) in self._kept.items() if now >= until]:
            self._drop(slot)

    def forget(self) -> None:
        """Wipes every key at once: nothing uses them any more."""
        for key, _ in self._kept.values():
            key.wipe()
        self._kept.clear()

    def _drop(self, slot: tuple[str, int, str]) -> None:
        key, _ = self._kept.pop(slot)
        asyncio.get_running_loop().call_later(WIPED_S, key.wipe)

    def _keep(self, epoch: Epoch, key: EnvironmentKey) -> None:
        if _slot(epoch) in self._kept:
            self._drop(_slot(epoch))
        while len(self._kept) >= KEPT_KEYS:
            self._drop(next(iter(self._kept)))
        self._kept[_slot(epoch)] = (key, self._monotonic() + KEPT_S)
        # Also when nobody asks again: a key does not lie in memory because it is quiet.
        asyncio.get_running_loop().call_later(KEPT_S + 1, self.drop_expired)

    async def _first(self, epoch: Epoch, holders: Mapping[str, Holder]) -> tuple[EnvironmentKey | None, dict[str, str]]:
        """The first key that fits. Working holders are asked first, each next one when the last fails or takes long."""
        waiting = [holders[one] for one in epoch.wraps if one in holders]
        waiting.sort(key=lambda holder: holder.fingerprint in self._failing)
        asked: dict[asyncio.Task[EnvironmentKey | Unavailable], Holder] = {}
        refusals: dict[str, str] = {}
        try:
            while waiting or asked:
                if waiting:
                    holder = waiting.pop(0)
                    asked[asyncio.create_task(self._recover(holder, epoch))] = holder
                timeout = self._head_start_s if waiting else None
                done, _ = await asyncio.wait(asked, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    holder, answer = asked.pop(task), task.result()
                    if isinstance(answer, EnvironmentKey):
                        return answer, {}
                    refusals[holder.name] = answer.sentence
            return None, refusals
        finally:
            for task in asked:
                task.cancel()

    async def _recover(self, holder: Holder, epoch: Epoch) -> EnvironmentKey | Unavailable:
        if holder.fingerprint not in epoch.wraps:
            return Unavailable(f"{holder.name} has not been given this key yet.", code="not_given")
        recovered = EnvironmentKey.recover(holder, epoch, installation=self._installation, random=self._random)
        return await self._ask(holder, recovered)

    async def _entrust(self, key: EnvironmentKey, holders: Sequence[Holder]) -> tuple[dict[str, Wrap], dict[str, str]]:
        """Wraps by fingerprint, and by name why there is none."""
        answers = await asyncio.gather(*(self._ask(holder, key.entrust(holder)) for holder in holders))
        wraps, refusals = {}, {}
        for holder, answer in zip(holders, answers, strict=True):
            if isinstance(answer, Unavailable):
                refusals[holder.name] = answer.sentence
            else:
                wraps[holder.fingerprint] = Wrap(holder=holder.name, wrapped=answer)
        return wraps, refusals

    async def _ask(self, holder: Holder, answer: Awaitable[T]) -> T | Unavailable:
        """Bounded in time. What a holder says is kept, its traceback is not: that one has seen a key."""
        refusal: Unavailable
        try:
            async with asyncio.timeout(self._patience_s):
                result = await answer
        except TimeoutError:
            refusal = Unavailable(f"{holder.name} did not answer within {self._patience_s:g} s.", code="no_answer")
        except Unavailable as error:
            refusal = Unavailable(error.sentence, code=error.detail)
        else:
            self._failing.discard(holder.fingerprint)
            return result
        self._failing.add(holder.fingerprint)
        self._outdated |= refusal.detail == UNKNOWN_ROSTER
        return refusal


def _wipe(answers: Collection[EnvironmentKey | Unavailable]) -> None:
    """Keys that were recovered only to see that they can be."""
    for answer in answers:
        if isinstance(answer, EnvironmentKey):
            answer.wipe()


def _unknown(epoch: Epoch, holders: Collection[str]) -> tuple[str, ...]:
    return tuple(f"{wrap.holder} ({one[:8]})" for one, wrap in epoch.wraps.items() if one not in holders)


def _slot(epoch: Epoch) -> tuple[str, int, str]:
    return epoch.environment_id, epoch.number, epoch.commitment


def _listed(refusals: dict[str, str]) -> str:
    return " ".join(f"{name}: {sentence}" for name, sentence in refusals.items())


def _too_few(wraps: dict[str, Wrap], refusals: dict[str, str], *, secure: bool) -> Unavailable:
    need = "needs two working key holders" if secure else "needs a working key holder"
    works = ", ".join(wrap.holder for wrap in wraps.values())
    have = f"only {works} works" if works else "none works"
    return Unavailable(
        f"A new key {need}, and {have}. {_listed(refusals) or 'No other is configured.'} Bring it back, or add another.",
        code="holders_missing",
    )


def _none_opens(epoch: Epoch, refusals: dict[str, str], unknown: tuple[str, ...]) -> Unavailable:
    away = f"Not configured here: {', '.join(unknown)}. " if unknown else ""
    reasons = f"{_listed(refusals)} " if refusals else ""
    return Unavailable(
        f"No key holder opens environment {epoch.environment_id}, epoch {epoch.number}. {away}{reasons}"
        "Bring one of these back; nothing is lost while one of them exists. New data can be sealed under a new key.",
        code="keys_missing",
    )
