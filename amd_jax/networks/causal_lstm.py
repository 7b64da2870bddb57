"""CausalLSTM: every token given those before it, through LSTMs over positions."""

import flax.linen as nn
import jax.numpy as jnp

from amd_jax.networks.blocks import check_counts, check_sizes, logits
from amd_jax.networks.causal_transformer import shifted
from amd_jax.networks.precision import Dropout, compute_dtype
from amd_jax.networks.recurrent import LSTM
from amd_jax.networks.shapes import Place
from amd_jax.types import Logits, Tokens


class CausalLSTM(nn.Module):
    """LSTMs whose logits at l depend on x[:, :l] only: (B, L) -> (B, L, K).

    It works for any L, and walks (`models.Autoregressive`) with the states of its layers.
    """

    num_classes: int  # K
    width: int = 512  # of the embedding and of each layer
    layers: int = 1
    dropout: float = 0.0  # of what each layer puts out
    log_frequencies: tuple[float, ...] | None = None  # (K,), where the output starts
    dtype: str = "float32"  # of products and activations; or "bfloat16"

    def __call__(self, x: Tokens, *, train: bool = False) -> Logits:
        """The logits, float32."""
        return self._read(shifted(x, 1, self.num_classes), train=train)[0]

    def start(self, batch: int, length: int) -> tuple:
        """What `advance` carries before the first position, whatever the length."""
        del length
        return ((jnp.zeros((batch, self.width)),) * 2,) * self.layers

    def advance(self, carry: tuple, previous: Tokens, p: Place) -> tuple[tuple, Logits]:
        """Takes in `previous`, of position p - 1; returns the carry, and the logits of p."""
        result, carry = self._read(jnp.where(p > 0, previous, self.num_classes), carry)
        return carry, result

    @nn.compact
    def _read(
        self, tokens: Tokens, carry: tuple | None = None, *, train: bool = False
    ) -> tuple[Logits, tuple]:
        """Logits after tokens (B, L) in [0, K]; or after one, (B,), with the carry before it."""
        check_sizes(width=self.width, layers=self.layers)
        check_counts(layers=self.layers)
        dtype, states = compute_dtype(self.dtype), []
        start = nn.initializers.normal(1.0)
        table = self.param("embed", start, (self.num_classes + 1, self.width)).astype(dtype)
        h = table if carry is None else table[tokens]
        for i in range(self.layers):
            lstm = LSTM(self.width, name=f"lstm_{i}")
            if carry is not None:
                state, h = lstm.step(carry[i], h)
                states.append(state)
            else:
                h = lstm(h, tokens if i == 0 else None)
            h = Dropout(self.dropout, deterministic=not train)(h)
        return logits(h, self.num_classes, self.log_frequencies), tuple(states)
