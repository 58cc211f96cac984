"""Forms that are fixed from the first commit: digests, targets, ids, fingerprints; and what never shows."""

import copy
import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.model.command import Activate, Approve, Deny, End, Merge, Present, Tally, Withdraw
from store.model.errors import Invalid, Unavailable
from store.model.grant import Membership
from store.model.identity import ALPHABET, Target, parse_request_id, request_id, shown
from store.model.policy import HOUR, MINUTE
from store.model.record import Record
from store.model.request import (
    TERMINAL,
    Deployment,
    Enrolling,
    Extending,
    Kind,
    Machine,
    Minting,
    Request,
    State,
    digest,
    startable,
)
from store.model.secret import Secret
from store.model.token import DAY_MS
from tests.builders import ENVIRONMENT, INSTALLATION, NOW, REQ, edit, held, payload, request, touch
from tests.github.gates import GATE

OPEN, ACCESS = request("open"), request("access")
TOUCHES = (touch("A", base=1, to=2), touch("B", to=1))
CHANGE = request("change", touches=TOUCHES)


MEMBERSHIP = Membership(connector="okta", group="admins", user=REQ, account="UREQ@x")


def of(kind: str, payload: Any) -> Request:
    asked = OPEN.model_copy(update={"kind": kind, "payload": payload})
    return asked.model_copy(update={"digest": digest(INSTALLATION, asked)})


CI = Machine(token="0000000001", name="ci")
DEPLOY = of("deploy", Deployment(version="v1.2.3", ref="9f2c41d"))
HOLDER = of("policy", Enrolling(what="add", name="keys-3:8490", address="https://keys-3:8490", fingerprint="a" * 32))
MINTED = of(
    "policy",
    Minting(
        token="3NQ8W2VKXA",
        hash="5a" * 32,
        name="ci",
        targets=("payments/prod", "payments/prod#api"),
        actions=("read", "deploy"),
        lifetime_ms=90 * DAY_MS,
    ),
)


def with_payload(asked: Request, **changed) -> Request:
    return asked.model_copy(update={"payload": asked.payload.model_copy(update=changed)})


def with_membership(**changed) -> Request:
    return with_payload(ACCESS, membership=MEMBERSHIP.model_copy(update=changed))


def with_touch(**changed) -> Request:
    first, second = TOUCHES
    return with_payload(CHANGE, touches=(first.model_copy(update=changed), second))


def with_entry(**changed) -> Request:
    return with_touch(entry=held("A", version=2).model_copy(update=changed))


CONTENT = [
    ("id", OPEN, OPEN.model_copy(update={"id": "REQVEST002"})),
    ("revision", OPEN, OPEN.model_copy(update={"revision": 2})),
    ("kind", OPEN, OPEN.model_copy(update={"kind": "access"})),
    ("target", OPEN, OPEN.model_copy(update={"target": "payments/staging"})),
    ("requester", OPEN, OPEN.model_copy(update={"requester": "UOTHER"})),
    ("beneficiary", OPEN, OPEN.model_copy(update={"beneficiary": "UOTHER"})),
    ("duration", OPEN, with_payload(OPEN, duration_ms=1)),
    ("environment", OPEN, with_payload(OPEN, environment_id="env2")),
    ("duration of access", ACCESS, with_payload(ACCESS, duration_ms=1)),
    ("connector", ACCESS, with_membership(connector="other")),
    ("group", ACCESS, with_membership(group="other")),
    ("user", ACCESS, with_membership(user="UOTHER")),
    ("account", ACCESS, with_membership(account="other")),
    ("environment of a change", CHANGE, with_payload(CHANGE, environment_id="env2")),
    ("name", CHANGE, with_touch(name="Z")),
    ("base", CHANGE, with_touch(base="A-9")),
    ("no base", CHANGE, with_touch(base=None)),
    ("removal", CHANGE, with_touch(entry=None)),
    ("entry", CHANGE, with_entry(entry_id="A-9")),
    ("ciphertext", CHANGE, with_entry(ciphertext_hash="f" * 64)),
    ("mode", CHANGE, with_entry(mode=0o600)),
    ("one touch less", CHANGE, with_payload(CHANGE, touches=TOUCHES[:1])),
    ("rollback", CHANGE, with_payload(CHANGE, back_to=1)),
    ("rollback to another", CHANGE, with_payload(CHANGE, back_to=2)),
    ("time of an approval", OPEN, with_payload(OPEN, use_within_ms=MINUTE)),
    ("another time of an approval", OPEN, with_payload(OPEN, use_within_ms=HOUR)),
    ("time of an approval of access", ACCESS, with_payload(ACCESS, use_within_ms=MINUTE)),
    ("machine", DEPLOY, DEPLOY.model_copy(update={"machine": CI})),
    ("what a key holder is asked for", HOLDER, with_payload(HOLDER, what="remove")),
    ("name of a key holder", HOLDER, with_payload(HOLDER, name="keys-4:8490")),
    ("address of a key holder", HOLDER, with_payload(HOLDER, address="https://keys-4:8490")),
    ("fingerprint of a key holder", HOLDER, with_payload(HOLDER, fingerprint="b" * 32)),
]


