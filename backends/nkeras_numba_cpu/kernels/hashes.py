"""Hashes of bytes as TensorFlow has them, compiled: FarmHash's Fingerprint64, and SipHash-2-4.

The formulas are those of `nkeras_numpy.hashes`, which names the sources; numbers are of 64 bits
without sign.
"""

from __future__ import annotations

import numpy as np

from nkeras_numba_cpu.compile.options import inner
from nkeras_numba_cpu.emit.words import byte_at, word32_at, word64_at
from nkeras_numpy.hashes import CROSSING_KEY

_U = np.uint64
_K0, _K1, _K2 = _U(0xC3A5C85C97CB3127), _U(0xB492B66FBE98F273), _U(0x9AE16A3B2F90404F)
_CAT, _START = _U(0xC6A4A7935BD1E995), _U(CROSSING_KEY)
_SIP = tuple(
    _U(word)
    for word in (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
)
_SIP0, _SIP1, _SIP2, _SIP3 = _SIP


@inner
def _shift_mix(value):
    return value ^ (value >> _U(47))


@inner
def _rotate(value, by):
    return (value >> _U(by)) | (value << _U(64 - by))


@inner
def _mix(u, v, factor):
    a = (u ^ v) * factor
    b = (v ^ _shift_mix(a)) * factor
    return _shift_mix(b) * factor


@inner
def _up_to_16(data, place, size):
    if size >= 4:  # both ways are computed: a wrong guess which one it is costs more
        factor = _K2 + _U(size) * _U(2)
        a, b = word64_at(data, place) + _K2, word64_at(data, place + max(size - 8, 0))
        c, d = _rotate(b, 37) * factor + a, (_rotate(a, 25) + b) * factor
        e, f = word32_at(data, place), word32_at(data, place + size - 4)
        is_long = size >= 8
        u = c if is_long else _U(size) + (e << _U(3))
        return _mix(u, d if is_long else f, factor)
    if size > 0:
        y = byte_at(data, place) + (byte_at(data, place + (size >> 1)) << _U(8))
        z = _U(size) + (byte_at(data, place + size - 1) << _U(2))
        return _shift_mix(y * _K2 ^ z * _K0) * _K2
    return _K2


@inner
def _up_to_64(data, place, size):
    factor = _K2 + _U(size) * _U(2)
    a, b = word64_at(data, place) * (_K1 if size <= 32 else _K2), word64_at(data, place + 8)
    c = word64_at(data, place + size - 8) * factor
    d = word64_at(data, place + size - 16) * _K2
    y = _rotate(a + b, 43) + _rotate(c, 30) + d
    v = a + _rotate(b + _K2, 18) + c
    if size <= 32:
        return _mix(y, v, factor)
    z = _mix(y, v, factor)
    e, f = word64_at(data, place + 16) * factor, word64_at(data, place + 24)
    g = (y + word64_at(data, place + size - 32)) * factor
    h = (z + word64_at(data, place + size - 24)) * factor
    return _mix(_rotate(e + f, 43) + _rotate(g, 30) + h, e + _rotate(f + a, 18) + g, factor)


@inner
def _weak(data, place, a, b):
    w, x = word64_at(data, place), word64_at(data, place + 8)
    y, z = word64_at(data, place + 16), word64_at(data, place + 24)
    a += w
    b = _rotate(b + a + z, 21)
    c = a
    a += x + y
    b += _rotate(a, 44)
    return a + z, b + c


@inner
def _round(data, place, x, y, z, v0, v1, w0, w1, factor, times):
    x = _rotate(x + y + v0 + word64_at(data, place + 8), 37) * factor
    y = _rotate(y + v1 + word64_at(data, place + 48), 42) * factor
    x ^= w1 * times
    y += v0 * times + word64_at(data, place + 40)
    z = _rotate(z + w0, 33) * factor
    v0, v1 = _weak(data, place, v1 * factor, x + w0)
    w0, w1 = _weak(data, place + 32, z + w1, y + word64_at(data, place + 16))
    return z, y, x, v0, v1, w0, w1


@inner
def fingerprint(data, place, size):
    """FarmHash's Fingerprint64 of some bytes."""
    if size <= 16:
        return _up_to_16(data, place, size)
    if size <= 64:
        return _up_to_64(data, place, size)
    x, y = _U(81), _U(81) * _K1 + _U(113)
    z = _shift_mix(y * _K2 + _U(113)) * _K2
    v0 = v1 = w0 = w1 = _U(0)
    x = x * _K2 + word64_at(data, place)
    rest = (size - 1) & 63
    for i in range((size - 1) >> 6):
        x, y, z, v0, v1, w0, w1 = _round(data, place + 64 * i, x, y, z, v0, v1, w0, w1, _K1, _U(1))
    factor = _K1 + ((z & _U(0xFF)) << _U(1))
    w0 += _U(rest)
    v0 += w0
    w0 += v0
    x, y, z, v0, v1, w0, w1 = _round(
        data, place + size - 64, x, y, z, v0, v1, w0, w1, factor, _U(9)
    )
    u = _mix(v0, w0, factor) + _shift_mix(y) * _K0 + z
    return _mix(u, _mix(v1, w1, factor) + x, factor)


@inner
def crossed(one, other):
    """The hash of two together."""
    result = one ^ _CAT
    result ^= _shift_mix(other * _CAT) * _CAT
    result *= _CAT
    result = _shift_mix(result) * _CAT
    return _shift_mix(result)


@inner
def _sip_round(a, b, c, d):
    a, c = a + b, c + d
    b, d = _rotate(b, 51) ^ a, _rotate(d, 48) ^ c
    a, c = _rotate(a, 32) + d, c + b
    b, d = _rotate(b, 47) ^ c, _rotate(d, 43) ^ a
    return a, b, _rotate(c, 32), d


@inner
def tail_at(data, place, size):
    """The last bytes, fewer than 8, of which the word may reach beyond; 0 above them."""
    return word64_at(data, place) & ((_U(1) << _U(8 * size)) - _U(1))


@inner
def siphash(data, place, size, key0, key1):
    """SipHash-2-4 of some bytes, behind which 8 more may be read."""
    a, b, c, d = _SIP0 ^ key0, _SIP1 ^ key1, _SIP2 ^ key0, _SIP3 ^ key1
    for i in range((size >> 3) + 1):
        if i < size >> 3:
            word = word64_at(data, place + 8 * i)
        else:
            word = tail_at(data, place + 8 * i, size & 7) | (_U(size & 0xFF) << _U(56))
        d ^= word
        a, b, c, d = _sip_round(a, b, c, d)
        a, b, c, d = _sip_round(a, b, c, d)
        a ^= word
    c ^= _U(0xFF)
    for _ in range(4):
        a, b, c, d = _sip_round(a, b, c, d)
    return a ^ b ^ c ^ d


@inner
def bucket(data, place, size, buckets, salt):
    """The bucket of some bytes; `salt` says whether it is used, and its two words."""
    is_salted, key0, key1 = salt
    if is_salted:
        found = siphash(data, place, size, _U(key0), _U(key1))
    else:
        found = fingerprint(data, place, size)
    return np.int64(found % _U(buckets))


@inner
def start_of_crossing():
    """What a crossing begins with."""
    return _START
