"""Spell checking: one pass of the denoiser over a damaged text, or map."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.diffusion import kernels
from amd_jax.models import Diffusion
from amd_jax.types import Array, Params

BATCH = 32
ROWS = 256  # that a trial takes unless a number is given


class Restoration(NamedTuple):
    """What a spell checker did to damaged text whose original is known."""

    restored: float  # share of the damaged tokens that became the original ones
    spoiled: float  # share of the right tokens that were changed

    def __str__(self) -> str:
        """Such as "84.0% restored, 0.43% of the right ones changed"."""
        return f"{self.restored:.1%} restored, {self.spoiled:.2%} of the right ones changed"


class Trial(NamedTuple):
    """Rows (N, ...) in which tokens were replaced at random, and what became of them."""

    errors: int  # in each row
    damaged: np.ndarray  # (N, ...)
    restored: np.ndarray  # (N, ...), by the denoising posterior
    by_guess: Restoration
    by_posterior: Restoration

    def __str__(self) -> str:
        """A line on each of the two ways."""
        return (
            f"  guess of the network: {self.by_guess}\n  denoising posterior: {self.by_posterior}"
        )


def correct(
    model: Diffusion, params: Params, x: np.ndarray, error_rate: float = 0.05, raw: bool = False
) -> np.ndarray:
    """The most probable clean token at every position of x (N, ...), in one pass: (N, ...).

    Takes x for a state of the diffusion in which `error_rate` of the tokens are wrong, and the
    argmax of normalise(guess ⊙ q(x_t | x_0 = ·)): a token is changed only where the context
    outweighs the evidence of the token itself. With `raw`, the argmax of the guess alone, as in
    Hoogeboom et al., 2021, sec. 5.3.
    """
    t = time_of(model, error_rate)

    @jax.jit
    def restore(params: Params, x: Array) -> Array:
        times = jnp.full(x.shape[0], t)
        p = model.predict(params, x, times)
        p = p if raw else kernels.denoising_posterior(model.kernel, p, x, times)
        return p.argmax(axis=-1)

    x = np.asarray(x, np.int32)
    batches = [x[i : i + BATCH] for i in range(0, len(x), BATCH)]
    return np.concatenate([np.asarray(restore(params, batch)) for batch in batches])


def correct_text(
    model: Diffusion, params: Params, x: np.ndarray, length: int, error_rate: float = 0.05
) -> np.ndarray:
    """`correct` for one text (L,) of any length, in pieces of at most `length`: (L,)."""
    pieces = [x[i : i + length] for i in range(0, len(x), length)]
    return np.concatenate([correct(model, params, p[None], error_rate)[0] for p in pieces])


def time_of(model: Diffusion, error_rate: float) -> float:
    """The time of the training grid at which the share of changed tokens is nearest to a rate.

    Raises ValueError for rates outside (0, 1).
    """
    if not 0 < error_rate < 1:
        raise ValueError(f"The error rate must be between 0 and 1; got {error_rate}. Try 0.05.")
    t = jnp.arange(1, model.steps + 1) / model.steps
    classes = jnp.eye(model.kernel.num_classes, len(model.kernel.prior))
    start = jnp.broadcast_to(classes, (len(t), *classes.shape))
    kept = model.kernel.push(start, jnp.zeros_like(t), t)
    changed = 1 - jnp.diagonal(kept, axis1=1, axis2=2).mean(axis=-1)
    return float(t[jnp.abs(changed - error_rate).argmin()])


def trial(
    model: Diffusion,
    params: Params,
    rows: np.ndarray,
    num_classes: int,
    seed: int,
    error_rate: float,
) -> Trial:
    """`correct` where the truth is known: on rows (N, ...), a share of their tokens replaced."""
    errors = max(1, round(error_rate * rows[0].size))
    damaged = damage(rows, num_classes, seed, errors)
    by_guess, restored = (
        correct(model, params, damaged, error_rate, raw=raw) for raw in (True, False)
    )
    found = (restoration(rows, damaged, fixed) for fixed in (by_guess, restored))
    return Trial(errors, damaged, restored, *found)


def damage(rows: np.ndarray, num_classes: int, seed: int, errors: int) -> np.ndarray:
    """Rows (N, ...) with exactly `errors` tokens of each replaced by another one at random."""
    rng = np.random.default_rng(seed)
    damaged = np.array(rows, np.int32)
    for row in damaged.reshape(len(rows), -1):  # views
        places = rng.choice(len(row), errors, replace=False)
        row[places] = (row[places] + rng.integers(1, num_classes, errors)) % num_classes
    return damaged


def restoration(rows: np.ndarray, damaged: np.ndarray, restored: np.ndarray) -> Restoration:
    """How well `restored` undoes `damaged`: all (N, ...)."""
    wrong = rows != damaged
    right = rows == restored
    return Restoration(float(right[wrong].mean()), float(1 - right[~wrong].mean()))
