"""Uniform noise with a visible flag: a token says whether it can be noise, as a mask does."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.diffusion import schedules
from amd_jax.diffusion.kernels.mixtures import check_classes
from amd_jax.ops import categorical
from amd_jax.types import Array, Probs, Schedule, Times, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class AugmentedUniform:
    """Multinomial diffusion with the noise u of every token beside x_t, u drawn once.

    Where x_t differs from u it is data; where they are equal it may be either. The 2 K states are
    such pairs: k < K is data k, K + u is x_t = u. x_t alone has the law of `uniform`. On the way
    back data stay as they are (AUDM, the absorbing form of uniform diffusion: Gourevitch et al.,
    2026). A token whose u is its own class is in doubt from the start; at time 0 all doubt ends.
    """

    schedule: Schedule
    num_classes: int  # K

    shows_noise = True

    def __post_init__(self):
        """Raises ValueError for less than 2 classes, or a schedule that cannot be one."""
        check_classes(self.num_classes)
        schedules.check(self.schedule)

    @property
    def prior(self) -> Float[Array, "K"]:
        """The law of x_1, any noise: (2 K,)."""
        return jnp.repeat(jnp.array([0.0, 1 / self.num_classes]), self.num_classes)

    def push(self, p: Probs, s: Times, t: Times) -> Probs:
        """Law of x_t when x_s ~ p."""
        keep, own, other = self._chances(s, t, p.ndim)
        data, noise = jnp.split(p, 2, axis=-1)
        others = categorical.positive(data.sum(axis=-1, keepdims=True) - data)
        return jnp.concatenate([keep * data, noise + own * data + other * others], axis=-1)

    def likelihood(self, x_t: Tokens, s: Times, t: Times) -> Probs:
        """q(x_t | x_s = k) for every k."""
        keep, own, other = self._chances(s, t, x_t.ndim + 1)
        same = categorical.one_hot(x_t, 2 * self.num_classes)
        data, noise = jnp.split(same, 2, axis=-1)
        is_noise = noise.any(axis=-1, keepdims=True)
        into = jnp.where(is_noise, own * noise + other * (1 - noise), keep * data)
        return jnp.concatenate([into, noise], axis=-1)

    def log_keep(self, s: Times, t: Times, ndim: int) -> Float[Array, "B ..."]:
        """Log of the chance of data to stay: (B,) -> (B, 1, …)."""
        keep, _, _ = self._chances(s, t, ndim)
        return jnp.log(keep)

    def _chances(self, s: Times, t: Times, ndim: int) -> tuple[Array, Array, Array]:
        """For data at s: to stay, to turn out as u, to become another u, each: (B, 1, …)."""
        first = (s <= 0) & (t > 0)  # when u is drawn
        own = categorical.expand(jnp.where(first, 1 / self.num_classes, 0.0), ndim)
        log_keep = categorical.expand(self.schedule(t) - self.schedule(s), ndim)
        other = -jnp.expm1(log_keep) / (self.num_classes - 1)
        return (1 - own) * jnp.exp(log_keep), own, (1 - own) * other
