"""AES-256-GCM and HKDF-Expand once more, from the specifications: FIPS 197, NIST SP 800-38D, RFC 5869. Slow, for tests only."""

import hashlib
import hmac


def _times(a: int, b: int) -> int:
    """Product in the field of AES, FIPS 197 section 4.2."""
    product = 0
    while b:
        product ^= a if b & 1 else 0
        a = (a << 1) ^ (0x11B if a & 0x80 else 0)
        b >>= 1
    return product


def _substitution(byte: int) -> int:
    inverse = next((other for other in range(256) if _times(byte, other) == 1), 0)
    out = 0x63
    for shift in range(5):
        out ^= (inverse << shift | inverse >> (8 - shift)) & 0xFF
    return out


_SBOX = [_substitution(byte) for byte in range(256)]
_ROUNDS = 14


def _round_keys(key: bytes) -> list[bytes]:
    words = [key[at : at + 4] for at in range(0, 32, 4)]
    factor = 1
    for at in range(8, 4 * (_ROUNDS + 1)):
        word = words[-1]
        if at % 8 == 0:
            word = bytes(_SBOX[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ factor]) + word[1:]
            factor = _times(factor, 2)
        elif at % 8 == 4:
            word = bytes(_SBOX[byte] for byte in word)
        words.append(bytes(a ^ b for a, b in zip(word, words[at - 8], strict=True)))
    return [b"".join(words[at : at + 4]) for at in range(0, len(words), 4)]


def _xor(a: bytes, b: bytes) -> bytes:
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def _aes(round_keys: list[bytes], block: bytes) -> bytes:
    state = _xor(block, round_keys[0])
    for number in range(1, _ROUNDS + 1):
        state = bytes(_SBOX[byte] for byte in state)
        state = bytes(state[(at + 4 * (at % 4)) % 16] for at in range(16))
        if number < _ROUNDS:
            mixed = []
            for column in (state[at : at + 4] for at in range(0, 16, 4)):
                for at in range(4):
                    turned = column[at:] + column[:at]
                    mixed.append(_times(turned[0], 2) ^ _times(turned[1], 3) ^ turned[2] ^ turned[3])
            state = bytes(mixed)
        state = _xor(state, round_keys[number])
    return state


def _ghash(key: int, data: bytes) -> bytes:
    total = 0
    for at in range(0, len(data), 16):
        factor, total = total ^ int.from_bytes(data[at : at + 16], "big"), 0
        other = key
        for bit in range(127, -1, -1):
            if factor >> bit & 1:
                total ^= other
            other = other >> 1 ^ (0xE1 << 120 if other & 1 else 0)
    return total.to_bytes(16, "big")


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 16)


def _counter(round_keys: list[bytes], nonce: bytes, data: bytes) -> bytes:
    out = b""
    for at in range(0, len(data), 16):
        stream = _aes(round_keys, nonce + (2 + at // 16).to_bytes(4, "big"))
        out += _xor(data[at : at + 16], stream[: len(data[at : at + 16])])
    return out


def _tag(round_keys: list[bytes], nonce: bytes, ciphertext: bytes, aad: bytes) -> bytes:
    lengths = (8 * len(aad)).to_bytes(8, "big") + (8 * len(ciphertext)).to_bytes(8, "big")
    key = int.from_bytes(_aes(round_keys, bytes(16)), "big")
    return _xor(_ghash(key, _padded(aad) + _padded(ciphertext) + lengths), _aes(round_keys, nonce + b"\0\0\0\1"))


def gcm_encrypt(key: bytes, nonce: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """Ciphertext and tag. `key` of 32 bytes, `nonce` of 12."""
    round_keys = _round_keys(key)
    ciphertext = _counter(round_keys, nonce, plaintext)
    return ciphertext + _tag(round_keys, nonce, ciphertext, aad)


def gcm_decrypt(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> bytes:
    round_keys = _round_keys(key)
    ciphertext, tag = sealed[:-16], sealed[-16:]
    assert _tag(round_keys, nonce, ciphertext, aad) == tag, "the tag does not fit"
    return _counter(round_keys, nonce, ciphertext)


def hkdf_expand(key: bytes, info: bytes, length: int) -> bytes:
    out, block, number = b"", b"", 0
    while len(out) < length:
        number += 1
        block = hmac.digest(key, block + info + bytes([number]), hashlib.sha256)
        out += block
    return out[:length]


def fields(*values: bytes) -> bytes:
    return b"".join(len(value).to_bytes(4, "big") + value for value in values)
