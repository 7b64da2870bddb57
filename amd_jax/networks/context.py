"""Encoders of tokens: conditioners of the laws that lift classes to numbers.

Hoogeboom et al., 2021, and the authors' code. Digits are put together before they come here
(`transforms.conditioner.OfTokens`); a token of num_classes or more gives NaN.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.networks.blocks import check_counts, check_sizes
from amd_jax.networks.lstm import Linear, gelu
from amd_jax.networks.precision import compute_dtype
from amd_jax.networks.recurrent import bidirectional
from amd_jax.networks.shapes import Features
from amd_jax.types import Array, Key, Tokens

Row = float | tuple[float, ...]  # a number for each output, or one for all


class ContextLSTM(nn.Module):
    """Numbers that say how to lift each token, given all: x (B, L) -> (B, L, num_outputs).

    The outputs start at zero.
    """

    num_classes: int
    num_outputs: int
    width: int = 512  # of the embedding and of each direction
    context: int = 128
    layers: int = 1
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    @nn.compact
    def __call__(self, x: Tokens, *, train: bool = False) -> Features:
        """The outputs for tokens x; `train` changes nothing."""
        del train
        check_sizes(width=self.width, context=self.context)
        check_counts(layers=self.layers)
        table = _table(self.num_classes, self.width).embedding
        h = bidirectional(table.astype(compute_dtype(self.dtype)), self.width, 0, rows=x)
        for i in range(1, self.layers):
            h = bidirectional(h, self.width, i)
        h = Linear(self.context, name="context")(h)
        out = Linear(self.num_outputs, kernel_init=nn.initializers.zeros, name="out")
        return out(h.astype(jnp.float32))


class PointwiseContext(nn.Module):
    """As `ContextLSTM`, but from each token by itself: x (B, ...) -> (B, ..., num_outputs)."""

    num_classes: int
    num_outputs: int
    width: int = 512
    layers: int = 1
    context: int = 128
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    @nn.compact
    def __call__(self, x: Tokens, *, train: bool = False) -> Features:
        """The outputs for tokens x; `train` changes nothing."""
        del train
        check_sizes(width=self.width, context=self.context)
        check_counts(layers=self.layers)
        h = _table(self.num_classes, self.width)(x).astype(compute_dtype(self.dtype))
        for i in range(self.layers):
            h = gelu(Linear(self.width, name=f"wide_{i}")(h))
        h = Linear(self.context, name="context")(h)
        out = Linear(self.num_outputs, kernel_init=nn.initializers.zeros, name="out")
        return out(h.astype(jnp.float32))


class ClassTable(nn.Module):
    """Numbers of each class, looked up: x (B, ...) -> (B, ..., num_outputs).

    They start at `start` plus normal noise times `spread`, each of which broadcasts to
    (K, num_outputs).
    """

    num_classes: int
    num_outputs: int
    start: tuple[Row, ...] = (0.0,)
    spread: tuple[Row, ...] = (1.0,)

    @nn.compact
    def __call__(self, x: Tokens, *, train: bool = False) -> Features:
        """The numbers of tokens x; `train` changes nothing."""
        del train

        def init(rng: Key, shape: tuple[int, int], dtype=jnp.float32) -> Float[Array, "K F"]:
            noise = jax.random.normal(rng, shape, dtype)
            return jnp.asarray(self.start) + jnp.asarray(self.spread) * noise

        return nn.Embed(self.num_classes, self.num_outputs, embedding_init=init, name="table")(x)


class MapContext(nn.Module):
    """Numbers that say how to lift each pixel, given those around it.

    A network of the one-hot pixels, such as a DenseNet; `start` is added to its outputs.
    """

    num_classes: int
    network: nn.Module  # (B, H, W, K) -> (B, H, W, num_outputs)
    start: tuple[float, ...] = (0.0,)  # (num_outputs,), or one for all

    @nn.compact
    def __call__(self, x: Tokens, *, train: bool = False) -> Features:
        """The outputs for pixels x."""
        out = self.network(jax.nn.one_hot(x, self.num_classes), train=train)
        return out + jnp.asarray(self.start)


def _table(num_classes, width):
    """A learned vector for each token; call in compact."""
    embedding_init = nn.initializers.normal(1.0)
    return nn.Embed(num_classes, width, embedding_init=embedding_init, name="embed")
