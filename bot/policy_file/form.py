"""The form of a policy file: its keys, their types and defaults, and what each means. In the file's words, before anything is looked up."""

from collections import Counter
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bot.policy_file.scalars import (
    Channel,
    Count,
    Duration,
    Email,
    Environment,
    Glob,
    HeaderName,
    HeaderValue,
    HostAndPort,
    Line,
    Moment,
    OutsideGroup,
    Pattern,
    Ref,
    Switch,
    Template,
    Url,
    User,
    UserGroup,
    Version,
    Week,
    Word,
    Zone,
)

Action = Literal["change", "open", "access", "deploy", "policy"]
Event = Literal["change", "deploy", "rollback", "access.granted", "access.ended"]


def _once(items: tuple[Any, ...]) -> tuple[Any, ...]:
    for item, times in Counter(items).items():
        if times > 1:
            raise ValueError(f"“{item}” is listed {times} times; list it once.")
    return items


def _some(items: tuple[Any, ...]) -> tuple[Any, ...]:
    if not items:
        raise ValueError("the list is empty; name at least one.")
    return items


def key(description: str, *examples: Any, **more: Any) -> Any:
    """A key with its meaning, for the JSON Schema and for errors."""
    return Field(description=description, examples=list(examples) or None, **more)


Once = AfterValidator(_once)
Some = AfterValidator(_some)
AT_LEAST_ONE: Final = {"minItems": 1}


