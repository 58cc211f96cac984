"""What may follow `/countersign`, and what one is told otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy_file import durations
from bot.slack import grammar, meant
from bot.slack.grammar import (
    Ask,
    Audit,
    Cancel,
    Delete,
    Done,
    Extend,
    Help,
    Login,
    Mine,
    Mistake,
    Parsed,
    Pending,
    Show,
    Unlock,
    Why,
    WhyAsk,
    parse,
)

MINUTE, HOUR = 60_000, 3_600_000
ID = "7Q2M4XK9TB"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", Help()),
        ("   ", Help()),
        ("help", Help()),
        ("HELP", Help()),
        ("pending", Pending()),
        ("mine", Mine()),
        (f"show {ID}", Show(ID)),
        ("show 7q2m4xk9tb", Show(ID)),
        (f"show `{ID}`", Show(ID)),
        (f"why {ID}", Why(ID)),
        ("why open payments/prod", WhyAsk("open", "payments/prod")),
        ("why open payments/prod for 2 hours", WhyAsk("open", "payments/prod", 2 * HOUR)),
        ("why Access role:aws-admin", WhyAsk("access", "role:aws-admin")),
        ("why change payments/prod because INC-7", WhyAsk("change", "payments/prod")),
        (f"cancel {ID}", Cancel(ID)),
        (f"done {ID}", Done(ID)),
        ("done", Done()),
        ("delete payments/old", Delete("payments/old")),
        ("Delete `payments/old`", Delete("payments/old")),
        ("unlock", Unlock()),
        ("login", Login()),
        ("login 7Q2M-4XK9", Login("7Q2M4XK9")),
        ("Login 7q2m4xk9", Login("7Q2M4XK9")),
        ("login 7q2m 4xk9", Login("7Q2M4XK9")),
        ("login `7Q2M-4XK9`", Login("7Q2M4XK9")),
        ("login OIL0-0000", Login("01100000")),
        ("unlock <@U0OMAR|omar>", Unlock("U0OMAR")),
        ("unlock <@U0OMAR>", Unlock("U0OMAR")),
        ("unlock U0OMAR", Unlock("U0OMAR")),
        ("Unlock <@W0OMAR|o> because we talked &amp; agreed", Unlock("W0OMAR", "we talked & agreed")),
        ("unlock <@U0OMAR|omar> we  talked", Unlock("U0OMAR", "we talked")),
        ("unlock <@U0OMAR|omar> because", Unlock("U0OMAR")),
        ("request open payments/prod", Ask("open", "payments/prod")),
        ("request open", Ask("open")),
        ("open payments/prod", Ask("open", "payments/prod")),
        ("request access role:aws-admin for 1h", Ask("access", "role:aws-admin", HOUR)),
        ("request change payments/prod because INC-1", Ask("change", "payments/prod", None, "INC-1")),
        ("request open payments/prod for 2h because it is for me", Ask("open", "payments/prod", 2 * HOUR, "it is for me")),
        ("request open payments/prod because we wait for 2h", Ask("open", "payments/prod", None, "we wait for 2h")),
        ("request open for 2h", Ask("open", None, 2 * HOUR)),
        ("request open because", Ask("open")),
        ("request open payments/prod for <@U0BEN|ben> for 2h", Ask("open", "payments/prod", 2 * HOUR, "", "U0BEN")),
        ("open payments/prod for 2h for <@U0BEN> because x", Ask("open", "payments/prod", 2 * HOUR, "x", "U0BEN")),
        ("request access For <@W0BEN>", Ask("access", None, None, "", "W0BEN")),
        ("request open a/b because it is for <@U0BEN|ben>", Ask("open", "a/b", None, "it is for @ben")),
        (f"end {ID} because INC-7 is over", Done(ID, "INC-7 is over")),
        ("end", Done()),
        ("done because I am", Done(None, "I am")),
        ("extend", Extend()),
        ("extend 7Q2M4XK9TB", Extend("7Q2M4XK9TB")),
        ("extend `7q2m4xk9tb` for 1 h 30 min because we wait", Extend("7Q2M4XK9TB", 90 * MINUTE, "we wait")),
        ("Extend for 30m", Extend(None, 30 * MINUTE)),
        ("Request Open Payments/Prod For 2H Because Why", Ask("open", "payments/prod", 2 * HOUR, "Why")),
        ("request open acme/payments/prod", Ask("open", "payments/prod")),
        ("request open for 2h payments/prod", Ask("open", "payments/prod", 2 * HOUR)),
        ("request", Ask()),
        ("request for 2h because INC-7", Ask(None, None, 2 * HOUR, "INC-7")),
        ("request payments/prod", Ask(None, "payments/prod")),
        ("payments/prod for 2h", Ask(None, "payments/prod", 2 * HOUR)),
        ("Role:aws-admin because INC-7", Ask(None, "role:aws-admin", None, "INC-7")),
        ("audit", Audit()),
        (f"audit {ID}", Audit(ID)),
    ],
)  # fmt: skip
def test_what_is_understood(text: str, parsed: Parsed) -> None:
    assert parse(text, organization="acme") == parsed


@pytest.mark.parametrize(
    ("length", "duration_ms"),
    [
        ("2h", 2 * HOUR), ("1h30m", 90 * MINUTE), ("45m", 45 * MINUTE), ("90s", 90_000), ("7200s", 2 * HOUR),
        ("2 hours", 2 * HOUR), ("1 hour and 30 minutes", 90 * MINUTE), ("10 min", 10 * MINUTE), ("30 secs", 30_000),
    ],
)  # fmt: skip
def test_durations(length: str, duration_ms: int) -> None:
    assert parse(f"request open payments/prod for {length} because x") == Ask("open", "payments/prod", duration_ms, "x")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("pendign", "Did you mean /countersign pending?"),
        ("request opne payments/prod", "Did you mean /countersign request open?"),
        ("xyzzy", "/countersign help"),
        ("pend", "Did you mean /countersign pending?"),
        ("list", "Did you mean /countersign pending?"),
        ("status", "Did you mean /countersign show?"),
        ("withdraw 7Q2M4XK9TB", "Did you mean /countersign cancel?"),
        ("acess role:aws-admin", "Did you mean /countersign access?"),
        ("approve 7Q2M4XK9TB", "is a button of the card: /countersign pending lists"),
        ("audit zz", "is not a request id"),
        ("request open payments/prod 2h", "Did you mean /countersign request open payments/prod for 2h?"),
        ("open payments/prod INC-7", "Did you mean /countersign request open payments/prod because INC-7?"),
        ("open payments/prod for 2", "Did you mean 2h?"),
        ("open payments/prod for 90", "Did you mean 1h30m?"),
        ("open payments/prod for half an hour", "Did you mean 30m?"),
        ("open payments/prod for 1.5h", "Did you mean 1h30m?"),
        ("open payments/prod for 1 day", "Did you mean 24h?"),
        ("payments/prod fro 2h", "Did you mean /countersign request open payments/prod for 2h?"),
        (
            "open payments/prod becuase INC-7 it burns",
            "Did you mean /countersign request open payments/prod because INC-7 it burns?",
        ),
        ("request xyzzy", "/countersign request open payments/prod"),
        ("request open payments", "Targets look like payments/prod"),
        ("request open other/payments/prod", "is not a target"),
        ("request open payments/prod please", "one word too many"),
        ("request open payments/prod for", "not a duration"),
        ("request open payments/prod for a while", "2h, 1h30m, 45m"),
        ("request open payments/prod for 0m", "no time at all"),
        ("request open payments/prod for 9999h", "at most"),
        ("request change payments/prod for 2h", "leave out “for”"),
        ("request open раyments/prod", "is not a target"),  # the first two letters are Cyrillic
        ("request open ban\u212a/prod", "is not a target"),  # the Kelvin sign, which lower() makes a k
        ("unlock everybody", "is nobody I know"),
        ("unlock @omar", "/countersign unlock @omar because"),
        ("unlock <!subteam^S0LEADS|@leads>", "is nobody I know"),
        ("login 7Q2M-4XK", "Codes have eight letters and digits"),
        ("login 7Q2M-4XKU", "is not a login code"),
        ("login because", "is not a login code"),
        ("logn", "Did you mean /countersign login?"),
        ("unlok", "Did you mean /countersign unlock?"),
        ("show", "/countersign show ID"),
        ("cancel", "/countersign cancel ID"),
        ("why", "/countersign why ID"),
        ("why", "/countersign why open payments/prod for 2h"),
        ("why open", "Say which target too"),
        ("why opne payments/prod", "Did you mean /countersign why open?"),
        ("why acess", "Did you mean /countersign why access?"),
        ("why payments/prod", "/countersign why open …"),
        ("why role:aws-admin for 1h", "/countersign why access …"),
        ("why open payments/prod for ever", "After “for” stands a duration."),
        ("why xyzzy", "is not a request id"),
        ("why is this so", "One can ask why of an ID, open, access, change or deploy."),
        ("show 123", "Ids have ten letters and digits"),
        (f"show {ID} {ID}", "One request at a time"),
    ],
)
def test_a_mistake_gets_a_helpful_answer(text: str, says: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Mistake)
    assert says in parsed.sentence


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("a &amp; b &lt;c&gt;", "a & b <c>"),
        ("see <https://example.com/x|example.com>", "see https://example.com/x"),
        ("<@U0ANA|ana> asked in <#C0PAY|payments>", "@ana asked in #payments"),
        ("<@U0ANA> asked", "@U0ANA asked"),
        ("<!channel>", "!channel"),
        ("&lt;!channel&gt;", "<!channel>"),
    ],
)
def test_what_slack_escaped_is_read_as_it_was_typed(typed: str, reason: str) -> None:
    assert parse(f"request open payments/prod because {typed}") == Ask("open", "payments/prod", None, reason)


@given(
    st.text()
    | st.lists(st.sampled_from([*grammar._WORDS, "open", "for", "because", "2h", "payments/prod", "<@", "|", ">"])).map(
        " ".join
    )
)
def test_it_answers_whatever_is_typed(text: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Parsed.__args__)
    if isinstance(parsed, Mistake):
        assert 0 < len(parsed.sentence) < 600


@given(st.text(max_size=40))
def test_a_duration_that_is_proposed_is_one(text: str) -> None:
    near = meant.duration(text)
    assert near is None or durations.parse(near) > 0


@given(st.integers(1, 99_999), st.sampled_from(["", "h", "hs", "hrs", "m", "mn", "s", "d", "days"]))
def test_a_number_with_something_like_a_unit_is_understood(count: int, unit: str) -> None:
    near = meant.duration(f"{count} {unit}")
    assert near is None or durations.parse(near) <= durations.LONGEST_MS
    assert near is not None or unit in ("h", "hs", "hrs", "d", "days")


@pytest.mark.parametrize(
    ("typed", "near"),
    [
        ("payments/prd", "payments/prod"), ("payment/prod", "payments/prod"), ("role:aws", "role:aws-admin"),
        ("prod", "payments/prod"), ("payments", "payments/prod"), ("nothing/alike", None), ("", None),
    ],
)  # fmt: skip
def test_a_target_that_is_proposed_looks_like_it_or_is_the_only_one_that_holds_it(typed: str, near: str | None) -> None:
    assert meant.target(typed, ["payments/prod", "payments/staging", "role:aws-admin"]) == near


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("extend soon", "is not a request id"),
        (f"extend {ID} please", "is one word too many"),
        (f"extend {ID} for ever", "After “for” stands a duration."),
        ("request open payments/prod for @omra for 1h", "“@omra” is nobody I know."),
        ("request open payments/prod for <@U0BEN> for <@U0EVE>", "“@U0EVE” is nobody I know."),
        ("request change payments/prod for <@U0BEN>", "A change is for nobody in particular"),
    ],
)
def test_what_is_wrong_with_more_time_and_with_whom_it_is_for(text: str, sentence: str) -> None:
    parsed = parse(text)
    assert isinstance(parsed, Mistake)
    assert sentence in parsed.sentence


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("request deploy payments/prod#api v1.2.3", Ask("deploy", "payments/prod#api", version="v1.2.3")),
        (
            "request deploy payments/prod#api v1.2.3 because INC-7 is mended",
            Ask("deploy", "payments/prod#api", None, "INC-7 is mended", version="v1.2.3"),
        ),
        (
            "deploy payments/prod#api v1.2.3 9f2c41d",
            Ask("deploy", "payments/prod#api", version="v1.2.3", ref="9f2c41d"),
        ),
        ("deploy v1.2.3 to payments/prod", Ask("deploy", "payments/prod", version="v1.2.3")),
        ("deploy v1.2.3 payments/prod#api", Ask("deploy", "payments/prod#api", version="v1.2.3")),
        ("deploy payments/prod<#C0X|api> v1.2.3", Ask("deploy", "payments/prod#api", version="v1.2.3")),
        ("deploy payments/prod#api", Ask("deploy", "payments/prod#api")),
        ("deploy", Ask("deploy")),
        ("ship payments/prod", "Did you mean /countersign deploy?"),
        ("deploy role:admin v1", "role:admin cannot be deployed"),
        ("deploy payments/prod#api v1.2.3 for 2h", "A deploy has no duration"),
        ("deploy payments/prod#api v1.2.3 for <@U0BEN>", "A deploy is for nobody in particular"),
        ("deploy payments/prod#api v1.2.3 main", "“main” is neither a commit nor a digest"),
        ("deploy payments/prod#api v1.2.3 9f2c41d more words", "“more words” is too much"),
        ("deploy payments/prod#api {v1}", "“{v1}” is not a version"),
        ("deploy PAYMENTS/prod#Ápi v1", "is not a target"),
        ("cancel 7Q2M4XK9TB because the build is red", Cancel("7Q2M4XK9TB", "the build is red")),
        ("why deploy payments/prod#api v1.2.3", WhyAsk("deploy", "payments/prod#api")),
    ],
)
def test_a_deploy_is_asked_for_in_a_line(line: str, asked: Ask | str) -> None:
    found = parse(line)
    if isinstance(asked, str):
        assert isinstance(found, Mistake)
        assert asked in found.sentence
    else:
        assert found == asked
