"""Mixed precision: a network casts what enters it, and every layer computes in its input's dtype.

Parameters are float32 and are cast where they meet the input. Whatever the dtype, float32 are the
features of the time, the statistics of norms, the normalisation of softmax, the carry of an LSTM,
the last layer, and in gradients every sum over positions.
"""

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.types import Array, Floats, Key


def compute_dtype(name: str) -> jnp.dtype:
    """The dtype of that name; ValueError for one in which no network computes."""
    if name not in ("float32", "bfloat16"):
        raise ValueError(
            f"Networks compute in float32 or bfloat16; got dtype={name!r}. "
            'Use dtype="bfloat16" for less memory: it has the range of float32.'
        )
    return jnp.dtype(name)


def check_dropout(rate: float) -> None:
    """Raises ValueError for a share outside [0, 1)."""
    if not 0 <= rate < 1:
        raise ValueError(f"dropout must be in [0, 1); got dropout={rate}.")


def dropout_of(rate: float, train: bool) -> float:
    """The rate where one trains, else 0; ValueError for a share outside [0, 1), in both cases."""
    check_dropout(rate)
    return rate if train else 0.0


def _cast_kernel(x, kernel, bias, dtype):
    """What a layer of linen does with its dtypes before it computes."""
    del dtype
    return x, kernel.astype(x.dtype), bias


class Dense(nn.Dense):
    """`nn.Dense` in the dtype of its input; float32 are the bias's addition and its gradient."""

    promote_dtype: Callable = _cast_kernel

    def __call__(self, x: Float[Array, "*shape C"]) -> Float[Array, "*shape F"]:
        """X @ kernel + bias."""
        return super().__call__(x).astype(x.dtype)


class Dropout(nn.Dropout):
    """`nn.Dropout` of a rate in [0, 1)."""

    def __call__(
        self, inputs: Floats, deterministic: bool | None = None, rng: Key | None = None
    ) -> Floats:
        """The input without some of it; ValueError for any other rate."""
        check_dropout(self.rate)
        return super().__call__(inputs, deterministic, rng)


class Conv(nn.Conv):
    """`nn.Conv` in the dtype of its input; float32 are the bias's addition and its gradient."""

    promote_dtype: Callable = _cast_kernel

    def __call__(self, x: Float[Array, "B ... C"]) -> Float[Array, "B ... F"]:
        """The convolution of x plus the bias."""
        return super().__call__(x).astype(x.dtype)
