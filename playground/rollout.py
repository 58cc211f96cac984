"""Rollout: a deploy as a receiver would carry it out, in a few seconds, with a report at each step."""

import asyncio
import json
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import aiohttp

from playground.hooks import HookDelivery, HookReceiver

STEPS: Final = (
    {"outcome": "running", "stage": "Building"},
    {"outcome": "running", "stage": "Rolling out", "said": "3 of 6 are healthy."},
    {"outcome": "succeeded", "stage": "Rolled out", "said": "6 of 6 are healthy."},
)
STEP_S: Final = 2.0


class Rollouts:
    """`base_url`: where the program hears reports."""

    def __init__(self, receiver: HookReceiver, base_url: Callable[[], str], step_s: float = STEP_S) -> None:
        self._receiver = receiver
        self._base_url = base_url
        self._step_s = step_s
        self._running: set[asyncio.Task[None]] = set()

    def begin(self, delivery: HookDelivery) -> None:
        """For what is told of a deploy; of all else nothing."""
        if delivery.event == "deploy" and delivery.verified and delivery.status == 204:
            task = asyncio.create_task(self._carry_out(delivery))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _carry_out(self, delivery: HookDelivery) -> None:
        """Until it is told that nobody wants to know: the deploy was cancelled, or is over."""
        path = urlsplit(json.loads(delivery.body)["data"]["deploy"]["status_url"]).path
        async with aiohttp.ClientSession(self._base_url()) as http:
            for step in STEPS:
                await asyncio.sleep(self._step_s)
                raw = json.dumps(step).encode()
                headers = self._receiver.signed(delivery.name, raw)
                async with http.post(path, data=raw, headers=headers) as answer:
                    if answer.status != 200:
                        return
