"""The states of one sampling chain, as they are computed."""

import functools
from collections.abc import Iterator

import jax
import numpy as np

from amd_jax.models.declared import Opened
from amd_jax.types import Batch, Grid, Key, Params, Sampler


def states(
    model: Opened, sampler: Sampler, params: Params, rng: Key, start: Batch, frames: int
) -> Iterator[tuple[float, Batch]]:
    """Pairs (t, state), `frames` or less, of a walk of a sampler from `start`, t falling."""
    times = np.asarray(sampler.times(model.steps))
    stops = np.unique(np.linspace(0, len(times) - 1, frames).round().astype(int))
    state = start
    yield 1.0, state
    for first, last in zip(stops[:-1], stops[1:], strict=True):
        rng_part = jax.random.fold_in(rng, first)
        state = _walked(model, sampler, params, rng_part, state, times[first : last + 1])
        yield float(times[last]), state


@functools.partial(jax.jit, static_argnums=(0, 1))  # compiled once, however often one walks
def _walked(
    model: Opened, sampler: Sampler, params: Params, rng: Key, state: Batch, times: Grid
) -> Batch:
    """A state walked from times[0] to times[-1]."""
    return sampler(model.open(params), rng, state, times)
