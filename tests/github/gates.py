"""A job that waits at GitHub, and the policies that let it."""

from dataclasses import replace
from typing import Any, Final

from store.model.identity import Target
from store.model.lifecycle import submit
from store.model.policy import Hook, PolicySet, TargetConfig
from store.model.request import Deployment, Gate, Request
from tests.builders import INSTALLATION, NOW, OWNER, draft, leads, people, policies, policy

API: Final = Target.parse("payments/prod#api")
GATE: Final = Gate(
    repository="acme/payments", environment="production", run=7, installation=1, deployment=9, by="octocat", page="https://github.com"
)  # fmt: skip
HUB: Final = Hook(
    name="api",
    url="https://api.github.com/repos/acme/payments",
    on=frozenset({"deploy"}),
    preset="github-environment",
    environment="production",
    holder=OWNER,
)
PLAIN: Final = Hook(name="web", url="https://web", on=frozenset({"deploy"}))
RULES: Final = policy(actions=frozenset({"deploy"}), approvals=(leads(1),))


def ruled(*hooks: Hook) -> PolicySet:
    return policies(RULES, targets={"payments/prod": TargetConfig(hooks=hooks or (HUB, PLAIN))})


def asked(rules: PolicySet | None = None, gate: Gate | None = GATE, **changed: Any) -> Request:
    drawn = draft(
        "deploy", target=API, payload=Deployment(version="v1.2.3", ref="9f2c41d"), door="github", machine=gate
    )
    wanted = replace(drawn, **{"requester": OWNER, "beneficiary": OWNER, **changed})
    return submit(wanted, INSTALLATION, rules or ruled(), people(), NOW).request
