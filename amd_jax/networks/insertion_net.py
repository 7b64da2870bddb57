"""InsertionNet: what is missing in each gap of a row, and behind each mask."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.types import Array, Times


class InsertionNet(nn.Module):
    """A denoiser for `models.Insertion`: rows (B, L) -> gaps (B, L + 1), logits (B, L, K).

    It reads a row of tokens, padding K and masks K + 1 behind a sign for its start, K + 2. Of the
    numbers at each place the first K are the logits of the token there, and two more, a and b,
    say how many tokens are expected between it and the next one:

        log ĝ = a - log(1 + exp(u - b)),    u = -log t²:

    exp(a) as long as u < b, and falling like the probability exp(-u) that a token is dropped from
    there on, as it does once nothing is missing.
    """

    denoiser: nn.Module  # of K + 3 states, which sees whole rows, as a `Transformer`
    num_tokens: int  # K, without padding

    def __call__(
        self, x_t: Integer[Array, "B L"], t: Times, *, train: bool = False
    ) -> tuple[Float[Array, "B G"], Float[Array, "B L K"]]:
        """log ĝ, G = L + 1, and logits, float32."""
        start = jnp.full((len(x_t), 1), self.num_tokens + 2, x_t.dtype)
        out = self.denoiser(jnp.concatenate([start, x_t], axis=1), t, train=train)
        logits, a, b = out[:, 1:, : self.num_tokens], out[..., -3], out[..., -2]
        return a + nn.log_sigmoid(b + 2 * jnp.log(t)[:, None]), logits
