"""A kernel of one's own: the nearest-neighbour matrices of D3PM (Austin et al., 2021, app. A)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from amd_jax import models, networks
from amd_jax.data import stdlib_docs
from amd_jax.diffusion import schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.learning import objectives
from amd_jax.ops.categorical import one_hot
from amd_jax.types import Schedule


class Neighbours(NamedTuple):
    schedule: Schedule
    prior: jax.Array  # uniform, where the walk ends
    num_classes: int

    def push(self, p, s, t):
        return jnp.einsum("b...j,bjk->b...k", p, self.matrix(s, t))

    likelihood = lambda self, x, s, t: self.push(one_hot(x, self.num_classes), s, t)  # noqa: E731

    def matrix(self, s, t):  # symmetric, so that it is its own transpose
        near = np.eye(self.num_classes, k=1) + np.eye(self.num_classes, k=-1)
        speed, modes = np.linalg.eigh(near - np.diag(near.sum(axis=1)))
        spread = 10 * (self.schedule(s) - self.schedule(t))[:, None, None]
        return jnp.exp(spread * speed) * modes @ modes.T


def get_config():
    config = numbers(batch_size=2, num_steps=3, log_every=1)
    config.network = dict(width=8, blocks=1, join_width=8)
    return config


def data(config):
    return stdlib_docs.load(length=16)


def build(config, facts):
    k = facts.num_classes
    kernel = Neighbours(schedules.cosine, jnp.full(k, 1 / k), k)
    model = models.Diffusion(kernel, networks.Hollow(k, **config.network), steps=4)
    return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-3))
