"""Evidence: what lies in Redis, read as JSON and by key, and what must hold of it after every step whatever happened."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from redis.asyncio import Redis

from store.model.policy import Policy
from store.redis.keys import Keys
from tests.builders import INSTALLATION, OWNER
from tests.store.redis.reference import Asked, Owed, Verdict, locked

MOVES = {
    "": {"pending"},
    "pending": {
        "approved",
        "denied",
        "withdrawn",
        "expired",
        "merged",
        "stale",
        "active",
        "granting",
        "extended",
        "superseded",
    },
    "approved": {"active", "granting", "merged", "stale", "withdrawn", "expired", "running", "cancelled", "superseded"},
    "running": {"succeeded", "failed", "cancelled"},
    "stale": {"withdrawn", "expired", "pending"},
    "granting": {"active", "failed", "revoking"},
    "active": {"ended", "revoking"},
    "revoking": {"ended"},
}  # all others are the end
EVENTS = {
    "pending": "request.submitted",
    "approved": "request.approved",
    "denied": "request.denied",
    "withdrawn": "request.withdrawn",
    "expired": "request.expired",
    "merged": "change.merged",
    "extended": "request.approved",
    "stale": "request.stale",
    "granting": "grant.started",
    "active": "grant.activated",
    "revoking": "grant.revoking",
    "failed": "grant.failed",
    "ended": "grant.ended",
    "running": "deploy.started",
    "succeeded": "deploy.succeeded",
    "cancelled": "deploy.cancelled",
    "superseded": "deploy.superseded",
}
WITH_DEADLINE = {"pending", "approved", "stale", "granting", "active", "running"}
SLOTS = "deploys:payments/prod"
EVERYTHING = """
local found = {}
for _, key in ipairs(redis.call('KEYS', '*')) do
  local type = redis.call('TYPE', key).ok
  local content
  if type == 'hash' then content = redis.call('HGETALL', key)
  elseif type == 'zset' then content = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  elseif type == 'stream' then content = redis.call('XRANGE', key, '(' .. ARGV[1] .. '-0', '+')
  else content = redis.call('GET', key) end
  found[#found + 1] = { key, type, content }
end
return found
"""


@dataclass(frozen=True)
class Evidence:
    """One look. `of`: key without the prefix -> its content; `new`: audit entries since the look before."""

    of: Mapping[str, Any] = field(default_factory=dict)
    entries: int = 0
    new: tuple[dict[str, Any], ...] = ()

    @cached_property
    def asked(self) -> Mapping[str, Asked]:
        debts = {name: debt["body"] for name, debt in self.named("debt").items()}
        return {name: written(fields["body"], debts.get(name)) for name, fields in self.named("request").items()}

    def silent(self, request: str) -> bool:
        """Of a deploy that failed: because nobody said how it went."""
        return bool(json.loads(self.of[f"request:{request}"]["body"])["ending"]["by"] == "clock")

    @property
    def locks(self) -> dict[str, float]:
        """user -> since when"""
        bodies = {user: json.loads(lock["body"]) for user, lock in self.named("lock").items()}
        return {user: body["causes"][0]["at_ms"] for user, body in bodies.items() if "opened" not in body}

    def named(self, kind: str) -> Mapping[str, Any]:
        """Of one kind, by the rest of the name."""
        return self._kinds.get(kind, {})

    @cached_property
    def _kinds(self) -> dict[str, dict[str, Any]]:
        kinds: dict[str, dict[str, Any]] = {}
        for key, found in self.of.items():
            kind, colon, name = key.partition(":")
            if colon:
                kinds.setdefault(kind, {})[name] = found
        return kinds


async def look(redis: Redis, keys: Keys, before: Evidence) -> Evidence:
    """`redis` decodes its answers."""
    of: dict[str, Any] = {}
    for key, kind, content in await redis.eval(EVERYTHING, 0, before.entries):
        pairs = dict(zip(content[::2], content[1::2], strict=True)) if kind in ("hash", "zset") else {}
        scores = {member: float(score) for member, score in pairs.items()} if kind == "zset" else pairs
        of[key.removeprefix(keys.prefix)] = scores or content
    numbered = of.pop("audit", [])
    assert [number for number, _ in numbered] == [f"{before.entries + n}-0" for n in range(1, len(numbered) + 1)]
    entries = before.entries + len(numbered)
    assert int(of.get("audit:number", 0)) == entries
    return Evidence(of, entries, tuple(json.loads(entry) for _, (_, entry) in numbered))


@lru_cache(maxsize=1_000)  # most of what a look finds, the look before has found
def written(request: str, debt: str | None) -> Asked:
    """A stored request and what is owed for it in the reference's words."""
    body = json.loads(request)
    run = body.get("run")
    payload, decision, lease = body["payload"], body.get("decision"), body.get("lease")
    owed = json.loads(debt) if debt else None
    assert body.get("timers", {}).keys() <= {"deadline", "warning", "remind", "escalate"}
    assert body["digest"] == digest(body)
    touches = {
        touch["name"]: (touch.get("base"), touch["entry"]["entry_id"] if "entry" in touch else None)
        for touch in payload.get("touches", ())
    }
    return Asked(
        id=body["id"],
        kind=body["kind"],
        requester=body["requester"],
        beneficiary=body["beneficiary"],
        policy=body["policy"],
        digest=body["digest"],
        created_ms=body["created_ms"],
        since_ms=body["since_ms"],
        wants_ms=payload.get("duration_ms"),
        touches=touches,
        deadline=body["timers"].get("deadline"),
        reason=body["reason"],
        revision=body["revision"],
        warning=body["timers"].get("warning"),
        remind=body["timers"].get("remind"),
        escalate=body["timers"].get("escalate"),
        state=body["state"],
        verdicts=tuple(Verdict(one["by"], one["verdict"], one.get("cap_ms"), one["at_ms"]) for one in body["reviews"]),
        basis=decision and decision["basis"],
        by=frozenset(decision["by"]) if decision else frozenset(),
        granted_ms=body.get("granted_ms"),
        lease=(lease["starts_ms"], lease["until_ms"]) if lease else None,
        note=body.get("note"),
        merged=body.get("merged"),
        owed=Owed(owed["by"], owed["due_ms"], owed["state"]) if owed else None,
        parent=payload.get("parent"),
        from_ms=payload.get("until_ms"),
        extension=body.get("extension"),
        target=body["target"],
        started=(run["by"], run["at_ms"]) if run else None,
        stage=run.get("stage") if run else None,
        longer=tuple((each["by"], each["longer_ms"], each["at_ms"]) for each in body["extended"]),
    )


def digest(body: Mapping[str, Any]) -> str:
    """Over what is asked, each field behind its length: a second time, as reviews are bound to it."""
    payload = body["payload"]
    fields = ["countersign request 1", INSTALLATION, body["id"], str(body["revision"]), body["kind"], body["target"]]
    fields += [body["requester"], body["beneficiary"]]
    if parent := payload.get("parent"):
        fields += ["extension", parent, str(payload["until_ms"])]
    elif payload["type"] == "deploy":
        fields += ["deploy", payload["version"], payload["ref"]]
    elif membership := payload.get("membership"):
        fields += [membership[name] for name in ("connector", "group", "user", "account")]
    else:
        fields.append(payload["environment_id"])
    if "duration_ms" in payload:
        fields.append(str(payload["duration_ms"]))
    for touch in sorted(payload.get("touches", ()), key=lambda touch: str(touch["name"])):
        held = touch.get("entry") or {"entry_id": "", "ciphertext_hash": ""}
        fields += [touch["name"], touch.get("base") or "", held["entry_id"], held["ciphertext_hash"], ""]
    return hashlib.sha256(b"".join(len(field).to_bytes(4, "big") + field.encode() for field in fields)).hexdigest()


def check(
    was: Evidence, now: Evidence, environment: str, policies: Mapping[int, Policy | None], forgiven: Collection[str]
) -> None:
    """All that must hold, whatever was asked."""
    for one in now.asked.values():
        check_history(was, now, one)
        check_standing(one)
        check_projected(now, one, environment)
        check_values(now, one, environment)
    assert was.asked.keys() <= now.asked.keys()
    check_indexes(now, environment, policies, forgiven)
    check_deploys(now)
    check_versions(was, now, environment)
    check_answers(was, now)
    check_lanes(now)


def check_history(was: Evidence, now: Evidence, one: Asked) -> None:
    """A state moves as in the table, with its trace, its card and its news; what has ended stays as it is."""
    before = was.asked.get(one.id)
    key = f"request:{one.id}"
    old = was.of.get(key, {"version": "0", "body": ""})
    version, new = int(old["version"]), now.of[key]
    assert int(new["version"]) in (version, version + 1)
    if new["body"] != old["body"]:
        assert int(new["version"]) == version + 1
        waits = one.extension in now.asked and one.extension not in was.asked  # that is written in the extension's name
        assert waits or {entry.get("request") for entry in now.new} >= {one.id}
    if before is not None and before.state not in MOVES:
        assert new["body"] == old["body"]
    edited = before is not None and one.revision == before.revision + 1
    if before is None or before.state != one.state or edited:
        assert one.state in MOVES[before.state if before else ""] or (edited and one.state == "pending")
        traces = [entry for entry in now.new if entry.get("request") == one.id]
        failed = "deploy.failed" if one.kind == "deploy" and one.state == "failed" else EVENTS[one.state]
        assert ("request.edited" if edited else failed) in [entry["event"] for entry in traces]
        assert f"card:{one.id}" in now.of["lane:slack"]
        if one.state in ("granting", "revoking"):
            assert f"member:okta/admins/{one.beneficiary}" in now.of["lane:connector"]
    if before is not None and edited:  # another content: whatever was said of the old one is not said of this one
        assert (one.state, one.verdicts, one.basis) == ("pending", (), None)
        assert one.digest != before.digest
    if before is not None:
        for name in ("id", "kind", "requester", "beneficiary", "created_ms", "target"):
            assert getattr(one, name) == getattr(before, name)
    if before is not None and not edited:
        for name in ("policy", "digest", "revision", "reason", "wants_ms", "touches"):
            assert getattr(one, name) == getattr(before, name)
        for name in (
            "granted_ms",
            "basis",
            "by",
            "merged",
            "parent",
            "from_ms",
            "started",
        ):  # said once, and never again
            assert not getattr(before, name) or getattr(one, name) == getattr(before, name)
        check_end(was, now, before, one)
        if (one.owed and one.owed.state) != (before.owed and before.owed.state):
            news = one.owed.state.replace("open", "broken") if one.owed else ""
            assert any(member.startswith(f"announce:{one.id}:{news}:") for member in now.of["lane:slack"])


def check_end(was: Evidence, now: Evidence, before: Asked, one: Asked) -> None:
    """It moves while it is held, by one extension that is decided in the same step, and used by that."""
    if before.lease in (None, one.lease):
        assert one.longer == before.longer
        return
    assert before.lease is not None
    assert one.lease is not None
    assert (before.state, one.state) == ("active", "active")
    *former, (by, longer_ms, at_ms) = one.longer
    assert tuple(former) == before.longer
    assert one.lease == (before.lease[0], before.lease[1] + longer_ms)
    assert before.lease[0] <= at_ms < before.lease[1]
    used = now.asked[by]
    assert (used.parent, used.state, used.granted_ms, used.from_ms) == (one.id, "extended", longer_ms, before.lease[1])
    assert was.asked[by].state == "pending"


def check_standing(one: Asked) -> None:
    assert (one.deadline is not None) is (one.state in WITH_DEADLINE)
    assert one.warning is None or one.state == "active"
    assert (one.remind, one.escalate) == (None, None) or one.state == "pending"
    assert len({verdict.by for verdict in one.verdicts}) == len(one.verdicts)
    assert (one.owed is not None) is (one.basis == "break-glass")
    assert (one.basis == "denial") is (one.state == "denied")
    decided = (
        "approved",
        "granting",
        "active",
        "revoking",
        "merged",
        "extended",
        "failed",
        "ended",
        "running",
        "succeeded",
    )
    if one.state in decided:
        assert one.basis in ("quorum", "break-glass")
    held = one.kind != "deploy" and one.state in ("granting", "active", "revoking", "failed", "ended")
    assert (one.lease is not None) is held
    assert one.started is None or one.state in ("running", "succeeded", "failed", "cancelled")
    assert one.started is not None or one.state not in ("running", "succeeded") + ("failed",) * (one.kind == "deploy")
    if one.lease is not None and one.granted_ms is not None:
        assert one.lease[1] - one.lease[0] == one.granted_ms + sum(longer_ms for _, longer_ms, _ in one.longer) > 0
        assert one.deadline in (None, one.lease[1])
    assert (one.merged is not None) is (one.state == "merged")


def check_projected(now: Evidence, one: Asked, environment: str) -> None:
    """What scripts read beside the body says the same as the body."""
    fields = dict(now.of[f"request:{one.id}"])
    kind, target, policy, *asking = fields.pop("say").split(" ")
    starts = one.kind == "deploy" and one.state == "approved"
    assert (kind, target, int(policy)) == ("start" if starts else one.kind, one.target, one.policy)
    heard = one.by if one.basis == "break-glass" else {verdict.by for verdict in one.verdicts}
    if starts and one.basis != "break-glass":
        heard = set()
    assert (asking[:2], sorted(asking[2:])) == ([one.requester, one.beneficiary], sorted(heard))
    del fields["body"], fields["version"]
    assert fields == {
        "kind": one.kind,
        "state": one.state,
        "until": str(one.lease[1] if one.lease else 0),
        "holder": one.beneficiary,
        "target": target,
        "environment": SLOTS if one.kind == "deploy" else "" if one.kind == "access" or one.parent else environment,
        "touches": (one.target if one.kind == "deploy" else " ".join(one.touches)) if one.state in MOVES else "",
        "kin": (one.parent if one.parent and one.state in MOVES else one.extension if one.state == "active" else None)
        or "",
    }


def check_values(now: Evidence, one: Asked, environment: str) -> None:
    """Sealed values wait beside their request, or are the environment's, or are gone."""
    brought = {entry for _, entry in one.touches.values() if entry is not None}
    waiting = now.of.get(f"payload:{one.id}:{one.revision}", {}).keys()
    assert {name for name in now.named("payload") if name.startswith(f"{one.id}:")} <= {f"{one.id}:{one.revision}"}
    merged = brought & now.of.get(f"entries:{environment}", {}).keys()
    assert waiting == (brought if one.state in MOVES else set())
    assert merged == (brought if one.state == "merged" else set())
    hooks = {hook for hook in now.named("delivery") if hook.startswith(f"{one.id}:")}
    told = {f"{one.id}:api:deploy"} if one.started else {f"{one.id}:api"} if one.state == "merged" else set()
    assert hooks == told


def check_indexes(
    now: Evidence, environment: str, policies: Mapping[int, Policy | None], forgiven: Collection[str]
) -> None:
    """Timers and indexes, worked out again from what they are about."""
    stand: dict[str, dict[str, float]] = {}

    def put(name: str, member: str, score: float) -> None:
        stand.setdefault(name, {})[member] = score

    for one in now.asked.values():
        for user in {one.requester, one.beneficiary}:
            put(f"index:mine:{user}", one.id, one.created_ms)
            if one.state in ("pending", "approved", "stale", "running"):
                put(f"index:open:{user}", one.id, one.created_ms)
        put_deploy(put, one)
        if one.state in ("granting", "active", "revoking") and one.requester != one.beneficiary:
            put(f"index:open:{one.requester}", one.id, one.created_ms)
        rule = policies[one.policy]
        assert rule is not None
        if one.state == "pending":
            for threshold in rule.approvals:
                for principal in threshold.circle.users | threshold.circle.groups:
                    assert one.deadline is not None
                    put(f"index:waiting:{principal}", one.id, one.deadline)
        if one.kind == "deploy" and one.state == "approved":
            named = rule.deployers.principals if rule.deployers is not None else rule.approvers | {OWNER}
            for principal in named | (one.by if one.basis == "break-glass" else frozenset()):
                put(f"index:waiting:{principal}", one.id, one.deadline or 0)
        if one.kind == "deploy" and one.state == "failed" and now.silent(one.id):
            put("index:silent", one.id, one.since_ms)
        if one.state in ("granting", "active", "revoking"):
            put("index:live", one.id, one.created_ms)
            put(f"index:live:{one.beneficiary}", one.id, one.created_ms)
            if one.kind == "open" and one.lease is not None:
                target = json.loads(now.of[f"request:{one.id}"]["body"])["target"]
                put(f"index:reads:{one.beneficiary}:{target}", one.id, one.lease[1])
            if one.kind == "access":
                put(f"index:member:okta/admins/{one.beneficiary}", one.id, one.created_ms)
        if one.state in ("pending", "approved"):
            for name in one.touches:
                put(f"index:touch:{environment}:{name}", one.id, one.created_ms)
        if one.merged is not None:
            put(f"index:hook:{environment}/api", f"{one.id}/api", one.merged)
        for timer in ("deadline", "warning", "remind", "escalate"):
            at_ms = getattr(one, timer)
            if at_ms is not None:
                put("due", f"{one.id}/{timer}", at_ms)
        if one.owed is not None and one.owed.state == "open":
            put("due", f"{one.id}/debt", one.owed.due_ms)
            put("index:debts", one.id, one.owed.due_ms)
    for user in locked(now.asked.values(), forgiven):
        put("index:locks", user, now.locks[user])
    assert now.locks.keys() == stand.get("index:locks", {}).keys()
    beside = {"index:environments"}  # that follows from no request
    found = {key: each for key, each in now.of.items() if key == "due" or key.startswith("index:")}
    found = {key: each for key, each in found.items() if key not in beside}
    assert found == stand, (
        {k: v for k, v in found.items() if stand.get(k) != v},
        {k: v for k, v in stand.items() if found.get(k) != v},
    )


def put_deploy(put: Callable[[str, str, float], None], one: Asked) -> None:
    if one.kind != "deploy":
        return
    if one.state in ("pending", "approved"):
        put(f"index:touch:{SLOTS}:{one.target}", one.id, one.created_ms)
    if one.started is not None:
        put("index:fires:payments/prod/api", f"{one.id}/api:deploy", one.started[1])
    if one.state == "running" and one.started is not None and one.deadline is not None:
        put(f"index:open:{one.started[0]}", one.id, one.created_ms)
        put("index:running", one.id, one.deadline)


def check_deploys(now: Evidence) -> None:
    """Of each application one runs at most, and none while its whole environment is deployed; and that is what its record says."""
    deploys = [one for one in now.asked.values() if one.kind == "deploy"]
    running = {one.target: one.id for one in deploys if one.state == "running"}
    assert len(running) == sum(one.state == "running" for one in deploys)
    assert len(running) <= 1 or all("#" in target for target in running)
    newest: dict[str, int] = {}
    for one in deploys:
        if one.started is not None:
            newest[one.target] = max(one.created_ms, newest.get(one.target, 0))
    slots = json.loads(now.of.get(f"head:{SLOTS}", {}).get("body", "{}"))
    assert (slots.get("running", {}), slots.get("newest", {})) == (running, newest)
    for target, landed in slots.get("landed", {}).items():
        of = {one.id: one for one in deploys if (one.target, one.state) == (target, "succeeded")}
        assert {each["request"] for each in landed} <= of.keys()
        assert len(landed) == min(len(of), 2)


def check_versions(was: Evidence, now: Evidence, environment: str) -> None:
    """Versions of the environment rise by one, each names the one before, and none ever changes."""
    head = now.of[f"head:{environment}"]
    manifests = {int(key.partition(":")[2]): body for key, body in now.named("manifest").items()}
    newest = json.loads(head["body"])
    assert head["body"] == manifests[newest["number"]]
    assert int(head["version"]) == newest["number"]
    assert sorted(manifests) == list(range(1, newest["number"] + 1))
    assert newest.get("previous_mac") == (
        json.loads(manifests[newest["number"] - 1])["mac"] if newest["number"] > 1 else None
    )
    before = json.loads(was.of[f"head:{environment}"]["body"])["number"] if was.of else 1
    assert newest["number"] in (before, before + 1)
    held = [entry["entry_id"] for entry in newest["entries"].values()]
    assert sorted(head["entries"].split()) == sorted(held)
    assert set(held) <= now.of.get(f"entries:{environment}", {}).keys()
    for key, body in was.of.items():
        if key.startswith(("manifest:", "policy:")):
            assert now.of[key] == body


def check_answers(was: Evidence, now: Evidence) -> None:
    """A command has one answer, and keeps it."""
    for key, answer in was.of.items():
        if key.startswith("command:"):
            assert now.of[key] == answer


def check_lanes(now: Evidence) -> None:
    """What is to be done is known, and what is known is to be done."""
    lanes = [key for key in now.of if key.startswith("lane:") and not key.endswith(":fence")]
    due = {f"{lane.removeprefix('lane:')}:{member}" for lane in lanes for member in now.of[lane]}
    assert due == now.named("effect").keys()
