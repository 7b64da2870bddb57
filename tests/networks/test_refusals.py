"""Sizes that make no network, and inputs that are not for it: one battery for all networks."""

import jax
import jax.numpy as jnp
import pytest

from amd_jax import networks
from amd_jax.networks.densenet import DenseNet
from tests import zoo


def tokens(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.int32)


def numbers(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def hollow(**sizes):
    return networks.Hollow(5, **{"width": 8} | sizes)


def scalars(**sizes):
    return networks.AutoregressiveTransformer(**{"width": 16, "components": 3, "heads": 2} | sizes)


def linear(**sizes):
    return networks.LinearTransformer(5, **{"dim": 8, "depth": 1, "heads": 2, "window": 4} | sizes)


def unet(**sizes):
    return networks.UNet(5, **{"dim": 8, "multipliers": (1, 2), "heads": 1, "groups": 4} | sizes)


def hollow_map(**sizes):
    return networks.HollowMap(6, 8, (1,), 1, join_width=8, join_blocks=1, **sizes)


T = numbers(2)
TEXT, MAP, STEPS = (tokens(2, 8), T), (tokens(2, 4, 6), T), (numbers(2, 4, 2),)
CELLS, FIELDS = tokens(2, 3), (2, 4, 3)
CASES = [  # network, what it is initialised with, what is said
    (scalars(taps=0), STEPS, "taps must be at least 1"),
    (scalars(components=0), STEPS, "components must be at least 1"),
    (scalars(heads=3), STEPS, "2 \\* heads divides; got width=16 and heads=3"),
    (scalars(width=2), STEPS, "features >= 8; got features=2"),
    (hollow(width=0), TEXT, "width must be at least 1; got width=0"),
    (hollow(blocks=-1), TEXT, "blocks must be at least 1; got blocks=-1"),
    (hollow(dilations=()), TEXT, "dilations must be at least 1; got dilations=0"),
    (hollow(heads=-1), TEXT, "heads >= 0 and a width that .* got width=8 and heads=-1"),
    (hollow(heads=3), TEXT, "got width=8 and heads=3"),
    (hollow_map(size=(3, 4)), (tokens(2, 12), T), r"size=\(3, 4\) is for rows of a label and 12 "),
    (networks.LatentDecoder(2, 4, longest=3), STEPS, "longest=3; got 4 steps. Build it with long"),
    (linear(heads=3), TEXT, "dim to be a multiple of heads; got dim=8 and heads=3"),
    (linear(local_heads=3), TEXT, "local_heads <= heads; got 3 of 2"),
    (linear(local_heads=1), (tokens(2, 10), T), "multiple of the window; got L=10 and window=4"),
    (linear(local_heads=1, dim=2), TEXT, "even dim of at least 4; got dim=2"),
    (networks.AutoregressiveLSTM(4, 1), STEPS, "features >= 8; got features=4"),
    (networks.AutoregressiveLSTM(8, 0), STEPS, "components must be at least 1"),
    (networks.BidirectionalLSTM(8, 0, 1), STEPS, "channels must be at least 1"),
    (networks.TableNet(4, FIELDS, width=0), (CELLS, T), "must be"),
    (networks.TableNet(4, FIELDS, blocks=5000), (CELLS, T), "must be"),
    (networks.CausalTable(4, FIELDS, heads=0), (CELLS,), "must be"),
    (
        networks.SetTransformer(2, components=3, width=8, blocks=2, heads=3),
        *((numbers(2, 5, 3),), "share the width; got width=8 and heads=3"),
    ),
    (unet(), (tokens(2, 5, 6), T), r"sides 2 divides; got \(2, 5, 6\)"),
    (unet(multipliers=(2, 4)), MAP, r"start with 1; got \(2, 4\)"),
    (unet(groups=3), MAP, "multiple of groups; got dim=8 and groups=3"),
    (DenseNet(5, 1, 3, depth=0, width=8), STEPS, "depth must be at least 1; got depth=0"),
    (DenseNet(5, 1, 3, depth=2, width=8), (numbers(1, 2),), r"got shape \(1, 2\)"),
    (
        networks.BlockTransformer(4, width=8, blocks=2, heads=2, context=-1),
        *((tokens(2, 8), tokens(2, 8), 4), "context must be at least 0, for all; got context=-1"),
    ),
]


@pytest.mark.parametrize(("network", "inputs", "message"), CASES)
def test_sizes_that_make_no_network_are_refused(network, inputs, message):
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(lambda *x: network.init(jax.random.key(0), *x, *inputs[len(x) :]),
                       *(x for x in inputs if not isinstance(x, int)))  # fmt: skip


FIVE = (numbers(1, 5, 2),)
LENGTHS = [  # network, what it is made for, what it gets, what is said
    (networks.AutoregressiveLSTM(8, 1), STEPS, FIVE, "L=4; got L=5. Initialise it for 5"),
    (networks.BidirectionalLSTM(8, 1, 1), STEPS, FIVE, "L=4; got L=5. Initialise it for 5"),
    (scalars(), STEPS, FIVE, "L=4; got L=5. Initialise it for 5"),
    (
        *(hollow_map(), (tokens(1, 2, 2), numbers(1)), (tokens(1, 4, 2), numbers(1))),
        "initialised for maps of 2 x 2; got 4 x 2",
    ),
    (
        linear(local_heads=1),
        (tokens(2, 16), T),
        (tokens(2, 20), T),
        "texts of 16 tokens; got L=20",
    ),
]


@pytest.mark.parametrize(("network", "made", "given", "message"), LENGTHS)
def test_inputs_of_another_size_are_refused(network, made, given, message):
    params = zoo.drawn(network, *made)
    with pytest.raises(ValueError, match=message):
        jax.eval_shape(network.apply, params, *given)
