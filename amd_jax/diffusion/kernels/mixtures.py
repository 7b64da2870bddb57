"""Kernels that keep a token or redraw it from the prior: uniform noise, masks, both."""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from amd_jax.diffusion import schedules
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, PerToken, Probs, Schedule, Times, Tokens


class Mixture:
    """q(x_t | x_s) = keep x_s + noise, with keep = α_t / α_s and noise n_t - keep n_s.

    To add one, whose noise moves with time: a frozen dataclass with `prior`, `num_classes` and
    the method `level`. n_t - keep n_s must not be negative: what was noise stays so (von Rütte et
    al., 2025, sec. 3).
    """

    prior: Float[Array, "*event K"]  # the law of x_1
    num_classes: int  # data are in [0, num_classes)

    def level(self, t: Times) -> tuple[Times, Float[Array, "B *event K"]]:
        """Log α_t, and the noise n_t, which sums to 1 - α_t: of all tokens (B, K), or of each."""
        raise NotImplementedError

    def log_keep(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ..."]:
        """Log of the chance to keep a token between s and t, with `ndim` axes: (B, 1, …)."""
        return categorical.expand(self.level(t)[0] - self.level(s)[0], ndim)

    def keep(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ..."]:
        """The chance to keep a token between s and t, with `ndim` axes: (B, 1, …)."""
        return jnp.exp(self.log_keep(s, t, ndim))

    def noise(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ... K"]:
        """The chance to be redrawn into every state, with `ndim` axes: (B, 1, …, K)."""
        (_, n_s), (_, n_t) = self.level(s), self.level(t)
        noise = categorical.positive(n_t - self.keep(s, t, n_t.ndim) * n_s)
        return noise.reshape(len(noise), *(1,) * (ndim - noise.ndim), *noise.shape[1:])

    def into(self, x: Tokens, s: Times, t: Times) -> PerToken:
        """The chance to be redrawn into x between s and t."""
        return categorical.gather(self.noise(s, t, x.ndim + 1), x)

    def push(self, p: Probs, s: Times, t: Times) -> Probs:
        """Law of x_t when x_s ~ p."""
        return self.keep(s, t, p.ndim) * p + self.noise(s, t, p.ndim)

    def likelihood(self, x_t: Tokens, s: Times, t: Times) -> Probs:
        """q(x_t | x_s = k) for every k."""
        own = categorical.one_hot(x_t, self.prior.shape[-1])
        return self.keep(s, t, own.ndim) * own + self.into(x_t, s, t)[..., None]


@dataclasses.dataclass(frozen=True, eq=False)  # eq=False: hashed by identity, so arrays are fields
class Mixing(Mixture):
    """Keep a token with probability α = α_t / α_s, else redraw it from `prior`.

    q(x_t | x_s) = Cat(α x_s + (1 - α) prior). A uniform prior is multinomial diffusion
    (Hoogeboom et al., 2021, sec. 4); all mass on a mask is the absorbing kernel (Austin et al.,
    2021, sec. 3.1).
    """

    schedule: Schedule
    prior: Float[Array, "*event K"]  # one for all tokens, (K,), or of each
    num_classes: int

    def __post_init__(self):
        """Raises ValueError for a schedule that cannot be one, as one that returns α."""
        schedules.check(self.schedule)

    def level(self, t: Times) -> tuple[Times, Float[Array, "B *event K"]]:
        """Log α_t, and the noise n_t."""
        log_alpha = self.schedule(t)
        share = categorical.expand(-jnp.expm1(log_alpha), log_alpha.ndim + self.prior.ndim)
        return log_alpha, share * self.prior

    def log_keep(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ..."]:
        """Log of the chance to keep a token: (B, 1, …)."""
        return categorical.expand(self.schedule(t) - self.schedule(s), ndim)

    def redraw(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ..."]:
        """The chance to be redrawn at all, exact where it is small: (B, 1, …)."""
        return -jnp.expm1(self.log_keep(s, t, ndim))

    def noise(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ... K"]:
        """The chance to be redrawn into every state: (B, 1, …, K)."""
        return self.redraw(s, t, ndim) * self.prior

    def into(self, x: Tokens, s: Times, t: Times) -> PerToken:
        """The chance to be redrawn into x."""
        chances = self.prior[x] if self.prior.ndim == 1 else categorical.gather(self.prior, x)
        return self.redraw(s, t, x.ndim) * chances


def mixing(kernel: Kernel) -> Mixing:
    """The kernel itself, if it keeps a token or redraws it from its prior; else TypeError."""
    if not isinstance(kernel, Mixing):
        raise TypeError(f"This is for a kernels.Mixing; got a {type(kernel).__name__}.")
    return kernel


def uniform(schedule: Schedule, num_classes: int) -> Mixing:
    """Multinomial diffusion: noise is uniform over classes (Hoogeboom et al., 2021, sec. 4)."""
    check_classes(num_classes)
    return Mixing(schedule, jnp.full(num_classes, 1 / num_classes), num_classes)


def uniform_within(schedule: Schedule, possible: Bool[np.ndarray, "*event K"]) -> Mixing:
    """Noise that is uniform over what each token can be, as columns of a table differ in classes.

    Multinomial diffusion of each token by itself (Kotelnikov et al., 2023, sec. 3).

    Raises:
        ValueError: for a token that can be nothing.
    """
    if not np.any(possible, axis=-1).all():
        raise ValueError("A token can be of one class or more; got a row of none. Leave it out.")
    prior = jnp.asarray(possible / possible.sum(axis=-1, keepdims=True), jnp.float32)
    return Mixing(schedule, prior, prior.shape[-1])


def absorbing(schedule: Schedule, num_classes: int) -> Mixing:
    """Masking: noise is one further state, K = num_classes + 1 (Austin et al., 2021, sec. 3.1)."""
    check_classes(num_classes)
    return Mixing(schedule, mask_only(num_classes), num_classes)


@dataclasses.dataclass(frozen=True, eq=False)
class MasksAndUniform(Mixture):
    """Masks, and on the way to them some uniform noise: GIDD (von Rütte et al., 2025, sec. 3).

    α_t = (1 - t) / (1 + c) and n_t = (t mask + c uniform) / (1 + c), where c = B (t (1 - t))^(γ/2)
    and B = 2^γ p / (1 - p): at t = 1/2 a token is uniform noise with probability p. One further
    state, the mask, as in `absorbing`; with p = 0 it is `absorbing(schedules.linear, …)`.
    """

    num_classes: int
    p_uniform: float = 0.2
    gamma: float = 1.0

    def __post_init__(self):
        """Raises ValueError for less than 2 classes, or shares outside [0, 1)."""
        check_classes(self.num_classes)
        if not 0 <= self.p_uniform < 1:
            raise ValueError(
                "p_uniform is a share of tokens, at least 0 and below 1; got "
                f"{self.p_uniform}. Try 0.2."
            )
        if self.gamma <= 0:
            raise ValueError(f"gamma must be above 0; got {self.gamma}. Try 1.0.")

    @property
    def prior(self) -> Float[Array, "K"]:  # type: ignore[override]  # a field of others
        """The law of x_1, all mask: (K + 1,)."""
        return mask_only(self.num_classes)

    def level(self, t: Times) -> tuple[Times, Float[Array, "B K"]]:
        """Log α_t, and the noise n_t."""
        level = 2**self.gamma * self.p_uniform / (1 - self.p_uniform)
        inside = (t > 0) & (t < 1)  # at the ends the root has no derivative
        c = jnp.where(inside, t * (1 - t), 1.0) ** (self.gamma / 2) * inside * level
        uniform = jnp.full(self.num_classes + 1, 1 / self.num_classes).at[-1].set(0.0)
        mask = -jnp.expm1(schedules.linear(t))  # t but for what is left at the end
        noise = (mask[..., None] * self.prior + c[..., None] * uniform) / (1 + c)[..., None]
        return schedules.linear(t) - jnp.log1p(c), noise

    def pace(self, u: Times) -> Times:
        """sin²(π u / 2): slow at both ends, where c has a slope that grows without bound."""
        return jnp.sin(jnp.pi / 2 * u) ** 2


def masks_and_uniform(
    num_classes: int, p_uniform: float = 0.2, gamma: float = 1.0
) -> MasksAndUniform | Mixing:
    """Masks with a share `p_uniform` of uniform noise at t = 1/2 (von Rütte et al., 2025, sec. 3).

    With none of it masks alone, `absorbing(schedules.linear, …)`, and what they allow.
    """
    noise = MasksAndUniform(num_classes, p_uniform, gamma)
    return noise if p_uniform else absorbing(schedules.linear, num_classes)


def mask_only(num_classes: int) -> Float[Array, "K"]:
    """The law of a mask, the state after the classes: (K + 1,)."""
    return jnp.zeros(num_classes + 1).at[num_classes].set(1.0)


def check_classes(num_classes: int) -> None:
    """Raises ValueError for less than 2 classes."""
    if num_classes < 2:
        raise ValueError(
            f"A kernel needs at least 2 classes; got {num_classes}. With one class there is "
            "nothing to learn: check the data's alphabet."
        )
