"""The LSTM as a layer."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.networks.blocks import check_sizes, uniform
from amd_jax.networks.primitives.matmul import matmul
from amd_jax.networks.primitives.recurrence import Carry, State, States, cell, recurrence
from amd_jax.networks.shapes import Vectors
from amd_jax.types import Array, Series

Input = Float[Array, "B L F"] | Float[Array, "K F"]  # or a table, that is read at some rows
Rows = Integer[Array, "B L"]


class LSTM(nn.Module):
    """One layer of one direction: x (B, L, F) -> h (B, L, features).

    The forget gate starts open (bias 1), the recurrent kernel uniform in ±1 / sqrt(features).
    """

    features: int
    reverse: bool = False  # from the last position to the first

    @nn.compact
    def _weights(self, inputs: int) -> tuple[Array, Array, Array]:
        """The kernel of the input (F, 4H), the bias (4H,) and the recurrent kernel (H, 4H)."""
        check_sizes(features=self.features)
        size = 4 * self.features
        kernel = self.param("input", nn.initializers.lecun_normal(), (inputs, size))
        bias = self.param("bias", _remember, (size,))
        return kernel, bias, self.param("kernel", uniform, (self.features, size))

    def __call__(self, x: Input, rows: Rows | None = None, carry: Carry | None = None) -> States:
        """All states, from zeros or from a `carry` as `start` has it.

        With `rows`, x is a table and the inputs are x[rows]: what the gates need of each of its K
        rows is then computed once, and looked up by a product with indicators.
        """
        kernel, bias, recurrent = self._weights(x.shape[-1])
        gates = (matmul(x, kernel) + bias).astype(x.dtype)
        if rows is not None:
            gates = matmul(jax.nn.one_hot(rows, len(gates), dtype=x.dtype), gates)
        recurrent, c = recurrent.astype(x.dtype), None
        if carry is not None:
            c, h = carry
            gates = gates.at[:, -1 if self.reverse else 0].add(
                matmul(h.astype(x.dtype), recurrent)
            )
        return recurrence(gates, recurrent, self.reverse, c)

    def start(self, batch: int) -> Carry:
        """The carry (c, h) before the first step, zeros."""
        return (jnp.zeros((batch, self.features)),) * 2

    def step(self, carry: Carry, x: Vectors) -> tuple[Carry, State]:
        """One step with x: the carry after it, float32, and the state h."""
        kernel, bias, recurrent = self._weights(x.shape[-1])
        gates = (matmul(x, kernel) + bias).astype(x.dtype)
        carry = cell(carry, gates, recurrent.astype(x.dtype))
        return carry, carry[1].astype(x.dtype)


def bidirectional(x: Input, features: int, layer: int, rows: Rows | None = None) -> Series:
    """The states of both directions, side by side; call in compact."""
    forward = LSTM(features, name=f"forward_{layer}")(x, rows)
    backward = LSTM(features, reverse=True, name=f"backward_{layer}")(x, rows)
    return jnp.concatenate([forward, backward], axis=-1)


# Not orthogonal: several QR decompositions in one program deadlock XLA on two CPU cores (0.10.2).


def _remember(rng, shape, dtype=jnp.float32):
    """Bias of the gates i, f, g, o: 1 for f."""
    del rng
    return jnp.repeat(jnp.array([0, 1, 0, 0], dtype), shape[0] // 4)
