"""Editors: a diffusion corrects or rewrites given data."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process, Stepwise
from amd_jax.diffusion.samplers import base
from amd_jax.models import declared
from amd_jax.models.checks import check_call
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Key, LearnedKernel, Params, Tokens

CLASSES = 512  # that stand for all in a mean over more


@dataclasses.dataclass(frozen=True)
class Correct:
    """Replaces each token by the most probable one, in one pass; inserts and deletes none.

    Takes x for a state of the diffusion in which `error_rate` of the tokens are wrong, and the
    argmax of normalise(guess ⊙ q(x_t | x_0 = ·)): a token is changed only where the context
    outweighs the evidence of the token itself. With `raw`, the argmax of the guess alone, as in
    Hoogeboom et al., 2021, sec. 5.3.
    """

    error_rate: float = options.number(0.05, "share of the tokens that are wrong")
    raw: bool = False
    name = "correct"
    done = "corrected"

    def __post_init__(self):
        """Raises ValueError for rates outside (0, 1)."""
        if not 0 < self.error_rate < 1:
            raise ValueError(
                f"The error rate must be between 0 and 1; got {self.error_rate}. Try 0.05."
            )

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """For kernels by which a token may become another one without a sign of it."""
        return not kernels.shows_noise(kernel)

    def __call__(self, model: Stepwise, params: Params, rng: Key, x: Tokens) -> Tokens:
        """Clean tokens for x, int32; nothing is drawn."""
        check_call(rng, x)
        process = model.open(params)
        t = time_of(process, model.steps or 1000, self.error_rate)
        t = jnp.broadcast_to(t, x.shape[:1])
        p = process.predict(x, t) if self.raw else process.denoised(x, t).law
        return _valid(process, x, p.argmax(axis=-1).astype(jnp.int32))


@dataclasses.dataclass(frozen=True)
class Edit:
    """Data noised up to the time `strength`, and walked back from there.

    A variation on x: near strength 0 it is x, at 1 a sample that has forgotten x. After Meng et
    al., 2022, sec. 3, for continuous data. The walk is made by the first of the model's samplers
    that goes from step to step, with about a share `strength` of its steps.
    """

    strength: float = options.number(0.3, "time up to which data are noised, in (0, 1]")
    steps: int | None = options.number(
        None, "steps from noise to data; as many as the sampler's", kind=int, least=1
    )
    name = "edit"
    done = "edited"

    def __post_init__(self):
        """Raises ValueError for a strength outside (0, 1], and less than 1 step."""
        options.check(self)
        if not 0 < self.strength <= 1:
            raise ValueError(f"strength must be in (0, 1]; got strength={self.strength}. Try 0.3.")

    def __call__(self, model: Stepwise, params: Params, rng: Key, x: Tokens) -> Tokens:
        """A draw for x, int32."""
        check_call(rng, x)
        process = model.open(params)
        sampler = next(s for s in declared.samplers(model) if isinstance(s, base.Steps))
        if self.steps is not None:
            sampler = dataclasses.replace(sampler, steps=self.steps)
        with jax.ensure_compile_time_eval():
            grid, start = np.asarray(sampler.times(model.steps)), np.float32(self.strength)
        times = jnp.asarray([start, *grid[grid < start]])
        rng_noise, rng = jax.random.split(rng)
        x_t = process.corrupted(rng_noise, x, jnp.full(x.shape[0], start))
        return _valid(process, x, sampler(process, rng, x_t, times))


def _valid(process: Process, x: Tokens, result: Tokens) -> Tokens:
    """The result for x, -1 in rows with a token of no class, which outside of jit is an error."""
    nats = categorical.inside(x, process.kernel.num_classes)
    return jnp.where(categorical.expand(jnp.isnan(nats), x.ndim), -1, result)


def time_of(process: Process, steps: int, error_rate: float) -> Float[Array, ""]:
    """The time, of 1/T, …, 1, at which the share of changed tokens is nearest to a rate.

    By halving, since that share grows with time. It is a mean over all classes, or over `CLASSES`
    of them and some, at equal distances, so that no array is as large as K x K.
    """
    kernel = process.kernel
    *event, states = kernel.prior.shape
    clean = jnp.arange(0, kernel.num_classes, max(1, kernel.num_classes // CLASSES))
    clean = clean.reshape(-1, *(1,) * len(event))
    clean = jnp.broadcast_to(clean, (len(clean), *event))  # rows of one class each
    own = categorical.gather(jnp.broadcast_to(kernel.prior, (*clean.shape, states)), clean) > 0
    counts = own if event else None  # a class that a token cannot be does not count
    start = jnp.zeros(len(clean))

    def changed(i: Array) -> Array:
        law = kernel.push(categorical.one_hot(clean, states), start, start + i / steps)
        return 1 - categorical.gather(law, clean).mean(where=counts)

    def halve(_: Array, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) // 2
        early = changed(middle) < error_rate
        return jnp.where(early, middle, low), jnp.where(early, high, middle)

    ends = jnp.array(0), jnp.array(steps)
    low, high = jax.lax.fori_loop(0, math.ceil(math.log2(steps)), halve, ends)
    first = jnp.abs(changed(low) - error_rate) < jnp.abs(changed(high) - error_rate)
    return jnp.where(first & (low > 0), low, high) / steps
