"""GitHub as its App speaks to it: what was decided of a job that waits at an environment.

Source: https://docs.github.com/en/rest/actions/workflow-runs#review-custom-deployment-protection-rules-for-a-workflow-run
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import gidgethub
from gidgethub.abc import GitHubAPI
from gidgethub.apps import get_jwt
from jwt import PyJWTError

from scheduler.connectors.contract import Refused
from scheduler.connectors.hook import EXCERPT_LENGTH, Outcome, Receipt
from scheduler.connectors.outgoing import ANSWER_BYTES, Outgoing
from store.model.errors import AccessError, Unavailable
from store.model.request import Gate

Verdict = Literal["approved", "rejected"]

BAD_KEY: Final = "bad_key"
PERMISSIONS: Final = {"deployments": "write"}  # of the token for one decision: no more than that takes
OVER: Final = (410, 422)  # the run waits for no word of ours, or not any more


class GitHubApp:
    """`api`: the base URL of GitHub's API, without a slash at its end. `key`: the file of the App's private key, read at each use."""

    def __init__(self, api: str, app_id: str, key: Path) -> None:
        self.api = api
        self._app_id = app_id
        self._key = key

    async def decide(self, outgoing: Outgoing, gate: Gate, verdict: Verdict, comment: str) -> Receipt:
        """Once. By a token of this installation that is good for this repository alone, for an hour, and is kept nowhere."""
        clock = asyncio.get_running_loop().time
        started = clock()
        outcome: Outcome = "delivered"
        status, said, error, retry_ms, sent = None, "", None, None, True
        client = _Client(outgoing, self.api)
        try:
            made = await client.post(
                f"/app/installations/{gate.installation}/access_tokens",
                data={"repositories": [gate.repository.partition("/")[2]], "permissions": PERMISSIONS},
                jwt=await self._jwt(),
            )
            await client.post(
                f"/repos/{gate.repository}/actions/runs/{gate.run}/deployment_protection_rule",
                data={"environment_name": gate.environment, "state": verdict, "comment": comment},
                oauth_token=_token(made),
            )
            status = client.status
        except AccessError as fault:
            outcome, error = "retry" if isinstance(fault, Unavailable) else "refused", fault.sentence
            sent = outcome == "retry" and fault.detail != BAD_KEY
        except gidgethub.HTTPException as fault:
            status, said, retry_ms = int(fault.status_code), _said(fault), client.retry_after_ms
            outcome = "gone" if status in OVER else "retry"
            what = (
                "this run does not wait for us, or not any more" if status in OVER else "it did not take the decision"
            )
            error = f"GitHub answered {status}: {what}."
        except ValueError:
            outcome, error = "retry", "GitHub's answer cannot be read."
        latency_ms = round((clock() - started) * 1000)
        return Receipt(outcome, status, latency_ms, said, retry_ms, error, sent)

    async def check(self, outgoing: Outgoing) -> dict[str, Any]:
        """For doctor: what GitHub says of the App whose key this is. Raises `AccessError`."""
        client = _Client(outgoing, self.api)
        try:
            found = await client.getitem("/app", jwt=await self._jwt())
        except gidgethub.HTTPException as fault:
            raise Refused(f"GitHub answered {int(fault.status_code)}: {_said(fault)}", code="refused") from None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Unavailable("GitHub's answer cannot be read.")
        return found

    async def _jwt(self) -> str:
        """Good for ten minutes. Raises `Unavailable`."""
        try:
            return await asyncio.to_thread(lambda: get_jwt(app_id=self._app_id, private_key=self._key.read_bytes()))
        except (OSError, ValueError, TypeError, PyJWTError):
            raise Unavailable(
                f"The private key of the GitHub App, {self._key}, cannot be used.", code=BAD_KEY
            ) from None


class _Client(GitHubAPI):
    """gidgethub's, over the one client that goes only where it may."""

    def __init__(self, outgoing: Outgoing, api: str) -> None:
        super().__init__("countersign", base_url=api)
        self._outgoing = outgoing
        self.status: int | None = None
        self.retry_after_ms: int | None = None

    async def _request(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> tuple[int, Mapping[str, str], bytes]:
        answer = await self._outgoing.request(
            method, url, headers={**headers, "x-github-api-version": "2022-11-28"}, body=body, most=MOST_BYTES
        )
        self.status, self.retry_after_ms = answer.status, answer.retry_after_ms()
        return answer.status, answer.headers, answer.body

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


MOST_BYTES: Final = 4 * ANSWER_BYTES  # a token comes with all that it may, and the repositories that it is for


def _token(made: Any) -> str:
    """Raises `ValueError`."""
    found = made.get("token") if isinstance(made, dict) else None
    if not found:
        raise ValueError("no token")
    return str(found)


def _said(fault: gidgethub.HTTPException) -> str:
    """In GitHub's words, on one line, with nothing in it that steers a screen."""
    words = "".join(ch if ch.isprintable() else " " for ch in str(fault))
    return " ".join(words.split())[:EXCERPT_LENGTH]
