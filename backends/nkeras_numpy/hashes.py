"""Hashes of bytes as TensorFlow has them: FarmHash's Fingerprint64, and SipHash-2-4 with a key.

Sources: https://github.com/google/farmhash, `farmhashna`; Aumasson and Bernstein 2012, SipHash: a
fast short-input PRF.
"""

from __future__ import annotations

from collections.abc import Sequence

from nkeras.backend.text import Salt

_MASK = (1 << 64) - 1
_K0, _K1, _K2 = 0xC3A5C85C97CB3127, 0xB492B66FBE98F273, 0x9AE16A3B2F90404F
_CAT = 0xC6A4A7935BD1E995
CROSSING_KEY = 0xDECAFCAFFE  # what TensorFlow begins a crossing with


def hashed(data: bytes, salt: Salt) -> int:
    """The hash of bytes: an integer of 64 bits without sign."""
    return fingerprint(data) if salt is None else siphash(data, *salt)


def crossed(hashes: Sequence[int]) -> int:
    """The hash of several together."""
    result = CROSSING_KEY
    for other in hashes:
        result = _cat(result, other)
    return result


def _cat(one: int, other: int) -> int:
    result = one ^ _CAT
    result ^= _shift_mix(other * _CAT & _MASK) * _CAT & _MASK
    result = result * _CAT & _MASK
    result = _shift_mix(result) * _CAT & _MASK
    return _shift_mix(result)


def _shift_mix(value: int) -> int:
    return value ^ (value >> 47)


def _rotate(value: int, by: int) -> int:
    return ((value >> by) | (value << (64 - by))) & _MASK


def _word(data: bytes, place: int, size: int = 8) -> int:
    return int.from_bytes(data[place : place + size], "little")


def _mix(u: int, v: int, factor: int) -> int:
    a = (u ^ v) * factor & _MASK
    b = (v ^ _shift_mix(a)) * factor & _MASK
    return _shift_mix(b) * factor & _MASK


def fingerprint(data: bytes) -> int:
    """FarmHash's Fingerprint64."""
    size = len(data)
    if size > 64:
        return _long(data)
    if size > 32:
        return _up_to_64(data)
    if size > 16:
        return _up_to_32(data)
    factor = (_K2 + size * 2) & _MASK
    if size >= 8:
        a, b = (_word(data, 0) + _K2) & _MASK, _word(data, size - 8)
        c = (_rotate(b, 37) * factor + a) & _MASK
        d = (_rotate(a, 25) + b) * factor & _MASK
        return _mix(c, d, factor)
    if size >= 4:
        return _mix(size + (_word(data, 0, 4) << 3), _word(data, size - 4, 4), factor)
    if size > 0:
        y = data[0] + (data[size >> 1] << 8)
        z = size + (data[size - 1] << 2)
        return _shift_mix((y * _K2 ^ z * _K0) & _MASK) * _K2 & _MASK
    return _K2


def _ends(data: bytes, first: int) -> tuple[int, int, int, int, int]:
    """What texts of 17 to 64 bytes begin with: four words, and a factor."""
    size = len(data)
    factor = (_K2 + size * 2) & _MASK
    a = _word(data, 0) * first & _MASK
    b = _word(data, 8)
    c = _word(data, size - 8) * factor & _MASK
    d = _word(data, size - 16) * _K2 & _MASK
    return a, b, c, d, factor


def _up_to_32(data: bytes) -> int:
    a, b, c, d, factor = _ends(data, _K1)
    u = (_rotate((a + b) & _MASK, 43) + _rotate(c, 30) + d) & _MASK
    v = (a + _rotate((b + _K2) & _MASK, 18) + c) & _MASK
    return _mix(u, v, factor)


def _up_to_64(data: bytes) -> int:
    size = len(data)
    a, b, c, d, factor = _ends(data, _K2)
    y = (_rotate((a + b) & _MASK, 43) + _rotate(c, 30) + d) & _MASK
    z = _mix(y, (a + _rotate((b + _K2) & _MASK, 18) + c) & _MASK, factor)
    e = _word(data, 16) * factor & _MASK
    f = _word(data, 24)
    g = (y + _word(data, size - 32)) * factor & _MASK
    h = (z + _word(data, size - 24)) * factor & _MASK
    u = (_rotate((e + f) & _MASK, 43) + _rotate(g, 30) + h) & _MASK
    v = (e + _rotate((f + a) & _MASK, 18) + g) & _MASK
    return _mix(u, v, factor)