@pytest.mark.parametrize(("before", "after"), [row[1:] for row in CONTENT], ids=[row[0] for row in CONTENT])
def test_another_content_is_another_digest(before, after):
    assert digest(INSTALLATION, before) == before.digest
    assert digest(INSTALLATION, after) != before.digest


def test_the_digest_belongs_to_the_installation():
    assert digest("another", OPEN) != OPEN.digest


def test_all_of_them_differ():
    digests = [digest(INSTALLATION, after) for _, _, after in CONTENT]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    "changed",
    [
        {"state": "approved"},
        {"reviews": ()},
        {"policy": 2},
        {"rule": "x"},
        {"note": "x"},
        {"timers": {}},
        {"since_ms": 1},
    ],
)
def test_who_decides_and_how_it_stands_are_no_content(changed):
    assert digest(INSTALLATION, OPEN.model_copy(update=changed)) == OPEN.digest


def test_the_order_of_names_is_no_content():
    turned = with_payload(CHANGE, touches=TOUCHES[::-1])
    assert digest(INSTALLATION, turned) == CHANGE.digest


def test_the_digests_are_these():
    """Known answers: a digest that changes makes every card in every channel a stranger."""
    assert OPEN.digest == "4302b27a26d8bc2a770bf2ad9b191f0be2cf520d9b6b39cd808fb8afb39aa446"
    assert ACCESS.digest == "5f86ccb019a1d478fa06d0324159c8751b5f02a794286fd8de2fde35ae82828f"
    assert CHANGE.digest == "6f8fee05fef1631fbef5e2c12ab8aa45b3aed829e23225dc9f72d61b20ce7c15"
    assert (
        digest(INSTALLATION, with_touch(base=None, entry=None))
        == "3f9c0b83f2b024b5a43f9079f8e945c304cd0b2eeda4250bf3672585e91a3817"
    )
    assert (
        digest(INSTALLATION, with_entry(mode=0o600))
        == "3ba6ebb5d39896ef865decc59b68bc8582db29ab2d60c161f507b533857034c6"
    )
    longer = Extending(parent=OPEN.id, until_ms=NOW + HOUR, duration_ms=HOUR)
    extension = OPEN.model_copy(update={"id": "REQVEST0X1", "payload": longer})
    assert digest(INSTALLATION, extension) == "84798519fbfca44aac4dfb88f43420bb81fce03890df0fba711115c1d21f8702"
    assert request("policy").digest == "10a2e299a83a9d56f9461bbea595665638cbc18f69ab708f28414ae358117262"


def over(asked: Request, *words: str) -> str:
    """SHA-256 over these words, each behind its length, after those that every request begins with."""
    who = ("testing", asked.id, "1", asked.kind, "payments/prod", REQ, REQ)
    told = [word.encode() for word in ("countersign request 1", *who, *words)]
    return hashlib.sha256(b"".join(len(word).to_bytes(4, "big") + word for word in told)).hexdigest()


