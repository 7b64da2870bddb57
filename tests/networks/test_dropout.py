"""Every network that has dropout draws numbers in training, and none otherwise."""

import jax
import jax.numpy as jnp
import pytest

from amd_jax import networks

K, HALF = 4, 0.5
TEXT, MAP, T = jnp.zeros((2, 4), jnp.int32), jnp.zeros((2, 4, 4), jnp.int32), jnp.full(2, 0.5)
NUMBERS, VECTORS = jnp.zeros((2, 4, 2)), jnp.zeros((2, 4, 4, 2))
SMALL = dict(width=8, blocks=1)
NETWORKS = {
    "hollow": (networks.Hollow(K, **SMALL, join_width=8, dropout=HALF), (TEXT, T)),
    "hollow_map": (networks.HollowMap(K, 8, (1,), join_width=8, dropout=HALF), (MAP, T)),
    "transformer": (networks.Transformer(K, **SMALL, heads=2, dropout=HALF), (TEXT, T)),
    "linear_transformer": (
        networks.LinearTransformer(K, 8, 1, 2, 1, window=2, dropout=HALF),
        (TEXT, T),
    ),
    "unet": (networks.UNet(K, 8, (1, 2), 2, 4, dropout=HALF), (MAP, T)),
    "causal_transformer": (
        networks.CausalTransformer(K, **SMALL, heads=2, dropout=HALF),
        (TEXT,),
    ),
    "causal_lstm": (networks.CausalLSTM(K, 8, dropout=HALF), (TEXT,)),
    "transformer_xl": (
        networks.TransformerXL(K, **SMALL, heads=2, inner=8, segment=2, memory=2, dropout=HALF),
        (TEXT,),
    ),
    "densenet": (networks.DenseNet(3, 1, 4, 1, dropout=HALF, width=8), (VECTORS,)),
    "autoregressive_lstm": (networks.AutoregressiveLSTM(8, 2, input_dropout=HALF), (NUMBERS,)),
    "autoregressive_transformer": (
        networks.AutoregressiveTransformer(8, 2, 1, 2, input_dropout=HALF),
        (NUMBERS,),
    ),
    "table_net": (networks.TableNet(K, (4, 2, 3, 4), **SMALL, dropout=HALF), (TEXT, T)),
    "causal_table": (
        networks.CausalTable(K, (4, 2, 3, 4), **SMALL, heads=2, dropout=HALF),
        (TEXT,),
    ),
    "bidirectional_lstm": (networks.BidirectionalLSTM(8, 1, 2, input_dropout=HALF), (NUMBERS,)),
}


@pytest.mark.few(5, slow=4)
@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_are_drawn_in_training_and_only_then(name):
    """By the program; without a key a network that draws in evaluation fails."""
    network, inputs = NETWORKS[name]
    variables = jax.eval_shape(network.init, jax.random.key(0), *inputs)

    def program(train):
        def call(variables, rng):
            rngs = {"dropout": rng} if train else None
            return network.apply(variables, *inputs, train=train, rngs=rngs)

        return str(jax.make_jaxpr(call)(variables, jax.random.key(1)))

    assert "random_bits" in program(train=True)
    assert "random_bits" not in program(train=False)
