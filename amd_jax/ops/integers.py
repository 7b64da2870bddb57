"""Integers as digits."""

import jax.numpy as jnp
from jaxtyping import Integer

from amd_jax.types import Array

UNUSED = -1  # what a code that stands for no class decodes to


def num_digits(num_classes: int, base: int) -> int:
    """The fewest digits that tell `num_classes` classes apart, and at least one.

    Raises ValueError for fewer than two classes or a base below 2.
    """
    if num_classes < 2:
        raise ValueError(f"Digits need at least 2 classes; got num_classes={num_classes}.")
    if base < 2:
        raise ValueError(f"A base is at least 2; got base={base}.")
    digits = 1
    while base**digits < num_classes:
        digits += 1
    return digits


def to_digits(
    x: Integer[Array, "*shape"], base: int, digits: int
) -> Integer[Array, "*shape {digits}"]:
    """Digits of non-negative integers, most significant first."""
    return x[..., None] // base ** jnp.arange(digits - 1, -1, -1) % base


def from_digits(d: Integer[Array, "*shape digits"], base: int) -> Integer[Array, "*shape"]:
    """The integers that digits stand for, most significant first.

    UNUSED where a digit is.
    """
    x = (d * base ** jnp.arange(d.shape[-1] - 1, -1, -1)).sum(axis=-1)
    return jnp.where((d == UNUSED).any(axis=-1), UNUSED, x)


def valid(x: Integer[Array, "*shape"], num_classes: int) -> Integer[Array, "*shape"]:
    """x where it is in [0, K), UNUSED elsewhere: an index beyond the classes never passes."""
    return jnp.where((x >= 0) & (x < num_classes), x, UNUSED)
