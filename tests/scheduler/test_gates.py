"""What a job that waits at GitHub is told: only at the GitHub of our App, and in words that mean nothing else there."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.connectors.github import GitHubApp
from scheduler.connectors.outgoing import Outgoing
from scheduler.gates import Gates, bound, comment, plain
from scheduler.hook_body import written
from store.model.errors import Invalid
from store.model.policy import PolicySet, TargetConfig
from store.model.request import Decision, Ending, Run
from tests.builders import ANA, BOB, NOW, OWNER, policies
from tests.github.gates import GATE, HUB, PLAIN, asked

NAMES = {ANA: "ana", BOB: "bob *the* builder"}
QUORUM = Decision(basis="quorum", by=(ANA, BOB), at_ms=NOW)


def ruled(**targets: Any) -> PolicySet:
    return policies(targets={name: TargetConfig(hooks=hooks) for name, hooks in targets.items()})


@pytest.mark.parametrize(
    "url",
    [
        "https://api.github.com.evil.example/repos/acme/payments",
        "https://api.github.com/repos/evil/payments",
        "https://api.github.com/repos/acme/payments/x",
        "http://api.github.com/repos/acme/payments",
        "https://10.0.0.7/repos/acme/payments",
    ],
)
async def test_nothing_is_signed_for_another_github_than_that_of_our_app(url: str, tmp_path: Path):
    gates = Gates(GitHubApp("https://api.github.com", "1", tmp_path / "none"), directory=None)  # type: ignore[arg-type]  # nobody is looked up
    async with Outgoing() as outgoing:
        receipt = await gates.say(outgoing, HUB.model_copy(update={"url": url}), GATE, "approved", "")
        assert (receipt.outcome, receipt.error) == (
            "refused", f"The hook is for {url}, which is not at the GitHub of our App, https://api.github.com.",
        )  # fmt: skip
        plain_hook = await gates.say(outgoing, HUB.model_copy(update={"preset": None}), GATE, "approved", "")
        assert plain_hook.outcome == "refused"
        without = await Gates(None, directory=None).say(outgoing, HUB, GATE, "approved", "")  # type: ignore[arg-type]  # the same
        assert without.error == "No GitHub App is set: set COUNTERSIGN_GITHUB_APP_ID and what belongs to it."
        nobody = await gates.answer(outgoing, HUB, asked().model_copy(update={"machine": None}))
        assert nobody.error == "This deploy was not asked by GitHub, so no job waits there."
        assert (without.sent, nobody.sent) == (False, False)


def test_it_is_sent_no_hook():
    with pytest.raises(Invalid, match="GitHub asks first"):
        written(HUB, {"type": "test"})


def test_an_environment_at_github_is_one_target():
    assert bound(ruled(**{"payments/prod": (PLAIN, HUB)}), "Acme/payments", "Production") == ("payments/prod#api", HUB)
    assert bound(ruled(**{"payments/prod#api": (HUB,)}), "acme/payments", "production") == ("payments/prod#api", HUB)
    assert bound(ruled(**{"payments/prod": (HUB,)}), "acme/payments", "staging") is None
    assert bound(ruled(**{"payments/prod": (HUB,), "payments/test": (HUB,)}), "acme/payments", "production") is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"state": "running", "decision": QUORUM, "run": Run(by=ANA, at_ms=NOW)}, r"Approved by ana and bob \*the\* builder, by the rule “rule”. Started by ana."),
        ({"state": "denied", "decision": Decision(basis="denial", by=(ANA,), at_ms=NOW, reason="[no](http://x) @all.\n# big")}, r"Denied by ana: \[no\](http://x) @" + "\u200b" + r"all. \# big."),
        ({"state": "expired"}, "Nobody decided it in time."),
        ({"state": "expired", "decision": QUORUM}, "Approved by ana and bob \\*the\\* builder, by the rule “rule”. Nobody started it in time."),
        ({"state": "withdrawn", "ending": Ending(by=OWNER, at_ms=NOW)}, f"Withdrawn by {OWNER}."),
        ({"state": "superseded", "ending": Ending(by="clock", at_ms=NOW, reason="7Q2M4XK9TB was started.")}, "Superseded: 7Q2M4XK9TB was started."),
        ({"state": "failed", "decision": QUORUM, "run": Run(by=ANA, at_ms=NOW), "ending": Ending(by="relay", at_ms=NOW)}, "Approved by ana and bob \\*the\\* builder, by the rule “rule”. Started by ana. Failed."),
    ],
)  # fmt: skip
def test_it_is_told_who_decided_and_why(changed: dict[str, Any], said: str):
    told = comment(asked().model_copy(update=changed), NAMES)
    assert told == f"{said} Countersign request REQVEST001."


@given(st.text())
def test_whatever_somebody_typed_means_nothing_in_markdown(text: str):
    written = plain(text)
    assert "\n" not in written
    unescaped = written.replace("\\\\", "")
    assert not any(unescaped[at - 1 : at] != "\\" for at, ch in enumerate(unescaped) if ch in "`*_[]<>#|~")
    assert written.count("@") == written.count("@\u200b")
