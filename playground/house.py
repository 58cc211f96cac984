"""House: a workspace, an outside directory, a hook receiver, and the program itself among them, all on loopback."""

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from bot.app import App
from bot.main import build
from bot.settings import Settings
from playground import seed
from playground.hooks import HookReceiver
from playground.rollout import Rollouts
from playground.scim import ScimServer
from playground.server import PlaygroundServer
from playground.slack.workspace import Workspace
from store.redis.environments import Environments

MANIFEST: Final = Path(__file__).parent.parent / "manifest.yml"
SEEDED: Final = "seeded"
AHEAD: Final = "clock-ahead-ms"
IN_HAND_S: Final = 1.0


class House:
    """`folder` keeps everything over a restart. `environ`: settings of the program besides those that the house decides.

    `port` 0: any free one; else the directory's is the next, and the program's own the one after it. `http`: signed HTTP instead of sockets.
    `workspace`: what else the `Workspace` takes. `rollout_s`: how long each step of a deploy takes; None: nobody carries one out.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        environ: Mapping[str, str] | None = None,
        http: bool = False,
        workspace: Mapping[str, Any] | None = None,
        rollout_s: float | None = None,
    ) -> None:
        self.folder = folder
        self._http = http
        self._port = port
        self._environ = dict(environ or {})
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ahead = folder / AHEAD
        self._skew_ms = int(ahead.read_text(encoding="utf-8")) if ahead.exists() else 0
        self.workspace = Workspace(
            people=seed.people(),
            groups=seed.groups(),
            channels=seed.channels(),
            manifest=MANIFEST,
            signing_secret=self._kept("signing-secret"),
            **{"transcript": folder / "transcript.json", **(workspace or {})},
        )
        self.hooks = HookReceiver({}, now_ms=self.now_ms, changed=self.workspace.changed)
        self.rollouts: Rollouts | None = None
        if rollout_s is not None:
            self.rollouts = Rollouts(self.hooks, lambda: f"http://127.0.0.1:{self.app.http.port}", rollout_s)
            self.hooks.taken = self.rollouts.begin
        self.server = PlaygroundServer(self.workspace, routes=self.hooks.routes())
        self.scim: ScimServer | None = None
        self.apps: list[App] = []

    @property
    def app(self) -> App:
        return self.apps[0]

    @property
    def directory(self) -> ScimServer:
        if self.scim is None:
            raise RuntimeError("The house is not open.")
        return self.scim

    def now_ms(self) -> int:
        return self.apps[0].dial.now_ms() if self.apps else self.workspace.clock()

    def skew_ms(self) -> int:
        return self._skew_ms

    async def advance(self, ms: int) -> None:
        """Time goes on by this much for the program, and what is due then happens.

        What is in hand is done first, where that is soon: a jump would end its lease, and it would be done twice.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IN_HAND_S):
                await asyncio.gather(*(app.clock.settled() for app in self.apps))
        self._skew_ms += ms
        # A restart must not turn the clock back: what was done by it lies in the store.
        (self.folder / AHEAD).write_text(str(self._skew_ms), encoding="utf-8")
        for app in self.apps:
            await app.clock.sweep()
            app.clock.nudge()
            app.waiting.jumped()
        self.workspace.changed()

    async def quiet(self, within_s: float) -> None:
        """Until nothing is left to be told or done: the lanes are empty. Raises `TimeoutError`."""
        async with asyncio.timeout(within_s):
            while any([await self.app.outbox.depth(lane) for lane in self.app.relay.lanes]):
                for app in self.apps:
                    app.clock.nudge()
                    await app.clock.settled()

    async def open(self) -> None:
        """Everything but the program. Raises `OSError` when a port is taken."""
        loop = asyncio.get_running_loop()
        await self.server.start(port=self._port)
        accounts = [(person.email, person.real_name) for person in seed.people() if person.kind == "member"]
        self.scim = ScimServer(
            token=seed.SCIM_TOKEN,
            users=accounts,
            groups=[seed.ROLE_GROUP],
            path=self.folder / "directory.json",
            changed=lambda: _from_thread(loop, self.workspace.changed),
        )
        self.scim.start(port=self._port + 1 if self._port else 0)
        self._write_policies(self.scim.url)
        page = self.server.page
        page.add_panel("Deploy hooks received", "hooks", self.hooks.rows)
        page.add_panel("Outside directory (SCIM)", "groups", self.scim.rows)
        page.set_clock(now_ms=self.now_ms, skew_ms=self.skew_ms, advance=self.advance)

    async def move_in(self) -> App:
        """One more process of the program: the first one seeds. Raises `AccessError`."""
        app = await build(Settings.read(self.environ()), skew=self.skew_ms)
        try:
            await app.start()
        except BaseException:
            await app.stop()
            raise
        self.apps.append(app)
        if self._http:
            self.workspace.delivery.http.url = f"http://127.0.0.1:{app.http.port}/slack/events"
        if len(self.apps) == 1:
            await self._seed(app)
        return app

    def environ(self) -> dict[str, str]:
        way = (
            {"SLACK_SIGNING_SECRET": self.workspace.signing_secret}
            if self._http
            else {"SLACK_APP_TOKEN": "xapp-playground"}
        )
        return {
            "HOME": str(self.folder),
            "SLACK_BOT_TOKEN": "xoxb-playground",
            **way,
            "SLACK_API_URL": self.server.api_url,
            "COUNTERSIGN_DATA": str(self.folder / "bot"),
            "COUNTERSIGN_POLICIES": str(self.folder / "policies.yml"),
            "COUNTERSIGN_HTTP": f"127.0.0.1:{self._port + 2 if self._port else 0}",
            **self._environ,
        }

    async def close(self) -> None:
        if self.rollouts is not None:
            await self.rollouts.close()
        for app in reversed(self.apps):
            await app.stop()
        self.apps.clear()
        await self.shut()

    async def shut(self) -> None:
        """Everything but the program."""
        if self.scim is not None:
            await asyncio.to_thread(self.scim.stop)
            self.scim = None
        await self.server.stop()

    async def _seed(self, app: App) -> None:
        self.hooks.secrets["api"] = await hook_secret(app.environments, "payments/prod", "api")
        if not (self.folder / SEEDED).exists():
            await seed.first_secrets(app)
            (self.folder / SEEDED).touch()
            with contextlib.suppress(TimeoutError):  # whoever comes in finds it done, and not being done
                await self.quiet(IN_HAND_S)

    def _write_policies(self, scim: str) -> None:
        path = self.folder / "policies.yml"
        if not path.exists():
            base = self.server.base_url
            places = (base.removeprefix("http://"), scim.removeprefix("http://").partition("/")[0])
            path.write_text(seed.policies(hooks=f"{base}/hooks", scim=scim, allow=places), encoding="utf-8")

    def _kept(self, name: str) -> str:
        path = self.folder / name
        if not path.exists():
            path.write_text(secrets.token_hex(16), encoding="utf-8")
            path.chmod(0o600)
        return path.read_text(encoding="utf-8")


async def hook_secret(environments: Environments, target: str, hook: str) -> str:
    """What an owner is shown once, to be given to the receiver."""
    environment = await environments.ensure(target)
    return (await environments.signing_secret(environment, hook)).reveal().decode()


def _from_thread(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)
