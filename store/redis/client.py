"""The connection to Redis: bounded waits, no silent retry, and errors as people are told them."""

import asyncio
from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis, Sentinel
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as TimedOut

from store.model.errors import Unavailable
from store.redis.refusals import WRITES_NOTHING, refusal, word
from store.redis.wire import Wire

TIMEOUT_S: Final = 2.0  # for a whole command: a connection, the way there and the way back
CONNECTIONS: Final = 32
# A retried write may count twice, so nothing is retried here; what may be asked again is asked again by its id.
OPTIONS: Final[dict[str, Any]] = {
    # No `socket_timeout` and no blocking pool: their two timers, a task and a lock for each command cost more than the
    # command itself. `Client` bounds the whole of it with one timer and one semaphore; `Wire` has one timer for all.
    "socket_timeout": None,
    "socket_connect_timeout": TIMEOUT_S,
    "retry": Retry(NoBackoff(), 0),
    "health_check_interval": 0,
    "driver_info": DriverInfo(),  # else each connection looks up anew which version of redis-py this is
}
SILENT: Final = "Redis does not answer. Nothing is lost; try again in a moment."


class _Batch(Pipeline):
    def __init__(self, client: "Client", *, transaction: bool, shard_hint: str | None) -> None:
        super().__init__(client.connection_pool, client.response_callbacks, transaction, shard_hint)
        self._room = client.room

    async def execute(self, raise_on_error: bool = True) -> list[Any]:  # noqa: FBT001, FBT002  # redis-py's signature
        try:
            async with asyncio.timeout(TIMEOUT_S), self._room:
                return await super().execute(raise_on_error)
        except (Disconnected, TimedOut, OSError):
            raise Unavailable(SILENT, code="unknown") from None


class Client(Redis):
    """Redis, whose silence is an `Unavailable`, and so is its refusal to write anything for now."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.room = asyncio.Semaphore(CONNECTIONS)
        self._wire: Wire | None = None
        self._wiring = asyncio.Lock()

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:  # noqa: FBT001, FBT002  # redis-py's signature
        return _Batch(self, transaction=transaction, shard_hint=shard_hint)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            if args[0] == "EVALSHA":
                return await self._ask(*args)
            async with asyncio.timeout(TIMEOUT_S), self.room:
                return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # redis-py
        except (Disconnected, TimedOut, OSError):
            raise Unavailable(SILENT, code="unknown") from None
        except ResponseError as error:
            if word(error) not in WRITES_NOTHING:
                raise
            raise refusal(error) from None

    async def aclose(self, close_connection_pool: bool | None = None) -> None:  # noqa: FBT001  # redis-py's signature
        if self._wire is not None:
            await self._wire.close()
        await super().aclose(close_connection_pool)

    async def _ask(self, *command: Any) -> Any:
        """Scripts share one connection: nothing follows on it that the server has not answered in time."""
        wire, until_s = self._wire, asyncio.get_running_loop().time() + TIMEOUT_S
        if wire is None or wire.lost:
            async with asyncio.timeout_at(until_s):
                wire = await self._connected()
        return await wire.ask(command, until_s)

    async def _connected(self) -> Wire:
        async with self._wiring:
            if self._wire is not None and self._wire.lost:
                await self._wire.close()
                self._wire = None
            if self._wire is None:
                self._wire = await Wire.over(self.connection_pool.make_connection())  # type: ignore[no-untyped-call]  # redis-py
            return self._wire


def connect(url: str) -> Client:
    """`redis://`, `rediss://`, `unix://`, or `redis+sentinel://host:port,host:port/name[/db]`. Connects at the first use."""
    if url.startswith("redis+sentinel://"):
        hosts, _, rest = url.removeprefix("redis+sentinel://").partition("/")
        name, _, database = rest.partition("/")
        nodes = [
            (host or "localhost", int(port or 26379))
            for host, _, port in (node.partition(":") for node in hosts.split(","))
        ]
        sentinel = Sentinel(nodes, sentinel_kwargs=OPTIONS)  # type: ignore[no-untyped-call]  # redis-py
        client: Client = sentinel.master_for(name or "mymaster", redis_class=Client, db=int(database or 0), **OPTIONS)
        return client
    pool = ConnectionPool.from_url(url, max_connections=CONNECTIONS, **OPTIONS)
    client = Client(connection_pool=pool)
    client.auto_close_connection_pool = True  # the pool is ours alone
    return client
