"""Samplers of a process that inserts tokens: ways from nothing to lines (B, L).

Each is a value with a name and its numbers (`options`), called with a process
(`insertion.Process`), a key, rows x, empty at the start, and the times (S + 1,) to walk.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax import options
from amd_jax.diffusion.insertion.alignments import Gaps, Rows
from amd_jax.diffusion.insertion.process import Process
from amd_jax.diffusion.samplers import time_grids
from amd_jax.diffusion.samplers.base import Sharpened
from amd_jax.ops import categorical
from amd_jax.types import Array, Floats, Grid, Key, Times


@dataclasses.dataclass(frozen=True)
class TauLeaping(Sharpened):
    """Inserts and reveals tokens with rates that stay as they are within a step.

    In the step from t to s a share 1 - (s / t)² of what is missing comes: a Poisson number of
    masks of that mean in each gap, and each mask becomes a token with that probability. At the end
    what is still masked is drawn with one network call more. The law is the model's in the limit
    of many steps. Masks for which a row has no room, at its right, are dropped: rare with many
    steps, since no gap expects any where a row is full.
    """

    steps: int | None = options.number(
        None, "network calls; the model's number of steps unless given", kind=int, least=1
    )
    spacing: time_grids.Spacing = time_grids.spacing()
    name = "tau_leaping"

    def __post_init__(self):
        """Raises ValueError for a number out of its range, or times that are no grid."""
        super().__post_init__()
        object.__setattr__(self, "steps", time_grids.agreed(self.steps, self.spacing))

    def times(self, steps: int | None) -> Grid:
        """Its grid. Raises ValueError for more steps than the model has."""
        return time_grids.walked(self.steps, self.spacing, steps)

    def step(self, process: Process, rng: Key, x_t: Rows, s: Times, t: Times) -> Rows:
        """A draw of x_s, at times s < t."""
        rng_gaps, rng_moves, rng_tokens = jax.random.split(rng, 3)
        guess, share = process.guess(x_t, t), moving(s, t)[:, None]
        number = categorical.sample(rng_gaps, arrivals(share * jnp.exp(guess.log_gaps)))
        moves = jax.random.uniform(rng_moves, x_t.shape) < share
        drawn = categorical.sample(rng_tokens, self.sharper(jnp.exp(guess.log_law)))
        x_s = jnp.where(moves & (x_t == process.mask), drawn, x_t)
        return inserted(x_s, number, process.padding)

    def __call__(self, process: Process, rng: Key, x: Rows, times: Grid) -> Rows:
        """The walk of x, as one loop on the device."""
        last = len(times) - 1

        def step(i: Array, x_t: Array) -> Rows:
            t, s = (jnp.full(len(x), times[j]) for j in (i, i + 1))
            return self.step(process, jax.random.fold_in(rng, i), x_t, s, t)

        x = jax.lax.fori_loop(0, last, step, x)
        guess = process.guess(x, jnp.full(len(x), times[-2]))
        law = self.sharper(jnp.exp(guess.log_law))
        drawn = categorical.sample(jax.random.fold_in(rng, last), law)
        return jnp.where((x == process.mask) & (times[-1] <= 0), drawn, x)


def moving(s: Floats, t: Floats) -> Floats:
    """The share of the tokens dropped at t that are not dropped at s < t: 1 - (s / t)²."""
    return 1 - jnp.square(s / t)


def arrivals(mean: Gaps) -> Float[Array, "B G G"]:
    """The Poisson laws of these means, cut off above L, of which a row has no room for more."""
    number = jnp.arange(mean.shape[1])
    log_mean = categorical.log_or_never(mean)[..., None]
    return jnp.exp(number * log_mean - mean[..., None] - jax.lax.lgamma(number + 1.0))


def inserted(x: Rows, number: Integer[Array, "B G"], padding: int) -> Rows:
    """Rows with so many masks after the first 0, 1, … L tokens, as far as there is room."""
    length, is_token = x.shape[1], x != padding
    size = is_token.sum(axis=1)
    room = length - size
    before = jnp.minimum(jnp.cumsum(number, axis=1), room[:, None])  # the first i tokens and each
    place = jnp.where(is_token, jnp.arange(length) + before[:, :-1], length)
    filled = jnp.arange(length) < (size + before[:, -1])[:, None]
    row = jnp.arange(len(x))[:, None]
    return jnp.where(filled, padding + 1, padding).at[row, place].set(x, mode="drop")


ALL = (TauLeaping(),)
