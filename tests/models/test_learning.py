"""A small model of each kind learns, from fresh parameters, what its data have to teach."""

import numpy as np
import optax
import pytest

from amd_jax import models, networks, recipes
from amd_jax.data.maps import Maps
from amd_jax.data.text import Text
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation import report
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import loop, objectives

K, LENGTH, SIDE = 4, 16, 8
STAY = 0.95  # probability of the symbol that follows the one before


def chain(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Symbols that go up by one, or with probability 1 - STAY anywhere, along the last axis."""
    fresh = rng.integers(K, size=shape)
    jumps = rng.random(shape) > STAY
    x = fresh.copy()
    for i in range(1, shape[-1]):
        x[..., i] = np.where(jumps[..., i], fresh[..., i], (x[..., i - 1] + 1) % K)
    return x.astype(np.uint8)


def entropy(length: int) -> float:
    """Bits per symbol of a chain."""
    p = np.full(K, (1 - STAY) / K)
    p[0] += STAY
    return (np.log2(K) + (length - 1) * -(p * np.log2(p)).sum()) / length


def texts() -> Text:
    """Rows that are each a chain of its own."""
    rng = np.random.default_rng(0)
    sizes = {"train": 2048, "test": 128}
    streams = {split: chain(rng, (n, LENGTH)).reshape(-1) for split, n in sizes.items()}
    return Text("abcd", LENGTH, streams)


def maps() -> Maps:
    """Maps whose lines are chains."""
    rng = np.random.default_rng(0)
    sizes = {"train": 512, "test": 64}
    pixels = {split: chain(rng, (n, SIDE, SIDE)) for split, n in sizes.items()}
    return Maps(K, (SIDE, SIDE), pixels, np.eye(K, 3, dtype=np.uint8))


def diffusion(network) -> models.Diffusion:
    return models.Diffusion(kernels.uniform(schedules.cosine, K), network, steps=50)


LSTM = dict(features=32, layers=1, components=4)
LIFT = recipes.argmax_lift(networks.PointwiseContext, K, 2, dict(width=16, layers=1, context=8))
DENSE = dict(blocks=1, growth=16, depth=2, width=32)
LENSES = dict(levels=1, couplings=4, network=DENSE)
ENCODER = dict(couplings=1, context=8, network=dict(blocks=1, growth=8, depth=1, width=16))
KINDS = {  # data -> name -> model, given the facts of the data
    texts: {
        "hollow": lambda facts: diffusion(networks.Hollow(K, width=32, join_width=32, blocks=2)),
        "transformer": lambda facts: diffusion(
            networks.Transformer(K, width=32, blocks=2, heads=2)
        ),
        "linear_transformer": lambda facts: diffusion(
            networks.LinearTransformer(K, dim=32, depth=2, heads=2, local_heads=1, window=8)
        ),
        "argmax autoregressive": lambda facts: recipes.autoregressive_flow(LIFT, LSTM),
        "argmax coupling": lambda facts: recipes.coupling_flow(LIFT, 2, LSTM),
    },
    maps: {
        "hollow_map": lambda facts: diffusion(networks.HollowMap(K, width=32, join_width=32)),
        "unet": lambda facts: diffusion(networks.UNet(K, 16, (1, 2), groups=4, heads=1)),
        "map flow": lambda facts: recipes.map_flow("softplus", facts, **LENSES, encoder=ENCODER),
    },
}
CASES = [(data, name) for data, kinds in KINDS.items() for name in kinds]


class Quiet(loop.Nobody):
    def tell(self, line):
        pass


@pytest.mark.slow
@pytest.mark.parametrize(("data", "name"), CASES, ids=[name for _, name in CASES])
def test_it_learns(data, name):
    held: loop.Dataset = data()
    facts: Facts = held.facts
    model = KINDS[data][name](facts)
    optimizer = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(5e-3))
    parts = Parts(model, objectives.NegativeElbo(model), optimizer)
    params = loop.train(parts, held, numbers(batch_size=32, num_steps=400), Quiet())
    found, _ = report.bits(model, params, held, split="test")
    least = entropy(facts.event_shape[-1])
    print(name, found, least)
    assert least - 5 * found.error < found.bits < 1.2
