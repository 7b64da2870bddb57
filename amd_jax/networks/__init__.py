"""Networks: linen modules `(x_t, t, *, train) -> logits`; the only folder that imports linen."""

from amd_jax.networks.hollow import Hollow
from amd_jax.networks.linear_transformer import LinearTransformer
from amd_jax.networks.lstm import (
    AutoregressiveLSTM,
    BidirectionalLSTM,
    ContextLSTM,
    PointwiseContext,
)
from amd_jax.networks.transformer import Transformer

__all__ = [
    "AutoregressiveLSTM",
    "BidirectionalLSTM",
    "ContextLSTM",
    "Hollow",
    "LinearTransformer",
    "PointwiseContext",
    "Transformer",
]
