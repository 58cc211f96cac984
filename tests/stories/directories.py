"""The outside directory on its bad days: it holds, lies, refuses, and all who were ever seen in the group are kept."""

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from playground import seed
from playground.scim import ScimServer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse


class Gate:
    """Stands in front of the server's application. `seen`: the members after each write, without repetitions."""

    def __init__(self, directory: ScimServer) -> None:
        self._directory = directory
        self._application = directory._application
        self.seen: list[tuple[str, ...]] = [()]
        self.asked = 0
        self.writes = 0
        self.status: int | None = None  # answered to everything, and nothing is done
        self.lies = False  # a write is answered 200, and nothing is done
        self.slow_s = 0.0
        server = directory._server
        assert server is not None
        server.set_app(self)

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        self.asked += 1
        self._directory.storage._changed()
        if self.slow_s:
            threading.Event().wait(self.slow_s)
        if self.status is not None:
            start_response(f"{self.status} {STATUSES[self.status]}", [("Content-Length", "0")])
            return [b""]
        if environ["REQUEST_METHOD"] != "PATCH":
            answer: Iterable[bytes] = self._application(environ, start_response)
            return answer
        self.writes += 1
        if self.lies:
            start_response("204 No Content", [])
            return [b""]
        body = b"".join(self._application(environ, start_response))
        members = tuple(self._directory.members(seed.ROLE_GROUP))
        if members != self.seen[-1]:
            self.seen.append(members)
        return [body]


STATUSES: Final = {401: "Unauthorized", 503: "Service Unavailable", 500: "Internal Server Error"}
