"""The tests' own AES-256-GCM and HKDF-Expand give the published answers."""

import pytest

from tests.store.keys.reference import gcm_decrypt, gcm_encrypt, hkdf_expand

# McGrew and Viega, The Galois/Counter Mode of Operation, appendix B, test cases 13, 14, 16.
KEY = "feffe9928665731c6d6a8f9467308308" * 2
PLAIN = (
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
)
SEALED = (
    "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
    "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
)


@pytest.mark.parametrize(
    ("key", "nonce", "plain", "aad", "sealed"),
    [
        ("00" * 32, "00" * 12, "", "", "530f8afbc74536b9a963b4f1c4cb738b"),
        ("00" * 32, "00" * 12, "00" * 16, "", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"),
        (
            KEY,
            "cafebabefacedbaddecaf888",
            PLAIN,
            "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            SEALED + "76fc6ece0f4e1768cddf8853bb2d551b",
        ),
    ],
)
def test_gcm_as_published(key, nonce, plain, aad, sealed):
    parts = [bytes.fromhex(part) for part in (key, nonce, plain, aad)]
    assert gcm_encrypt(*parts).hex() == sealed
    assert gcm_decrypt(parts[0], parts[1], bytes.fromhex(sealed), parts[3]) == parts[2]


def test_hkdf_expand_as_published_in_rfc_5869():
    key = bytes.fromhex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5")
    expanded = hkdf_expand(key, bytes(range(0xF0, 0xFA)), 42)
    assert expanded.hex() == "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
