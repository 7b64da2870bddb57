"""A learned schedule: its pace through the noise levels minimises the variance of the bound.

A `LearnedKernel`: `init` makes the parameters, `open` puts them in place. Two methods beside these
say how a training goes: `describe`, a line about parameters, and `check`, which raises ValueError
where they have collapsed. Both look at numbers, so call them outside of jit.
`learning/learned_objectives.py` has the objective that trains it.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from amd_jax.diffusion import schedules
from amd_jax.diffusion.kernels.mixtures import Mixing
from amd_jax.types import Array, Floats, Kernel, Key, Params, Schedule

COLLAPSED = 0.9  # the share of time in one bin of levels at which a schedule says so


@dataclasses.dataclass(frozen=True, eq=False)
class Warped:
    """A schedule that runs through the noise levels u of another one at a pace of its own.

    log α_t = base(u), where level u in [0, 1] comes at time F(u) = ∫_0^u n heights[bin] du, over n
    bins of equal width: of uniformly drawn times, n heights[bin] is the density of levels. Both
    ends stay where they are, exactly.
    """

    base: Schedule
    heights: Float[Array, "n"]  # of sum 1: the share of time that each bin of levels takes

    def __call__(self, t: Floats) -> Floats:
        """Log α_t."""
        return self.base(self.level(t))

    def level(self, t: Floats) -> Floats:
        """The noise level at time t, from 0 to 1.

        Its slope at the border of two bins is that of the later one.
        """
        right = jnp.cumsum(self.heights).at[-1].set(1.0)  # α_1 is the base's, without rounding
        left = jnp.concatenate([jnp.zeros_like(right[:1]), right[:-1]])
        at = self._bin(t)
        return (at + (t - left[at]) / (right - left)[at]) / len(self.heights)

    def log_density(self, t: Floats) -> Floats:
        """Log density of the level at time t. It is constant within a bin.

        With the level held fixed: its derivative by the heights is that of heights[bin] alone.
        """
        return jnp.log(len(self.heights) * self.heights[self._bin(t)])

    def _bin(self, t: Floats) -> Integer[Array, "*shape"]:
        """The bin of the level at time t."""
        borders = jnp.cumsum(self.heights)[:-1]
        return jnp.searchsorted(borders, t, side="right", method="compare_all")


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedSchedule:
    """A mixing kernel whose pace through the noise levels is learnt, for the least variance.

    In continuous time the bound does not depend on the pace, the variance of its estimate does
    (Kingma et al., 2021, sec. 5.1): with ℓ(u) the bound's integrand over levels u, an
    estimate is ℓ(u) / p(u), and best is p(u) ∝ sqrt(E[ℓ²]). Heights are
    (1 - floor) softmax(levels) + floor / bins, so p(u) >= floor: no estimate is larger than
    1 / floor times that of the plain schedule, nor is the mean of its square. Learn it by
    `learned_objectives.LeastVariance`; at first it is the plain schedule.

    The bound is the same for every pace if the network is told the level, not the time:
    `network_time`.
    """

    kernel: Mixing
    bins: int = 32
    floor: float = 0.01  # the least density of levels; 1 would be the plain schedule

    def __post_init__(self):
        """Raises ValueError for what has no pace to learn, less than 2 bins, or a floor of 0."""
        if not isinstance(self.kernel, Mixing):
            raise ValueError(
                "LearnedSchedule changes the pace of a kernels.Mixing, such as kernels.uniform "
                f"gives; got {type(self.kernel).__name__}."
            )
        if not schedules.differentiable(self.kernel.schedule):
            raise ValueError(
                "LearnedSchedule needs a schedule with a derivative in time; "
                f"{type(self.kernel.schedule).__name__} has none. Use schedules.cosine."
            )
        if self.bins < 2:
            raise ValueError(f"LearnedSchedule needs at least 2 bins; got bins={self.bins}.")
        if not 0 < self.floor < 1:
            raise ValueError(
                "floor is a density of levels, above 0, where levels would never be visited, and "
                f"below 1, where nothing is left to learn; got floor={self.floor}. Try 0.01."
            )

    @property
    def prior(self) -> Float[Array, "*event K"]:
        """The law of x_1, whatever is learnt."""
        return self.kernel.prior

    @property
    def num_classes(self) -> int:
        """Data are in [0, num_classes)."""
        return self.kernel.num_classes

    def init(self, rng: Key) -> Params:
        """Zeros, {"levels": (bins,)}: the plain schedule."""
        return {"levels": jnp.zeros(self.bins)}

    def open(self, params: Params) -> Mixing:
        """The kernel at the learnt pace."""
        return dataclasses.replace(self.kernel, schedule=self.warped(params))

    def warped(self, params: Params) -> Warped:
        """The schedule at the learnt pace."""
        return Warped(self.kernel.schedule, self.heights(params))

    def heights(self, params: Params) -> Float[Array, "bins"]:
        """The share of time that each bin of levels takes, of sum 1."""
        return (1 - self.floor) * jax.nn.softmax(params["levels"]) + self.floor / self.bins

    def describe(self, params: Params) -> str:
        """A line on where time is spent, and on what lies at the floor."""
        heights = np.asarray(self.heights(params), np.float64)
        low, high = int(heights.argmin()), int(heights.argmax())
        idle = int((heights * self.bins < 2 * self.floor).sum())
        return (
            f"schedule of {self.bins} bins: {heights[high]:.1%} of the time at levels "
            f"{self._levels(high)}, {heights[low]:.2%} at {self._levels(low)}; "
            f"{idle} bins at the floor"
        )

    def check(self, params: Params) -> None:
        """Raises ValueError for numbers that are not finite, and if one bin takes nearly all."""
        heights = np.asarray(self.heights(params), np.float64)
        if not np.isfinite(heights).all():
            raise ValueError("The learnt schedule is not finite. Use a smaller learning rate.")
        most = int(heights.argmax())
        if heights[most] > COLLAPSED:
            raise ValueError(
                f"The learnt schedule has collapsed: it spends {heights[most]:.1%} of the time "
                f"at levels {self._levels(most)}, one of {self.bins} bins. If losses are large "
                "there, take a base schedule that lingers there, or more bins; if not, a smaller "
                "learning rate, or a higher floor."
            )

    def _levels(self, index: int) -> str:
        """The levels of a bin, to be read."""
        return f"{index / self.bins:.3g}-{(index + 1) / self.bins:.3g}"


def network_time(kernel: Kernel, t: Floats) -> Floats:
    """What a network is best told of time t, from 0 to 1.

    The noise level where the pace is learnt, so that what a network is asked at a level does not
    change with the pace, and the bound's mean neither; else the time itself.
    """
    schedule = schedules.of(kernel)
    return schedule.level(t) if isinstance(schedule, Warped) else t
