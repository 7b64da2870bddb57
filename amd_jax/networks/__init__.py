"""Networks, as linen modules; the only folder that imports linen.

Denoisers `(x_t, t, *, train) -> logits`, with log_gaps before these for `models.Insertion`,
conditioners of flows `(x, *, train) -> numbers`, and causal networks `(x, *, train) -> logits`,
which also walk (`models.Autoregressive`).
"""

from amd_jax.networks.autoregressive_transformer import AutoregressiveTransformer
from amd_jax.networks.block_lstm import BlockLSTM
from amd_jax.networks.block_transformer import BlockTransformer
from amd_jax.networks.causal_lstm import CausalLSTM
from amd_jax.networks.causal_transformer import CausalTransformer
from amd_jax.networks.context import ClassTable, ContextLSTM, MapContext, PointwiseContext
from amd_jax.networks.densenet import DenseNet
from amd_jax.networks.hollow import Hollow
from amd_jax.networks.hollow_map import HollowMap
from amd_jax.networks.insertion_net import InsertionNet
from amd_jax.networks.latent import LatentDecoder, LatentEncoder, LatentLSTM
from amd_jax.networks.linear_transformer import LinearTransformer
from amd_jax.networks.lstm import AutoregressiveLSTM, BidirectionalLSTM
from amd_jax.networks.mlp import MLP
from amd_jax.networks.past import MADE, ChannelMADE, PastLSTM
from amd_jax.networks.sets import SetTransformer
from amd_jax.networks.table import CausalTable, FieldContext, TableNet
from amd_jax.networks.transformer import Transformer
from amd_jax.networks.transformer_xl import TransformerXL
from amd_jax.networks.unet import UNet

__all__ = [
    "MADE",
    "MLP",
    "AutoregressiveLSTM",
    "AutoregressiveTransformer",
    "BidirectionalLSTM",
    "BlockLSTM",
    "BlockTransformer",
    "CausalLSTM",
    "CausalTable",
    "CausalTransformer",
    "ChannelMADE",
    "ClassTable",
    "ContextLSTM",
    "DenseNet",
    "FieldContext",
    "Hollow",
    "HollowMap",
    "InsertionNet",
    "LatentDecoder",
    "LatentEncoder",
    "LatentLSTM",
    "LinearTransformer",
    "MapContext",
    "PastLSTM",
    "PointwiseContext",
    "SetTransformer",
    "TableNet",
    "Transformer",
    "TransformerXL",
    "UNet",
]
