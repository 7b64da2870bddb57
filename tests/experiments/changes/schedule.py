"""A learned schedule: α_t = 1 - t ** w, the power w a parameter of the kernel."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from amd_jax import models, networks
from amd_jax.data import stdlib_docs
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.learning import objectives


@dataclasses.dataclass(frozen=True)
class LearnedPower:
    num_classes: int

    def init(self, rng):
        return {"power": jnp.zeros(())}

    def open(self, params):
        power = jax.nn.softplus(params["power"]) + 0.5
        return kernels.uniform(schedules.polynomial(power), self.num_classes)


def get_config():
    config = numbers(batch_size=2, num_steps=3, log_every=1)
    config.network = dict(width=8, blocks=1, join_width=8)
    return config


def data(config):
    return stdlib_docs.load(length=16)


def build(config, facts):
    kernel = LearnedPower(facts.num_classes)
    denoiser = networks.Hollow(facts.num_classes, **config.network)
    model = models.Diffusion(kernel, denoiser, steps=4)
    return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-1))
