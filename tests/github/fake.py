"""GitHub on a socket of its own, as far as a deployment protection rule needs it: it delivers, lets in, and refuses what GitHub refuses.

Whatever it sends and takes is held against GitHub's published schemas: `schemas.json`.
"""

import hashlib
import hmac
import io
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import aiohttp
import jwt
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jsonschema import Draft202012Validator

SCHEMAS: Final = json.loads((Path(__file__).parent / "schemas.json").read_text(encoding="utf-8"))
APP_ID: Final = "424242"
INSTALLATION: Final = 77
REPOSITORY: Final = "acme/payments"
SECRET: Final = "a-secret-for-webhooks-of-32-chars"
SAMPLES: Final = {
    "date-time": "2026-03-03T08:00:00Z",
    "uri": "https://example.com",
    "uri-template": "https://example.com",
}

Json = dict[str, Any]


def check(name: str, found: Any) -> None:
    Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": SCHEMAS["$defs"]}).validate(found)


def filled(schema: Json) -> Any:
    """Something of this schema: all that is required, and no more."""
    if "$ref" in schema:
        return filled(SCHEMAS["$defs"][schema["$ref"].rpartition("/")[2]])
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            return filled(schema[choice][0])
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            return {name: filled(schema["properties"][name]) for name in schema.get("required", ())}
        case "string":
            return SAMPLES.get(schema.get("format", ""), "x")
        case "integer" | "number":
            return 1
        case "boolean":
            return False
        case "array":
            return []
        case _:
            return None


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def pem(path: Path) -> Path:
    """The App's private key as a file that nobody else reads."""
    form, plain = serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    path.touch(mode=0o600)
    path.write_bytes(key().private_bytes(serialization.Encoding.PEM, form, plain))
    return path


def signature(body: bytes, secret: str = SECRET) -> str:
    return f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"


def environ(folder: Path, api: str = "") -> dict[str, str]:
    """The settings of the App. `api`: of another GitHub than the real one."""
    return {
        "COUNTERSIGN_GITHUB_APP_ID": APP_ID,
        "COUNTERSIGN_GITHUB_PRIVATE_KEY_FILE": str(pem(folder / "app.pem")),
        "COUNTERSIGN_GITHUB_WEBHOOK_SECRET": SECRET,
        "COUNTERSIGN_GITHUB_API_URL": api,
    }