class Form(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Circle(Form):
    """Some people: those listed and the members of the groups listed. Nobody listed is nobody."""

    users: Annotated[tuple[User, ...], Once] = key(
        "Persons, by e-mail address or Slack user id.", ["ana@example.com"], default=()
    )
    groups: Annotated[tuple[UserGroup, ...], Once] = key(
        "Slack user groups, by handle (with or without @) or id. Members are looked up at each decision.",
        ["payments-leads"],
        default=(),
    )


def _somebody(circle: Circle) -> Circle:
    if not circle.users and not circle.groups:
        raise ValueError("this names nobody; list users or groups.")
    return circle


Somebody = Annotated[Circle, AfterValidator(_somebody)]
SOMEBODY: Final = {"minProperties": 1}


class Hook(Form):
    """A deploy webhook: told when an environment has a new version. It never carries a value."""

    name: Word = key("What the hook is called. Hooks named api also fire for payments/prod#api.", "api")
    url: Url = key(
        "Where it is sent: https, or http for what allow_private lists.", "https://deploy.example.com/hooks/api"
    )
    on: Annotated[tuple[Event, ...], Once, Some] = key(
        "The events it is sent for.", ["change", "deploy"], default=("change",), json_schema_extra=AT_LEAST_ONE
    )
    headers: dict[HeaderName, HeaderValue] = key(
        "Headers that go along. None of them holds a secret.", {"X-Team": "payments"}, default={}, max_length=20
    )
    preset: Literal["github-dispatch", "github-workflow", "template", "github-environment"] | None = key(
        "The form of the body, where it is not Countersign's own. github-environment: a deployment protection rule.",
        "github-dispatch",
        default=None,
    )
    template: Template | None = key(
        "With the preset template: the body, JSON with places like {{ data.target }}.",
        '{"text": "{{ data.target }} has version {{ data.environment_version }}"}',
        default=None,
    )
    ref: Ref | None = key(
        "With the preset github-workflow: the branch or tag whose workflow runs. Without it, main.",
        "main",
        default=None,
    )
    credentials: Environment | None = key(
        "The environment, project/environment, that holds the bearer token of this hook.",
        "countersign/hooks",
        default=None,
    )
    environment: Line | None = key(
        "With the preset github-environment: what GitHub calls the environment.", "production", default=None
    )
    holder: User | None = key(
        "With the preset github-environment: who answers for what GitHub asks, and may not approve it.",
        "ana@example.com",
        default=None,
    )


class Target(Form):
    """What a target is, besides its name. {} is a target without any settings."""

    channel: Channel | None = key(
        "The channel its cards go to, by id (best) or name in quotes.", "C024BE91L", "#payments-approvals", default=None
    )
    secure: Switch = key(
        "Refuse to work with fewer than two working key holders. Keeps values out of Slack.", default=False
    )
    values_in_slack: Literal["none", "enter", "enter_and_show"] = key(
        "Whether Slack modals may take values (enter) and also show them to the holder of an active grant (enter_and_show).",
        "none",
        default="none",
    )
    hooks: tuple[Hook, ...] = key(
        "Deploy webhooks of this environment.", [{"name": "api", "url": "https://deploy.example.com/api"}], default=()
    )
    connector: Word | None = key(
        "For a role: the connector, of those under connectors, that keeps its members.", "okta", default=None
    )
    group: OutsideGroup | None = key(
        "For a role: the name of the group in the connector's system.", "aws-admins", default=None
    )


class Connector(Form):
    """An outside system that keeps groups of people."""

    type: Literal["scim"] = key("How to talk to it.", "scim")
    url: Url = key("The base URL of its SCIM 2.0 service.", "https://example.okta.com/scim/v2")
    credentials: Environment = key(
        "The environment, project/environment, whose secrets hold its token.", "countersign/connectors"
    )


class Threshold(Form):
    """Approvals by distinct people out of one circle."""

    count: Count = key("How many distinct people, 1 to 20.", 2, default=1)
    circle: Somebody = key(
        "Who they are taken from.", {"groups": ["security"]}, alias="from", json_schema_extra=SOMEBODY
    )


class BreakGlass(Form):
    """What a bypasser may do without approvals, where enforcement is soft."""

    max_duration: Duration = key("The longest access that breaking the glass gives.", "1h", default="1h")
    review_within: Duration = key("How soon another eligible approver must countersign.", "24h", default="24h")


class Access(Form):
    """Two clocks: how long access runs from its first use, and how long an approval waits for that first use."""

    default: Duration = key("How long access runs where the request does not say.", "1h", default="1h")
    max: Duration = key("The longest access anybody may ask for, extensions included.", "4h", default="4h")
    grant_expiration: Duration = key("How long an approval waits for its first use.", "8h", default="8h")
    activate: Literal["by-hand", "on-approval"] = key(
        "Whether access begins when the beneficiary activates it, or with the approval.", "by-hand", default="by-hand"
    )


class Reason(Form):
    required: Switch = key("Whether a request must say why.", default=True)


class Ticket(Form):
    """A ticket that requests name."""

    pattern: Pattern = key("A regular expression that the whole ticket must match.", "^[A-Z]+-[0-9]+$")
    required: Switch = key("Whether a request must name a ticket.", default=True)


class Escalation(Form):
    """Who is asked besides, when a request has waited."""

    after: Duration = key("How long a request has then waited.", "2h")
    to: Somebody = key("Who is told.", {"groups": ["security-leads"]}, json_schema_extra=SOMEBODY)


class Notify(Form):
    """Channels, addresses and URLs that hear of decisions."""

    channels: Annotated[tuple[Channel, ...], Once] = key("Slack channels.", ["C024BE91L"], default=())
    email: Annotated[tuple[Email, ...], Once] = key("E-mail addresses.", ["security@example.com"], default=())
    webhooks: Annotated[tuple[Url, ...], Once] = key("URLs.", ["https://example.com/hook"], default=())


class Freeze(Form):
    """A time in which no deploy starts: each week, or once from one moment until another."""

    name: Line | None = key("What it is called where somebody must wait for its end.", "weekend", default=None)
    weekly: Week | None = key(
        "From when until when in each week, by the clocks of the zone.", "Fri 16:00 - Mon 08:00", default=None
    )
    zone: Zone = key("The time zone of weekly.", "Europe/Berlin", default="UTC")
    starts: Moment | None = key(
        "When it begins, with weekly left out.", "2026-12-20T00:00:00Z", default=None, alias="from"
    )
    until: Moment | None = key("When it ends, with weekly left out.", "2027-01-04T08:00:00+01:00", default=None)


class Policy(Form):
    """One rule. The first rule that matches decides; where none matches the request is refused."""

    name: Line = key("What the rule is called on cards and in answers.", "payments production")
    targets: Annotated[tuple[Glob, ...], Once, Some] = key(
        "Targets it is for. * stands for letters, digits and hyphens and never crosses / : #.",
        ["payments/prod"],
        json_schema_extra=AT_LEAST_ONE,
    )
    actions: Annotated[tuple[Action, ...], Once, Some] = key(
        "What may be asked under it.", ["change", "open"], json_schema_extra=AT_LEAST_ONE
    )
    requesters: Somebody = key("Who may ask.", {"groups": ["payments-dev"]}, json_schema_extra=SOMEBODY)
    approvals: Annotated[tuple[Threshold, ...], Some] = key(
        "Thresholds. Every one must be met, and no person counts twice.",
        [{"count": 1, "from": {"groups": ["payments-leads"]}}],
        max_length=10,
        json_schema_extra=AT_LEAST_ONE,
    )
    denials: Count = key("How many denials end a request, 1 to 20.", 1, default=1)
    self_approval: Switch = key("Whether requester, beneficiary and editors may approve too.", default=False)
    enforcement: Literal["hard", "soft"] = key(
        "hard: nobody passes without the approvals. soft: a bypasser may, with a reason, and everybody is told.",
        "hard",
        default="hard",
    )
    bypassers: Circle = key(
        "Who may break the glass where enforcement is soft. Nobody listed is nobody.",
        {"groups": ["oncall"]},
        default=Circle(),
    )
    break_glass: BreakGlass = key("Limits of breaking the glass.", default=BreakGlass())
    access: Access = key("The two clocks of access.", default=Access())
    deployers: Somebody | None = key(
        "Who may press Deploy. Without it, approvers and owners.", {"groups": ["release"]}, default=None
    )
    deploy_within: Duration = key("How long an approved deploy waits to be started.", "24h", default="24h")
    report_within: Duration = key(
        "How long a running deploy may take until its receiver reports how it went.", "1h", default="1h"
    )
    wait: Duration | None = key("How long after its approval a deploy may not start yet.", "10m", default=None)
    freeze: tuple[Freeze, ...] = key(
        "Times in which no deploy starts. A broken glass passes them where enforcement is soft.",
        [{"name": "weekend", "weekly": "Fri 16:00 - Mon 08:00", "zone": "Europe/Berlin"}],
        default=(),
        max_length=50,
    )
    request_ttl: Duration = key("How long a request waits for a decision.", "8h", default="8h")
    merge: Literal["on-approval", "by-hand"] = key(
        "Whether an approved change becomes the new version at once, or when somebody merges it.",
        "on-approval",
        default="on-approval",
    )
    merge_within: Duration = key("How long an approved change waits to be merged by hand.", "24h", default="24h")
    reason: Reason = key("Whether a request must say why.", {"required": True}, default=Reason())
    ticket: Ticket | None = key("The ticket a request names.", {"pattern": "^[A-Z]+-[0-9]+$"}, default=None)
    remind: Annotated[tuple[Duration, ...], Once] = key(
        "How long after it was asked the approvers are reminded, in rising order.", ["15m", "1h"], default=()
    )
    escalate: tuple[Escalation, ...] = key(
        "Who else is told, and after how long, in rising order.",
        [{"after": "2h", "to": {"groups": ["security-leads"]}}],
        default=(),
    )
    notify: Notify = key("Where decisions, and how deploys ended, are announced besides the card.", default=Notify())


class Document(Form):
    """Countersign's policies: who may ask, who must agree, who may pass in an emergency, and for how long."""

    version: Version = key("The version of this language.", 1)
    organization: Word | None = key(
        "Accepted and dropped as the first part of a target: acme/payments/prod.", "acme", default=None
    )
    owners: Somebody = key("Who administers Countersign.", {"groups": ["platform-admins"]}, json_schema_extra=SOMEBODY)
    allow_private: Annotated[tuple[HostAndPort, ...], Once] = key(
        "host:port of receivers on private addresses, which may also use http.", ["127.0.0.1:9000"], default=()
    )
    targets: dict[str, Target] = key("Everything that can be asked for.", {"payments/prod": {"channel": "C024BE91L"}})
    connectors: dict[Word, Connector] = key("Outside systems that roles live in, by name.", default={})
    policies: Annotated[tuple[Policy, ...], Some] = key(
        "Rules. The first one that matches decides; nothing matches = refused.", json_schema_extra=AT_LEAST_ONE
    )
