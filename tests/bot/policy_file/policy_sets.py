"""Policy sets that a file could have said, for properties."""

from typing import Any

from hypothesis import strategies as st

from bot.policy_file.names import Name
from store.model.freeze import WEEK_MINUTES, Dated, Weekly
from store.model.policy import (
    SECOND,
    Access,
    BreakGlass,
    Circle,
    ConnectorConfig,
    Escalation,
    Hook,
    Notify,
    Policy,
    PolicySet,
    Reason,
    TargetConfig,
    Threshold,
    Ticket,
)

NAMES = {
    "U0ANA": "ana@example.com", "U0BEN": "ben.o-k+x@mail.example.org", "U0CY": "Cy Nobody", "U0DUP": "dup@example.com",
    "U0DUB": "dup@example.com", "S0LEADS": "@leads", "S0OPS": "@ops_on.call", "S0U": "@U024BE7LH", "S0NO": "@no",
    "C0AUDIT1": "#audit", "C0AUDIT2": "#büro-2", "C0AUDIT3": "C0AUDIT3",
}  # fmt: skip
USERS = [one for one in NAMES if one[0] == "U"]
GROUPS = [one for one in NAMES if one[0] == "S"]
CHANNELS = [one for one in NAMES if one[0] == "C"]

durations = st.integers(1, 366 * 24 * 3600).map(lambda seconds: seconds * SECOND)
circles = st.builds(Circle, users=st.frozensets(st.sampled_from(USERS)), groups=st.frozensets(st.sampled_from(GROUPS)))
somebody = circles.filter(lambda circle: not circle.empty)
urls = st.sampled_from(["https://example.com/hook?a=b", "https://x.example.org:8443/y"])
lines = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=40).filter(
    lambda text: text.isprintable() and text == text.strip()
)
patterns = st.sampled_from(["^[A-Z]+-[0-9]+$", "OPS-[0-9]{1,4}", "a\\.b", '"', "x: #y"])
TARGETS = ["payments/prod", "payments/staging", "role:aws-admin", "policy:main", "no/on", "a/b#c"]
ENVIRONMENTS = ["payments/prod", "payments/staging", "no/on", "a/b#c"]
minutes = st.integers(0, WEEK_MINUTES - 1)
calls = st.just("") | lines
weeks = st.builds(
    Weekly, starts=minutes, ends=minutes, zone=st.sampled_from(["UTC", "Europe/Berlin"]), name=calls
).filter(lambda week: week.starts != week.ends)
moments = st.integers(0, 4_000_000_000).map(lambda seconds: seconds * SECOND)
dates = st.builds(
    lambda one, other, name: Dated(from_ms=min(one, other), until_ms=max(one, other), name=name),
    moments,
    moments,
    calls,
).filter(lambda dated: dated.from_ms != dated.until_ms)
FOR = {"role:aws-admin": "access", "policy:main": "policy"}


@st.composite
def deploys(draw: st.DrawFn) -> dict[str, Any]:
    wait, within = sorted(draw(st.lists(durations, min_size=2, max_size=2, unique=True)))
    return {
        "deploy_within_ms": within,
        "report_within_ms": draw(durations),
        "wait_ms": draw(st.sampled_from([0, wait])),
        "freeze": tuple(draw(st.lists(weeks | dates, max_size=2))),
    }


