"""Delivery to the app: by socket or by signed HTTP, once for what people do, up to three times more for events."""

import asyncio
from dataclasses import replace
from typing import Final

from playground.slack.faults import Faults
from playground.slack.records import Ack, Envelope, Json
from playground.slack.signed_http import SignedHttp
from playground.slack.sockets import Sockets
from playground.slack.state import KEPT, State

RETRIES_AFTER_S: Final = (0.0, 60.0, 300.0)  # nearly at once, after a minute, after five


class Delivery:
    """`ack_within_s`: what Slack allows, three seconds; `retries_after_s`: the waits before an event comes again."""

    def __init__(
        self,
        state: State,
        faults: Faults,
        *,
        ack_within_s: float = 3.0,
        retries_after_s: tuple[float, ...] = RETRIES_AFTER_S,
    ) -> None:
        self._state, self._faults = state, faults
        self.ack_within_s, self.retries_after_s = ack_within_s, retries_after_s
        self.sockets = Sockets(state)
        self.http = SignedHttp(state)
        self._tasks: set[asyncio.Task[Ack]] = set()

    async def send(self, envelope: Envelope) -> Ack:
        """What the person's client waits for."""
        self._state.envelopes.append(envelope)
        del self._state.envelopes[:-KEPT]
        self._state.changed()
        twice = self._faults.take_duplicate()
        ignored = self._faults.take_ignored_ack()
        first = asyncio.ensure_future(self._once(envelope))
        if twice:
            self._state.envelopes.append(envelope)
            self._track(asyncio.ensure_future(self._once(envelope)))
        ack = await first
        self._state.changed()
        return Ack(ok=False, reason="timeout") if ignored else ack

    def send_event(self, payload: Json) -> asyncio.Task[Ack]:
        """In the background, in order of happening; redelivered while nobody acknowledges. The task may be awaited."""
        return self._track(asyncio.ensure_future(self._event(payload)))

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.close()
        await self.http.close()

    async def _event(self, payload: Json) -> Ack:
        envelope = Envelope(self._state.new_id("E"), "events_api", payload, accepts_response_payload=False)
        ack = await self.send(envelope)
        for attempt, wait_s in enumerate(self.retries_after_s, start=1):
            if ack.ok:
                break
            await asyncio.sleep(wait_s)
            ack = await self.send(
                replace(envelope, id=self._state.new_id("E"), retry_attempt=attempt, retry_reason=ack.reason)
            )
        return ack

    async def _once(self, envelope: Envelope) -> Ack:
        if self.http.url is not None:
            return await self.http.send(envelope, self.ack_within_s)
        return await self.sockets.send(envelope, self.ack_within_s)

    def _track(self, task: "asyncio.Task[Ack]") -> "asyncio.Task[Ack]":
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