class GitHub:
    """`waiting`: runs whose jobs wait for the rule, by (run, environment). `decided`: what it was told, and took.

    `answers`: statuses of the next decisions instead of its own; 0 takes it, and breaks the connection before it says so.
    """

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.now_ms = now_ms
        self.changed: Callable[[], None] = lambda: None
        self.base = ""
        self.deliver_to = ""
        self.waiting: set[tuple[int, str]] = set()
        self.decided: list[Json] = []
        self.answers: list[int] = []
        self.asked: list[str] = []  # method and path of each call
        self.tokens: dict[str, list[str]] = {}
        self.permissions: list[Json] = []
        self.app: Json = {
            "permissions": {"deployments": "write", "metadata": "read"},
            "events": ["deployment_protection_rule", "deployment_status"],
        }
        self._number = 8_000_000_000

    @property
    def repository_url(self) -> str:
        return f"{self.base}/repos/{REPOSITORY}"

    @property
    def place(self) -> str:
        return self.base.removeprefix("http://")

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/app", self._app),
            web.post("/app/installations/{installation}/access_tokens", self._token),
            web.post("/repos/{owner}/{name}/actions/runs/{run}/deployment_protection_rule", self._decide),
        ]

    # -- what it delivers --------------------------------------------------------------------------------------------------

    def job(self, environment: str = "production", run: int | None = None, **changed: Any) -> Json:
        """What is delivered when a job comes to an environment whose rule we are. `changed`: parts of the payload."""
        self._number += 1
        run = run or self._number
        self.waiting.add((run, environment))
        made: Json = filled({"$ref": "#/$defs/webhook-deployment-protection-rule-requested"})
        made |= {
            "environment": environment,
            "event": "push",
            "deployment_callback_url": f"{self.repository_url}/actions/runs/{run}/deployment_protection_rule",
            "deployment": filled({"$ref": "#/$defs/deployment"})
            | {
                "id": self._number,
                "sha": f"{run:040x}",
                "ref": "v1.2.3",
                "environment": environment,
                "created_at": datetime.fromtimestamp(self.now_ms() // 1000, UTC).isoformat(),
            },
            "pull_requests": [],
            "installation": {"id": INSTALLATION, "node_id": "x"},
        }
        made["repository"] |= {"full_name": REPOSITORY, "name": "payments"}
        made["sender"] |= {"login": "octocat"}
        made |= changed
        check("webhook-deployment-protection-rule-requested", made)
        return made

    def status(self, job: Json, state: str, **changed: Any) -> Json:
        self._number += 1
        made: Json = filled({"$ref": "#/$defs/webhook-deployment-status-created"})
        made["deployment"]["id"] = job["deployment"]["id"]
        made["deployment_status"] |= {"id": self._number, "state": state, "description": "", "target_url": ""} | changed
        made["repository"] |= {"full_name": REPOSITORY}
        check("webhook-deployment-status-created", made)
        return made

    async def deliver(self, event: str, payload: Json | bytes, **headers: str | None) -> tuple[int, str]:
        """The status, and what is said. `headers`: others than GitHub's; None leaves one out."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        ours: dict[str, str | None] = {
            "Content-Type": "application/json",
            "User-Agent": "GitHub-Hookshot/1",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": secrets.token_hex(16),
            "X-Hub-Signature-256": signature(body),
        }
        sent = {name: value for name, value in (ours | headers).items() if value is not None}
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.deliver_to, data=io.BytesIO(body), headers=sent) as response,
        ):
            text = await response.text()
            return response.status, json.loads(text).get("said", text) if text.startswith("{") else text

    async def asks(self, **changed: Any) -> Json:
        made = self.job(**changed)
        assert await self.deliver("deployment_protection_rule", made) == (202, "Asked.")
        return made

    # -- what it answers ---------------------------------------------------------------------------------------------------

    async def _app(self, request: web.Request) -> web.Response:
        self.asked.append("GET /app")
        if (refusal := self._jwt(request)) is not None:
            return refusal
        made = filled({"$ref": "#/$defs/integration"}) | {"slug": "countersign-acme", "name": "Countersign", **self.app}
        check("integration", made)
        return web.json_response(made)

    def _jwt(self, request: web.Request) -> web.Response | None:
        try:
            scheme, _, token = request.headers.get("Authorization", "").partition(" ")
            claims = jwt.decode(
                token, key().public_key(), ["RS256"], options={"require": ["iat", "exp", "iss"]}, issuer=APP_ID
            )
        except jwt.PyJWTError:
            return _no(401, "A JSON web token could not be decoded")
        if scheme.lower() != "bearer" or claims["exp"] - time.time() > 600:  # noqa: TID251 - this clock is GitHub's
            return _no(401, "'Expiration time' claim ('exp') is too far in the future")
        return None

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append("POST token")
        if (refusal := self._jwt(request)) is not None:
            return refusal
        body = await request.json()
        check("create-installation-access-token", body)
        if request.match_info["installation"] != str(INSTALLATION):
            return _no(404, "Not Found")
        if body["repositories"] != ["payments"]:
            return _no(422, "There is at least one repository that does not exist or is not accessible")
        self.permissions.append(body["permissions"])
        token = f"ghs_{secrets.token_hex(18)}"
        self.tokens[token] = body["repositories"]
        made = {"token": token, "expires_at": "2036-07-11T22:14:10Z", "repository_selection": "selected"}
        check("installation-token", made)
        return web.json_response(made, status=201)

    async def _decide(self, request: web.Request) -> web.Response:
        self.asked.append(f"POST {request.path}")
        told = self.answers.pop(0) if self.answers else None
        if told:
            return _no(told, "as it was told")
        token = request.headers.get("Authorization", "").partition(" ")[2]
        if request.match_info["name"] not in self.tokens.get(token, ()):
            return _no(403, "Resource not accessible by integration")
        body = await request.json()
        check("review-custom-gates-state-required", body)
        waits = (int(request.match_info["run"]), body["environment_name"])
        if waits not in self.waiting:
            return _no(422, "No pending custom deployment protection rules")
        self.waiting.discard(waits)
        self.decided.append({"run": waits[0], **body})
        self.changed()
        if told == 0 and request.transport is not None:
            request.transport.abort()
        return web.Response(status=204)


def _no(status: int, message: str) -> web.Response:
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    return web.json_response(body, status=status, headers={"Retry-After": "7"} if status == 429 else None)


@asynccontextmanager
async def github(now_ms: Callable[[], int]) -> AsyncIterator[GitHub]:
    fake = GitHub(now_ms)
    app = web.Application()
    app.add_routes(fake.routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    fake.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield fake
    finally:
        await runner.cleanup()
