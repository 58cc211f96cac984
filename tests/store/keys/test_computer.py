"""A computer's keys: what is sealed to it opens there only, and only it proves itself."""

import copy
import hashlib
import os
from itertools import pairwise

import pytest

from store.keys import computer
from store.keys.computer import Computer, check_keys, encode, fingerprint, proves, renewal, seal
from store.model.errors import Invalid, Unavailable
from store.model.secret import Secret

P = 2**255 - 19
TOKEN = Secret(b"csp_7Q2M4XK9TB_" + b"A" * 43)


@pytest.fixture
def mine() -> Computer:
    return Computer.mint(os.urandom)


def test_what_is_sealed_to_a_computer_opens_there(mine):
    sealed = seal(TOKEN, mine.seals, "7Q2M4XK9TB", 5, os.urandom)
    assert mine.open(sealed, "7Q2M4XK9TB", 5) == TOKEN
    assert Computer.of(*mine.kept()).open(sealed, "7Q2M4XK9TB", 5) == TOKEN


def test_it_opens_nowhere_else_and_for_nothing_else(mine):
    sealed = seal(TOKEN, mine.seals, "7Q2M4XK9TB", 5, os.urandom)
    for who, token, expires_ms in (
        (Computer.mint(os.urandom), "7Q2M4XK9TB", 5),
        (mine, "7Q2M4XK9TC", 5),
        (mine, "7Q2M4XK9TB", 6),
    ):
        with pytest.raises(Unavailable):
            who.open(sealed, token, expires_ms)


def test_every_single_bit_matters(mine):
    raw = computer.decode(seal(TOKEN, mine.seals, "7Q2M4XK9TB", 5, os.urandom), None)
    for bit in range(len(raw) * 8):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        # The top bit of a public key is not part of it, but it is part of what the key is derived from.
        with pytest.raises(Unavailable):
            mine.open(encode(bytes(flipped)), "7Q2M4XK9TB", 5)


@pytest.mark.parametrize("sealed", ["", "A", "AAAA", "=", "é", "A" * 43, "A" * 500])
def test_what_is_no_sealed_token_is_told_as_such(mine, sealed):
    with pytest.raises(Unavailable):
        mine.open(sealed, "7Q2M4XK9TB", 5)


def edwards(y: int) -> int | None:
    """The x of a point of edwards25519 with this y, None where there is none."""
    d = -121665 * pow(121666, -1, P) % P
    square = (y * y - 1) * pow(d * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return None if (x * x - square) % P else x


def doubled(x: int, y: int) -> tuple[int, int]:
    d = -121665 * pow(121666, -1, P) % P
    product = d * x * x * y * y
    return 2 * x * y * pow(1 + product, -1, P) % P, (y * y + x * x) * pow(1 - product, -1, P) % P


def small() -> list[int]:
    """Every y of a point whose eightfold is nothing, worked out anew: roots of y = 0, ±1 under doubling."""
    found = [
        int.from_bytes(bytes.fromhex(text), "little")
        for text in (
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        )
    ]
    for y in (*found, 0, 1, P - 1):
        x = edwards(y)
        assert x is not None
        point = (x, y)
        for _ in range(3):
            point = doubled(*point)
        assert point == (0, 1)
    return [*found, 0, 1, P - 1]


def test_signing_keys_of_small_order_are_refused_in_every_spelling(mine):
    spellings = {y + more for y in small() for more in (0, P) if y + more < 2**255}
    assert len(spellings) == 7
    for y in spellings:
        for sign in (0, 1 << 255):
            with pytest.raises(Invalid):
                check_keys(mine.seals, encode((y | sign).to_bytes(32, "little")))


@pytest.mark.parametrize(
    "u",
    [
        0,
        1,
        P - 1,
        P,
        P + 1,
        325606250916557431795983626356110631294008115727848805560023387167927233504,
        39382357235489614581723060781553021112529911719440698176882885853963445705823,
    ],
)
def test_sealing_keys_of_small_order_are_refused(mine, u):
    weak = encode(u.to_bytes(32, "little"))
    with pytest.raises(Invalid):
        check_keys(weak, mine.signs)
    with pytest.raises(Invalid):
        seal(TOKEN, weak, "7Q2M4XK9TB", 5, os.urandom)


@pytest.mark.parametrize("text", ["", "A" * 42, "A" * 44, "A" * 42 + "=", "A" * 42 + "B", "é" * 43, "A" * 42 + "+"])
def test_what_is_no_key_is_refused(mine, text):
    with pytest.raises(Invalid):
        check_keys(text, mine.signs)
    with pytest.raises(Invalid):
        check_keys(mine.seals, text)


def test_good_keys_are_taken(mine):
    check_keys(mine.seals, mine.signs)


def test_only_the_computer_proves_itself(mine):
    message = renewal("7Q2M4XK9TB", 5, "nonce")
    signature = mine.sign(message)
    assert proves(mine.signs, message, signature)
    assert not proves(Computer.mint(os.urandom).signs, message, signature)
    for other in (
        renewal("7Q2M4XK9TB", 6, "nonce"),
        renewal("7Q2M4XK9TB", 5, "nonc"),
        renewal("7Q2M4XK9TC", 5, "nonce"),
    ):
        assert not proves(mine.signs, other, signature)


@pytest.mark.parametrize("signature", ["", "A" * 86, "A" * 85, "é", "=" * 86])
def test_what_is_no_signature_proves_nothing(mine, signature):
    assert proves(mine.signs, b"message", signature) is False


def test_fields_do_not_run_into_each_other():
    assert renewal("AB", 5, "C") != renewal("A", 5, "BC")


def test_a_fingerprint_is_four_words_and_covers_both_keys(mine):
    other = Computer.mint(os.urandom)
    words = {
        fingerprint(mine.seals, mine.signs),
        fingerprint(other.seals, mine.signs),
        fingerprint(mine.seals, other.signs),
        fingerprint(mine.signs, mine.seals),
    }
    assert len(words) == 4
    assert all([len(word) for word in one.split("-")] == [5, 5, 5, 5] for one in words)


def test_the_words_are_those_of_the_first_bits():
    """Known answer: the paper's 127.0.0.1 and 63.84.220.193."""
    assert computer._word(0x7F00) + "-" + computer._word(0x0001) == "lusab-babad"
    assert computer._word(0x3F54) + "-" + computer._word(0xDCC1) == "gutih-tugad"
    seals, signs = "A" * 43, "B" * 43
    prefixed = b"".join(
        len(one).to_bytes(4, "big") + one for one in (b"countersign computer 1", seals.encode(), signs.encode())
    )
    digest = hashlib.sha256(prefixed).digest()
    numbers = [int.from_bytes(digest[a:b], "big") for a, b in pairwise(range(0, 9, 2))]
    assert fingerprint(seals, signs) == "-".join(map(computer._word, numbers))


def test_keys_do_not_print_nor_travel(mine):
    assert mine.kept()[0] not in repr(mine)
    with pytest.raises(TypeError):
        copy.copy(mine)
