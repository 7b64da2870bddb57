"""Every network that has dropout draws numbers in training, and none otherwise."""

import jax
import jax.numpy as jnp
import numpy as np
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
    "transformer_xl-attention": (
        networks.TransformerXL(
            K, **SMALL, heads=2, inner=8, segment=2, memory=2, attention_dropout=HALF
        ),
        (TEXT,),
    ),
    "densenet": (networks.DenseNet(3, 1, 4, 1, dropout=HALF, width=8), (VECTORS,)),
    "autoregressive_lstm": (networks.AutoregressiveLSTM(8, 2, input_dropout=HALF), (NUMBERS,)),
    "autoregressive_transformer": (
        networks.AutoregressiveTransformer(8, 2, 1, 2, input_dropout=HALF),
        (NUMBERS,),
    ),
    "bidirectional_lstm": (networks.BidirectionalLSTM(8, 1, 2, input_dropout=HALF), (NUMBERS,)),
}


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


def test_as_many_steps_are_dropped_as_asked_for_and_show_their_place_alone():
    steps = networks.lstm.StepFeatures(32, dropout=0.25)
    v = jax.random.normal(jax.random.key(0), (200, 20, 3))
    variables = jax.jit(steps.init)(jax.random.key(1), v)
    rngs = {"dropout": jax.random.key(2)}
    found = jax.jit(lambda v: steps.apply(variables, v, train=True, rngs=rngs))(v)
    numbers, places = np.split(np.asarray(found), [12], axis=-1)
    dropped = (numbers == 0).all(axis=-1)
    np.testing.assert_allclose(dropped.mean(), 0.25, atol=5 * (0.25 * 0.75 / 4000) ** 0.5)
    np.testing.assert_array_equal(places, places[:1].repeat(200, axis=0))
    calm = np.asarray(steps.apply(variables, v))
    np.testing.assert_allclose(numbers[~dropped], calm[..., :12][~dropped], atol=1e-5)
