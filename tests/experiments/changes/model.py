"""A model of one's own: each token given those before it, by a recurrent cell."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax

from amd_jax.data import stdlib_docs
from amd_jax.experiment import Parts, numbers
from amd_jax.learning import objectives
from amd_jax.models.bounds import Likelihood
from amd_jax.ops import categorical


class Cell(nn.Module):
    """(carry, x (B,)) -> carry, logits (B, K) of the next token."""

    num_classes: int
    width: int

    def setup(self):
        self.cell = nn.GRUCell(self.width)
        self.out = nn.Dense(self.num_classes)

    def __call__(self, carry, x):
        carry, h = self.cell(carry, categorical.one_hot(x, self.num_classes))
        return carry, self.out(h)


@dataclasses.dataclass(frozen=True)
class Autoregressive:
    """p(x) = Π p(x_n | x_{<n}), the first token of a row given a token that is none."""

    cell: Cell
    bounds = (Likelihood(),)

    def init(self, rng, x):
        return self.cell.init(rng, self.start(len(x)), x[:, 0])["params"]

    def check(self, params, rng, x):
        pass

    def elbo(self, params, rng, x, *, train=False):
        before = jnp.pad(x, ((0, 0), (1, 0)), constant_values=-1)[:, :-1]

        def step(carry, x):
            return self.cell.apply({"params": params}, carry, x)

        logits = jax.lax.scan(step, self.start(len(x)), before.T)[1]
        log_p = categorical.gather(jax.nn.log_softmax(logits), x.T).sum(axis=0)
        return categorical.inside(x, self.cell.num_classes) + log_p

    def log_weight(self, params, rng, x):
        return self.elbo(params, rng, x)

    def sample(self, params, rng, shape):
        def step(carry, rng):
            state, x = carry
            state, logits = self.cell.apply({"params": params}, state, x)
            x = jax.random.categorical(rng, logits)
            return (state, x), x

        first = self.start(shape[0]), jnp.full(shape[0], -1)
        return jax.lax.scan(step, first, jax.random.split(rng, shape[1]))[1].T

    def start(self, batch):
        return jnp.zeros((batch, self.cell.width))


def get_config():
    return numbers(batch_size=2, num_steps=3, log_every=1)


def data(config):
    return stdlib_docs.load(length=16)


def build(config, facts):
    model = Autoregressive(Cell(facts.num_classes, width=8))
    return Parts(model, objectives.NegativeElbo(model), optax.adam(1e-3))
