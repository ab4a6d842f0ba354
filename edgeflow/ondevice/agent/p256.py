"""Verification of ECDSA signatures on P-256 by the standard library: FIPS 186-5.

No secret is used, so nothing needs to take the same time.
"""

from __future__ import annotations

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Tuple

    # In Jacobian coordinates, x = X/Z**2, y = Y/Z**3; Z = 0 is the point at infinity.
    Point = Tuple[int, int, int]

# SP 800-186, section 3.2.1.3.
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    1,
)


def verifies(key: bytes, r: int, s: int, message: bytes) -> bool:
    """Verify an ECDSA signature with SHA-256 by an uncompressed point of 65 bytes."""
    if len(key) != 65 or key[0] != 4 or not (0 < r < N and 0 < s < N):
        return False
    x, y = int.from_bytes(key[1:33], "big"), int.from_bytes(key[33:], "big")
    if x >= P or y >= P or (y * y - (x * x * x - 3 * x + B)) % P:
        return False
    digest = int.from_bytes(hashlib.sha256(message).digest(), "big")
    inverse = pow(s, N - 2, N)
    one = times(digest * inverse % N, G)
    sum_x, _, sum_z = add(one, times(r * inverse % N, (x, y, 1)))
    if sum_z == 0:
        return False
    return sum_x * pow(sum_z, 2 * (P - 2), P) % P % N == r


def double(point: Point) -> Point:
    """Return twice a point."""
    x, y, z = point
    squares = z * z % P
    slope = 3 * (x - squares) * (x + squares) % P
    middle = 4 * x * y * y % P
    new_x = (slope * slope - 2 * middle) % P
    return new_x, (slope * (middle - new_x) - 8 * y**4) % P, 2 * y * z % P


def add(one: Point, other: Point) -> Point:
    """Return the sum of two points."""
    if one[2] == 0 or other[2] == 0:
        return other if one[2] == 0 else one
    z1, z2 = one[2] * one[2] % P, other[2] * other[2] % P
    u1, u2 = one[0] * z2 % P, other[0] * z1 % P
    s1, s2 = one[1] * other[2] * z2 % P, other[1] * one[2] * z1 % P
    if u1 == u2:
        return double(one) if s1 == s2 else (1, 1, 0)
    h, slope = u2 - u1, s2 - s1
    square = h * h % P
    cube = h * square % P
    x = (slope * slope - cube - 2 * u1 * square) % P
    return x, (slope * (u1 * square - x) - s1 * cube) % P, h * one[2] * other[2] % P


def times(factor: int, point: Point) -> Point:
    """Return a multiple of a point."""
    result: Point = (1, 1, 0)
    for bit in bin(factor)[2:]:
        result = double(result)
        if bit == "1":
            result = add(result, point)
    return result
