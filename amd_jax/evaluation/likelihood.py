"""Bounds on the log-likelihood of a whole split, in bits, with standard errors."""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax import parallel
from amd_jax.ops import categorical
from amd_jax.types import Array, Key, Model, Nats, Params

DRAWS = 8  # estimates per example
TOKENS = 1 << 15  # in one call on a device: examples x draws x size of an event


class Estimate(NamedTuple):
    """A mean over examples."""

    bits: float  # per dimension
    error: float  # its standard error over the examples, which holds the noise of the draws too
    examples: int

    def __str__(self) -> str:
        """Such as "1.972 ± 0.031"."""
        return f"{self.bits:.3f} ± {self.error:.3f}"


def bits_per_dim(nats: np.ndarray, num_dims: int) -> np.ndarray:
    """Nats of a whole event, negated or not, in bits per dimension."""
    return nats / (num_dims * np.log(2))


def elbo(
    model: Model, params: Params, rng: Key, rows: np.ndarray, num_classes: int, draws: int = DRAWS
) -> Estimate:
    """The negative elbo of rows (N, ...) in bits per dimension, `draws` estimates per row.

    A row's draws stand side by side in the batch, so a model that stratifies over the batch (as
    Diffusion does its times) stratifies within each row.
    """

    def estimate(params: Params, rng: Key, x: Array) -> Nats:
        tiled = jnp.tile(x, (draws,) + (1,) * (x.ndim - 1))
        return model.elbo(params, rng, tiled).reshape(draws, -1).mean(axis=0)

    return mean_bits(nats_of_rows(estimate, params, rng, rows, num_classes, draws), rows)


def iwbo(
    model: Model, params: Params, rng: Key, rows: np.ndarray, num_classes: int, samples: int
) -> Estimate:
    """The negative importance-weighted bound of rows (N, ...) in bits per dimension.

    log (1/k) Σ exp(log_weight) of k = `samples` draws per row, one after the other: memory does
    not grow with k. At least the elbo, and log p(x) in the limit (Burda et al., 2016, sec. 3).
    Raises ValueError for k < 1.
    """
    return mean_bits(log_likelihoods(model, params, rng, rows, num_classes, samples), rows)


def log_likelihoods(
    model: Model, params: Params, rng: Key, rows: np.ndarray, num_classes: int, samples: int
) -> np.ndarray:
    """log (1/k) Σ exp(log_weight) of each row, k = `samples` draws: float64 (N,) in nats."""
    if samples < 1:
        raise ValueError(f"An importance-weighted bound needs 1 sample or more; got {samples}.")

    def estimate(params: Params, rng: Key, x: Array) -> Nats:
        def add(j: Array, total: Nats) -> Nats:
            return jnp.logaddexp(total, model.log_weight(params, jax.random.fold_in(rng, j), x))

        start = jnp.full(x.shape[0], -jnp.inf)
        return jax.lax.fori_loop(0, samples, add, start) - jnp.log(float(samples))

    return nats_of_rows(estimate, params, rng, rows, num_classes)


def elbo_of_all_steps(
    model: Model, params: Params, rng: Key, rows: np.ndarray, num_classes: int
) -> Estimate:
    """The negative elbo with every one of the T steps visited for every row: T calls a batch.

    Raises ValueError for a model without steps.
    """
    if not hasattr(model, "elbo_of_all_steps"):
        raise ValueError(f"--exact walks diffusion steps; {type(model).__name__} has none.")
    estimate = model.elbo_of_all_steps
    return mean_bits(nats_of_rows(estimate, params, rng, rows, num_classes), rows)


def nats_of_rows(
    estimate: Callable[[Params, Key, Array], Nats],
    params: Params,
    rng: Key,
    rows: np.ndarray,
    num_classes: int,
    draws: int = 1,
) -> np.ndarray:
    """estimate(params, rng, x) (B,) of all rows (N, ...), on all devices: float64 (N,).

    B keeps a call within `TOKENS` tokens if the estimate tiles each row `draws` times. The last
    batch is filled up with copies of its first row, which are not counted. Raises ValueError for
    a token outside [0, num_classes).
    """
    categorical.check_tokens(rows, num_classes)
    devices = jax.device_count()
    batch_size = max(1, TOKENS // (draws * math.prod(rows.shape[1:])))
    batch_size = min(batch_size, -(-len(rows) // devices))
    run = parallel.over_devices(estimate)
    params = parallel.replicate(params)
    nats = []
    for start in range(0, len(rows), devices * batch_size):
        x = np.asarray(rows[start : start + devices * batch_size], np.int32)
        padded = np.concatenate([x, np.repeat(x[:1], devices * batch_size - len(x), axis=0)])
        rngs = parallel.own_keys(jax.random.fold_in(rng, start))
        found = run(params, rngs, parallel.own(padded))
        nats.append(parallel.gather(found)[: len(x)])
    return np.concatenate(nats).astype(np.float64)


def mean_bits(nats: np.ndarray, rows: np.ndarray) -> Estimate:
    """Mean and standard error of -nats (N,) in bits per dimension of a row."""
    bits = bits_per_dim(-nats, int(np.prod(rows.shape[1:])))
    error = bits.std(ddof=1) / len(bits) ** 0.5 if len(bits) > 1 else float("nan")
    return Estimate(float(bits.mean()), float(error), len(bits))
