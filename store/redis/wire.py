"""Wire: one connection over which all scripts are asked, and answered in the order of the questions."""

import asyncio
from collections import deque
from typing import Any, Final, Self

import hiredis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import NoScriptError, ResponseError

NOT_YET: Final = object()


class Wire(asyncio.Protocol):
    """A click waits for Redis twice, and redis-py's pool, streams and callbacks cost more CPU than all else it waits for.

    Address, TLS, password and database are still redis-py's: it connects, and hands its transport over.
    """

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection  # which would close the transport if nobody held it
        self._transport: asyncio.Transport = connection._writer.transport  # type: ignore[union-attr, assignment]  # noqa: SLF001  # no public way to it
        self._former = self._transport.get_protocol()
        self._transport.set_protocol(self)
        self._reader = hiredis.Reader(replyError=_error, notEnoughData=NOT_YET)
        self._waiting: deque[tuple[asyncio.Future[Any], float]] = deque()  # until when, by the loop's clock, s
        self._watch: asyncio.TimerHandle | None = None
        self._asked: list[bytes] = []  # and not sent yet
        self.lost = False

    @classmethod
    async def over(cls, connection: AbstractConnection) -> Self:
        """Raises what redis-py raises where it cannot connect."""
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py
        except BaseException:
            await connection.disconnect(nowait=True)
            raise
        return cls(connection)

    async def ask(self, command: tuple[Any, ...], until_s: float) -> Any:
        """Raises `ResponseError` for a refusal, `Disconnected` where it may have been done all the same.

        `until_s`: by the loop's clock. Whoever then has no answer has lost the connection, and so has everybody behind them.
        """
        if self.lost:
            raise Disconnected("The connection was lost.")
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        self._waiting.append((answer, until_s))
        if self._watch is None or until_s < self._watch.when():
            self._look_at(until_s)
        if not self._asked:
            loop.call_soon(self._send)
        self._asked.append(hiredis.pack_command(command))
        reply = await answer
        if isinstance(reply, ResponseError):
            if str(reply).startswith("READONLY"):
                self._abort()  # a master no more: whoever asks next connects to the one there is now
            raise reply
        return reply

    def _send(self) -> None:
        """What was asked in one turn of the loop goes out together: a hundred effects cost the system calls of one."""
        asked, self._asked = self._asked, []
        if not self.lost:
            self._transport.write(b"".join(asked))

    def _look_at(self, when_s: float) -> None:
        """One timer for all that waits: one for each command costs as much as the command."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch = asyncio.get_running_loop().call_at(when_s, self._look)

    def _look(self) -> None:
        self._watch = None
        if self._waiting:
            first_s = min(until_s for _, until_s in self._waiting)
            if first_s <= asyncio.get_running_loop().time():
                self._abort()
            else:
                self._look_at(first_s)

    async def close(self) -> None:
        """Whoever still waits is told that the connection was lost."""
        self._abort()
        await self._connection.disconnect(nowait=True)

    def _abort(self) -> None:
        self.lost = True  # from now on, not only when the loop comes to `connection_lost`
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while (reply := self._reader.gets()) is not NOT_YET:
            answer, _ = self._waiting.popleft()
            if not answer.done():  # nobody waits any more for what was cancelled
                answer.set_result(reply)

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self._watch is not None:
            self._watch.cancel()
        for answer, _ in self._waiting:
            if not answer.done():
                answer.set_exception(Disconnected("The connection was lost."))
        self._waiting.clear()
        self._former.connection_lost(error)


def _error(text: str) -> ResponseError:
    return NoScriptError(text) if text.startswith("NOSCRIPT") else ResponseError(text)
