"""Which outputs of a network move with which of its inputs: one battery for all networks."""

from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.networks.densenet import DenseNet
from tests import zoo
from tests.variants import quick

ROWS = 10  # an output has to move in one of them


def before(size):
    return np.tri(size, k=-1, dtype=bool)


def others(size):
    return ~np.eye(size, dtype=bool)


def within(reach, *event):
    """Pairs of places that are at most `reach` apart on every axis."""
    place = np.stack(np.unravel_index(np.arange(np.prod(event)), event))
    return (abs(place[:, :, None] - place[:, None]) <= reach).all(axis=0)


def context_then_channels(context, channels):
    return np.concatenate([np.ones((channels, context), bool), before(channels)], axis=1)


class Case(NamedTuple):
    network: nn.Module
    event: tuple[int, ...]  # the shape of a row of inputs
    sees: np.ndarray  # [output, input]: these move with it
    may: np.ndarray | bool = False  # and others that may
    classes: int = 0  # of tokens, which come with a time; 0: inputs are numbers


def hollow(reach, **numbers):
    network = networks.Hollow(5, width=8, join_width=8, **{"join_blocks": 1} | numbers)
    return Case(network, (7,), others(7) & within(reach, 7), classes=5)


MAP = dict(width=8, dilations=(1,), window=1, join_width=8, join_blocks=1)
ALONG_AN_AXIS = np.kron(within(2, 5), np.eye(6)) + np.kron(np.eye(5), within(2, 6)) > 0
LABELLED = np.pad(within(1, 3, 4), (1, 0), constant_values=True)  # the label sees and is seen
CASES = {
    "made": Case(networks.MADE(4, ()), (2, 3, 2), before(6).repeat(2, axis=1)),
    "made deep": Case(networks.MADE(4, (16, 16)), (2, 3, 2), before(6).repeat(2, axis=1)),
    **{
        f"channels after {n}": Case(
            networks.ChannelMADE(2, 24, context=n), (n + 4,), context_then_channels(n, 4)
        )
        for n in (0, 3)
    },
    "past lstm": Case(networks.PastLSTM(3, 4), (4, 2), before(4).repeat(2, axis=1)),
    "latent lstm": Case(networks.LatentLSTM(3, 4, layers=2), (4, 2), before(4).repeat(2, axis=1)),
    "lstm of scalars": Case(networks.AutoregressiveLSTM(16, 2), (3, 1), before(3)),
    "lstm of channels": Case(networks.AutoregressiveLSTM(16, 2), (3, 3), before(9)),
    "lstm both ways": Case(
        networks.BidirectionalLSTM(8, 1, 1, layers=1), (3, 2), np.ones((3, 6), bool)
    ),
    "transformer of scalars": Case(
        networks.AutoregressiveTransformer(16, components=3, heads=2, taps=3), (4, 2), before(8)
    ),
    "set": Case(
        networks.SetTransformer(2, components=3, width=8, blocks=2, heads=2),
        *((5, 3), np.ones((5, 15), bool)),
    ),
    "dense": Case(  # two convolutions, 3 wide on every axis
        DenseNet(5, blocks=1, growth=3, depth=2, width=8), (9, 1), within(2, 9)
    ),
    "dense map": Case(
        DenseNet(5, blocks=1, growth=3, depth=2, width=8),
        *((5, 6, 1), ALONG_AN_AXIS, within(2, 5, 6)),
    ),
    "insertion": Case(
        networks.InsertionNet(networks.Transformer(6, width=8, blocks=1, heads=2), 3),
        *((5,), np.ones((11, 5), bool)),
        classes=5,
    ),
    # the reach: taps + (taps - 1) * Σ dilations
    "hollow": hollow(4, blocks=2, taps=2),
    "hollow dilated": hollow(7, blocks=2, taps=2, dilations=(1, 3)),
    "hollow attention": hollow(7, blocks=1, taps=2, heads=2),
    "hollow no join": hollow(5, blocks=1, taps=3, join_blocks=0),
    "hollow contexts": hollow(5, blocks=1, taps=1, table_width=4),
    "hollow map": Case(
        networks.HollowMap(3, **MAP), (4, 5), others(20) & within(1, 4, 5), others(20), 3
    ),
    "hollow map with a label": Case(
        networks.HollowMap(6, **MAP, size=(3, 4)), (13,), others(13) & LABELLED, others(13), 6
    ),
}


@pytest.mark.parametrize(
    "name",
    quick(
        *(CASES, "made", "channels after 3", "past lstm", "lstm of channels", "dense"),
        *("insertion", "hollow"),
        slow=CASES,
    ),
)
def test_outputs_move_with_what_they_see_and_with_nothing_else(name):
    network, event, sees, may, classes = CASES[name]
    rng, size = np.random.default_rng(0), int(np.prod(event))
    shape = ROWS, *event
    x = rng.integers(classes, size=shape) if classes else rng.normal(size=shape).astype("f")
    changed = x[:, None] + np.eye(size + 1, size, dtype=x.dtype).reshape(size + 1, *event)
    changed = (changed % classes if classes else changed).reshape(-1, *event)  # the last is x
    more = (np.full(len(changed), 0.5, np.float32),) if classes else ()
    variables = zoo.drawn(network, changed, *more)
    out = jax.jit(network.apply)(variables, changed, *more)
    out = np.concatenate([np.reshape(a, (len(changed), -1)) for a in jax.tree.leaves(out)], axis=1)
    if name == "insertion":  # a number for each of six gaps, logits at each of five places
        out = np.concatenate([out[:, :6].repeat(3, axis=1), out[:, 6:]], axis=1)
    out = out.reshape(ROWS, size + 1, len(sees), -1)
    moved = abs(out[:, :-1] - out[:, -1:]).max(axis=(0, 3)).T  # [output, input]
    assert (moved[sees] > 1e-5).all(), moved
    assert (moved[~(sees | may)] == 0).all(), moved
