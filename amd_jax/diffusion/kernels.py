"""Forward processes on K states, and what follows from any of them by Bayes' rule."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from amd_jax.diffusion import schedules
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Key, LearnedKernel, Params, Schedule


@dataclasses.dataclass(frozen=True, eq=False)  # eq=False: hashed by identity, so arrays are fields
class Mixing:
    """Keep a token with probability α = α_t / α_s, else redraw it from `prior`.

    q(x_t | x_s) = Cat(α x_s + (1 - α) prior). A uniform prior is multinomial diffusion
    (Hoogeboom et al., 2021, sec. 4); all mass on a mask is the absorbing kernel (Austin et al.,
    2021, sec. 3.1).
    """

    schedule: Schedule  # t (B,) in [0, 1] -> log α_t (B,), with log α_0 = 0
    prior: Array  # (K,), the law of x_1
    num_classes: int  # data are in [0, num_classes)

    def __post_init__(self):
        """Raises ValueError for a schedule that cannot be one, as one that returns α."""
        schedules.check(self.schedule)

    def push(self, p: Array, s: Array, t: Array) -> Array:
        """Law of x_t when x_s ~ p: (B, ..., K) -> (B, ..., K)."""
        keep, redraw = self.split(s, t, p.ndim)
        return keep * p + redraw * self.prior

    def likelihood(self, x_t: Array, s: Array, t: Array) -> Array:
        """q(x_t | x_s = k) for every k: (B, ...) -> (B, ..., K)."""
        keep, redraw = self.split(s, t, x_t.ndim + 1)
        own = categorical.one_hot(x_t, len(self.prior))
        return keep * own + redraw * self.prior[x_t][..., None]

    def split(self, s: Array, t: Array, ndim: int) -> tuple[Array, Array]:
        """The chances to keep and to redraw between s and t: (B,) -> (B, 1, ...) each."""
        log_alpha = categorical.expand(self.schedule(t) - self.schedule(s), ndim)
        return jnp.exp(log_alpha), -jnp.expm1(log_alpha)


def uniform(schedule: Schedule, num_classes: int) -> Mixing:
    """Multinomial diffusion: noise is uniform over classes (Hoogeboom et al., 2021, sec. 4)."""
    _check_classes(num_classes)
    return Mixing(schedule, jnp.full(num_classes, 1 / num_classes), num_classes)


def absorbing(schedule: Schedule, num_classes: int) -> Mixing:
    """Masking: noise is one further state, K = num_classes + 1 (Austin et al., 2021, sec. 3.1)."""
    _check_classes(num_classes)
    return Mixing(schedule, jnp.zeros(num_classes + 1).at[num_classes].set(1.0), num_classes)


def init(kernel: Kernel | LearnedKernel, rng: Key) -> Params:
    """Parameters of a kernel that learns; {} of one that does not."""
    return kernel.init(rng) if hasattr(kernel, "open") else {}


def opened(kernel: Kernel | LearnedKernel, params: Params) -> Kernel:
    """The kernel with its parameters in place; one that has none is itself."""
    return kernel.open(params) if hasattr(kernel, "open") else kernel


def posterior(kernel: Kernel, p_0: Array, x_t: Array, s: Array, t: Array) -> Array:
    """q(x_s | x_t, x_0 ~ p_0) by Bayes' rule, for any kernel: (B, ..., K).

    p_0 (B, ..., K), x_t (B, ...), s < t (B,). With p_0 one-hot it is the true posterior; with a
    network's p_0 it is the model's reverse step (Hoogeboom et al., 2021, eq. 13).
    """
    start = jnp.zeros_like(s)
    return categorical.normalize(kernel.likelihood(x_t, s, t) * kernel.push(p_0, start, s))


def denoising_posterior(kernel: Kernel, p_0: Array, x_t: Array, t: Array) -> Array:
    """p(x_0 | x_t) with the own token's evidence, normalise(p_0 ⊙ q(x_t | x_0 = ·)): (B, ..., K).

    p_0 (B, ..., K) is the guess from the other tokens: what the x_0-parametrisation learns.
    """
    return posterior(kernel, p_0, x_t, jnp.zeros_like(t), t)


@functools.singledispatch
def corrupt(kernel: Kernel, rng: Key, x_0: Array, t: Array) -> Array:
    """A draw of x_t ~ q(x_t | x_0): (B, ...), (B,) -> (B, ...)."""
    start = categorical.one_hot(x_0, len(kernel.prior))
    return categorical.sample(rng, kernel.push(start, jnp.zeros_like(t), t))


@functools.singledispatch
def step_back(kernel: Kernel, rng: Key, p_0: Array, x_t: Array, s: Array, t: Array) -> Array:
    """A draw of x_s ~ posterior(kernel, p_0, x_t, s, t): (B, ..., K), (B, ...) -> (B, ...)."""
    return categorical.sample(rng, posterior(kernel, p_0, x_t, s, t))


@corrupt.register
def _(kernel: Mixing, rng: Key, x_0: Array, t: Array) -> Array:
    """Keep or redraw: no (B, ..., K) array is needed."""
    rng_keep, rng_noise = jax.random.split(rng)
    keep, _ = kernel.split(jnp.zeros_like(t), t, x_0.ndim)
    noise = draw_prior(kernel, rng_noise, x_0.shape)
    return jnp.where(jax.random.uniform(rng_keep, x_0.shape) < keep, x_0, noise)


@step_back.register
def _(kernel: Mixing, rng: Key, p_0: Array, x_t: Array, s: Array, t: Array) -> Array:
    """Draw in two parts: x_t was kept since s, or x_s ~ q(x_s | p_0) was redrawn into it.

    The second part may be as rare as 1 - α = 1e-5 over K = 256 states; one draw over all states
    at float32's resolution would distort it.
    """
    rng_keep, rng_redraw = jax.random.split(rng)
    p_s = kernel.push(p_0, jnp.zeros_like(s), s)
    keep, redraw = kernel.split(s, t, x_t.ndim)
    kept, redrawn = keep * categorical.gather(p_s, x_t), redraw * kernel.prior[x_t]
    u = jax.random.uniform(rng_keep, x_t.shape)
    return jnp.where(u * (kept + redrawn) < redrawn, categorical.sample(rng_redraw, p_s), x_t)


def draw_prior(kernel: Kernel, rng: Key, shape: tuple[int, ...]) -> Array:
    """Independent draws from the kernel's prior, int32 of the given shape."""
    cdf = jnp.cumsum(kernel.prior)
    u = jax.random.uniform(rng, shape) * cdf[-1]
    return jnp.searchsorted(cdf, u, side="right", method="compare_all").astype(jnp.int32)


def _check_classes(num_classes: int) -> None:
    if num_classes < 2:
        raise ValueError(
            f"A kernel needs at least 2 classes; got {num_classes}. With one class there is "
            "nothing to learn: check the data's alphabet."
        )
