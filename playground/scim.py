"""A real SCIM server, scim2-server, on a loopback port: the outside system whose groups the playground shows."""

import functools
import itertools
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from scim2_models import Resource, ResourceType
from scim2_models.provider import ScimProvider
from scim2_server.memory import InMemoryStorage
from scim2_server.service import ScimService
from scim2_server.testserver.application import BearerTokenApplication
from scim2_server.utils import load_default_provider

_SECRET: Final = "signs cursors of a server that lives as long as its process"  # noqa: S105  # and of nothing else


@functools.cache
def description() -> ScimProvider:
    """What the server serves: the schemas of RFC 7643. Making its models takes longer than starting the server, so once will do."""
    return load_default_provider()


class ScimServer:
    """`users`: (e-mail, name) each; `groups`: display names; both are added where they are missing.

    `path` keeps the resources over restarts. `changed` is called from the server's own thread.
    """

    def __init__(
        self,
        *,
        token: str,
        users: Iterable[tuple[str, str]] = (),
        groups: Iterable[str] = (),
        path: Path | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        provider = description()
        self._types = {str(kind.name): kind for kind in provider.resource_types}
        self._models: dict[str, Any] = {name: provider.model_for(kind) for name, kind in self._types.items()}
        self.storage = _Kept(path, self._models, changed)
        with self.storage.at_once():
            for email, name in users:
                self._add(
                    "User",
                    "user_name",
                    {
                        "userName": email,
                        "displayName": name,
                        "emails": [{"value": email, "primary": True}],
                        "active": True,
                    },
                )
            for group in groups:
                self._add("Group", "display_name", {"displayName": group})
        self._application = BearerTokenApplication(
            self.storage, provider, ScimService(provider, secret=_SECRET), bearer_tokens=[token]
        )
        self._server: WSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Of the SCIM endpoints, `…/v2`."""
        if self._server is None:
            raise RuntimeError("The SCIM server is not running.")
        return f"http://127.0.0.1:{self._server.server_port}/v2"

    def start(self, port: int = 0) -> None:
        self._server = make_server("127.0.0.1", port, self._application, server_class=_Server, handler_class=_Quiet)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, name="scim", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = None

    def members(self, group: str) -> list[str]:
        """The user names, e-mails here, of who is in this group."""
        return [names[0] for names in self._members(group)]

    def rows(self) -> list[Any]:
        """For the page: each group with its members' names."""
        groups = sorted(str(resource.display_name) for resource in self._of("Group"))
        return [{"group": group, "members": [name for _, name in self._members(group)]} for group in groups]

    def _members(self, group: str) -> list[tuple[str, str]]:
        users = {user.id: (str(user.user_name), str(user.display_name or user.user_name)) for user in self._of("User")}
        found = next((one for one in self._of("Group") if one.display_name == group), None)
        return (
            [users.get(member.value, (member.value, member.value)) for member in (found.members or [])] if found else []
        )

    def _of(self, name: str) -> list[Any]:
        with self.storage.lock:
            return [
                resource
                for resource in self.storage.resources
                if resource.meta is not None and resource.meta.resource_type == name
            ]

    def _add(self, name: str, attribute: str, content: dict[str, Any]) -> None:
        resource = self._models[name].model_validate(content)
        wanted = getattr(resource, attribute)
        if not any(getattr(one, attribute) == wanted for one in self._of(name)):
            self.storage.create(self._types[name], resource)


class _Kept(InMemoryStorage):
    """The package's memory, written to a file after each change."""

    def __init__(self, path: Path | None, models: dict[str, Any], changed: Callable[[], None]) -> None:
        super().__init__()
        self._path, self._changed = path, changed
        self._later = False
        if path is not None and path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            self.resources = [models[raw["meta"]["resourceType"]].model_validate(raw) for raw in kept["resources"]]
            self.versions = itertools.count(kept["next_version"])

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """All that is created in it is written at its end."""
        self._later = True
        yield
        self._later = False
        self._write()

    def create(self, resource_type: ResourceType, resource: Resource[Any]) -> Resource[Any]:
        with self.lock:
            created = super().create(resource_type, resource)
            self._write()
        self._changed()
        return created

    def update(
        self, resource_type: ResourceType, resource: Resource[Any], *, expected_version: str | None = None
    ) -> Resource[Any]:
        with self.lock:
            updated = super().update(resource_type, resource, expected_version=expected_version)
            self._write()
        self._changed()
        return updated

    def delete(self, resource_type: ResourceType, resource_id: str, *, expected_version: str | None = None) -> None:
        with self.lock:
            super().delete(resource_type, resource_id, expected_version=expected_version)
            self._write()
        self._changed()

    def _write(self) -> None:
        if self._path is None or self._later:
            return
        following = next(self.versions)
        self.versions = itertools.count(following)
        kept = {"next_version": following, "resources": [resource.model_dump() for resource in self.resources]}
        aside = self._path.with_suffix(".new")
        aside.write_text(json.dumps(kept), encoding="utf-8")
        aside.replace(self._path)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Without the look-up of the host's own name, which can take seconds on a laptop without a network."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]
        self.setup_environ()


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is the base class's
        """The terminal belongs to the playground."""
