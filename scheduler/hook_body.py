"""What a receiver of hooks gets: JSON of one stable form, the same bytes at every try, and never a value."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic_core import to_json

from store.model import template
from store.model.delivery import Delivery
from store.model.errors import Invalid
from store.model.policy import Hook
from store.model.request import Deployment, Request
from store.model.secret import Secret

SCHEMA: Final = 1  # it gains keys without a new number; what it has stays


def body(delivery: Delivery, told: Request, public_url: str = "") -> dict[str, Any]:
    """`public_url`: where our HTTP API is reached from outside; without one the status URL is a path."""
    at_ms = delivery.at_ms or told.since_ms
    data: dict[str, Any] = {
        "target": told.target,
        "environment": told.asked.environment,
        "environment_version": delivery.version or (told.run.environment_version if told.run else None),
        "hook": delivery.hook,
        "request": told.id,
        "requested_by": told.requester,
        "decided_by": list(told.decision.by) if told.decision else [],
    }
    if delivery.event == "deploy" and isinstance(told.payload, Deployment) and told.run is not None:
        data["deploy"] = {
            "version": told.payload.version,
            "ref": told.payload.ref,
            "started_by": told.run.by,
            "status_url": f"{public_url}/v1/deploys/{told.id}/status",
            "report_before_ms": told.run.report_by_ms,
        }
    if delivery.event in ("access.granted", "access.ended"):
        data["access"] = {"kind": told.kind, "for": told.beneficiary, "until_ms": delivery.until_ms}
    return {"type": delivery.event, "schema": SCHEMA, "timestamp": at_ms // 1000, "data": data}


def trial(target: str, environment: str | None, hook: str, request: str, at_ms: int) -> dict[str, Any]:
    """What an owner sends to see whether a receiver takes it. `request`: an id that no request has."""
    data: dict[str, Any] = {
        "target": target,
        "environment": environment,
        "environment_version": None,
        "hook": hook,
        "request": request,
        "requested_by": "",
        "decided_by": [],
    }
    return {"type": "test", "schema": SCHEMA, "timestamp": at_ms // 1000, "data": data}


def written(hook: Hook, content: Mapping[str, Any]) -> bytes:
    """As this receiver wants it. Raises `Invalid` for a template that is not sound, and where there is nothing to be told of."""
    match hook.preset:
        case None:
            return _encoded(content)
        case "github-dispatch":
            return _encoded({"event_type": f"countersign.{content['type']}", "client_payload": content})
        case "github-workflow":
            return _encoded({"ref": hook.ref or "main", "inputs": {"countersign": _encoded(content).decode()}})
        case "template":
            return template.fill(hook.template or "", content)
        case "github-environment":
            raise Invalid(
                "GitHub asks first: it is told only what was decided of a job that waits there.", code="no_job"
            )


def headers(hook: Hook, token: Secret | None) -> dict[str, str]:
    """What goes along besides the signature."""
    found = dict(hook.headers or {})
    if hook.preset in ("github-dispatch", "github-workflow"):
        found |= {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
    if token is not None:
        found["Authorization"] = f"Bearer {token.reveal().decode('ascii', 'replace').strip()}"
    return found


def _encoded(content: Mapping[str, Any]) -> bytes:
    return to_json(content)


def _object(description: str, properties: dict[str, Any], *, open_ended: bool = True) -> dict[str, Any]:
    return {
        "type": "object",
        "description": description,
        "required": list(properties),
        "properties": properties,
        "additionalProperties": open_ended,
    }


_TEXT: Final = {"type": "string"}
_MAYBE: Final = {"type": ["string", "null"]}
_MS: Final = {"type": ["integer", "null"], "description": "Milliseconds since 1970, UTC."}

JSON_SCHEMA: Final[dict[str, Any]] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "The body of a hook of Countersign",
    **_object(
        "Other keys may come with the same schema number: pass over what you do not know.",
        {
            "type": {"enum": ["change", "deploy", "rollback", "access.granted", "access.ended", "test"]},
            "schema": {"const": SCHEMA},
            "timestamp": {"type": "integer", "description": "When it happened, in seconds since 1970, UTC."},
            "data": _object(
                "What happened. There is never a value of a secret in it.",
                {
                    "target": {**_TEXT, "description": "payments/prod, payments/prod#api, role:aws-admin."},
                    "environment": {**_MAYBE, "description": "payments/prod; null for a role."},
                    "environment_version": {
                        "type": ["integer", "null"],
                        "description": "Of the environment: never act on a lower one than the highest you have seen.",
                    },
                    "hook": {**_TEXT, "description": "By its name in the policies."},
                    "request": {**_TEXT, "description": "Its id: ten letters and digits."},
                    "requested_by": {**_TEXT, "description": "A Slack user id."},
                    "decided_by": {"type": "array", "items": _TEXT, "description": "Slack user ids."},
                },
            ),
        },
    ),
}
JSON_SCHEMA["properties"]["data"]["properties"] |= {
    "deploy": _object(
        "With the type deploy.",
        {
            "version": {**_TEXT, "description": "As people call it: v1.2.3."},
            "ref": {**_MAYBE, "description": "The same for ever: a commit, the digest of an image."},
            "started_by": _TEXT,
            "status_url": {**_TEXT, "description": "Where to report how it goes; see docs/hooks.md."},
            "report_before_ms": _MS,
        },
    ),
    "access": _object(
        "With the types access.granted and access.ended.",
        {"kind": {"enum": ["open", "access"]}, "for": _TEXT, "until_ms": _MS},
    ),
}
