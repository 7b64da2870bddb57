"""A sampler of one's own: the masks that the network is surest of are opened first."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from amd_jax import models, networks, options
from amd_jax.data import stdlib_docs
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.learning import objectives
from amd_jax.ops import categorical


@dataclasses.dataclass(frozen=True)
class Confident:
    """Opens the surest masks first, about as many in every step."""

    steps: int = options.number(8, "network calls", least=1)
    name = "confident"
    times = lambda self, steps: samplers.grid(self.steps)  # noqa: E731

    def __call__(self, process, rng, x, times):
        def step(i, x):
            p = process.predict(x, jnp.full(x.shape[0], times[i]))
            sure = jnp.where(x == process.kernel.num_classes, p.max(axis=-1), 2.0)
            rank = jnp.argsort(jnp.argsort(-sure, axis=1), axis=1)
            opened = (rank >= (1 - times[i + 1]) * x.shape[1]) | (sure > 1)
            return jnp.where(opened, x, categorical.sample(jax.random.fold_in(rng, i), p))

        return jax.lax.fori_loop(0, len(times) - 1, step, x)


def get_config():
    config = numbers(batch_size=2, num_steps=3, log_every=1)
    config.network = dict(width=8, blocks=1, join_width=8)
    return config


def data(config):
    return stdlib_docs.load(length=16)


def build(config, facts):
    kernel = kernels.absorbing(schedules.linear, facts.num_classes)
    denoiser = networks.Hollow(len(kernel.prior), **config.network)
    ways = (samplers.Ancestral(), Confident())
    model = models.Diffusion(kernel, denoiser, steps=4, samplers=ways)
    return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-3))