def _weak(data: bytes, place: int, a: int, b: int) -> tuple[int, int]:
    w, x, y, z = (_word(data, place + 8 * i) for i in range(4))
    a = (a + w) & _MASK
    b = _rotate((b + a + z) & _MASK, 21)
    c = a
    a = (a + x + y) & _MASK
    b = (b + _rotate(a, 44)) & _MASK
    return (a + z) & _MASK, (b + c) & _MASK


def _long(data: bytes) -> int:
    x, y = 81, (81 * _K1 + 113) & _MASK
    z = _shift_mix((y * _K2 + 113) & _MASK) * _K2 & _MASK
    v, w = (0, 0), (0, 0)
    x = (x * _K2 + _word(data, 0)) & _MASK
    rest = (len(data) - 1) & 63
    for place in range(0, len(data) - 1 - rest, 64):
        x, y, z, v, w = _round(data, place, (x, y, z, v, w), _K1, 1)
    factor = (_K1 + ((z & 0xFF) << 1)) & _MASK
    first = (w[0] + rest) & _MASK
    second = (v[0] + first) & _MASK
    v, w = (second, v[1]), ((first + second) & _MASK, w[1])
    x, y, z, v, w = _round(data, len(data) - 64, (x, y, z, v, w), factor, 9)
    u = (_mix(v[0], w[0], factor) + _shift_mix(y) * _K0 + z) & _MASK
    return _mix(u, (_mix(v[1], w[1], factor) + x) & _MASK, factor)


def _round(
    data: bytes,
    place: int,
    state: tuple[int, int, int, tuple[int, int], tuple[int, int]],
    factor: int,
    times: int,
) -> tuple[int, int, int, tuple[int, int], tuple[int, int]]:
    """Mix 64 bytes into the state."""
    x, y, z, v, w = state
    x = _rotate((x + y + v[0] + _word(data, place + 8)) & _MASK, 37) * factor & _MASK
    y = _rotate((y + v[1] + _word(data, place + 48)) & _MASK, 42) * factor & _MASK
    x ^= w[1] * times & _MASK
    y = (y + v[0] * times + _word(data, place + 40)) & _MASK
    z = _rotate((z + w[0]) & _MASK, 33) * factor & _MASK
    v = _weak(data, place, v[1] * factor & _MASK, (x + w[0]) & _MASK)
    w = _weak(data, place + 32, (z + w[1]) & _MASK, (y + _word(data, place + 16)) & _MASK)
    return z, y, x, v, w


def siphash(data: bytes, key0: int, key1: int) -> int:
    """SipHash-2-4 with a key of two integers."""
    key0, key1 = key0 & _MASK, key1 & _MASK
    state = (
        key0 ^ 0x736F6D6570736575,
        key1 ^ 0x646F72616E646F6D,
        key0 ^ 0x6C7967656E657261,
        key1 ^ 0x7465646279746573,
    )
    whole = len(data) & ~7
    words = [_word(data, place) for place in range(0, whole, 8)]
    for word in [*words, _word(data, whole) | (len(data) & 0xFF) << 56]:
        a, b, c, d = state
        a, b, c, d = _sip_round(*_sip_round(a, b, c, d ^ word))
        state = a ^ word, b, c, d
    a, b, c, d = state
    c ^= 0xFF
    for _ in range(4):
        a, b, c, d = _sip_round(a, b, c, d)
    return a ^ b ^ c ^ d


def _sip_round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a, c = (a + b) & _MASK, (c + d) & _MASK
    b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
    a, c = (_rotate(a, 32) + d) & _MASK, (c + b) & _MASK
    b, d = _rotate(b, 47) ^ c, _rotate(d, 43) ^ a
    return a, b, _rotate(c, 32), d
