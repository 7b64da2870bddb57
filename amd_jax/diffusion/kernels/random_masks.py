"""Masks of several symbols: what a token is hidden behind is drawn at random, for all to see."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax.diffusion.kernels import bayes
from amd_jax.ops import categorical
from amd_jax.types import Array, Flags, Kernel, Key, Logits, Probs, Times, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class RandomMasks:
    """A kernel of one mask, which is one of M symbols: the states K, …, K + M - 1.

    Symbols are independent of the data and of each other, uniform, and drawn anew in every step.
    So a step of the reverse process draws from a mixture of products, one for each choice of
    symbols z of the masks,

        p(x_s | x_t) = E_z Π_n p(x_s[n] | x_t, z),

    where one mask leaves one product: what tokens of a step depend on each other can be learnt,
    by `learning.multi_sample`. Drawn anew, symbols have no derivative in time, so the number of
    steps is finite. Data, and other noise, move as they do in `base`.
    """

    base: Kernel  # with the mask as the one state after the classes
    symbols: int  # M

    differentiable = False

    def __post_init__(self):
        """Raises ValueError for a kernel without a mask, and for less than one symbol."""
        if self.symbols < 1:
            raise ValueError(f"A mask has at least 1 symbol; got {self.symbols}. Try 8.")
        base = self.base
        if not isinstance(base, Kernel) or jnp.shape(base.prior) != (base.num_classes + 1,):
            raise ValueError(
                "Random masks are for a fixed kernel with one state after the classes, its mask; "
                f"got a {type(base).__name__}. Use kernels.absorbing."
            )

    @property
    def num_classes(self) -> int:
        """K: data are in [0, K)."""
        return self.base.num_classes

    @property
    def shows_noise(self) -> bool:
        """Whether a token that is no mask is data."""
        return bayes.shows_noise(self.base)

    @property
    def prior(self) -> Float[Array, "K"]:
        """The law of x_1: (K + M,)."""
        return self._apart(self.base.prior)

    def push(self, p: Probs, s: Times, t: Times) -> Probs:
        """Law of x_t when x_s ~ p."""
        masks = p[..., self.num_classes :].sum(axis=-1, keepdims=True)
        together = jnp.concatenate([p[..., : self.num_classes], masks], axis=-1)
        anew = self._apart(self.base.push(together, s, t))
        return jnp.where(_moves(s, t, p.ndim), anew, p)

    def likelihood(self, x_t: Tokens, s: Times, t: Times) -> Probs:
        """q(x_t | x_s = k) for every k."""
        masked = (x_t >= self.num_classes)[..., None]
        into = self.base.likelihood(jnp.minimum(x_t, self.num_classes), s, t)
        into = self._each(into) / jnp.where(masked, self.symbols, 1)
        own = categorical.one_hot(x_t, into.shape[-1], into.dtype)
        return jnp.where(_moves(s, t, own.ndim), into, own)

    def redrawn(self, rng: Key, x_t: Tokens) -> Tokens:
        """x_t with the symbols of its masks drawn anew, which leaves its law as it is."""
        symbols = jax.random.randint(rng, x_t.shape, 0, self.symbols, x_t.dtype)
        return jnp.where(x_t >= self.num_classes, self.num_classes + symbols, x_t)

    def _each(self, a: Float[Array, "... K"]) -> Float[Array, "... _"]:
        """What is said of one mask, said of each symbol: (..., K + 1) -> (..., K + M)."""
        return jnp.concatenate([a[..., :-1], *[a[..., -1:]] * self.symbols], axis=-1)

    def _apart(self, p: Float[Array, "... K"]) -> Float[Array, "... _"]:
        """A law of one mask as that of its symbols: (..., K + 1) -> (..., K + M)."""
        return self._each(p.at[..., -1].divide(self.symbols))


def _moves(s: Times, t: Times, ndim: int) -> Flags:
    """Whether time passes between s and t, with `ndim` axes; if none does, all stays."""
    return categorical.expand(s < t, ndim)


@bayes.log_push.register
def _(kernel: RandomMasks, log_p: Logits, s: Times, t: Times) -> Logits:
    """As exact as that of the kernel with one mask."""
    data, masks = jnp.split(log_p, [kernel.num_classes], axis=-1)
    masks = jax.nn.logsumexp(masks, axis=-1, keepdims=True)
    pushed = bayes.log_push(kernel.base, jnp.concatenate([data, masks], axis=-1), s, t)
    anew = kernel._each(pushed.at[..., -1].add(-jnp.log(kernel.symbols)))
    return jnp.where(_moves(s, t, log_p.ndim), anew, log_p)


def random_masks(kernel: Kernel, symbols: int) -> Kernel:
    """A kernel of masks with so many symbols for them; with one symbol the kernel itself."""
    return RandomMasks(kernel, symbols) if symbols != 1 else kernel