DEPLOYED = ("deploy", "v1.2.3", "9f2c41d")
WORDS = [
    (with_payload(OPEN, use_within_ms=MINUTE), ("env1", "3600000", "use within", "60000")),
    (
        with_payload(CHANGE, touches=(touch("B", to=1),), back_to=7),
        ("env1", "B", "", "B-1", f"{1:064x}", "", "back", "7"),
    ),
    (DEPLOY, DEPLOYED),
    (with_payload(DEPLOY, ref=None), ("deploy", "v1.2.3", "")),
    (DEPLOY.model_copy(update={"machine": CI}), (*DEPLOYED, "machine", "0000000001", "ci")),
    (
        DEPLOY.model_copy(update={"machine": GATE}),
        (*DEPLOYED, "github", "acme/payments", "production", "7", "9", "octocat"),
    ),
    (HOLDER, ("enrolling", "add", "keys-3:8490", "https://keys-3:8490", "a" * 32)),
    (
        MINTED,
        (
            *("minting", "3NQ8W2VKXA", "5a" * 32, "ci", "7776000000"),
            *("2", "payments/prod", "payments/prod#api", "read", "deploy"),
        ),
    ),
]


@pytest.mark.parametrize(("asked", "words"), WORDS)
def test_the_digest_is_over_these_words(asked, words):
    assert digest(INSTALLATION, asked) == over(asked, *words)


@pytest.mark.parametrize(
    ("text", "expected", "kind"),
    [
        ("payments/prod", "payments/prod", "environment"),
        ("payments/prod#api", "payments/prod#api", "application"),
        ("role:aws-admin", "role:aws-admin", "role"),
        ("policy:main", "policy:main", "policy"),
        ("acme/payments/prod", "payments/prod", "environment"),
        ("acme/payments/prod#api", "payments/prod#api", "application"),
        ("0/1", "0/1", "environment"),
        ("a" * 63 + "/b", "a" * 63 + "/b", "environment"),
    ],
)
def test_a_target_has_one_spelling(text, expected, kind):
    target = Target.parse(text, organization="acme")
    assert (target.id, target.kind) == (expected, kind)
    assert Target.parse(target.id) == target


