"""Kernels from a rate matrix: any continuous-time Markov chain on the states."""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Real

from amd_jax.diffusion import schedules
from amd_jax.ops import categorical
from amd_jax.types import Array, Probs, Schedule, Times, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class Generator:
    """q(x_t | x_s) = exp((τ_t - τ_s) R), with τ = -log α of a schedule.

    R[i, j] is the rate from state i to state j; its rows sum to 0 (Campbell et al., 2022, sec. 3).
    The prior is its stationary law: scale R so that its slowest mode decays at a rate near 1, and
    x_1 forgets x_0. A reversible R is diagonalised once, and every push costs K² per token;
    others are exponentiated by scaling and squaring for every pair of times.
    """

    rates: Float[np.ndarray, "K K"]
    schedule: Schedule
    num_classes: int = None  # type: ignore[assignment]  # data are in [0, num_classes), or all K

    prior: Float[Array, "K"] = dataclasses.field(init=False)
    spectrum: tuple[np.ndarray, ...] | None = dataclasses.field(init=False)
    halvings: int = dataclasses.field(init=False)  # of the longest time, until it is short

    def __post_init__(self):
        """Raises ValueError for what is no rate matrix, or forgets too slowly to reach its law."""
        schedules.check(self.schedule)
        rates = np.asarray(self.rates, np.float64)
        _check(rates)
        prior = stationary(rates)
        classes = len(prior) if self.num_classes is None else self.num_classes
        object.__setattr__(self, "num_classes", classes)
        object.__setattr__(self, "prior", jnp.asarray(prior, jnp.float32))
        object.__setattr__(self, "spectrum", _spectrum(rates, prior))
        end = -float(self.schedule(jnp.ones(())))
        fastest = math.ceil(math.log2(-np.diagonal(rates).min() * end))
        object.__setattr__(self, "halvings", max(0, fastest + 3))
        left = _slowest(rates) * end
        if left < 1:
            raise ValueError(
                "At time 1 noise has to be near the stationary law of the rates; the slowest mode "
                f"has decayed by exp(-{left:.2g}) only. Multiply the rates by {3 / left:.2g}."
            )

    def push(self, p: Probs, s: Times, t: Times) -> Probs:
        """Law of x_t when x_s ~ p."""
        if (modes := self._modes(s, t, p.ndim)) is None:
            return jnp.einsum("b...i,bij->b...j", p, self.matrix(s, t), precision="highest")
        left, right, decay = modes
        amounts = jnp.matmul(p, left, precision="highest") * decay
        return categorical.positive(p + jnp.matmul(amounts, right.T, precision="highest"))

    def likelihood(self, x_t: Tokens, s: Times, t: Times) -> Probs:
        """q(x_t | x_s = k) for every k."""
        own = categorical.one_hot(x_t, len(self.prior))
        if (modes := self._modes(s, t, own.ndim)) is None:
            return jnp.einsum("bij,b...j->b...i", self.matrix(s, t), own, precision="highest")
        left, right, decay = modes
        change = jnp.matmul(right[x_t] * decay, left.T, precision="highest")
        return categorical.positive(own + change)

    def matrix(self, s: Times, t: Times) -> Float[Array, "B K K"]:
        """Q(s, t)[x_s, x_t] by Taylor's series and squaring, all of whose terms are positive.

        Shifted by the fastest rate, so that small entries keep their digits.
        """
        fastest = float(-np.diagonal(self.rates).min())
        tau = categorical.expand(self.schedule(s) - self.schedule(t), 3) / 2**self.halvings
        eye = jnp.eye(len(self.prior))
        jumps = tau * (jnp.asarray(self.rates, tau.dtype) + fastest * eye)
        term = power = jnp.broadcast_to(eye, jumps.shape)
        for n in range(1, 9):
            term = jnp.matmul(term, jumps, precision="highest") / n
            power += term
        power = categorical.normalize(power)
        for _ in range(self.halvings):
            power = categorical.normalize(jnp.matmul(power, power, precision="highest"))
        return power

    def _modes(self, s: Times, t: Times, ndim: int) -> tuple[Array, Array, Array] | None:
        """Right and left modes (K, K), and exp(τ λ) - 1 with `ndim` axes, the last of K.

        None of an R that is not diagonalised.
        """
        if self.spectrum is None:
            return None
        tau = categorical.expand(self.schedule(s) - self.schedule(t), ndim)
        left, right, values = (jnp.asarray(a, tau.dtype) for a in self.spectrum)
        return left, right, jnp.expm1(tau * values)


