"""InsertionTransformer: what is missing in each gap of a row, and behind each mask."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.networks.transformer import Transformer
from amd_jax.types import Array, Times


class InsertionTransformer(nn.Module):
    """A `Transformer` for `models.Insertion`: rows (B, L) -> gaps (B, L + 1), logits (B, L, K).

    It reads a row of tokens, padding K and masks K + 1 behind a sign for its start. Of the
    numbers at each place the first K are the logits of the token there, and two more, a and b,
    say how many tokens are expected between it and the next one:

        log ĝ = a - log(1 + exp(u - b)),    u = -log t²:

    exp(a) as long as u < b, and falling like the probability exp(-u) that a token is dropped from
    there on, as it does once nothing is missing.
    """

    num_tokens: int  # K, without padding
    width: int = 512  # D
    blocks: int = 12
    heads: int = 8
    taps: int = 1  # width of the convolution of the one-hot input, odd; 1 for none
    expansion: int = 4
    exact_gelu: bool = False  # erf, or the faster tanh form
    dropout: float = 0.0
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"
    remat: bool = False  # keep the inputs of blocks only, and compute them anew backwards

    @nn.compact
    def __call__(
        self, x_t: Integer[Array, "B L"], t: Times, *, train: bool = False
    ) -> tuple[Float[Array, "B G"], Float[Array, "B L K"]]:
        """log ĝ, G = L + 1, and logits, float32."""
        start = jnp.full((len(x_t), 1), self.num_tokens + 2, x_t.dtype)
        frequencies = (
            None if self.log_frequencies is None else (*self.log_frequencies, *(0.0,) * 3)
        )
        network = Transformer(
            self.num_tokens + 3,
            self.width,
            self.blocks,
            self.heads,
            self.taps,
            self.expansion,
            self.exact_gelu,
            self.dropout,
            frequencies,
            self.dtype,
            self.remat,
            name="transformer",
        )
        out = network(jnp.concatenate([start, x_t], axis=1), t, train=train)
        logits, a, b = out[:, 1:, : self.num_tokens], out[..., -3], out[..., -2]
        return a + nn.log_sigmoid(b + 2 * jnp.log(t)[:, None]), logits
