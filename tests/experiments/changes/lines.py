"""A data set of one's own, of lines such as SMILES, each filled up, and a kernel of one's own."""

import dataclasses
import functools
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from amd_jax import models, networks
from amd_jax.data.dataset import epoch_rows
from amd_jax.diffusion import schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import TextFacts
from amd_jax.learning import objectives
from amd_jax.ops.categorical import one_hot
from amd_jax.types import Schedule


@dataclasses.dataclass(frozen=True, eq=False)
class Lines:
    path: str
    length: int

    splits = ("train", "test")

    @functools.cached_property
    def lines(self):
        return [line[: self.length] for line in Path(self.path).read_text().splitlines()]

    @functools.cached_property
    def facts(self):
        alphabet = "".join(sorted({"\n", *"".join(self.lines)}))
        shape, name = (self.length,), Path(self.path).name
        return TextFacts(
            len(alphabet), shape, name, alphabet=alphabet, padding=alphabet.index("\n")
        )

    def rows(self, split):
        cut = len(self.lines) * 9 // 10
        some = self.lines[:cut] if split == "train" else self.lines[cut:]
        rows = [self.facts.encode(line.ljust(self.length, "\n")) for line in some]
        return np.array(rows, np.uint8)

    def batch(self, seed, step, batch_size):
        rows = self.rows("train")
        return rows[epoch_rows(seed, step, batch_size, len(rows))]


class Neighbours(NamedTuple):
    """The nearest-neighbour matrices of D3PM (Austin et al., 2021, app. A)."""

    schedule: Schedule
    prior: jax.Array  # uniform, where the walk ends
    num_classes: int

    def push(self, p, s, t):
        return jnp.einsum("b...j,bjk->b...k", p, self.matrix(s, t))

    def likelihood(self, x, s, t):
        return self.push(one_hot(x, self.num_classes), s, t)

    def matrix(self, s, t):  # symmetric, so that it is its own transpose
        near = np.eye(self.num_classes, k=1) + np.eye(self.num_classes, k=-1)
        speed, modes = np.linalg.eigh(near - np.diag(near.sum(axis=1)))
        spread = 10 * (self.schedule(s) - self.schedule(t))[:, None, None]
        return jnp.exp(spread * speed) * modes @ modes.T


def get_config():
    config = numbers(batch_size=2, num_steps=3, log_every=1, evaluate_every=1)
    config.path = ""
    config.network = dict(width=8, blocks=1, join_width=8)
    return config


def data(config):
    return Lines(config.path, length=12)


def build(config, facts):
    k = facts.num_classes
    kernel = Neighbours(schedules.cosine, jnp.full(k, 1 / k), k)
    denoiser = networks.Hollow(k, **config.network)
    model = models.Diffusion(kernel, denoiser, steps=4)
    return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-3))
