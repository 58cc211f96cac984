"""Addresses: who asks is who is connected, and only a proxy of ours is believed when it says otherwise."""

from ipaddress import ip_network
from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from bot.http.addresses import Addresses

OURS = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def asked(peer: str | None, *forwarded: str) -> Any:
    headers = CIMultiDict([("X-Forwarded-For", line) for line in forwarded])
    made = make_mocked_request("POST", "/v1/login", headers=headers)
    return made.clone(remote=peer or "")


@pytest.mark.parametrize(
    ("peer", "forwarded", "found"),
    [
        ("192.0.2.7", (), "192.0.2.7"),
        ("192.0.2.7", ("198.51.100.1",), "192.0.2.7"),  # anybody may write that
        ("10.0.0.1", ("198.51.100.1",), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6, 198.51.100.1",), "198.51.100.1"),  # what stands before it was given
        ("10.0.0.1", ("6.6.6.6", "198.51.100.1"), "198.51.100.1"),
        ("10.0.0.1", ("6.6.6.6, 198.51.100.1, 10.0.0.2",), "198.51.100.1"),
        ("10.0.0.1", ("10.0.0.3, 10.0.0.2",), "10.0.0.3"),
        ("10.0.0.1", (), "10.0.0.1"),
        ("10.0.0.1", ("nonsense",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1, nonsense, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.1", ("",), "10.0.0.1"),
        ("10.0.0.1", ("198.51.100.1:5123",), "198.51.100.1"),
        ("10.0.0.1", ("[2001:db8::1]:5123",), "2001:db8::1"),
        ("10.0.0.1", ("2001:db8::1",), "2001:db8::1"),
        ("::ffff:10.0.0.1", ("198.51.100.1",), "198.51.100.1"),  # the same proxy in IPv6 clothes
        ("::ffff:192.0.2.7", (), "192.0.2.7"),
        ("fd00::1", ("198.51.100.1",), "198.51.100.1"),
        ("fe80::1%eth0", (), "fe80::1"),
        (None, ("198.51.100.1",), "unknown"),
    ],
)
def test_from_where_a_request_came(peer, forwarded, found):
    assert Addresses(OURS).of(asked(peer, *forwarded)) == found


def test_without_proxies_nobody_is_believed():
    assert Addresses([]).of(asked("127.0.0.1", "198.51.100.1")) == "127.0.0.1"
