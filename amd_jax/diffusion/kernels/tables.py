"""Kernels from a transition matrix for every step (Austin et al., 2021)."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.types import Array, Probs, Times, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class Tabulated:
    """q(x_i | x_{i-1}) = matrices[i - 1], T of them; times are taken to the nearest i / T.

    Any strided pair of times costs a few products, of runs of steps that are kept: single steps,
    and all that begin at time 0, cost a look-up. It has no derivative in time (Austin et al.,
    2021, sec. 3).
    """

    matrices: Float[np.ndarray, "T K K"]  # rows are where a token comes from
    prior: Float[Array, "K"] = None  # type: ignore[assignment]  # the law of x_T unless given
    num_classes: int = None  # type: ignore[assignment]  # data are in [0, num_classes), or all K

    runs: Float[np.ndarray, "N K K"] = dataclasses.field(
        init=False, repr=False
    )  # as `_place` finds
    differentiable = False

    def __post_init__(self):
        """Raises ValueError for what is no such table, or a prior that it does not reach."""
        matrices = np.asarray(self.matrices, np.float64)
        _check(matrices)
        states = matrices.shape[-1]
        object.__setattr__(self, "num_classes", self.num_classes or states)
        from_start = [np.eye(states)]
        for step in matrices:
            from_start.append(from_start[-1] @ step)
        end = from_start[-1][: self.num_classes]
        prior = end.mean(axis=0) if self.prior is None else np.asarray(self.prior, np.float64)
        _check_reached(end, prior)
        object.__setattr__(self, "prior", jnp.asarray(prior, jnp.float32))
        blocks, level = [np.stack(from_start)], matrices
        while len(level):
            blocks.append(level)
            level = np.einsum("nij,njk->nik", level[: len(level) // 2 * 2 : 2], level[1::2])
        object.__setattr__(self, "runs", np.concatenate(blocks).astype(np.float32))

    @property
    def steps(self) -> int:
        """T."""
        return len(self.matrices)

    def push(self, p: Probs, s: Times, t: Times) -> Probs:
        """Law of x_t when x_s ~ p."""
        return jnp.einsum("b...i,bij->b...j", p, self.matrix(s, t), precision="highest")

    def likelihood(self, x_t: Tokens, s: Times, t: Times) -> Probs:
        """q(x_t | x_s = k) for every k."""
        return jax.vmap(lambda matrix, x: matrix.T[x])(self.matrix(s, t), x_t)

    def matrix(self, s: Times, t: Times) -> Float[Array, "B K K"]:
        """Q(s, t)[x_s, x_t]."""
        i, end = (jnp.round(u * self.steps).astype(jnp.int32) for u in (s, t))
        runs = jnp.asarray(self.runs)

        def longer(carry: tuple[Array, Array]) -> tuple[Array, Array]:
            i, product = carry
            place, i = self._place(i, end)
            return i, jnp.matmul(product, runs[place], precision="highest")

        place, i = self._place(i, end)
        carry = jax.lax.while_loop(lambda carry: (carry[0] < end).any(), longer, (i, runs[place]))
        return jax.lax.stop_gradient(carry[1])

    def _place(self, i: Array, end: Array) -> tuple[Array, Array]:
        """Where the longest run is kept that begins at step i and ends by `end`; and its end.

        First come the runs from time 0, then those of 1, 2, 4, … steps whose begin is a multiple
        of their length.
        """
        place, after, first = jnp.where(i == 0, end, 0), jnp.where(i == 0, end, i), self.steps + 1
        for level in range(self.steps.bit_length()):
            count, length = self.steps >> level, 1 << level
            fits = (i > 0) & (i % length == 0) & (i + length <= end)
            place = jnp.where(fits, first + i // length, place)
            after = jnp.where(fits, i + length, after)
            first += count
        return place, jnp.where(i >= end, end, after)


def discretised_gaussian(
    betas: Float[np.ndarray, "T"], num_classes: int
) -> Float[np.ndarray, "T K K"]:
    """Steps between ordered states, likelier the nearer.

    exp(-4 (i - j)² / ((K - 1)² β)), normalised over all distances, the rest stays; doubly
    stochastic, so uniform noise is stationary (Austin et al., 2021, app. A.2.3).
    """
    distance = np.arange(num_classes)
    weights = -4 * distance**2 / ((num_classes - 1) ** 2 * np.asarray(betas)[:, None])
    weights = np.exp(weights)
    weights /= 2 * weights.sum(axis=1, keepdims=True) - weights[:, :1]
    return _with_rest(weights[:, abs(np.subtract.outer(distance, distance))])


def banded(
    betas: Float[np.ndarray, "T"], num_classes: int, width: int
) -> Float[np.ndarray, "T K K"]:
    """Steps to one of the `width` states on either side, β / K each.

    Doubly stochastic (Austin et al., 2021, app. A.2.1 with a band).
    """
    if not 1 <= width < num_classes:
        raise ValueError(f"width must be in [1, {num_classes - 1}]; got {width}.")
    distance = abs(np.subtract.outer(np.arange(num_classes), np.arange(num_classes)))
    near = (distance <= width) / num_classes
    return _with_rest(np.asarray(betas, np.float64)[:, None, None] * near)


def _with_rest(steps: np.ndarray) -> np.ndarray:
    """Steps with their diagonal such that rows sum to 1."""
    states = np.arange(steps.shape[-1])
    steps = np.array(steps, np.float64)
    steps[:, states, states] = 0
    steps[:, states, states] = 1 - steps.sum(axis=-1)
    return steps


def _check(matrices: np.ndarray) -> None:
    """Raises ValueError unless these are T stochastic matrices."""
    shape = matrices.shape
    if matrices.ndim != 3 or shape[1] != shape[2] or shape[1] < 2 or not shape[0]:
        raise ValueError(f"Tabulated takes a matrix for each step, (T, K, K); got {shape}.")
    sums = matrices.sum(axis=-1)
    if not (np.isfinite(matrices).all() and matrices.min() >= 0 and abs(sums - 1).max() < 1e-5):
        step, row = np.unravel_index(np.argmax(abs(sums - 1)), sums.shape)
        raise ValueError(
            "Rows of a step's matrix are laws: not negative, and their sum is 1; the smallest "
            f"entry is {matrices.min():.3g}, and row {row} of step {step + 1} sums to "
            f"{sums[step, row]:.6g}. Rows are where a token comes from: transpose, or normalise."
        )


def _check_reached(end: np.ndarray, prior: np.ndarray) -> None:
    """Raises ValueError if x_T, whose laws are the rows of `end`, is far from the prior."""
    if prior.shape != end.shape[1:] or prior.min() < 0 or abs(prior.sum() - 1) > 1e-5:
        raise ValueError(f"The prior is a law of the {end.shape[1]} states; got {prior}.")
    far = abs(end - prior).sum(axis=-1).max() / 2
    if far > 0.5 or (end > 1e-6)[:, prior == 0].any():
        raise ValueError(
            "The prior is where noise ends; after the last step the law of a token still differs "
            f"from it by {far:.2g} in total variation. Take more steps or stronger ones, or leave "
            "the prior out."
        )
