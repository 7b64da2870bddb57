"""Permutations without an array: an exact bijection of 0 .. N - 1, computed where it is needed.

A generalised Feistel network on pairs, with cycle walking (Black and Rogaway, 2002, sec. 4 and 5).
"""

import math

import numpy as np
from jaxtyping import Integer, UInt64

ROUNDS = 8


def permuted(
    places: Integer[np.ndarray, "n"], num_rows: int, keys: UInt64[np.ndarray, "rounds"]
) -> Integer[np.ndarray, "n"]:
    """π(i) of each of `places`, where π is a permutation of 0 .. num_rows - 1: int64 (n,).

    A number is a pair (left, right) in Z_a x Z_b, with a b >= num_rows. A round adds a hash of
    one half to the other, left ← left + F(key, right) mod a, so it can be undone. Images from
    num_rows on are sent through the rounds again until they are below; fewer than a of them are
    there, which is about √num_rows, so that this is rare. The keys, one for each round, choose π.

    Raises:
        ValueError: for a place outside of 0 .. num_rows - 1.
    """
    x = places.astype(np.int64)
    if x.size and not 0 <= x.min() <= x.max() < num_rows:
        raise ValueError(f"Places are in [0, {num_rows}); got {x.min()} to {x.max()}.")
    outside = np.ones(len(x), bool)
    while outside.any():
        x[outside] = _rounds(x[outside], num_rows, keys)
        outside = x >= num_rows
    return x


def _rounds(
    x: Integer[np.ndarray, "n"], num_rows: int, keys: UInt64[np.ndarray, "rounds"]
) -> Integer[np.ndarray, "n"]:
    """A bijection of 0 .. a b - 1."""
    a = math.isqrt(num_rows - 1) + 1  # ⌈√N⌉
    b = -(-num_rows // a)
    left, right = np.divmod(x.astype(np.uint64), np.uint64(b))
    for i, key in enumerate(keys):
        if i % 2:
            right = (right + _hashed(left, key)) % np.uint64(b)
        else:
            left = (left + _hashed(right, key)) % np.uint64(a)
    return (left * np.uint64(b) + right).astype(np.int64)


def _hashed(x: UInt64[np.ndarray, "n"], key: np.uint64) -> UInt64[np.ndarray, "n"]:
    """63 bits of x + key after the finaliser of SplitMix64 (Steele et al., 2014)."""
    x = x + key
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) >> np.uint64(1)
