"""Networks, as linen modules; the only folder that imports linen.

Denoisers `(x_t, t, *, train) -> logits` and conditioners of flows `(x, *, train) -> numbers`.
"""

from amd_jax.networks.context import ContextLSTM, MapContext, PointwiseContext
from amd_jax.networks.densenet import DenseNet
from amd_jax.networks.hollow import Hollow
from amd_jax.networks.hollow_map import HollowMap
from amd_jax.networks.latent import MADE, MLP, LatentDecoder, LatentEncoder, PastLSTM
from amd_jax.networks.linear_transformer import LinearTransformer
from amd_jax.networks.lstm import AutoregressiveLSTM, BidirectionalLSTM
from amd_jax.networks.transformer import Transformer
from amd_jax.networks.unet import UNet

__all__ = [
    "AutoregressiveLSTM",
    "BidirectionalLSTM",
    "ContextLSTM",
    "DenseNet",
    "Hollow",
    "HollowMap",
    "LatentDecoder",
    "LatentEncoder",
    "LinearTransformer",
    "MADE",
    "MLP",
    "MapContext",
    "PastLSTM",
    "PointwiseContext",
    "Transformer",
    "UNet",
]
