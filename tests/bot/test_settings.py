"""The settings: a table of what is right, a table of what is wrong, and no secret in any sentence."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.settings import NAMES, SLACK_API_URL, Address, BadSettings, Log, Mode, Settings

TOKENS = {"SLACK_BOT_TOKEN": "xoxb-1-canaryCANARY", "SLACK_APP_TOKEN": "xapp-1-canaryCANARY"}
RIGHT = {**TOKENS, "HOME": "/home/ana"}


def problems(environ: dict[str, str], *, slack: bool = True) -> tuple[str, ...]:
    with pytest.raises(BadSettings) as raised:
        Settings.read(environ, slack=slack)
    assert raised.value.sentence == "\n".join(raised.value.problems)
    return raised.value.problems


def test_two_tokens_are_enough():
    found = Settings.read(RIGHT)
    assert found.mode is Mode.SOCKET
    assert found.slack_bot_token is not None
    assert found.slack_bot_token.reveal() == b"xoxb-1-canaryCANARY"
    assert found.slack_api_url == SLACK_API_URL
    assert found.redis_url is None
    assert found.data == Path("/home/ana/.local/share/countersign")
    assert found.policies == Path("policies.yml")
    assert found.keys == (found.data / "keys/first.key", found.data / "keys/second.key")
    assert found.http == Address("127.0.0.1", 8080)
    assert found.log == Log("info", "auto")
    assert found.versions == 100
    assert found.warnings == ()
    assert "canary" not in repr(found).lower()
    assert "canary" not in str(found).lower()


def test_everything_can_be_said(tmp_path: Path):
    (tmp_path / "rules.yml").touch()
    found = Settings.read({
        **RIGHT,
        "SLACK_APP_TOKEN": "",
        "SLACK_SIGNING_SECRET": "a" * 32,
        "SLACK_API_URL": "http://127.0.0.1:8484/api",
        "REDIS_URL": "rediss://user:canary@redis.example.com:6380/3?ssl_cert_reqs=required",
        "COUNTERSIGN_DATA": str(tmp_path),
        "COUNTERSIGN_POLICIES": str(tmp_path / "rules.yml"),
        "COUNTERSIGN_KEYS": "~/a.key, /mnt/usb/b.key",
        "COUNTERSIGN_HTTP": "[::1]:0",
        "COUNTERSIGN_LOG": "debug,json",
        "COUNTERSIGN_PROXIES": "10.0.0.0/8, 192.0.2.7 fd00::/8",
        "COUNTERSIGN_SESSION": "8h",
    })  # fmt: skip
    assert found.mode is Mode.HTTP
    assert [str(network) for network in found.proxies] == ["10.0.0.0/8", "192.0.2.7/32", "fd00::/8"]
    assert found.session_ms == 8 * 3_600_000
    assert found.slack_api_url == "http://127.0.0.1:8484/api/"
    assert found.redis_url is not None
    assert found.redis_url.reveal().startswith(b"rediss://")
    assert found.data == tmp_path
    assert found.keys == (Path("/home/ana/a.key"), Path("/mnt/usb/b.key"))
    assert found.http == ("::1", 0)
    assert str(found.http) == "[::1]:0"
    assert found.log == ("debug", "json")
    assert "canary" not in repr(found)


def test_key_servers_and_transit_engines_are_named_beside_files():
    server, transit = f"https://keys-1:8490#{'a' * 64}", "transit+https://vault:8200/transit/key"
    given = {**RIGHT, "COUNTERSIGN_KEYS": f"/a.key,{server},{transit}", "COUNTERSIGN_TRANSIT_NAMESPACE": "team"}
    found = Settings.read({**given, "COUNTERSIGN_TRANSIT_TOKEN_FILE": "~/token"})
    assert (found.keys, found.key_servers) == ((Path("/a.key"),), (server, transit))
    assert found.transit == (Path("/home/ana/token"), "team")
    (line,) = problems(given)
    assert line.startswith("COUNTERSIGN_TRANSIT_TOKEN_FILE: it is not set")
    (line,) = problems(
        {**RIGHT, "COUNTERSIGN_KEYS": "transit+http://vault:8200/k", "COUNTERSIGN_TRANSIT_TOKEN_FILE": "/t"}
    )
    assert "is not a key of a transit engine" in line


def test_xdg_names_the_data_folder():
    assert Settings.read({**RIGHT, "XDG_DATA_HOME": "/srv/data"}).data == Path("/srv/data/countersign")


def test_commands_without_slack_need_no_tokens():
    found = Settings.read({"HOME": "/home/ana"}, slack=False)
    assert found.slack_bot_token is None


@pytest.mark.parametrize(
    "url",
    [
        *(
            "redis://localhost",
            "redis://h:6379",
            "redis://h:6379/0",
            "redis://:p%40ss@h:1/15",
            "rediss://u:p@h/1?timeout=3",
        ),
        *("redis://[::1]:6379/0", "unix:///run/redis.sock", "unix:///run/redis.sock?db=2"),
        *("redis+sentinel://a:26379,b:26379/countersign", "redis+sentinel://u:p@a,b,c/main/2"),
    ],
)
def test_addresses_of_redis(url: str):
    found = Settings.read({**RIGHT, "REDIS_URL": url})
    assert found.redis_url is not None
    assert found.redis_url.reveal() == url.encode()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SLACK_BOT_TOKEN", "", "not set"),
        ("SLACK_BOT_TOKEN", "xapp-1-canaryCANARY", "begins with xoxb-, and it begins as an app-level token does"),
        ("SLACK_BOT_TOKEN", "canaryCANARYcanary", "begins with xoxb-, and it does not"),
        ("SLACK_BOT_TOKEN", '"xoxb-canary"', "begins with xoxb-, and it does not"),
        ("SLACK_BOT_TOKEN", "xoxb-canary canary", "copy it again"),
        ("SLACK_BOT_TOKEN", "xoxb-", "copy it again"),
        ("SLACK_APP_TOKEN", "", "connections:write"),
        ("SLACK_APP_TOKEN", "xoxb-1-canary", "begins with xapp-, and it begins as a bot token does"),
        ("SLACK_SIGNING_SECRET", "canary", "6 characters"),
        ("SLACK_SIGNING_SECRET", "c" * 19, "19 characters"),
        *(("COUNTERSIGN_VERSIONS", value, "from 2 to 1,000") for value in ("1", "0", "-5", "1001", "many", "1e2", "٣")),
        ("SLACK_API_URL", "slack.com/api", SLACK_API_URL),
        ("SLACK_API_URL", "ftp://slack.com/", SLACK_API_URL),
        ("SLACK_API_URL", "https://[", SLACK_API_URL),
        *(
            ("REDIS_URL", url, "redis://host:6379/0")
            for url in (
                *(
                    "localhost:6379",
                    "http://h",
                    "redis://",
                    "redis://h:99999",
                    "redis://h/x",
                    "unix://",
                    "unix://relative",
                ),
                *("redis+sentinel://a", "redis+sentinel://a,,b/s", "redis://u:canary@"),
            )
        ),
        ("COUNTERSIGN_DATA", "relative", "full path"),
        ("COUNTERSIGN_DATA", "/dev/null", "not a folder"),
        ("COUNTERSIGN_POLICIES", "/absent/policies.yml", "no file /absent/policies.yml"),
        ("COUNTERSIGN_KEYS", "/a,/a", "each one once"),
        ("COUNTERSIGN_KEYS", ",", "separated by commas"),
        ("COUNTERSIGN_KEYS", "https://keys-1:8490", "with the pin its console shows"),
        ("COUNTERSIGN_KEYS", "http://keys-1:8490#" + "a" * 64, "is not a key server"),
        *(
            ("COUNTERSIGN_HTTP", value, "127.0.0.1:8080")
            for value in ("8080", ":8080", "h:99999", "h:x", "http://h:1", "::1:80")
        ),
        *(
            ("COUNTERSIGN_PROXIES", value, "like 10.0.0.0/8")
            for value in ("proxy", "10.0.0.1/8", "10.0.0.0/33", "1.2.3")
        ),
        *(("COUNTERSIGN_PROXIES", value, "every address there is") for value in ("0.0.0.0/0", "10.0.0.0/8, ::/0")),
        ("COUNTERSIGN_SESSION", "a day", "is not a duration"),
        *(("COUNTERSIGN_SESSION", value, "30 days") for value in ("4m", "721h")),
        ("COUNTERSIGN_LOG", "loud", "debug, info, warning, error"),
        ("COUNTERSIGN_POLICY", "x", "COUNTERSIGN_POLICIES is meant?"),
        ("COUNTERSIGN_LOG_LEVEL", "debug", "COUNTERSIGN_LOG is meant?"),
        ("COUNTERSIGN_KEY", "x", "COUNTERSIGN_KEYS is meant?"),
        ("COUNTERSIGN_HTTPS", "x", "COUNTERSIGN_HTTP is meant?"),
    ],
)
def test_each_fault_is_one_line_that_says_what_would_be_right(name: str, value: str, says: str):
    (line,) = problems({**RIGHT, name: value})
    assert line.startswith(f"{name}: ")
    assert says in line
    assert "canary" not in line.lower()
    assert line.endswith((".", ".)", "?", "…"))


def test_all_faults_are_told_at_once():
    names = [
        line.partition(":")[0] for line in problems({"REDIS_URL": "x", "COUNTERSIGN_HTTP": "x", "COUNTERSIGN_LOG": "x"})
    ]
    assert sorted(names) == [
        "COUNTERSIGN_DATA",
        "COUNTERSIGN_HTTP",
        "COUNTERSIGN_LOG",
        "REDIS_URL",
        "SLACK_APP_TOKEN",
        "SLACK_BOT_TOKEN",
    ]


def test_a_misspelt_token_is_named_beside_the_missing_one():
    lines = problems({"SLACK_APP_TOKEN": TOKENS["SLACK_APP_TOKEN"], "SLACK_BOTTOKEN": "xoxb-canary", "HOME": "/h"})
    assert [line.partition(":")[0] for line in lines] == ["SLACK_BOT_TOKEN", "SLACK_BOTTOKEN"]
    assert "canary" not in "".join(lines)


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SLACK_CLIENT_ID", "1.2", "OAuth"),
        ("SLACK_CLIENT_SECRET", "canary", "OAuth"),
        ("SLACK_BOT_TOKENS", "canary", "SLACK_BOT_TOKEN is meant?"),
        ("COUNTERSIGN_COLOUR", "red", "does nothing"),
        ("SLACK_API_URL", "http://slack.example.com/api/", "unencrypted"),
    ],
)
def test_what_stops_nothing_is_a_warning(name: str, value: str, says: str):
    (line,) = Settings.read({**RIGHT, name: value}).warnings
    assert line.startswith(f"{name}: ")
    assert says in line
    assert "canary" not in line


def test_other_peoples_variables_are_theirs():
    assert Settings.read({**RIGHT, "SLACK_WEBHOOK_URL": "x", "PATH": "/bin", "COUNTERSIGN_TOKEN": "x"}).warnings == ()


@given(
    st.dictionaries(st.sampled_from(NAMES), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
)
def test_whatever_is_in_the_environment_it_reads_or_says_what_is_wrong(environ: dict[str, str]):
    try:
        Settings.read(environ)
    except BadSettings as error:
        assert all(line.partition(":")[0] in NAMES for line in error.problems)  # noqa: PT017  # both ways out are right


def test_how_many_versions_are_kept():
    assert Settings.read({**RIGHT, "COUNTERSIGN_VERSIONS": " 12 "}).versions == 12