@pytest.mark.parametrize(
    "text",
    [
        "PROD", "payments/PROD", "Payments/prod", "payments/prod ", " payments/prod", "payments/prod\n", "role:aws-admin\n",
        "payments/prod#api\n", "role:aws-admin ", "ROLE:aws-admin", "payments", "payments/", "/prod", "payments//prod",
        "payments/prod/", "payments/prod#", "payments/prod#a#b", "other/payments/prod", "a/b/c/d", "payments/-prod",
        "payments/prod-", "payments/pr_od", "payments/pr.od", "payments/prod\u200b", "p\u0430yments/prod",
        "payments/\uff50rod", "payments\u2215prod", "payments/prod\x00", "role:", "role:a/b", "role:a#b", "group:a", "",
        "payments/pr\u00f6d", "payments/prod\u0660", "payments\\prod", "payments/*", "a" * 64 + "/b", "policy:main#x",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_target_is_refused(text):
    with pytest.raises(Invalid) as refusal:
        Target.parse(text, organization="acme")
    assert refusal.value.sentence.isprintable()


@pytest.mark.parametrize(
    ("text", "environment"),
    [
        ("payments/prod", "payments/prod"),
        ("payments/prod#api", "payments/prod"),
        ("role:aws-admin", None),
        ("policy:main", None),
    ],
)
def test_a_target_knows_its_environment(text, environment):
    assert Target.parse(text).environment == environment


@pytest.mark.parametrize(
    ("read", "code", "sentence"),
    [
        (
            Target.parse,
            "bad_target",
            "“x y” is not a target. Targets look like payments/prod, payments/prod#api or role:aws-admin, in lower-case letters, digits and hyphens.",
        ),
        (parse_request_id, "bad_id", "“x y” is not a request id. Ids have ten letters and digits, like 7Q2M4XK9TB."),
    ],
)
def test_a_refusal_says_what_would_be_right(read, code, sentence):
    with pytest.raises(Invalid) as refusal:
        read("x y")
    assert (refusal.value.detail, refusal.value.sentence) == (code, sentence)


@pytest.mark.parametrize(
    ("text", "most", "says"),
    [
        ("abc", 3, "“abc”"),
        ("abcd", 3, "“abc…”"),
        ("a\nb\x00c", 9, "“a�b�c”"),
        ("", 3, "“”"),
        ("x" * 60, None, f"“{'x' * 60}”"),
        ("x" * 61, None, f"“{'x' * 60}…”"),
    ],
)
def test_what_was_typed_is_repeated_on_one_line_and_cut(text, most, says):
    assert (shown(text) if most is None else shown(text, most)) == says


def test_without_an_organization_no_leading_segment_is_dropped():
    with pytest.raises(Invalid):
        Target.parse("acme/payments/prod")


@given(st.text(max_size=30))
def test_no_text_makes_a_target_of_another_form(text):
    try:
        target = Target.parse(text)
    except Invalid:
        return
    assert target.id == text


@given(st.binary(min_size=7, max_size=16))
def test_ids_are_ten_letters_that_are_read_back_as_people_type_them(randomness):
    made = request_id(randomness)
    assert len(made) == 10
    assert set(made) <= set(ALPHABET)
    assert made == request_id(randomness[:7])
    typed = made.lower().replace("0", "o").replace("1", "l")
    assert parse_request_id(f" {typed} ") == made


def test_fifty_bits_of_randomness_are_in_an_id():
    flips = {request_id((1 << bit).to_bytes(7, "big")) for bit in range(50)}
    assert len(flips) == 50
    assert request_id(bytes(7)) not in flips


@pytest.mark.parametrize(
    "text", ["", "7Q2M4XK9T", "7Q2M4XK9TBB", "7Q2M4XK9TU", "7Q2M4XK9T-", "7Q2M4XK9T\u00df", "7Q2M4 K9TB"]
)
def test_what_is_no_id_is_refused(text):
    with pytest.raises(Invalid):
        parse_request_id(text)


# -- commands ---------------------------------------------------------------------------------------------------------

FIRST = Approve(id="1", actor="UANA", revision=1, digest="d")


@pytest.mark.parametrize(
    "other",
    [
        replace(FIRST, actor="UBOB"),
        replace(FIRST, revision=2),
        replace(FIRST, digest="e"),
        replace(FIRST, cap_ms=1),
        Deny(id="1", actor="UANA", revision=1, digest="d", reason=""),
    ],
)
def test_another_command_has_another_fingerprint(other):
    assert other.fingerprint != FIRST.fingerprint


def test_the_same_command_has_the_same_fingerprint_whatever_its_id():
    assert replace(FIRST, id="2").fingerprint == FIRST.fingerprint
    assert Withdraw(id="1", actor="UANA").fingerprint != End(id="1", actor="UANA").fingerprint


EDIT = edit(request(), id="1", touches=(touch("A"), touch("B", base=1, to=None)))


@pytest.mark.parametrize(
    "other",
    [
        replace(EDIT, actor="UBOB"),
        replace(EDIT, reason="another"),
        replace(EDIT, duration_ms=1),
        replace(EDIT, touches=None),
        replace(EDIT, touches=(touch("A"),)),
        replace(EDIT, touches=(touch("A", base=1, to=None), touch("B"))),
    ],
)
def test_an_edit_is_known_by_what_it_asks(other):
    assert other.fingerprint != EDIT.fingerprint
    assert (
        replace(EDIT, id="2", touches=(touch("A", to=7), touch("B", base=1, to=None))).fingerprint == EDIT.fingerprint
    )


def test_the_fingerprint_of_an_edit_is_of_this_text():
    """A known answer: a retry that comes after an update is still the same command."""
    said = (
        "('Edit', [('actor', 'UREQ'), ('revision', 1), "
        f"('digest', '{EDIT.digest}'), ('reason', 'because'), ('ticket', None), ('duration_ms', None), ('amendment', None)], "
        "[('A', False), ('B', True)])"
    )
    assert EDIT.fingerprint == hashlib.sha256(said.encode()).hexdigest()


def test_commands_that_say_nothing_else_are_told_apart_by_their_kind():
    kinds = (Withdraw, Activate, Merge, Tally, Present)
    assert len({kind(id="1", actor="UANA").fingerprint for kind in kinds}) == len(kinds)


# -- records and secrets ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [OPEN, ACCESS, CHANGE])
def test_a_record_is_read_as_it_was_written(asked):
    assert Request.from_json(asked.to_json()) == asked
    assert json.loads(asked.to_json())["schema"] == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (OPEN.to_json().replace('"schema":1', '"schema":2'), "newer_schema"),
        (OPEN.to_json().replace('"schema":1,', ""), "unreadable"),
        (OPEN.to_json().replace('"schema":1', '"schema":1,"surprise":1'), "unreadable"),
        (OPEN.to_json().replace('"pending"', '"granted"'), "unreadable"),
        (OPEN.to_json()[:-1], "unreadable"),
        ("[]", "unreadable"),
        ("", "unreadable"),
        (b"\xff", "unreadable"),
        ('{"schema":"1"}', "unreadable"),
    ],
)
def test_what_is_no_record_of_ours_is_refused(body, code):
    with pytest.raises(Unavailable) as refusal:
        Request.from_json(body)
    assert refusal.value.detail == code
    assert "because" not in refusal.value.sentence


