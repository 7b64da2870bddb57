"""Maps of your own with a network that compiles in a second: what the tests of the command run."""

import flax.linen as nn
import optax
from ml_collections import ConfigDict

from amd_jax import models
from amd_jax.data import maps
from amd_jax.diffusion import kernels, schedules
from amd_jax.experiment import Parts, numbers
from amd_jax.facts import Facts
from amd_jax.learning import objectives
from amd_jax.ops import categorical


class Neighbourhood(nn.Module):
    """Logits from the windows of 3 x 3 and the time."""

    num_classes: int

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        h = nn.Conv(8, (3, 3))(categorical.one_hot(x_t, self.num_classes))
        h = nn.gelu(h + nn.Dense(8)(t[:, None, None, None]))
        return nn.Dense(self.num_classes)(h)


def get_config() -> ConfigDict:
    config = numbers(batch_size=2, num_steps=4, checkpoint_every=2, evaluate_texts=2, log_every=1)
    config.data = dict(path="", num_classes=0, void=-1, size=())
    return config


def data(config: ConfigDict) -> maps.Maps:
    return maps.load(**config.data)


def build(config: ConfigDict, facts: Facts) -> Parts:
    kernel = kernels.uniform(schedules.cosine, facts.num_classes)
    model = models.Diffusion(kernel, Neighbourhood(facts.num_classes), steps=8)
    return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-2))
