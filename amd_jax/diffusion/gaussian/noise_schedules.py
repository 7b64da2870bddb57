"""Noise levels of Gaussian diffusion: functions from time t in [0, 1] to γ_t = -log SNR.

α_t² = sigmoid(-γ_t) of the variance at time t is signal, sigmoid(γ_t) noise. At time 0 there is
little noise, but some: a decoder reads it off. γ never falls.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.diffusion.schedules import OFFSET
from amd_jax.types import Array, Floats, Key, Params

FIRST, LAST = -5.0, 7.0  # for one-hots: at γ = -5 their halves lie 8 standard deviations apart


@dataclasses.dataclass(frozen=True)
class Linear:
    """γ_t = first + (last - first) t (Kingma et al., 2021, sec. 3.2, where it is the start)."""

    first: float = FIRST
    last: float = LAST

    def __post_init__(self):
        """Raises ValueError unless noise grows."""
        _check_ends(self.first, self.last)

    def __call__(self, t: Floats) -> Floats:
        """γ_t."""
        return self.first + (self.last - self.first) * t


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """The γ of the grid point nearest to t. It is flat between them: it has no derivative."""

    gammas: Float[np.ndarray, "N"]  # at times 0, 1 / (N - 1), …, 1
    differentiable = False

    def __post_init__(self):
        """Raises ValueError unless the table is finite and rises."""
        if len(self.gammas) < 2 or not (np.diff(self.gammas) > 0).all():
            raise ValueError(
                f"A table of γ has two levels or more, which rise; got {self.gammas}. "
                "Leave out levels that differ by nothing."
            )

    def __call__(self, t: Floats) -> Floats:
        """γ_t."""
        end = len(self.gammas) - 1
        nearest = jnp.round(jnp.clip(t, 0, 1) * end).astype(jnp.int32)
        return jnp.asarray(self.gammas)[nearest]


def of_betas(betas: Float[np.ndarray, "N"]) -> Table:
    """Levels of N variances β that N steps add to data: α_t² = Π (1 - β).

    The first level is the noise after the first of them: a model on them has N - 1 steps. Raises
    ValueError for a β outside (0, 1).
    """
    betas = np.asarray(betas, np.float64)
    if not ((betas > 0) & (betas < 1)).all():
        raise ValueError(
            f"A step adds a share β of noise in (0, 1); got {betas.min():.3g} to "
            f"{betas.max():.3g}. Use more steps."
        )
    log_signal = np.cumsum(np.log1p(-betas))
    return Table(np.log(-np.expm1(log_signal)) - log_signal)


def linear_betas(number: int) -> Table:
    """β from 0.1 / N to 20 / N (Ho et al., 2020, sec. 4; for N other than 1000 as later code)."""
    return of_betas(np.linspace(0.1, 20, number) / number)


def cosine_betas(number: int) -> Table:
    """β of α_t² = cos² of a quarter turn, at most 0.999 (Nichol and Dhariwal, 2021, sec. 3.2)."""
    u = np.arange(number + 1) / number
    cos = np.cos((u + OFFSET) / (1 + OFFSET) * np.pi / 2) ** 2
    return of_betas(np.minimum(1 - cos[1:] / cos[:-1], 0.999))


@dataclasses.dataclass(frozen=True, eq=False)
class Monotone:
    """γ_t = first + (last - first) (s(t) - s(0)) / (s(1) - s(0)), s a rising sum of sigmoids.

    s(t) = t + Σ_h exp(heights) sigmoid(exp(slopes) (t - places)): a layer of positive weights
    beside a linear one (Kingma et al., 2021, app. H).
    """

    first: Float[Array, ""]
    last: Float[Array, ""]
    pace: dict[str, Float[Array, "H"]]  # heights, slopes, places

    def __call__(self, t: Floats) -> Floats:
        """γ_t."""
        start, end = self._sum(jnp.zeros_like(t)), self._sum(jnp.ones_like(t))
        return self.first + (self.last - self.first) * (self._sum(t) - start) / (end - start)

    def _sum(self, t: Floats) -> Floats:
        steep = jnp.exp(self.pace["slopes"]) * (t[..., None] - self.pace["places"])
        return t + (jnp.exp(self.pace["heights"]) * jax.nn.sigmoid(steep)).sum(axis=-1)


@dataclasses.dataclass(frozen=True)
class Learned:
    """Levels that are learnt beside the network: their pace, and with `ends` both ends.

    At first nearly `Linear`. In discrete time the bound teaches both. In continuous time it does
    not depend on the pace, whose gradient would be noise alone: there it teaches the ends, and
    `learned_objectives.LeastVarianceOfLevels` the pace (Kingma et al., 2021, sec. 5.1).
    """

    first: float = FIRST
    last: float = LAST
    ends: bool = True  # whether these two are learnt, or kept
    units: int = 32  # H

    def __post_init__(self):
        """Raises ValueError unless noise grows, and for less than one unit."""
        _check_ends(self.first, self.last)
        if self.units < 1:
            raise ValueError(f"A learnt pace needs at least 1 unit; got units={self.units}.")

    def init(self, rng: Key) -> Params:
        """{"pace": three (units,), "ends": (2,), the changes of both ends, unless these stay}."""
        places = (jnp.arange(self.units) + 0.5) / self.units
        start = {"heights": -6.0, "slopes": np.log(2.0 * self.units)}
        pace = {name: jnp.full(self.units, value) for name, value in start.items()}
        params = {"pace": {**pace, "places": places}}
        return {**params, "ends": jnp.zeros(2)} if self.ends else params

    def open(self, params: Params) -> Monotone:
        """The levels with these parameters."""
        first, last = params.get("ends", jnp.zeros(2))
        return Monotone(self.first + first, self.last + last, params["pace"])

    def check(self, params: Params) -> None:
        """Raises ValueError if the ends have met."""
        result = self.open(params)
        if not result.first < result.last:
            raise ValueError(
                f"The learnt noise levels have collapsed: they go from {float(result.first):.3g} "
                f"to {float(result.last):.3g}. Use a smaller learning rate, or ends=False."
            )


def still(params: Params) -> Params:
    """Parameters of levels, of whose pace no gradient comes."""
    return {k: jax.lax.stop_gradient(v) if k == "pace" else v for k, v in params.items()}


def _check_ends(first: float, last: float) -> None:
    if not first < last:
        raise ValueError(
            f"γ = -log SNR rises from data to noise; got first={first}, last={last}. "
            f"Try first={FIRST}, last={LAST}."
        )