@st.composite
def rules(draw: st.DrawFn, name: str) -> Policy:
    targets = draw(st.lists(st.sampled_from(TARGETS), min_size=1, max_size=3, unique=True))
    first, longest = sorted(draw(st.tuples(durations, durations)))
    ttl = draw(durations.filter(lambda ms: ms > 100 * SECOND))
    early = st.lists(st.integers(1, 99), max_size=3, unique=True).map(sorted)
    return Policy(
        name=name,
        targets=tuple(targets),
        actions=frozenset().union(*({FOR[target]} if target in FOR else {"open", "deploy"} for target in targets)),
        requesters=draw(somebody),
        approvals=tuple(draw(st.lists(st.builds(Threshold, circle=somebody), min_size=1, max_size=1))),
        denials=draw(st.integers(1, 20)),
        self_approval=draw(st.booleans()),
        enforcement=draw(st.sampled_from(["hard", "soft"])),
        bypassers=draw(circles),
        break_glass=draw(st.builds(BreakGlass, max_duration_ms=durations, review_within_ms=durations)),
        access=Access(
            default_ms=first,
            max_ms=longest,
            grant_expiration_ms=draw(durations),
            activate=draw(st.sampled_from(["by-hand", "on-approval"])),
        ),
        deployers=draw(st.none() | somebody),
        **draw(deploys() if any(target in ENVIRONMENTS for target in targets) else st.just({})),
        request_ttl_ms=ttl,
        merge=draw(st.sampled_from(["on-approval", "by-hand"])),
        merge_within_ms=draw(durations),
        reason=draw(st.builds(Reason, required=st.booleans())),
        ticket=draw(st.none() | st.builds(Ticket, pattern=patterns, required=st.booleans())),
        remind=tuple(each * SECOND for each in draw(early)),
        escalate=tuple(Escalation(after_ms=each * SECOND, to=draw(somebody)) for each in draw(early)),
        notify=Notify(
            channels=tuple(draw(st.lists(st.sampled_from(CHANNELS), unique=True))),
            email=tuple(draw(st.lists(st.sampled_from(["Sec@example.com", "a@b.io"]), unique=True))),
            webhooks=tuple(draw(st.lists(urls, unique=True))),
        ),
    )


@st.composite
def policy_sets(draw: st.DrawFn) -> PolicySet:
    hooks = st.lists(
        st.builds(
            Hook,
            name=st.sampled_from(["api", "web"]),
            url=urls,
            on=st.just(frozenset({"change", "deploy"})),
            headers=st.none() | st.just({"X-Team": "payments: a"}),
        )
        | st.just(
            Hook(
                name="hub",
                url="https://api.github.com/repos/a/b/actions/workflows/deploy.yml/dispatches",
                preset="github-workflow",
                ref="release/1",
                credentials="countersign/hooks",
            )
        )
        | st.builds(
            Hook,
            name=st.just("gate"),
            url=st.just("https://api.github.com/repos/a/b"),
            on=st.just(frozenset({"deploy"})),
            preset=st.just("github-environment"),
            environment=st.uuids().map(str),  # each is of one target
            holder=st.sampled_from(USERS),
        )
        | st.just(
            Hook(
                name="chat",
                url="https://chat.example.com/x",
                preset="template",
                template='{"text": "{{ data.target }}",\n "type": "{{ type }}"}\n',
            )
        ),
        max_size=1,
    ).map(tuple)
    plain = st.builds(TargetConfig, channel=st.none() | st.sampled_from(CHANNELS), secure=st.booleans(), hooks=hooks)
    targets: dict[str, Any] = {target: draw(plain) for target in TARGETS if target not in FOR}
    targets |= {"role:aws-admin": TargetConfig(connector="okta", group=draw(lines)), "policy:main": TargetConfig()}
    named = draw(st.lists(lines, min_size=1, max_size=4, unique=True))
    return PolicySet(
        number=1,
        owners=draw(somebody),
        organization=draw(st.none() | st.just("acme")),
        targets=targets,
        connectors={"okta": ConnectorConfig(type="scim", url="https://okta.example.com/v2", credentials="no/on")},
        allow_private=draw(st.sampled_from([(), ("127.0.0.1:9000",)])),
        policies=tuple(draw(rules(name)) for name in named),
        names=NAMES,
    )


class Directory:
    """Knows everybody in `NAMES` by id, and by name where only one has it."""

    async def user(self, email_or_id: str, /) -> tuple[str, str] | None:
        return self._pair(Name("user", email_or_id))

    async def group(self, handle_or_id: str, /) -> tuple[str, str] | None:
        found = self._pair(Name("group", handle_or_id))
        return (found[0], found[1].removeprefix("@")) if found else None

    async def channel(self, name_or_id: str, /) -> str | None:
        found = self._pair(Name("channel", name_or_id))
        return found[0] if found else None

    def _pair(self, name: Name) -> tuple[str, str] | None:
        if name.is_id:
            return (name.text, NAMES[name.text]) if name.text in NAMES else None
        return next(((one, called) for one, called in NAMES.items() if called == name.shown), None)
