"""ECDSA over P-256: whether a signature holds (FIPS 186-4, 6.4.2), some milliseconds in plain Python.

Everything here is public, so the time it takes tells nothing. It is asked once for each certificate that is handed in,
in an agent that does without the library that makes keys. Keys, and all that is secret, are OpenSSL's alone.
"""

from __future__ import annotations

import hashlib

_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
_G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
_POINT_OCTETS = 65

_Point = tuple[int, int, int]
"""In Jacobian coordinates; z = 0 is the point at infinity."""


def is_signed_by(point: bytes, message: bytes, r: int, s: int) -> bool:
    """True when (r, s) signs the SHA-256 of `message` by the key whose uncompressed point this is."""
    x, y = int.from_bytes(point[1:33]), int.from_bytes(point[33:])
    is_on_curve = x < _P and y < _P and (y * y - (x * x * x - 3 * x + _B)) % _P == 0
    if len(point) != _POINT_OCTETS or point[0] != 4 or not is_on_curve or not (0 < r < _N and 0 < s < _N):
        return False
    inverse = pow(s, -1, _N)
    one = int.from_bytes(hashlib.sha256(message).digest()) * inverse % _N
    other = r * inverse % _N
    found = _sum_of_products(one, (*_G, 1), other, (x, y, 1))
    if found[2] == 0:
        return False
    return found[0] * pow(found[2], -2, _P) % _P % _N == r


def _sum_of_products(one: int, first: _Point, other: int, second: _Point) -> _Point:
    """`one` times `first` and `other` times `second`, bit by bit from the highest on."""
    both = _sum(first, second)
    found = (1, 1, 0)
    for place in range(255, -1, -1):
        found = _double(found)
        bits = (one >> place & 1, other >> place & 1)
        if bits != (0, 0):
            found = _sum(found, {(1, 0): first, (0, 1): second, (1, 1): both}[bits])
    return found


def _double(point: _Point) -> _Point:
    x, y, z = point
    if z == 0 or y == 0:
        return 1, 1, 0
    square = y * y % _P
    shared = 4 * x * square % _P
    slope = 3 * (x - z * z) * (x + z * z) % _P
    left = (slope * slope - 2 * shared) % _P
    return left, (slope * (shared - left) - 8 * square * square) % _P, 2 * y * z % _P


def _sum(one: _Point, other: _Point) -> _Point:
    if one[2] == 0 or other[2] == 0:
        return other if one[2] == 0 else one
    one_square, other_square = one[2] * one[2] % _P, other[2] * other[2] % _P
    left, right = one[0] * other_square % _P, other[0] * one_square % _P
    upper, lower = one[1] * other_square * other[2] % _P, other[1] * one_square * one[2] % _P
    if left == right:
        return _double(one) if upper == lower else (1, 1, 0)
    run, rise = (right - left) % _P, (lower - upper) % _P
    run_square = run * run % _P
    run_cube, shared = run_square * run % _P, left * run_square % _P
    x = (rise * rise - run_cube - 2 * shared) % _P
    return x, (rise * (shared - x) - upper * run_cube) % _P, run * one[2] * other[2] % _P
