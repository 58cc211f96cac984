"""`/github/events`: what GitHub delivers to our App, verified on its raw bytes before anything reads them.

Source: https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_protection_rule
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Final, Literal

import structlog
from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bot.github_settings import GitHubAccess
from bot.http.asked import MOST_BYTES, read
from scheduler.gates import bound
from store.model.command import Report
from store.model.effect import Knock
from store.model.errors import AccessError, Unavailable
from store.model.lifecycle.deploying import is_log
from store.model.policy import DAY, HOUR
from store.model.request import RELAY, VERSION_PATTERN, Gate, Login, Number, Ref, Repository
from store.redis.outbox import Outbox
from store.redis.policies import Policies
from store.redis.requests import Requests

PATH: Final = "/github/events"
OLDEST_MS: Final = DAY - HOUR  # of what waits: an answer is remembered for a day, so nothing is asked twice
RUNNING_MOST: Final = 1_000  # deploys that are looked through for the one that a report is about

_DELIVERY: Final = re.compile(r"[0-9A-Fa-f-]{1,64}")
_CALLBACK: Final = re.compile(
    r"(?P<repository>https?://.+)/actions/runs/(?P<run>[1-9][0-9]{0,18})/deployment_protection_rule"
)

log = structlog.stdlib.get_logger(__name__)


class _Told(BaseModel):
    """GitHub's payloads have far more than is read here, and get more."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class _Repository(_Told):
    full_name: Repository


class _Sender(_Told):
    login: Login


class _Installation(_Told):
    id: Number


class _Deployment(_Told):
    id: Number
    sha: Ref
    ref: str
    created_at: AwareDatetime


class _Asked(_Told):
    """`deployment_protection_rule`, requested. GitHub's schema calls optional what we cannot do without."""

    environment: Annotated[str, StringConstraints(min_length=1, max_length=255)]
    deployment_callback_url: str
    deployment: _Deployment
    repository: _Repository
    installation: _Installation
    sender: _Sender


class _Status(_Told):
    id: Number
    state: str
    description: str | None = None
    log_url: str | None = None
    target_url: str | None = None


class _Of(_Told):
    id: Number


class _Goes(_Told):
    """`deployment_status`, created."""

    deployment_status: _Status
    deployment: _Of
    repository: _Repository


class _Action(_Told):
    action: Annotated[str, Field(max_length=100)] = ""


_OUTCOMES: Final[dict[str, Literal["running", "succeeded", "failed"]]] = {
    "in_progress": "running",
    "success": "succeeded",
    "failure": "failed",
    "error": "failed",
}


class GitHubEvents:
    """`now_ms`: the one clock. What is asked is put into a lane, and answered at once: GitHub delivers only once."""

    def __init__(
        self,
        access: GitHubAccess,
        policies: Policies,
        requests: Requests,
        outbox: Outbox,
        now_ms: Callable[[], int],
    ) -> None:
        self._access = access
        self._policies = policies
        self._requests = requests
        self._outbox = outbox
        self._now_ms = now_ms

    async def handle(self, request: web.Request) -> web.Response:
        body = await read(request, MOST_BYTES)
        signatures = request.headers.getall("X-Hub-Signature-256", [])
        if len(signatures) != 1 or not self.genuine(body, signatures[0]):
            log.warning("github signature refused")
            return _said(401, "The signature does not fit.")
        event, delivery = request.headers.get("X-GitHub-Event", ""), request.headers.get("X-GitHub-Delivery", "")
        try:
            status, said = await self._heard(event, body)
        except ValidationError as error:
            where = sorted({".".join(map(str, fault["loc"])) for fault in error.errors(include_input=False)})
            status, said = 400, f"This is no payload of {event[:100]}: {', '.join(where)[:200] or 'it is not JSON'}."
        except Unavailable as error:
            status, said = 503, error.sentence
        known = delivery if _DELIVERY.fullmatch(delivery) else ""
        tell = log.info if status < 300 else log.warning
        tell("github", about=event[:100], delivery=known, status=status, said=said)
        return _said(status, said)

    def genuine(self, body: bytes, signature: str) -> bool:
        """Signed with the secret of our App's webhook. Anything odd is a no, never an error."""
        mac = hmac.new(self._access.secret.reveal(), body, hashlib.sha256)
        return hmac.compare_digest(f"sha256={mac.hexdigest()}".encode(), signature.encode(errors="surrogateescape"))

    async def _heard(self, event: str, body: bytes) -> tuple[int, str]:
        if event == "ping":
            return 200, "Countersign hears GitHub."
        action = _Action.model_validate_json(body).action
        if (event, action) == ("deployment_protection_rule", "requested"):
            return await self._asked(_Asked.model_validate_json(body))
        if (event, action) == ("deployment_status", "created"):
            return await self._reported(_Goes.model_validate_json(body))
        return 202, "Ignored."

    async def _asked(self, told: _Asked) -> tuple[int, str]:
        """The URL to call back at is never called: it must be what we know from the policies, and that is what is called."""
        repository, deployment = told.repository.full_name, told.deployment
        found = bound(await self._policies.current(), repository, told.environment)
        if found is None:
            return 404, f"No target of Countersign is the environment {told.environment} of {repository}."
        _, hook = found
        callback = _CALLBACK.fullmatch(told.deployment_callback_url)
        here = f"{self._access.api}/repos/{repository}".casefold()
        if callback is None or not callback["repository"].casefold() == hook.url.casefold() == here:
            return 403, f"The URL to call back at is not one of {repository} at {self._access.api}."
        now_ms = self._now_ms()
        if now_ms - _ms(deployment.created_at) > OLDEST_MS:
            return 202, "Ignored: this has waited for a day already."
        run = int(callback["run"])
        gate = Gate(
            repository=repository,
            environment=told.environment,
            run=run,
            installation=told.installation.id,
            deployment=deployment.id,
            by=told.sender.login,
            page=f"{self._access.pages}/{repository}/actions/runs/{run}",
        )
        version = deployment.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
        named = re.fullmatch(VERSION_PATTERN, version) is not None
        knock = Knock(gate=gate, version=version if named else deployment.sha[:12], ref=deployment.sha, at_ms=now_ms)
        await self._outbox.put([knock], command_id=knock.key)
        return 202, "Asked."

    async def _reported(self, told: _Goes) -> tuple[int, str]:
        """Of a deploy that runs: others have their end, or nobody has let them through."""
        outcome, status = _OUTCOMES.get(told.deployment_status.state), told.deployment_status
        about = (told.repository.full_name.casefold(), told.deployment.id)
        running = await self._requests.listed("running", most=RUNNING_MOST) if outcome is not None else []
        gated = ((each, each.gate) for each in running if each.gate is not None)
        request = next((each for each, gate in gated if (gate.repository.casefold(), gate.deployment) == about), None)
        if outcome is None or request is None:
            return 202, "Ignored."
        command = Report(
            id=f"github:{about[0]}:{status.id}",
            actor=RELAY,
            outcome=outcome,
            stage="In progress at GitHub" if outcome == "running" else None,
            log=next((url for url in (status.log_url, status.target_url) if url and is_log(url)), None),
            said=status.description or None,
        )
        try:
            await self._requests.apply(request.id, command)
        except Unavailable:
            raise
        except AccessError as refusal:  # it has its end by now, or says what is known
            return 202, refusal.sentence
        return 202, "Recorded."


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _said(status: int, sentence: str) -> web.Response:
    return web.json_response({"said": sentence}, status=status)