def stationary(rates: Float[np.ndarray, "K K"]) -> Float[np.ndarray, "K"]:
    """The law that rates leave as it is. ValueError if there is more than one."""
    _, singular, vectors = np.linalg.svd(rates.T)
    if len(singular) > 1 and singular[-2] <= 1e-9 * singular[0]:
        raise ValueError(
            "Rates must lead to one stationary law from every state; these have several, so x_1 "
            "would depend on where x_0 was. Connect the groups of states."
        )
    law = np.abs(vectors[-1])
    return np.where(law < 1e-12 * law.max(), 0, law) / law.sum()


def nearest_neighbours(vectors: Float[np.ndarray, "K D"], k: int) -> Float[np.ndarray, "K K"]:
    """Rates between states whose vectors are near, symmetric.

    (A + Aᵀ) / 2k off the diagonal, with A[i, j] = 1 if j is among the k nearest to i (Austin et
    al., 2021, app. A.2.4), scaled so that the slowest mode decays at rate 1. ValueError if that
    leaves separate groups: take a larger k.
    """
    vectors = np.asarray(vectors, np.float64)
    if not 1 <= k < len(vectors):
        raise ValueError(f"k must be in [1, {len(vectors) - 1}]; got {k}.")
    distance = ((vectors[:, None] - vectors) ** 2).sum(axis=-1)
    np.fill_diagonal(distance, np.inf)
    near = np.zeros_like(distance)
    np.put_along_axis(near, np.argsort(distance, axis=1, kind="stable")[:, :k], 1.0, axis=1)
    return symmetric((near + near.T) / (2 * k))


def gaussian(num_classes: int, reach: float) -> Float[np.ndarray, "K K"]:
    """Rates between ordered states, exp(-(i - j)² / (2 reach²)), slowest mode at rate 1.

    In continuous time what `tables.discretised_gaussian` does by steps.
    """
    if reach <= 0:
        raise ValueError(f"reach must be above 0, in states; got {reach}. Try 1.0.")
    distance = np.subtract.outer(np.arange(num_classes), np.arange(num_classes))
    return symmetric(np.exp(-(distance**2 - 1) / (2 * reach**2)))  # neighbours have weight 1


def symmetric(weights: Real[np.ndarray, "K K"]) -> Float[np.ndarray, "K K"]:
    """Rates of symmetric weights, scaled so that the slowest mode decays at rate 1."""
    rates = np.array(weights, np.float64)
    np.fill_diagonal(rates, 0.0)
    rates -= np.diag(rates.sum(axis=1))
    stationary(rates)  # of one group only
    return rates / _slowest(rates)


def _slowest(rates: np.ndarray) -> float:
    """The rate at which the slowest mode decays."""
    values = np.sort(np.linalg.eigvals(rates).real)
    return float(-values[-2])


def _spectrum(rates: np.ndarray, prior: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """L, R (K, K) and λ (K,) with exp(τ rates) = I + L diag(e^{τ λ} - 1) Rᵀ; None if irreversible.

    By the eigenvectors of the symmetric diag(√π) rates diag(1/√π).
    """
    flow = prior[:, None] * rates
    if (prior == 0).any() or not np.allclose(flow, flow.T, rtol=1e-6, atol=1e-9 * abs(flow).max()):
        return None
    root = np.sqrt(prior)
    even = root[:, None] * rates / root
    values, vectors = np.linalg.eigh((even + even.T) / 2)
    return vectors / root[:, None], vectors * root[:, None], np.minimum(values, 0)


def _check(rates: np.ndarray) -> None:
    """Raises ValueError unless rates are a square, at least 0 off the diagonal, rows sum to 0."""
    square = rates.ndim == 2 and rates.shape[0] == rates.shape[1] >= 2
    if not square or not np.isfinite(rates).all():
        raise ValueError(
            f"Rates are a finite matrix (K, K), with a row for each state; got {rates.shape}."
        )
    off = rates - np.diag(np.diagonal(rates))
    if off.min() < 0:
        i, j = np.argwhere(off == off.min())[0]
        raise ValueError(
            f"Rates from a state to another are at least 0; got {rates[i, j]:.3g} from {i} to {j}."
        )
    worst = int(np.argmax(abs(rates.sum(axis=1))))
    if abs(rates.sum(axis=1)[worst]) > 1e-5 * max(abs(rates).max(), 1e-30):
        raise ValueError(
            f"Each row of a rate matrix sums to 0; row {worst} sums to {rates[worst].sum():.3g}. "
            "Set the diagonal to minus the sum of the others."
        )
