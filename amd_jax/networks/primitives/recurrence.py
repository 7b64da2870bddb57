"""The recurrence of an LSTM with a hand-written gradient, and the plain twin."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Float

from amd_jax.networks.primitives.matmul import at_least_single, product, transposed_matmul
from amd_jax.networks.primitives.recompute import ordered, zero_after
from amd_jax.types import Array

Gates = Float[Array, "B L G"]  # G = 4 H
Kernel = Float[Array, "H G"]
State = Float[Array, "B H"]
States = Float[Array, "B L H"]
Carry = tuple[State, State]  # c and h


def plain_recurrence(
    gates: Gates, kernel: Kernel, reverse: bool = False, start: State | None = None
) -> States:
    """The recurrence as one writes it."""
    zeros = jnp.zeros((len(gates), len(kernel)))
    start = zeros if start is None else start

    def step(carry, gates):
        carry = cell(carry, gates, kernel)
        return carry, carry[1].astype(gates.dtype)

    _, h = lax.scan(step, (start, zeros), gates.swapaxes(0, 1), reverse=reverse)
    return h.swapaxes(0, 1)


def cell(carry: Carry, gates: Float[Array, "B G"], kernel: Kernel) -> Carry:
    """One step of (c, h), each float32, with the input's share of the gates."""
    c, h = carry
    i, f, g, o = jnp.split(gates + product(h.astype(gates.dtype), kernel), 4, axis=-1)
    c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
    return c, nn.sigmoid(o) * jnp.tanh(c)


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def recurrence(
    gates: Gates, kernel: Kernel, reverse: bool = False, start: State | None = None
) -> States:
    """The states h of an LSTM.

    c_n = σ(f) c_{n-1} + σ(i) tanh(g) and h_n = σ(o) tanh(c_n), with (i, f, g, o) = gates_n +
    h_{n-1} kernel, from h = 0 and c = `start`, or 0; `reverse` starts at the last position. The
    gradient's loop finds that of the gates only: the kernel's is one product after it (Appleyard
    et al., 2016).
    Inside, the batch is the last axis, which suits the CPU's products. In the dtype of both, but
    float32 outside the products: f near 1 and 1 - f decide how long a cell remembers.
    """
    return _scan(gates, kernel, reverse, start, lambda activated, c, h: h).swapaxes(0, 1)


def _scan(gates, kernel, reverse, start, keep):
    """What `keep` picks of the activated gates (4H, B), c (H, B), h (B, H); L in front."""
    transposed = kernel.T  # here and not in the loop, which would turn it at every step

    def step(carry, n):
        c, h = carry
        wide = lax.dynamic_index_in_dim(gates, n, axis=1, keepdims=False)
        i, f, g, o = activated = _activate(wide.T + product(transposed, h))
        c = f * c + i * g
        h = (o * jnp.tanh(c)).astype(gates.dtype)
        return (c, h), keep(jnp.concatenate(activated), c, h.T)

    empty = jnp.zeros((len(kernel), len(gates)), gates.dtype)
    c = at_least_single(empty) if start is None else start.T
    return lax.scan(step, (c, empty), jnp.arange(gates.shape[1]), reverse=reverse)[1]


def _activate(gates):
    """σ of i, f and o, tanh of g, by one tanh over (4H, B): one loop for XLA."""
    inner = jnp.repeat(jnp.array([0.5, 0.5, 1, 0.5], gates.dtype), len(gates) // 4)
    i, f, g, o = jnp.split(jnp.tanh(gates * inner[:, None]), 4)
    return (1 + i) / 2, (1 + f) / 2, g, (1 + o) / 2


def _forward(gates, kernel, reverse, start):
    activated, c, h = _scan(gates, kernel, reverse, start, lambda *everything: everything)
    h = h.swapaxes(0, 1)
    return h, (activated, c, h, kernel, start)


def _backward(reverse, residuals, d_h):
    activated, c, h, kernel, start = residuals
    first, back = (len(c) - 1, -1) if reverse else (0, 1)
    begin = 0.0 if start is None else start.T

    def step(carry, n):
        d_c, d_state, d_gates = carry
        i, f, g, o = jnp.split(activated[n], 4)
        d_state += lax.dynamic_index_in_dim(d_h, n, axis=1, keepdims=False).T
        tanh_c = jnp.tanh(c[n])
        d_c += d_state * o * (1 - tanh_c**2)
        c_before = jnp.where(n == first, begin, c[n - back])
        d_i, d_f = d_c * g * i * (1 - i), d_c * c_before * f * (1 - f)
        d_g, d_o = d_c * i * (1 - g**2), d_state * tanh_c * o * (1 - o)
        own = jnp.concatenate([d_i, d_f, d_g, d_o]).astype(kernel.dtype)
        d_gates = lax.dynamic_update_index_in_dim(d_gates, own.T, n, axis=0)
        return (d_c * f, product(kernel, own), d_gates), None

    nothing = jnp.zeros_like(c[0])
    shape = (len(c), len(d_h), kernel.shape[1])
    empty = jnp.full(shape, zero_after(d_h), kernel.dtype)  # plain zeros would lie there all along
    end = (nothing, nothing, empty)
    (d_c, _, d_gates), _ = lax.scan(step, end, jnp.arange(len(c)), reverse=not reverse)
    (h,), d_gates = ordered((h,), d_gates.swapaxes(0, 1))
    rows = (z.reshape(-1, z.shape[-1]) for z in (_before(h, reverse), d_gates))
    return d_gates, transposed_matmul(*rows), None if start is None else d_c.T


recurrence.defvjp(_forward, _backward)


def _before(h, reverse):
    """The states h (B, L, H) of the step before, zeros at the first."""
    kept, ends = (h[:, 1:], (0, 1)) if reverse else (h[:, :-1], (1, 0))
    return jnp.pad(kept, ((0, 0), ends, (0, 0)))
