"""D3PM on text8: three kernels in discrete time with one network (Austin et al., 2021, sec. 5).

    python -m experiments.run --config=experiments/text8_d3pm.py
    python -m experiments.run --config=experiments/text8_d3pm.py:uniform
    python -m experiments.run --config=experiments/text8_d3pm.py:nearest

D3PM: 1.45 (absorbing), 1.61 (uniform) and 1.59 (nearest neighbours) bits/char on the test split of
text8, with 12 layers of 768 and T = 1000. This file: not run.

Layers, learning rate, clipping and λ are those of the authors' released code, which has none for
neighbours: 0, as for uniform noise. Batches and steps are text8_masked's. Neighbours are theirs in
kind only: there they come from embeddings that the code does not bring, here from the output layer
of the weights `wiki_text`.

A smaller one, for a CPU: add
--config.network.blocks=1 --config.batch_size=8 --config.num_steps=200 --num_texts=64 --grid=50
--steps=50
"""

import functools

import numpy as np
import optax
from ml_collections import ConfigDict

from amd_jax import models, networks
from amd_jax.data import text8
from amd_jax.data.text import Text
from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.kernels import information, rate_matrices
from amd_jax.experiment import LONG, Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives, optimizers
from amd_jax.types import Kernel

HYBRID = {"absorbing": 0.01, "uniform": 0.0, "nearest": 0.0}  # λ of the cross-entropy
# fmt: off
NEAREST = {  # the five signs whose vectors in the output layer have the smallest angle to a sign's
    " ": "ieuoa", "a": "oeiu ", "b": "zjpvd", "c": "pqtgs", "d": "sgtkn", "e": "aoiu ",
    "f": "nqwjb", "g": "dcjtv", "h": "wzrji", "i": "aoeu ", "j": "zbgfd", "k": "zdtmc",
    "l": "rnmds", "m": "vlpxk", "n": "rlsxd", "o": "aeiu ", "p": "cmbtv", "q": "xcfgj",
    "r": "lnxdu", "s": "dntcl", "t": "dscpk", "u": "iaoe ", "v": "zmwgd", "w": "hfvrp",
    "x": "qrnmv", "y": "ieoax", "z": "kjvbh",
}
# fmt: on


def get_config(noise: str = "absorbing") -> ConfigDict:
    """D3PM's numbers; everything here can be overridden from the command line."""
    if noise not in HYBRID:
        raise ValueError(f"Noise is one of {', '.join(HYBRID)}; got {noise!r}.")
    config = numbers(batch_size=512, num_steps=1_000_000, clip=0.25, **LONG)
    config.data = dict(length=256)
    config.noise = noise
    config.hybrid = HYBRID[noise]
    config.timesteps = 1000  # T, the number of diffusion steps
    config.network = dict(width=768, blocks=12, heads=12, dropout=0.0)
    config.network.update(dtype="float32", remat=False)
    config.optimizer = dict(learning_rate=2e-4, warmup_steps=5000)
    return config


def data(config: ConfigDict) -> Text:
    """What is learnt from; sampling does without."""
    return text8.load(config.data.length)


def build(config: ConfigDict, facts: Facts) -> Parts:
    """Plain composition: to change a part, change its line."""
    kernel = noise(config.noise, facts, config.timesteps)
    denoiser = networks.Transformer(len(kernel.prior), **config.network)
    model = models.Diffusion(kernel, denoiser, steps=config.timesteps)
    # Theirs is beside the term of one step, of which the bound is the mean times T.
    objective = objectives.HybridElbo(model, weight=config.hybrid * config.timesteps)
    rate = optimizers.rise(config.optimizer.learning_rate, config.optimizer.warmup_steps)
    return Parts(model, objective, optimizers.scheduled(optax.adam, rate))


def noise(name: str, facts: Facts, timesteps: int) -> Kernel:
    """The kernel of that name, on the schedule that it has there."""
    if name == "absorbing":
        return kernels.absorbing(schedules.linear, facts.num_classes)
    if name == "uniform":
        return kernels.uniform(schedules.cosine, facts.num_classes)
    near = np.zeros((facts.num_classes, facts.num_classes))
    for sign, others in NEAREST.items():
        near[facts.encode(sign), facts.encode(others)] = 1.0
    family = functools.partial(kernels.Generator, rate_matrices.symmetric(near + near.T))
    return family(information.even(family, facts.frequencies, timesteps))