def test_how_long_to_wait_is_said_where_the_other_side_said_so():
    assert Unavailable("Slack asks us to wait.", retry_after_ms=1_500).retry_after_ms == 1_500
    assert Unavailable("Slack does not answer.").retry_after_ms is None


def test_an_older_record_is_read_and_written_as_a_new_one():
    class Younger(Request):
        SCHEMA = 2

    older = Younger.from_json(OPEN.to_json())
    assert older.to_json() == OPEN.to_json().replace('"schema":1', '"schema":2')
    assert Younger.from_json(older.to_json()) == older


def test_who_reads_a_newer_record_is_told_what_to_do():
    with pytest.raises(Unavailable) as refusal:
        Request.from_json(OPEN.to_json().replace('"schema":1', '"schema":2'))
    assert refusal.value.sentence == (
        "This Request was written by a newer Countersign (schema 2, this one reads 1). Upgrade this process."
    )


@pytest.mark.parametrize(
    ("touched", "word"),
    [
        (touch(base=1, to=None), "removed"),
        (touch(base=None, to=None), "removed"),
        (touch(to=1), "new"),
        (touch(base=1, to=2), "changed"),
        (touch(base=1, to=2).model_copy(update={"same": True}), "unchanged"),
    ],
)
def test_what_a_change_does_to_a_name_has_a_word(touched, word):
    assert touched.word == word


def test_a_request_knows_its_environment_its_length_and_its_end():
    assert [asked.environment_id for asked in (OPEN, ACCESS, CHANGE)] == [ENVIRONMENT, None, ENVIRONMENT]
    assert [asked.duration_ms for asked in (OPEN, ACCESS, CHANGE)] == [HOUR, HOUR, None]
    ended = {state: OPEN.model_copy(update={"state": state}).ended for state in get_args(State)}
    assert {state for state, over in ended.items() if over} == TERMINAL


def test_what_waits_for_somebody_to_press_deploy_is_a_deploy_that_was_approved():
    found = {
        (kind, state)
        for kind in get_args(Kind)
        for state in get_args(State)
        if startable(OPEN.model_copy(update={"kind": kind, "state": state}))
    }
    assert found == {("deploy", "approved")}


def test_a_record_does_not_change():
    with pytest.raises(ValueError, match="frozen"):
        OPEN.state = "approved"  # type: ignore[misc]  # mypy knows, too


def test_a_payload_is_none_without_time():
    with pytest.raises(ValueError, match="greater than 0"):
        payload("open", duration_ms=0)


@dataclass
class Holder:
    secret: Secret


def test_a_secret_prints_nothing():
    secret = Secret(b"canary-7")
    shown = [str(secret), repr(secret), f"{secret}", f"{secret:>40}", repr(Holder(secret))]
    shown.append(repr([secret, {"a": secret}]))
    assert not [text for text in shown if "canary" in text]
    assert all("Secret(…)" in text for text in shown)
    assert secret.reveal() == b"canary-7"


@pytest.mark.parametrize(
    "leak",
    [
        json.dumps, copy.copy, copy.deepcopy, bytes, hash, iter, vars, lambda secret: asdict(Holder(secret)),
        lambda secret: secret + b"", lambda secret: b"canary" in secret, lambda secret: secret[0],
    ],
)  # fmt: skip
def test_a_secret_does_not_leave_by_other_ways(leak):
    with pytest.raises(TypeError) as error:
        leak(Secret(b"canary-7"))
    assert "canary" not in str(error.value)


def test_who_would_copy_a_secret_reads_why_not():
    with pytest.raises(TypeError, match=r"^A secret does not travel by pickle\.$"):
        copy.copy(Secret(b"canary-7"))


def test_secrets_are_compared_by_what_they_hold():
    assert Secret(b"a") == Secret(b"a")
    assert Secret(b"a") != Secret(b"b")
    assert Secret(b"a") != b"a"


def test_records_are_told_apart_by_class():
    class Small(Record):
        x: int = 0

    assert Small.from_json(Small(x=1).to_json()).x == 1
