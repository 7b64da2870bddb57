"""Shared by samplers: a sharpened guess, and a walk over a grid of times."""

import dataclasses

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import time_grids
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Flags,
    Grid,
    Kernel,
    Key,
    LearnedKernel,
    PerToken,
    Probs,
    Times,
    Tokens,
)


@dataclasses.dataclass(frozen=True)
class Sharpened:
    """What samplers of any kind have: a guess that may be made surer than the network is."""

    temperature: float = options.number(1.0, "power 1 / temperature of the guess, renormalised")
    top_p: float = options.number(1.0, "keep the likeliest classes with this much of the guess")

    def __post_init__(self):
        """Raises ValueError for a number that is out of its range."""
        options.check(self)
        if not self.temperature > 0:
            raise ValueError(
                f"temperature must be above 0; got temperature={self.temperature}. For the "
                "likeliest tokens only, use a small one, such as 0.01."
            )
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p must be in (0, 1]; got top_p={self.top_p}.")

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """Whether the sampler is for this kernel."""
        return True

    def sharpened(self, process: Process, x_t: Tokens, t: Times) -> Probs:
        """The guess of x_0 from the other tokens, at this temperature and top_p."""
        return self.sharper(process.predict(x_t, t))

    def sharper(self, p: Probs) -> Probs:
        """A law p at this temperature and top_p."""
        return tempered(p, self.temperature, self.top_p)


@dataclasses.dataclass(frozen=True)
class Steps(Sharpened):
    """A walk from time to time, one network call each: what its kinds have in common.

    To add one: a frozen dataclass with a `name` and the method `law`, and `admits` if it is not
    for every kernel.
    """

    steps: int | None = options.number(
        None, "network calls; the model's number of steps unless given", kind=int, least=1
    )
    spacing: time_grids.Spacing = time_grids.spacing()
    greedy: bool = options.number(False, "take the likeliest token in the last step")
    corrections: int = options.number(
        0, "Gibbs steps after each step: a random token anew, given the others", least=0
    )

    def __post_init__(self):
        """Raises ValueError for a number out of its range, or times that are no grid."""
        super().__post_init__()
        object.__setattr__(self, "steps", time_grids.agreed(self.steps, self.spacing))

    def times(self, steps: int | None) -> Grid:
        """Its grid. Raises ValueError for more steps than the model has."""
        return time_grids.walked(self.steps, self.spacing, steps)

    def guess(self, process: Process, x_t: Tokens, t: Times) -> Probs:
        """The sharpened guess of x_0; tokens that show that they are data stay."""
        p_0 = self.sharpened(process, x_t, t)
        if not kernels.shows_noise(process.kernel):
            return p_0
        is_data = (x_t < process.kernel.num_classes)[..., None]
        return jnp.where(is_data, categorical.one_hot(x_t, p_0.shape[-1]), p_0)

    def anew(self, process: Process, x: Tokens, s: Times) -> Probs:
        """The law at s of every token given the others, by the sharpened guess."""
        return process.kernel.push(self.sharpened(process, x, s), jnp.zeros_like(s), s)

    def law(self, process: Process, p_0: Probs, x_t: Tokens, s: Times, t: Times) -> Probs:
        """The law of every token at s, given the guess p_0 at t."""
        raise NotImplementedError

    def step(
        self, process: Process, rng: Key, p_0: Probs, x_t: Tokens, s: Times, t: Times
    ) -> Tokens:
        """A draw of x_s from `law`."""
        return categorical.sample(rng, self.law(process, p_0, x_t, s, t))

    def __call__(self, process: Process, rng: Key, x: Tokens, times: Grid) -> Tokens:
        """The walk, as one loop on the device."""

        def step(i: Array, x: Tokens) -> Tokens:
            t, s = (jnp.full(x.shape[0], times[j]) for j in (i, i + 1))
            p_0 = self.guess(process, x, t)
            return self.walk_on(process, jax.random.fold_in(rng, i), p_0, x, s, t)

        return jax.lax.fori_loop(0, len(times) - 1, step, x)

    def walk_on(
        self, process: Process, rng: Key, p_0: Probs, x_t: Tokens, s: Times, t: Times
    ) -> Tokens:
        """x_s after a step of the walk, given the guess p_0 at t."""
        moved = self.step(process, rng, p_0, x_t, s, t)
        return self.settled(process, rng, p_0, x_t, moved, s, t)

    def settled(
        self, process: Process, rng: Key, p_0: Probs, x_t: Tokens, x_s: Tokens, s: Times, t: Times
    ) -> Tokens:
        """x_s, drawn in a step from x_t, as it is left: greedy at the end, corrected."""
        if self.greedy:
            clean = kernels.denoising_posterior(process.kernel, p_0, x_t, t)
            likeliest = clean.law.argmax(axis=-1)
            going_on = categorical.expand(s, x_s.ndim) > 0
            x_s = jnp.where(going_on, x_s, likeliest.astype(x_s.dtype))
        x_s = process.held(x_s, x_t)
        if not self.corrections:
            return x_s

        def corrected(j: Array, x: Tokens) -> Tokens:
            return process.held(self.correct(process, jax.random.fold_in(rng, j), x, s), x)

        return jax.lax.fori_loop(0, self.corrections, corrected, x_s)

    def correct(self, process: Process, rng: Key, x: Tokens, s: Times) -> Tokens:
        """One token of each row, at a random place, redrawn given the others.

        From q_s(x | r), its exact conditional: the law at s stays as it is (Campbell et al., 2022,
        sec. 4.4, has the continuous form).
        """
        rng_place, rng_token = jax.random.split(rng)
        anew = categorical.sample(rng_token, self.anew(process, x, s))
        return jnp.where(random_place(rng_place, x.shape), anew, x)


def tempered(p: Probs, temperature: float, top_p: float) -> Probs:
    """p^(1 / temperature), and of that the likeliest classes with a mass of `top_p`.

    The class that crosses `top_p` is kept, with those as likely (Holtzman et al., 2020, sec. 3.1).
    It is the guess that is changed, never the posterior: noise keeps its law.
    """
    if temperature != 1:
        log = categorical.log(p) / temperature
        p = jnp.where(p > 0, jnp.exp(log - log.max(axis=-1, keepdims=True)), 0.0)
        p = categorical.normalize(p)
    if top_p < 1:
        falling = jnp.sort(p, axis=-1)[..., ::-1]
        before = jnp.cumsum(falling, axis=-1) - falling
        least = jnp.where(before < top_p, falling, jnp.inf).min(axis=-1, keepdims=True)
        p = categorical.normalize(jnp.where(p >= least * (1 - 1e-5), p, 0.0))
    return p


def random_place(rng: Key, shape: tuple[int, ...], among: Flags | None = None) -> Flags:
    """One place of each row, of those in `among` where given."""
    return best_place(jax.random.uniform(rng, shape), among)


def best_place(score: PerToken, among: Flags | None = None) -> Flags:
    """The place of each row with the highest score, of those in `among` where given."""
    if among is not None:
        score = jnp.where(among, score, -jnp.inf)
    flat = score.reshape(score.shape[0], -1)
    place = jnp.arange(flat.shape[1]) == flat.argmax(axis=1, keepdims=True)
    return place.reshape(score.shape)
