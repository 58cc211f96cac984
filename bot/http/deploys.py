"""Deploys over HTTP: whoever carries one out says how it goes, and is lent what it reads meanwhile."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field, StringConstraints

from bot.http.answers import Nothing, Shape, answer
from bot.http.api import Call, Operation
from bot.http.signed import Signatures
from bot.slack.conversation import Conversation
from store.model.audit import Audit
from store.model.command import Report
from store.model.errors import AccessError, Conflict, Forbidden, Invalid, NotFound, Unavailable
from store.model.identity import RequestId, TargetId, parse_request_id, request_id
from store.model.lifecycle.deploying import LOG, LOG_MOST
from store.model.request import RELAY, Request, State
from store.model.token import SECRET_BYTES, Token, write_token
from store.redis.heard import Heard
from store.redis.tokens import Tokens

Stage = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Sentence = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")]
Log = Annotated[str, StringConstraints(max_length=LOG_MOST, pattern=f"^{LOG}$")]


class Status(Shape):
    """`stage`: what is being done. `log`: where more can be read. `said`: a sentence for people; its first 300 characters are kept."""

    outcome: Literal["running", "succeeded", "failed"]
    stage: Stage | None = None
    log: Log | None = None
    said: Sentence | None = None


class Noted(Shape):
    """`report_before_ms`: when the time to report is over, while it runs."""

    request: RequestId
    state: State
    report_before_ms: int | None = None


class Lent(Shape):
    """`token` reads this version of this environment, and ends with the deploy."""

    token: str
    expires_ms: int
    target: TargetId
    environment_version: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, slots=True)
class Proof:
    """Who carries it out, as the audit log names it. `sender`, `message`: of what was signed; it counts once."""

    actor: str
    command_id: str
    sender: str | None = None
    message: str = ""


class DeployOperations:
    def __init__(
        self,
        talk: Conversation,
        *,
        signatures: Signatures,
        heard: Heard,
        tokens: Tokens,
        random: Callable[[int], bytes],
        now_ms: Callable[[], int],
    ) -> None:
        self._requests = talk.requests
        self._signatures = signatures
        self._heard = heard
        self._tokens = tokens
        self._random = random
        self._now_ms = now_ms

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="POST",
                path="/v1/deploys/{id}/status",
                name="reportDeploy",
                summary="Say how a deploy goes: signed with the secret of a hook that was told of it, or with a machine's token that may report.",
                handle=self.status,
                body=Status,
                answer=Noted,
                signed=self._signatures.verify,
                keyed=True,
            ),
            Operation(
                method="POST",
                path="/v1/deploys/{id}/token",
                name="lendToken",
                summary="A token that reads the secrets of what is deployed, in the version that is deployed, while it runs. Proven as a report is.",
                handle=self.lend,
                body=Nothing,
                wants_body=False,
                answer=Lent,
                status=201,
                signed=self._signatures.verify,
            ),
        )

    async def status(self, call: Call) -> web.StreamResponse:
        request, proof = await self._proven(call)
        body: Status = call.body
        command = Report(
            id=proof.command_id,
            actor=proof.actor,
            outcome=body.outcome,
            stage=body.stage,
            log=body.log,
            said=body.said,
        )
        await self._once(proof)
        try:
            if not (await self._requests.apply(request.id, command)).news and proof.sender is not None:
                raise _replayed()
        except AccessError as refusal:
            await self._refused(proof, refusal)
            if refusal.detail != "nothing_new":
                raise
        return answer(_noted((await self._requests.get(request.id)).request))

    async def lend(self, call: Call) -> web.StreamResponse:
        request, proof = await self._proven(call)
        await self._once(proof)
        try:
            token, shown = await self._lent(request, proof)
        except AccessError as refusal:
            await self._refused(proof, refusal)
            raise (_replayed() if refusal.detail == "other_command" else refusal) from None
        return answer(
            Lent(
                token=shown,
                expires_ms=token.expires_ms,
                target=token.targets[0],
                environment_version=token.version or 0,
            ),
            201,
        )

    async def _lent(self, request: Request, proof: Proof) -> tuple[Token, str]:
        """Raises `Conflict` for what does not run, `NotFound` where there is nothing to read."""
        now_ms, run, environment = self._now_ms(), request.run, request.asked.environment
        deadline = request.timers.get("deadline", 0)
        if request.state != "running" or run is None or now_ms >= deadline:
            raise Conflict("This deploy does not run, so nothing is lent to it.", code="not_running")
        if environment is None or run.environment_version is None:
            raise NotFound(f"{request.target} had no secrets when this was started.", code="no_version")
        identity = request_id(self._random(7))
        shown, kept = write_token("machine", identity, self._random(SECRET_BYTES))
        token = Token(
            id=identity,
            kind="machine",
            holder=run.by,
            name=f"deploy-{request.id.lower()}",
            hash=kept,
            created_ms=now_ms,
            expires_ms=deadline,
            targets=(environment,),
            actions=("read",),
            version=run.environment_version,
            deploy=request.id,
        )
        entry = Audit(
            event="token.lent",
            actor=proof.actor,
            at_ms=now_ms,
            request=request.id,
            target=environment,
            details={"token": identity, "version": run.environment_version, "hook": proof.sender},
        )
        await self._tokens.put(token, 0, proof.command_id, [entry], good_until_ms=deadline)
        return token, shown.reveal().decode()

    async def _proven(self, call: Call) -> tuple[Request, Proof]:
        """Raises `Forbidden` for a person, `NotFound` for what is no deploy that this machine may report on."""
        if call.signer is not None:
            signer = call.signer
            sender = f"{signer.target}/{signer.hook}"
            command_id = f"report:{sender}:{signer.message}"
            return (await self._requests.get(signer.request)).request, Proof(RELAY, command_id, sender, signer.message)
        token = call.known.token
        if token.kind != "machine":
            raise Forbidden("Whoever carries it out reports: a hook's receiver, or a machine.", code="machine_only")
        try:
            request = (await self._requests.get(parse_request_id(call.path("id")))).request
        except Invalid:
            raise _unknown() from None
        if request.kind != "deploy" or not (token.may("report", request.target) or token.may("deploy", request.target)):
            raise _unknown()
        return request, Proof(token.actor, call.command_id)

    async def _once(self, proof: Proof) -> None:
        """Raises `Conflict` for what was refused already."""
        if proof.sender is not None and await self._heard.known(proof.sender, proof.message):
            raise _replayed()

    async def _refused(self, proof: Proof, refusal: AccessError) -> None:
        """It shall not count later, when more may be possible; what could not be decided may come again."""
        if proof.sender is not None and not isinstance(refusal, Unavailable):
            await self._heard.note(proof.sender, proof.message)


def _replayed() -> Conflict:
    return Conflict("This message has come already. Sign what is new under an id of its own.", code="replayed")


def _noted(request: Request) -> Noted:
    deadline = request.timers.get("deadline") if request.state == "running" else None
    return Noted(request=request.id, state=request.state, report_before_ms=deadline)


def _unknown() -> NotFound:
    return NotFound("There is no such deploy here, or it is not yours to report on.")
