"""Headers: which ones a hook may not carry."""

import pytest

from store.model.headers import NAME, VALUE, ours, secret, token_name


@pytest.mark.parametrize("name", [
    "webhook-id", "Webhook-Signature", "WEBHOOK-", "Content-Type", "content-length", "HOST", "Connection",
    "Transfer-Encoding", "TE", "User-Agent", "Accept-Encoding", "content-encoding", "trailer", "upgrade", "expect", "keep-alive",
])  # fmt: skip
def test_what_only_we_say(name: str) -> None:
    assert ours(name)


@pytest.mark.parametrize("name", ["X-Team", "X-Webhook-Id", "webhooks", "Accept", "Content", "x-host", "te-", ""])
def test_what_others_may_say(name: str) -> None:
    assert not ours(name)


@pytest.mark.parametrize("name", [
    "Authorization", "proxy-authorization", "Cookie", "Set-Cookie", "X-Auth-Token", "X-TOKEN", "PRIVATE-TOKEN", "client-secret",
    "X-Password", "X-Api-Key", "X_Api_Key", "apikey", "X-ApiKey",
])  # fmt: skip
def test_what_would_hold_a_secret(name: str) -> None:
    assert secret(name)


@pytest.mark.parametrize("name", ["X-Team", "X-Area", "Accept", "X-Key", ""])
def test_what_would_hold_none(name: str) -> None:
    assert not secret(name)


@pytest.mark.parametrize(
    ("hook", "name"), [("api", "API_TOKEN"), ("my-api", "MY_API_TOKEN"), ("a-b-c", "A_B_C_TOKEN"), ("a1", "A1_TOKEN")]
)
def test_under_which_name_the_token_of_a_hook_lies(hook: str, name: str) -> None:
    assert token_name(hook) == name


@pytest.mark.parametrize(
    ("name", "sound"), [("X", True), ("x" * 100, True), ("x" * 101, False), ("", False), ("X A", False), ("X:A", False), ("X\n", False)]
)  # fmt: skip
def test_what_a_name_is(name, sound):
    assert bool(NAME.fullmatch(name)) is sound


@pytest.mark.parametrize(
    ("value", "sound"),
    [
        ("a", True), ("a b", True), ("a" * 500, True), ("a" * 501, False), ("", False), (" a", False), ("a ", False),
        ("a\r\nb: c", False), ("a\n", False), ("é", False),
    ],
)  # fmt: skip
def test_what_a_value_is(value, sound):
    assert bool(VALUE.fullmatch(value)) is sound
