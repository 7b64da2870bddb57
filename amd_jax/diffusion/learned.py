"""Kernels with parameters: a schedule of least variance, and masks with a power for each class.

Each is a `LearnedKernel`: `init` makes the parameters, `open` puts them in place. Two methods
beside these say how a training goes: `told`, a line about parameters, and `check`, which raises
ValueError where they have collapsed. Both look at numbers, so call them outside of jit.
`learning/learned_objectives.py` has the objectives that train them.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.diffusion import kernels, mixtures, schedules
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Key, Params, Schedule

COLLAPSED = 0.9  # the share of time in one bin of levels at which a schedule says so
POWERS = (0.05, 20.0)  # beyond these a class is masked at once, or at the very end


@dataclasses.dataclass(frozen=True, eq=False)
class Warped:
    """A schedule that runs through the noise levels u of another one at a pace of its own.

    log α_t = base(u), where level u in [0, 1] comes at time F(u) = ∫_0^u n heights[bin] du, over n
    bins of equal width: of uniformly drawn times, n heights[bin] is the density of levels. Both
    ends stay where they are, exactly.
    """

    base: Schedule
    heights: Array  # (n,), positive, of sum 1: the share of time that each bin of levels takes

    def __call__(self, t: Array) -> Array:
        """T (B,) in [0, 1] -> log α_t (B,)."""
        return self.base(self.level(t))

    def level(self, t: Array) -> Array:
        """The noise level at time t, from 0 to 1: (B,) -> (B,).

        Its slope at the border of two bins is that of the later one.
        """
        right = jnp.cumsum(self.heights).at[-1].set(1.0)  # α_1 is the base's, without rounding
        left = jnp.concatenate([jnp.zeros_like(right[:1]), right[:-1]])
        at = self._bin(t)
        return (at + (t - left[at]) / (right - left)[at]) / len(self.heights)

    def log_density(self, t: Array) -> Array:
        """Log density of the level at time t: (B,) -> (B,). It is constant within a bin.

        With the level held fixed: its derivative by the heights is that of heights[bin] alone.
        """
        return jnp.log(len(self.heights) * self.heights[self._bin(t)])

    def _bin(self, t: Array) -> Array:
        """The bin of the level at time t, int32 (B,)."""
        borders = jnp.cumsum(self.heights)[:-1]
        return jnp.searchsorted(borders, t, side="right", method="compare_all")


@dataclasses.dataclass(frozen=True, eq=False)
class LearnedSchedule:
    """A mixing kernel whose pace through the noise levels is learnt, for the least variance.

    In continuous time the bound does not depend on the pace, the variance of its estimate does
    (Kingma et al., 2021, sec. 5.1 and app. I): with ℓ(u) the bound's integrand over levels u, an
    estimate is ℓ(u) / p(u), and best is p(u) ∝ sqrt(E[ℓ²]). Heights are
    (1 - floor) softmax(levels) + floor / bins, so p(u) >= floor: no estimate is larger than
    1 / floor times that of the plain schedule, nor is the mean of its square. Learn it by
    `learned_objectives.LeastVariance`; at first it is the plain schedule.

    The bound is the same for every pace if the network is told the level, not the time:
    `network_time`.
    """

    kernel: kernels.Mixing
    bins: int = 32
    floor: float = 0.01  # the least density of levels; 1 would be the plain schedule

    def __post_init__(self):
        """Raises ValueError for what has no pace to learn, less than 2 bins, or a floor of 0."""
        if not isinstance(self.kernel, kernels.Mixing):
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
    def prior(self) -> Array:
        """The law of x_1, whatever is learnt: (K,)."""
        return self.kernel.prior

    @property
    def num_classes(self) -> int:
        """Data are in [0, num_classes)."""
        return self.kernel.num_classes

    def init(self, rng: Key) -> Params:
        """Zeros, {"levels": (bins,)}: the plain schedule."""
        return {"levels": jnp.zeros(self.bins)}

    def open(self, params: Params) -> kernels.Mixing:
        """The kernel at the learnt pace."""
        schedule = Warped(self.kernel.schedule, self.heights(params))
        return dataclasses.replace(self.kernel, schedule=schedule)

    def heights(self, params: Params) -> Array:
        """The share of time that each bin of levels takes: (bins,), of sum 1."""
        return (1 - self.floor) * jax.nn.softmax(params["levels"]) + self.floor / self.bins

    def told(self, params: Params) -> str:
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


def network_time(kernel: Kernel, t: Array) -> Array:
    """What a network is best told of time t: (B,) -> (B,), from 0 to 1.

    The noise level where the pace is learnt, so that what a network is asked at a level does not
    change with the pace, and the bound's mean neither; else the time itself.
    """
    schedule = getattr(kernel, "schedule", None)
    return schedule.level(t) if isinstance(schedule, Warped) else t


@dataclasses.dataclass(frozen=True, eq=False)
class ClassMasking:
    """A token of class i is still there at t with probability α_{t,i} = 1 - (1 - ε) t^{w_i}.

    Else it is a mask, one further state (Shi et al., 2024, sec. 6). Between s and t it stays with
    α_{t,i} / α_{s,i}. With ε = 0 α_1 is exp(-30), as of all schedules, and x_1 all mask. The
    authors' code has ε = 1e-4 and a prior of masks only, for which KL(q(x_1 | x_0) || prior) is
    infinite; here the prior then has ε left, uniform over classes, and that KL is ε log K nats a
    token: a bound that holds, of samples with as many random tokens.
    """

    powers: Array  # (K,), w_i > 0; classes of a low power go early
    epsilon: float = 0.0

    @property
    def num_classes(self) -> int:
        """K: data are in [0, K)."""
        return len(self.powers)

    @property
    def prior(self) -> Array:
        """The law of x_1: (K + 1,)."""
        left = jnp.full(self.num_classes + 1, self.epsilon / self.num_classes)
        return left.at[-1].set(1 - self.epsilon)

    def log_alpha(self, t: Array) -> Array:
        """Log α_{t,i} for every class i: (B,) -> (B, K)."""
        inside = (t > 0)[..., None]  # at t = 0 a power below 1 has no derivative
        end = (1 - self.epsilon) ** (1 / self.powers)  # (t end)^w = (1 - ε) t^w
        time = jnp.where(inside, t[..., None], 0.5) * end
        return jnp.where(inside, schedules.Polynomial(self.powers)(time), 0.0)

    def push(self, p: Array, s: Array, t: Array) -> Array:
        """Law of x_t when x_s ~ p: (B, ..., K + 1) -> (B, ..., K + 1)."""
        keep, mask = self._split(s, t, p.ndim)
        data, masked = p[..., :-1], p[..., -1:]
        masked = masked + (mask * data).sum(axis=-1, keepdims=True)
        return jnp.concatenate([keep * data, masked], axis=-1)

    def likelihood(self, x_t: Array, s: Array, t: Array) -> Array:
        """q(x_t | x_s = k) for every k: (B, ...) -> (B, ..., K + 1)."""
        keep, mask = self._split(s, t, x_t.ndim + 1)
        own = categorical.one_hot(x_t, self.num_classes + 1, dtype=keep.dtype)
        data, masked = own[..., :-1], own[..., -1:]
        return jnp.concatenate([keep * data + mask * masked, masked], axis=-1)

    def _split(self, s: Array, t: Array, ndim: int) -> tuple[Array, Array]:
        """Chances to stay and to become a mask, with `ndim` axes: (B, 1, …, K) each."""
        change = self.log_alpha(t) - self.log_alpha(s)
        change = change.reshape(-1, *(1,) * (ndim - 2), self.num_classes)
        return jnp.exp(change), -jnp.expm1(change)


@dataclasses.dataclass(frozen=True)
class PerClassMasking:
    """Masks with a learnt power for each class, w = softplus(powers): GenMD4.

    Which classes go early and which late is learnt by the bound (Shi et al., 2024, sec. 6). Its
    gradient needs `learned_objectives.LeaveOneOutReinforce`, since x_t depends on the powers. All
    powers times one number is another pace of the same process: in continuous time the bound
    cannot tell. An estimate near t = 0 grows as w / t: its variance is finite for w > 1, or where
    the cross-entropy vanishes there.
    """

    num_classes: int
    power: float = 1.0  # of every class at first: `schedules.linear`
    epsilon: float = 0.0

    def __post_init__(self):
        """Raises ValueError for less than 2 classes, no power, or ε outside [0, 1)."""
        mixtures.check_classes(self.num_classes)
        if self.power <= 0:
            raise ValueError(f"power must be above 0; got {self.power}. Use 1.0 for linear.")
        if not 0 <= self.epsilon < 1:
            raise ValueError(
                f"epsilon is the share that is left at time 1, at least 0 and below 1; got "
                f"{self.epsilon}."
            )

    @property
    def prior(self) -> Array:
        """The law of x_1, whatever is learnt: (K + 1,)."""
        return ClassMasking(jnp.ones(self.num_classes), self.epsilon).prior

    def init(self, rng: Key) -> Params:
        """{"powers": (K,)}, before softplus: the same power for every class."""
        return {"powers": jnp.full(self.num_classes, np.log(np.expm1(self.power)), jnp.float32)}

    def open(self, params: Params) -> ClassMasking:
        """The kernel with these powers."""
        return ClassMasking(jax.nn.softplus(params["powers"]), self.epsilon)

    def told(self, params: Params) -> str:
        """A line on the classes that go first and last."""
        powers = np.asarray(self.open(params).powers)
        first, last = int(powers.argmin()), int(powers.argmax())
        return (
            f"masking powers: {powers[first]:.3g} (class {first}, masked first) to "
            f"{powers[last]:.3g} (class {last}, masked last)"
        )

    def check(self, params: Params) -> None:
        """Raises ValueError for a class that is masked at once, or not before the very end."""
        powers = np.asarray(self.open(params).powers)
        bad = ~((powers >= POWERS[0]) & (powers <= POWERS[1]))  # NaN too
        if bad.any():
            first = int(bad.argmax())
            raise ValueError(
                f"A masking power has left [{POWERS[0]}, {POWERS[1]}]: that of class {first} is "
                f"{powers[first]:.3g}, so that its tokens go all at one end of time, where the "
                "bound's estimates grow without limit. Use a smaller learning rate."
            )
