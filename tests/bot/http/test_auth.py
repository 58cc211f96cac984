"""Auth: only a live token is anybody, and a machine is nobody who could be asked."""

from typing import Any

import fakeredis
import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.http.auth import Auth, bearer
from store.model.errors import Forbidden
from store.redis.clock import no_skew
from store.redis.keys import Keys
from store.redis.scripts import Scripts
from store.redis.tokens import Tokens
from tests.builders import ANA, NOW
from tests.tokens import machine_token, person_token

SECRET = "A" * 43
ID = "7Q2M4XK9TB"


def asked(*given: str) -> Any:
    return make_mocked_request("GET", "/v1/whoami", headers=CIMultiDict([("Authorization", one) for one in given]))


@pytest.fixture
async def tokens() -> Tokens:
    redis = fakeredis.FakeAsyncRedis(server=fakeredis.FakeServer())
    return Tokens(redis, Keys("testing"), Scripts(redis), no_skew)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_known_in_any_case(scheme):
    assert bearer(asked(f"{scheme} csp_{ID}_{SECRET}")).id == ID


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ((), "no_token"),
        (("",), "bad_token"),
        (("Bearer",), "bad_token"),
        (("Bearer ",), "bad_token"),
        ((f"Basic csp_{ID}_{SECRET}",), "bad_token"),
        ((f"csp_{ID}_{SECRET}",), "bad_token"),
        ((f"Bearer csx_{ID}_{SECRET}",), "bad_token"),
        ((f"Bearer csp_{ID}_{SECRET}A",), "bad_token"),
        ((f"Bearer csp_{ID}_{SECRET[1:]}",), "bad_token"),
        ((f"Bearer csp_{ID.lower()}_{SECRET}",), "bad_token"),
        ((f"Bearer csp_{ID[:-1]}U_{SECRET}",), "bad_token"),
        ((f"Bearer csp_{ID}_{SECRET[1:]}é",), "bad_token"),
        ((f"Bearer csp_{ID}_{SECRET} csp_{ID}_{SECRET}",), "bad_token"),
        ((f"Bearer csp_{ID}_{SECRET}", f"Bearer csp_{ID}_{SECRET}"), "bad_token"),
    ],
)
def test_what_is_no_token_of_ours_is_refused(given, code):
    with pytest.raises(Forbidden) as refused:
        bearer(asked(*given))
    assert refused.value.detail == code
    assert SECRET not in refused.value.sentence


async def test_a_person_is_who_they_are(tokens):
    caller = await Auth(tokens, lambda: NOW).known(bearer(asked(f"Bearer {await person_token(tokens, ANA, NOW)}")))
    assert caller.person == ANA
    caller.demand("read", "payments/prod")  # what people may, the policies say


async def test_a_machine_is_no_person_and_does_what_it_was_let(tokens):
    caller = await Auth(tokens, lambda: NOW).known(bearer(asked(f"Bearer {await machine_token(tokens, NOW)}")))
    caller.demand("read", "payments/prod")
    assert refusal(lambda: caller.person) == "machine"
    assert refusal(lambda: caller.demand("deploy", "payments/prod")) == "not_let_in"
    for target in ("payments/dev", "payments/prod#api", "payments/pro"):
        assert refusal(lambda: caller.demand("read", target)) == "not_let_in"  # noqa: B023 - called at once


async def test_a_dead_token_is_nobody(tokens):
    shown = await person_token(tokens, ANA, NOW, expires_ms=NOW)
    with pytest.raises(Forbidden) as refused:
        await Auth(tokens, lambda: NOW).known(bearer(asked(f"Bearer {shown}")))
    assert refused.value.detail == "bad_token"


def refusal(act: Any) -> str:
    with pytest.raises(Forbidden) as refused:
        act()
    return refused.value.detail


def test_what_is_shown_does_not_print_its_secret():
    assert SECRET not in repr(bearer(asked(f"Bearer csp_{ID}_{SECRET}")))
