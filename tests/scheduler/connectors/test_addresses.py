from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.connectors.addresses import Allowed, public
from store.model.errors import Invalid

PRIVATE = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
]
INSIDE_6 = [
    "::",
    "::1",
    "::127.0.0.1",
    "::8.8.8.8",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2606:4700::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


@pytest.mark.parametrize("text", PRIVATE + INSIDE_6)
def test_an_address_inside_is_not_public(text: str) -> None:
    assert not public(ip_address(text))


@pytest.mark.parametrize(
    "text", ["1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"]
)
def test_an_address_out_there_is_public(text: str) -> None:
    assert public(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_no_ipv6_form_makes_a_private_address_public(text: str) -> None:
    number = int(IPv4Address(text))
    for prefix, shift in (
        ("64:ff9b::", 0),
        ("64:ff9b:1::", 0),
        ("::ffff:0:0", 0),
        ("::", 0),
        ("::ffff:0:0:0", 0),
        ("2002::", 80),
    ):
        assert not public(IPv6Address(int(IPv6Address(prefix)) | number << shift))


@given(st.ip_addresses())
def test_what_python_calls_private_is_never_public(address: IPv4Address | IPv6Address) -> None:
    assert address.is_global or not public(address)


@given(st.ip_addresses(v=4))
def test_nat64_is_judged_by_the_address_it_holds(address: IPv4Address) -> None:
    assert public(IPv6Address(int(IPv6Address("64:ff9b::")) | int(address))) == public(address)


def test_a_port_is_allowed_alone_and_a_network_whole() -> None:
    allowed = Allowed.parse(["10.20.0.0/16", "fd00:1::/64", "127.0.0.1:8484", "[::1]:8484", "10.9.9.9"])
    assert (ip_address("10.20.3.4"), 1) in allowed
    assert (ip_address("fd00:1::9"), 443) in allowed
    assert (ip_address("10.9.9.9"), 80) in allowed
    assert (ip_address("127.0.0.1"), 8484) in allowed
    assert (ip_address("::1"), 8484) in allowed
    assert (ip_address("127.0.0.1"), 8485) not in allowed
    assert (ip_address("10.21.0.1"), 1) not in allowed
    assert (ip_address("::ffff:127.0.0.1"), 8484) not in allowed
    assert not Allowed.parse([])


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "localhost:80",
        "internal.example:443",
        "10.0.0.0/33",
        "10.0.0.1/8",
        ":80",
        "1.2.3.4:",
        "1.2.3.4:x",
        "http://10.0.0.1",
    ],
)
def test_what_is_not_a_network_or_a_socket_cannot_be_allowed(entry: str) -> None:
    with pytest.raises(Invalid, match="cannot be allowed"):
        Allowed.parse([entry])
