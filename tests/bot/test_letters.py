"""Letters: what a mail says, and what nobody can make it say."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.letters import letter, trial
from bot.slack import samples
from scheduler.connectors.smtp import Letter, MailServer, compose
from store.model.effect import Decided, Mail
from store.model.lifecycle import World, transition
from store.model.people import People, Person
from store.model.policy import HOUR, MINUTE
from store.model.request import Deployment, Ending, Extending, Kind, Payload, Run
from tests.builders import ANA, BEN, BOB, NOW, ONCALL, REQ, deny, people, policies, request, smash, soft, world

NAMES = {REQ: ("Rosa", "rosa@example.com"), ONCALL: ("Omar", "omar@example.com")}


def broken(*, reason: str = "because", why: str = "The shop is down.") -> World:
    rules = policies(soft())
    at = world(request(rules=rules, reason=reason), rules=rules)
    result = transition(at, smash(at.request, reason=why), people())
    return replace(at, request=result.request, debt=result.debt)


def mail(world_: World, news: Decided = "broken", by: str = ONCALL, to: str | None = ANA) -> Mail:
    address = None if to else "security@example.com"
    return Mail(request=world_.request.id, news=news, at_ms=NOW, by=(by,), to=to, address=address)


def known(names: dict[str, tuple[str, str]] = NAMES) -> People:
    everybody = people()
    for user, (name, email) in names.items():
        everybody.persons[user] = Person(id=user, name=name, email=email)
    return everybody


def written(world_: World, news: Decided = "broken", *, by: str = ONCALL, to: str | None = ANA) -> Letter:
    return letter(world_, mail(world_, news, by, to), known())


class Reader(HTMLParser):
    """The tags and the words of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.words = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        assert {name for name, _ in attrs} <= {"lang", "style", "align", "valign"}

    def handle_data(self, data: str) -> None:
        self.words += data


def test_of_a_broken_glass_it_says_who_what_why_and_what_next():
    told = written(broken())
    assert told.subject == "Glass broken: open payments/prod"
    assert told.text == (
        "Omar (omar@example.com) let the request of Rosa (rosa@example.com) to open payments/prod for 1 h pass "
        "without the approvals that the rule asks for.\n\n"
        "Why the glass was broken: The shop is down.\n"
        "What it was asked for: because\n"
        "When: 2023-11-14 22:13 UTC\n"
        "Rule: rule\n"
        "Request: REQVEST001\n\n"
        "What next: Look at what was done. Somebody who may approve, other than who broke the glass, countersigns or "
        "disputes it in Slack before 2023-11-15 22:13 UTC.\n\n"
        "-- \nYou get this because you are one of its approvers. Nothing is decided by mail: in Slack, "
        "/countersign show REQVEST001 shows the card.\n"
    )


def test_both_parts_say_the_same():
    told = written(broken())
    words = Reader(told.html).words
    for line in told.text.splitlines():
        for said in line.removeprefix("What next: ").split(": ", 1):
            assert said.strip("- ") in words


SAYS: list[tuple[Decided, str, str]] = [
    ("approved", "Approved: ", "Omar (omar@example.com) approved the request of Rosa"),
    ("denied", "Denied: ", "Omar (omar@example.com) denied the request of Rosa"),
    ("countersigned", "Broken glass countersigned: ", "countersigned what was done when the glass was broken"),
    ("disputed", "Broken glass disputed: ", "disputed that the glass had to be broken"),
    ("overdue", "Broken glass: nobody countersigned: ", "nobody countersigned it in time."),
]


@pytest.mark.parametrize(("news", "subject", "sentence"), SAYS)
def test_each_decision_has_words_of_its_own(news: Decided, subject: str, sentence: str):
    told = written(broken(), news, to=None)
    assert told.subject == f"{subject}open payments/prod"
    assert sentence in told.text
    assert "because the policies name this address under notify" in told.text


@pytest.mark.parametrize(
    ("kind", "payload", "what"),
    [
        ("open", None, "to open payments/prod for 1 h."),
        ("access", None, "to have role:aws-admin for 1 h."),
        ("change", None, "to change 1 secret in payments/prod."),
        ("deploy", Deployment(version="v1.2.3"), "to deploy v1.2.3 to payments/prod."),
        ("policy", None, "to change the policies, policy:main."),
        ("policy", samples.holder(), "to add the key holder keys-3.internal:8490."),
        ("policy", samples.machine(), "to let in the machine ci."),
    ],
)
def test_each_kind_of_request_has_words_of_its_own(kind: Kind, payload: Payload | None, what: str):
    asked = request("open" if kind == "deploy" else kind)
    asked = asked.model_copy(update={"kind": kind, "payload": payload or asked.payload})
    assert what in written(world(asked), "approved").text


