"""A small model of each kind learns, from fresh parameters, what its data have to teach."""

import numpy as np
import optax
import pytest

from amd_jax import models, networks, recipes
from amd_jax.data.maps import Maps
from amd_jax.data.text import Text
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation.reports import run_report
from amd_jax.experiment import Parts, numbers
from amd_jax.learning import callbacks, loop, objectives

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


def chains(*event: int) -> dict[str, np.ndarray]:
    """Some of each split."""
    rng = np.random.default_rng(0)
    return {split: chain(rng, (n, *event)) for split, n in (("train", 2048), ("test", 128))}


def texts() -> Text:
    """Rows that are each a chain of its own."""
    return Text("abcd", LENGTH, {split: x.reshape(-1) for split, x in chains(LENGTH).items()})


def maps() -> Maps:
    """Maps whose lines are chains."""
    return Maps(K, (SIDE, SIDE), chains(SIDE, SIDE), np.eye(K, 3, dtype=np.uint8))


def diffusion(network) -> models.Diffusion:
    return models.Diffusion(kernels.uniform(schedules.cosine, K), network, steps=50)


XL = dict(blocks=1, heads=2, inner=64, segment=16, memory=16)
LSTM = dict(features=32, layers=1, components=4)
LIFT = recipes.argmax_lift(networks.PointwiseContext, K, 2, dict(width=16, layers=1, context=8))
DENSE = dict(blocks=1, growth=16, depth=2, width=32)
LENSES = dict(levels=1, couplings=4, network=DENSE)
ENCODER = dict(couplings=1, context=8, network=dict(blocks=1, growth=8, depth=1, width=16))
KINDS = {  # name -> data, the share of what they teach that is learnt, the model
    "hollow": (texts, 0.9, diffusion(networks.Hollow(K, width=32, join_width=32, blocks=2))),
    "transformer": (texts, 0.6, diffusion(networks.Transformer(K, width=32, blocks=2, heads=2))),
    "linear_transformer": (
        *(texts, 0.6),
        diffusion(networks.LinearTransformer(K, 32, 2, heads=2, local_heads=1, window=8)),
    ),
    "argmax autoregressive": (
        *(texts, 0.9),
        recipes.autoregressive_flow(LIFT, networks.AutoregressiveLSTM(**LSTM)),
    ),
    "argmax coupling": (texts, 0.7, recipes.coupling_flow(LIFT, 2, LSTM)),
    "causal_transformer": (
        *(texts, 0.9),
        models.Autoregressive(networks.CausalTransformer(K, width=32, blocks=1, heads=2)),
    ),
    "causal_lstm": (texts, 0.9, models.Autoregressive(networks.CausalLSTM(K, width=32))),
    "transformer_xl": (texts, 0.9, models.Autoregressive(networks.TransformerXL(K, 32, **XL))),
    "hollow_map": (maps, 0.9, diffusion(networks.HollowMap(K, width=32, join_width=32))),
    "unet": (maps, 0.8, diffusion(networks.UNet(K, 16, (1, 2), groups=4, heads=1))),
    "map flow": (
        *(maps, 0.3),
        recipes.map_flow("softplus", maps().facts, **LENSES, encoder=ENCODER),
    ),
}


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_it_learns(name):
    """Much of what lies between the frequencies of the symbols and the law of the data."""
    data, share, model = KINDS[name]
    held = data()
    optimizer = optax.chain(optax.clip_by_global_norm(10.0), optax.adam(2e-3))
    parts = Parts(model, objectives.NegativeElbo(model), optimizer)
    params = loop.train(parts, held, numbers(batch_size=32, num_steps=400), callbacks.Nobody())
    result, _ = run_report.bits(model, params, held, split="test")
    most, least = np.log2(K), entropy(held.facts.event_shape[-1])
    assert least - 5 * result.error < result.bits < most - share * (most - least)
