"""Depthwise convolutions with a hand-written gradient, and the plain twin."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Shaped

from amd_jax.types import Array

Offsets = tuple[tuple[int, ...], ...]  # of each tap, how far before a place it is, on each axis
Events = Float[Array, "B *event D"]
Taps = Float[Array, "J D"]


def shift(h: Shaped[Array, "*shape"], *steps: int) -> Shaped[Array, "*shape"]:
    """h[:, i - n, ...] at place i for the step n of each axis, zeros outside."""
    for axis, n in enumerate(steps, start=1):
        if n:
            pad, size = [(0, 0)] * h.ndim, h.shape[axis]
            pad[axis] = (max(n, 0), max(-n, 0))
            start = max(-n, 0)
            h = jax.lax.slice_in_dim(jnp.pad(h, pad), start, start + size, axis=axis)
    return h


def plain_depthwise(h: Events, taps: Taps, offsets: Offsets) -> Events:
    """The convolution as one writes it."""
    return sum(tap * shift(h, *far) for tap, far in zip(taps, offsets, strict=True))


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def depthwise(h: Events, taps: Taps, offsets: Offsets) -> Events:
    """Σ_j taps[j] h[:, i - offsets[j]] at place i, zeros outside.

    One padded copy of h serves all taps, and one of the gradient. The sums are in the dtype of the
    taps, the result is in that of h.
    """
    total = sum(tap * near for tap, near in zip(taps, shifts(h, offsets), strict=True))
    return total.astype(h.dtype)


def _depthwise_forward(h, taps, offsets):
    return depthwise(h, taps, offsets), (h, taps)


def _depthwise_backward(offsets, residuals, d_out):
    h, taps = residuals
    places, wide = tuple(range(h.ndim - 1)), d_out.astype(taps.dtype)
    d_taps = jnp.stack([(near * wide).sum(places) for near in shifts(h, offsets)])
    return depthwise(d_out, taps, tuple(tuple(-n for n in far) for far in offsets)), d_taps


depthwise.defvjp(_depthwise_forward, _depthwise_backward)


def shifts(h: Shaped[Array, "*shape"], offsets: Offsets) -> list[Shaped[Array, "*shape"]]:
    """`shift(h, *far)` for every one of the offsets, as parts of one padded copy."""
    before = [max(0, *steps) for steps in zip(*offsets, strict=True)]
    behind = [max(0, *(-n for n in steps)) for steps in zip(*offsets, strict=True)]
    none = (0, 0)
    padded = jnp.pad(h, (none, *zip(before, behind, strict=True), none))
    padded = jax.lax.optimization_barrier(padded)  # or XLA would pad anew in every product
    starts = ([0, *np.subtract(before, far).tolist(), 0] for far in offsets)
    return [jax.lax.slice(padded, start, np.add(start, h.shape).tolist()) for start in starts]