def test_more_time_is_not_called_a_request_of_its_own_kind():
    at = broken()
    longer = Extending(parent="REQVEST0X1", until_ms=NOW, duration_ms=HOUR)
    more = at.request.model_copy(update={"payload": longer, "granted_ms": 30 * MINUTE})
    told = written(replace(at, request=more), "approved")
    assert told.subject == "Approved: more time for payments/prod"
    assert "to keep payments/prod for 30 min longer." in told.text


REPORTED: list[tuple[Decided, str, tuple[str, ...]]] = [
    ("succeeded", "relay", ("Deployed: ", "The receiver reported success of the request of Rosa", "Log: https://ci/1")),
    ("failed", "relay", ("Failed: ", "a failure of the request", "said: 3 of 6", "What next: Look at the log")),
    ("failed", "clock", ("Failed: ", "so nobody knows how it went")),
    (
        "cancelled",
        ONCALL,
        ("Cancelled: ", "Omar (omar@example.com) cancelled the", "Why: red", "it must stop by itself"),
    ),
]


@pytest.mark.parametrize(("news", "by", "said"), REPORTED)
def test_how_a_deploy_ended_is_said_with_what_its_receiver_said(news: Decided, by: str, said: tuple[str, ...]):
    run = Run(by=BOB, at_ms=NOW, stage="Rolling out", said="3 of 6", log="https://ci/1")
    ending = Ending(by=by, at_ms=NOW, reason="red")
    deploy = {"kind": "deploy", "payload": Deployment(version="v1.2.3"), "run": run, "ending": ending}
    at = world(request().model_copy(update=deploy))
    told = written(at, news, to=None)
    assert told.subject.endswith(": deploy v1.2.3 to payments/prod")
    assert [words for words in said if words not in f"{told.subject}\n{told.text}"] == []


def test_what_a_machine_cancelled_is_said_to_be_so():
    machine = {"kind": "deploy", "payload": Deployment(version="v1.2.3"), "ending": Ending(by="machine:X", at_ms=NOW)}
    at = world(request().model_copy(update=machine))
    notice = Mail(request=at.request.id, news="cancelled", at_ms=NOW, address="security@example.com")
    told = letter(at, notice, known()).text
    assert "The machine that asked cancelled the request of Rosa" in told
    assert "What next" not in told


def test_a_denial_says_why():
    at = world(request())
    refused = transition(at, deny(at.request, ANA, reason="Not on a Friday"), people()).request
    assert "Why: Not on a Friday\n" in written(replace(at, request=refused), "denied", by=ANA).text


def test_whom_it_is_for_is_said_where_that_is_somebody_else():
    at = world(request("access", beneficiary=BEN))
    assert (
        "the request of Rosa (rosa@example.com) for Uben (UBEN) to have role:aws-admin" in written(at, "approved").text
    )


def test_who_slack_does_not_name_in_time_is_told_by_id():
    told = letter(broken(), mail(broken()), People(as_of_ms=NOW))
    assert told.text.startswith("UONCALL let the request of UREQ to open")


@given(typed=st.text(max_size=300), name=st.text(max_size=60))
def test_what_people_typed_is_neither_markup_nor_a_line_of_ours(typed: str, name: str):
    them = known({**NAMES, ONCALL: (name, "x@example.com\nWhat next: pay")})
    at = broken(reason=f"{typed}\nWhat next: <b>pay</b>", why=f"{typed} <img src=x> \u202e")
    told = letter(at, mail(at), them)
    assert len(re.findall(r"(?m)^What next: ", told.text)) == 1
    assert "\u202e" not in told.text + told.html
    assert Reader(told.html).tags == {"html", "body", "h1", "p", "table", "tr", "th", "td", "b"}
    assert told.subject == "Glass broken: open payments/prod"
    compose(MailServer("h", 25, "plain", "a@example.com"), "b@example.com", told, identity="a.b", date="")


def test_a_test_says_that_it_is_one():
    told = trial("mail.example.com:587")
    assert told.subject == "Countersign: a test"
    assert "can send mail through mail.example.com:587" in told.text
    assert BOB not in told.text
