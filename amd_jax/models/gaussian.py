"""Gaussian diffusion of classes: their points become noise, and a network restores them."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from amd_jax import options
from amd_jax.diffusion import gaussian, kernels
from amd_jax.diffusion.gaussian import noise_schedules
from amd_jax.diffusion.gaussian.process import Points
from amd_jax.models import checks, trajectories
from amd_jax.models.both_sides import BothSides
from amd_jax.models.bounds import ImportanceWeighted
from amd_jax.models.checks import Network
from amd_jax.models.step_bounds import AllSteps, DrawnSteps
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid, Key, Latents, Logits, Nats, Params, Sampler, Times, Tokens

Places = Float[Array, "K D"]  # where classes lie
Level = Float[Array, "..."]  # γ_t, which broadcasts to z


@dataclasses.dataclass(frozen=True)
class Classes:
    """A denoiser that puts out logits of the class at each position: (B, ..., K).

    It reads the softmax of `gaussian.evidence` at each position: all that z says of the class
    there, and a one-hot without noise. Its logits are the guess from the other positions, to which
    that evidence is added by Bayes' rule, unless it has `denoises = True`. The guess of f is the
    mean point.
    """

    def read(self, z: Points, gamma: Level, points: Places) -> Logits:
        """What the denoiser reads."""
        return jax.nn.softmax(gaussian.evidence(points, z, gamma))

    def outputs(self, points: Places) -> int:
        """K."""
        return len(points)

    def guess(
        self, out: Logits, z: Points, gamma: Level, points: Places, denoises: bool
    ) -> gaussian.Guess:
        """The guess at z, from logits."""
        if denoises:
            log_law, log_others = jax.nn.log_softmax(out), None
        else:
            log_others = jax.nn.log_softmax(out)
            log_law = jax.nn.log_softmax(out + gaussian.evidence(points, z, gamma))
        return gaussian.Guess(jnp.exp(log_law) @ points, log_law, log_others)


@dataclasses.dataclass(frozen=True)
class Noise:
    """A denoiser that puts out the noise ε in z_t: (B, ..., D), as in Ho et al., 2020, sec. 3.2.

    It reads z_t. With a clip c the guess of f that follows is kept in [-c, c].
    """

    clip: float | None = None

    def read(self, z: Points, gamma: Level, points: Places) -> Points:
        """What the denoiser reads."""
        return z

    def outputs(self, points: Places) -> int:
        """D."""
        return points.shape[1]

    def guess(
        self, out: Points, z: Points, gamma: Level, points: Places, denoises: bool
    ) -> gaussian.Guess:
        """The guess at z, from noise."""
        f = gaussian.clean_of(z, out, gamma)
        return gaussian.Guess(f if self.clip is None else f.clip(-self.clip, self.clip))


@dataclasses.dataclass(frozen=True, eq=False)
class GaussianDiffusion:
    """A diffusion of integer arrays (B, ...) by Gaussian noise on their points (B, ..., D).

    The denoiser is any linen module `(vectors, t (B,), *, train) -> (B, ..., outputs)`: those of
    `Diffusion` are, since they read real vectors in the place of one-hots. `output` says what it
    reads and puts out: logits of K classes, or noise of D numbers. With a variance that it has a
    say in, D numbers more. Its t is the level of the noise: 2/π arctan(σ_t / α_t), from 0 to 1.

    Time is discrete, with T steps, or with steps=None continuous (Kingma et al., 2021). Either
    way x is read off z_0, which is a step away from the points (`gaussian.decoded`).
    """

    points: Places | Float[np.ndarray, "K D"]  # `gaussian.one_hots`, `gaussian.on_a_line`
    denoiser: Network
    levels: Any = noise_schedules.Linear()  # noqa: RUF009  t -> γ_t, or `noise_schedules.Learned`
    steps: int | None = 1000  # T
    output: Classes | Noise = Classes()  # noqa: RUF009
    variance: str = "small"  # of a step back: small, large, or said by the network: range, learned
    samplers: tuple[Sampler, ...] = gaussian.samplers.ALL  # the default first

    bounds = (DrawnSteps(), AllSteps(), ImportanceWeighted(), BothSides())
    sees_known = False

    def __post_init__(self):
        """Raises ValueError for points, steps or a variance that cannot be."""
        checks.check_steps(self.levels, self.steps)
        checks.check_signature(self.denoiser)
        if np.ndim(self.points) != 2 or not np.isfinite(self.points).all():
            raise ValueError(
                f"Points are finite numbers (K, D); got shape {np.shape(self.points)}. Use "
                "gaussian.one_hots(num_classes)."
            )
        if self.variance not in gaussian.VARIANCES:
            raise ValueError(
                f"The variance is one of {', '.join(gaussian.VARIANCES)}; got {self.variance!r}."
            )
        if self.steps is None and self.variance != "small":
            raise ValueError(
                "In continuous time no variance of steps makes a difference; got "
                f"variance={self.variance!r}. Use 'small', or a number of steps."
            )

    @property
    def leave_one_out(self) -> bool:
        """Whether the denoiser promises not to see a position's own numbers."""
        return checks.leave_one_out(self.denoiser)

    def init(self, rng: Key, x: Tokens) -> Params:
        """Parameters for data shaped like `x`: of the network, and of learnt levels.

        Raises ValueError if the network's output does not fit.
        """
        checks.check_call(rng, x)
        half, seen = jnp.full(x.shape[0], 0.5), self._read(jnp.zeros(x.shape, jnp.int32))
        out, variables = self.denoiser.init_with_output(rng, seen, half, train=False)
        wanted = (*x.shape, self._outputs() + self._said())
        if out.shape != wanted:
            raise ValueError(
                f"For x of shape {x.shape} and points {np.shape(self.points)} a denoiser gives "
                f"{wanted}; {type(self.denoiser).__name__} gives {out.shape}. Build it for "
                f"{wanted[-1]} classes."
            )
        params = {
            "network": variables.get("params", {}),
            "levels": kernels.init(self.levels, jax.random.fold_in(rng, 1)),
        }
        return {name: result for name, result in params.items() if jax.tree.leaves(result)}

    def open(self, params: Params, *, train: bool = False) -> gaussian.Process:
        """Levels and network with their parameters in place; `train` turns dropout on."""
        gamma = kernels.opened(self.levels, params.get("levels", {}))
        weights, points = {"params": params.get("network", {})}, self._points()
        denoises, outputs = checks.denoises(self.denoiser), self._outputs()

        def guess(z: Points, t: Times, rng: Key | None = None) -> gaussian.Guess:
            kwargs = {"train": train, "rngs": {"dropout": rng} if train else None}
            level = gamma(t)
            scaled = 2 / jnp.pi * jnp.arctan(jnp.exp(level / 2))
            level = categorical.expand(level, z.ndim)
            seen = self.output.read(z, level, points)
            out = self.denoiser.apply(weights, seen, scaled, **kwargs)
            out, said = jnp.split(out.astype(z.dtype), [outputs], axis=-1)
            result = self.output.guess(out, z, level, points, denoises)
            return result._replace(said=said) if self._said() else result

        return gaussian.Process(points, gamma, guess, self.variance)

    def check(self, params: Params, rng: Key, x: Tokens) -> None:
        """Raises ValueError if the denoiser sees what it promises not to, or levels collapsed."""
        checks.check_learned(self.levels, params.get("levels", {}))
        if self.leave_one_out:
            classes, network = len(self.points), params["network"]
            checks.check_leaves_out(self.denoiser, network, rng, x, classes, self._read)

    def elbo(self, params: Params, rng: Key, x: Tokens, *, train: bool = False) -> Nats:
        """log p(x | z_0) - prior_kl - T L_i, i stratified over the batch; E[elbo] <= log p(x).

        In continuous time the pace of learnt levels gets no gradient.
        """
        checks.check_call(rng, x)
        if self.steps is None and "levels" in params:
            params = {**params, "levels": noise_schedules.still(params["levels"])}
        process = self.open(params, train=train)
        return self._inside(x) + gaussian.bounds.elbo(process, rng, x, self.steps)

    def elbo_of_all_steps(self, params: Params, rng: Key, x: Tokens, times: Grid) -> Nats:
        """The same by every step of a grid."""
        checks.check_call(rng, x)
        return self._inside(x) + gaussian.bounds.elbo_of_all_steps(
            self.open(params), rng, x, times
        )

    def log_weight(self, params: Params, rng: Key, x: Tokens) -> Nats:
        """log p - log q of x and one trajectory, by T calls; E[exp(log_weight)] = p(x)."""
        checks.check_call(rng, x)
        steps = self.number_of_steps()
        return self._inside(x) + gaussian.bounds.log_weight(self.open(params), rng, x, steps)

    def number_of_steps(self) -> int:
        """T; ValueError in continuous time."""
        return checks.number_of_steps(self)

    def sample(
        self,
        params: Params,
        rng: Key,
        shape: tuple[int, ...],
        steps: int | None = None,
        sampler: Sampler | None = None,
    ) -> Tokens:
        """Samples, int32 of `shape` (B, ...), by a sampler; the default is the first declared.

        `steps` are the sampler's network calls; fewer than T walk a coarser grid. Raises
        ValueError for more than T.
        """
        checks.check_call(rng, shape=shape)
        process, sampler = self.open(params), self._chosen(sampler, steps)
        rng_noise, rng_class, rng = jax.random.split(rng, 3)
        z = sampler(process, rng, self._noise(rng_noise, shape), sampler.times(self.steps))
        return categorical.sample(rng_class, jnp.exp(gaussian.decoded(process, z)))

    def walk(
        self,
        params: Params,
        rng: Key,
        shape: tuple[int, ...],
        frames: int = 9,
        sampler: Sampler | None = None,
    ) -> Iterator[tuple[float, Integer[np.ndarray, "B *event"]]]:
        """The nearest classes on one walk, `frames` or less: pairs (t, x), t falling."""
        sampler, points = self._chosen(sampler, None), self._points()
        rng_noise, rng = jax.random.split(rng)
        start = self._noise(rng_noise, shape)
        for t, z in trajectories.states(self, sampler, params, rng, start, frames):
            level = categorical.expand(self.open(params).gamma(jnp.full(shape[0], t)), z.ndim)
            nearest = gaussian.evidence(points, z, level).argmax(axis=-1)
            yield t, np.asarray(nearest, np.int32)

    def _points(self) -> Places:
        return jnp.asarray(self.points)

    def _read(self, x: Tokens) -> Latents:
        """What a denoiser reads of classes x at γ = 0."""
        points = self._points()
        return self.output.read(points[x], jnp.zeros(()), points)

    def _outputs(self) -> int:
        """How many numbers a denoiser puts out for each position, but for the variance."""
        return self.output.outputs(self._points())

    def _said(self) -> int:
        """How many numbers more say what the variance is."""
        return self.points.shape[1] if self.variance in gaussian.SAID else 0

    def _noise(self, rng: Key, shape: tuple[int, ...]) -> Points:
        return jax.random.normal(rng, (*shape, self.points.shape[1]))

    def _inside(self, x: Tokens) -> Nats:
        return categorical.inside(x, len(self.points))

    def _chosen(self, sampler: Sampler | None, steps: int | None) -> Sampler:
        """A sampler, the first declared unless given, with a number of steps."""
        sampler = self.samplers[0] if sampler is None else sampler
        return sampler if steps is None else options.replaced(sampler, {"steps": steps})
