"""The Lua scripts, one file each; the header of a file names its keys, arguments and answer."""

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import NoScriptError, RedisError, ResponseError
from redis.exceptions import TimeoutError as TimedOut

from store.model.errors import Unavailable
from store.redis.refusals import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from store.model.effect import Lane

ALLOW_OOM: Final = "#!lua flags=allow-oom\n"  # what takes access away runs in a full server too
NOT_CONFIRMED: Final = "Not confirmed yet; the card will show the truth."


class Scripts:
    """Runs them by hash. `round_trips` counts what went over the wire, for the bench. `on_put` hears of the lanes into which a commit of this process has put effects."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._sources: dict[str, str] = {}
        self._hashes: dict[str, str] = {}
        self._flags: bool | None = None
        self.round_trips = 0
        self.on_put: Callable[[Iterable[Lane]], None] = lambda _: None

    async def run(self, name: str, keys: list[str], args: list[str | int | bytes], *, frees: bool = False) -> Any:
        """Raises `Unavailable`; with code `unknown` where the script may have run all the same."""
        script = f"{name}!" if frees and await self._has_flags() else name
        try:
            return await self._evaluate(script, keys, args)
        except Unavailable as error:
            if error.detail != "unknown":
                raise
            raise Unavailable(NOT_CONFIRMED, code="unknown") from None
        except (Disconnected, TimedOut, OSError):
            raise Unavailable(NOT_CONFIRMED, code="unknown") from None
        except ResponseError as error:
            raise refusal(error) from None
        except RedisError as error:
            raise Unavailable(f"Redis does not answer ({type(error).__name__}).") from None

    async def _evaluate(self, script: str, keys: list[str], args: list[str | int | bytes]) -> Any:
        if script in self._hashes:
            try:
                self.round_trips += 1
                answer = self._redis.execute_command("EVALSHA", self._hashes[script], len(keys), *keys, *args)  # type: ignore[no-untyped-call]  # redis-py
                return await answer
            except NoScriptError:
                pass
        source = self._source(script)
        self.round_trips += 2
        self._hashes[script] = _text(await self._redis.script_load(source))
        return await self._redis.evalsha(self._hashes[script], len(keys), *keys, *args)

    def _source(self, script: str) -> str:
        if script not in self._sources:
            source = _read(script.removesuffix("!"))
            self._sources[script] = ALLOW_OOM + source if script.endswith("!") else source
        return self._sources[script]

    async def _has_flags(self) -> bool:
        """Flags came with Redis 7; an older server just does not get them."""
        if self._flags is None:
            try:
                await self._redis.eval(ALLOW_OOM + "return 1", 0)
                self._flags = True
            except ResponseError:
                self._flags = False
            except (RedisError, OSError):
                return False
        return self._flags


def _read(name: str) -> str:
    """A script that begins with `--+ world ended` stands behind `world.lua` and `ended.lua`."""
    source = (files(__name__) / f"{name}.lua").read_text(encoding="utf-8")
    first, _, rest = source.partition("\n")
    before = first.removeprefix("--+ ").split() if first.startswith("--+ ") else []
    return "".join(map(_read, before)) + rest if before else source


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
