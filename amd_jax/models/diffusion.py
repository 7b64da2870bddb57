"""Diffusion: a kernel that destroys data, and a network that restores them."""

import dataclasses
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Integer

from amd_jax import options
from amd_jax.diffusion import bounds, kernels, samplers
from amd_jax.diffusion.kernels import learned_schedule
from amd_jax.diffusion.process import Process, of_logits
from amd_jax.diffusion.samplers.time_grids import BestGrid
from amd_jax.models import checks, trajectories
from amd_jax.models.both_sides import BothSides
from amd_jax.models.bounds import ImportanceWeighted
from amd_jax.models.checks import Network
from amd_jax.models.code_lengths import CodeLength
from amd_jax.models.corrections import Correct, Edit
from amd_jax.models.step_bounds import AllSteps, DrawnSteps, MultiSample
from amd_jax.ops import categorical
from amd_jax.ops.lines import Lines
from amd_jax.types import (
    Flags,
    Grid,
    Kernel,
    Key,
    LearnedKernel,
    Logits,
    Nats,
    Params,
    Sampler,
    Support,
    Times,
    Tokens,
)


@dataclasses.dataclass(frozen=True, eq=False)
class Diffusion:
    """A diffusion over integer arrays (B, ...), in x_0-parametrisation.

    The denoiser is any linen module `(x_t (B, ...), t (B,), *, train) -> logits (B, ..., K)`, K
    the number of states of the kernel. One with the class attribute `leave_one_out = True`
    promises that its logits at a position do not depend on that position's own token: then the
    bound's expectation over that token is taken exactly. `check` tests the promise. One with
    `denoises = True` puts out the law of the clean token given all of x_t, as cross-entropy
    teaches a network that sees its own token; the guess from the others is then worked out from
    it. One with `sees_known = True` takes `known`, bool (B, ...) or None, as well: which tokens
    are data, and not noisy. One with `two_sided = True` takes `after`, int (B, L) or None: what
    stands after each position, if not x_t. Hoogeboom et al., 2021, sec. 4.

    Time is discrete, with T steps, or with steps=None continuous (Campbell et al., 2022).

    A `support` leaves no mass on impossible tokens, nor on impossible codes of several tokens if
    masks are lifted one at a time. Steps that reveal several at once, and other noise, which hides
    what is data, draw the digits of a code apart: what falls on codes beyond its limit is missing
    in the sum over all rows, which is below 1, and shows among samples. What a support draws
    first, as the length of a line (`ops.lines.Lines`), is never noise: samples begin with it, its
    log-probability is part of every bound, and fillings keep it.
    """

    kernel: Kernel | LearnedKernel
    denoiser: Network
    steps: int | None = 1000  # T
    samplers: tuple[Sampler, ...] = samplers.ALL  # the default first; the library's others follow
    support: Support | None = None  # what rows can be, as of a table; all else has no mass

    bounds = (  # the default is the first that is for the kernel
        MultiSample(),
        DrawnSteps(),
        AllSteps(),
        ImportanceWeighted(),
        CodeLength(),
        BothSides(),
    )
    editors = (Correct(), Edit())
    grids = (BestGrid(),)

    def __post_init__(self):
        """Raises ValueError for unsupported steps, or an invalid denoiser."""
        checks.check_steps(self.kernel, self.steps)
        checks.check_prior(self.kernel)
        checks.check_signature(self.denoiser)
        checks.check_output(self.denoiser)
        kernel = kernels.plain(self.kernel)
        object.__setattr__(self, "samplers", samplers.of(kernel, self.samplers))
        object.__setattr__(self, "bounds", options.admitted(self.bounds, kernel))
        object.__setattr__(self, "editors", options.admitted(self.editors, kernel))

    @property
    def leave_one_out(self) -> bool:
        """Whether the denoiser promises not to see a position's own token."""
        return checks.leave_one_out(self.denoiser)

    @property
    def sees_known(self) -> bool:
        """Whether the denoiser is told which tokens are known."""
        return checks.sees_known(self.denoiser)

    @property
    def two_sided(self) -> bool:
        """Whether one call predicts each token from those before it, all others being masks."""
        apart = self.support is None or isinstance(self.support, Lines)  # codes look around
        masks = kernels.is_masking(kernels.plain(self.kernel))
        return masks and apart and checks.two_sided(self.denoiser)

    @property
    def fills_gaps(self) -> bool:
        """Whether `infill` is exact: noise that shows, or a denoiser that sees what is known."""
        return self.sees_known or kernels.shows_noise(kernels.plain(self.kernel))

    def init(self, rng: Key, x: Tokens) -> Params:
        """Parameters for data shaped like `x`: of the network, and of a learned kernel.

        Raises ValueError if the network's logits do not fit the kernel's states.
        """
        checks.check_call(rng, x)
        t = jnp.full(x.shape[0], 0.5)
        logits, variables = self.denoiser.init_with_output(rng, x, t, train=False)
        params = {
            "network": variables.get("params", {}),
            "kernel": kernels.init(self.kernel, jax.random.fold_in(rng, 1)),
        }
        params = {name: result for name, result in params.items() if jax.tree.leaves(result)}
        kernel = self.open(params).kernel
        checks.check_logits(self.denoiser, kernel, x.shape, logits.shape)
        checks.check_support(self.support, x.shape, kernel.num_classes)
        checks.check_noise(self.support, kernel)
        return params

    def open(self, params: Params, *, train: bool = False) -> Process:
        """Kernel and network with their parameters in place; `train` turns dropout on."""
        kernel = kernels.opened(self.kernel, params.get("kernel", {}))
        weights = {"params": params.get("network", {})}

        def logits(
            x_t: Tokens,
            t: Times,
            rng: Key | None = None,
            known: Flags | None = None,
            **after: Tokens,
        ) -> Logits:
            rngs = {"dropout": rng} if train else None
            more = {**after, "known": known} if self.sees_known else after
            time = learned_schedule.network_time(kernel, t)
            return self.denoiser.apply(weights, x_t, time, train=train, rngs=rngs, **more)

        return of_logits(
            kernel,
            logits,
            denoises=checks.denoises(self.denoiser),
            leave_one_out=self.leave_one_out,
            sees_known=self.sees_known,
            two_sided=self.two_sided,
            support=self.support,
        )

    def check(self, params: Params, rng: Key, x: Tokens) -> None:
        """Raises ValueError if the denoiser sees what it promises not to, or a kernel collapsed.

        Training calls it once, on real data `x`, and again if a step fails.
        """
        checks.check_learned(self.kernel, params.get("kernel", {}))
        if self.leave_one_out:
            classes = self.open(params).kernel.num_classes
            network = params.get("network", {})  # an oracle has no parameters
            checks.check_leaves_out(self.denoiser, network, rng, x, classes)

    def describe(self, params: Params) -> list[str]:
        """Lines on what a kernel has learnt, and whether it has collapsed; [] for a fixed one."""
        learnt, lines = params.get("kernel", {}), []
        if hasattr(self.kernel, "describe"):
            lines.append(self.kernel.describe(learnt))
        try:
            checks.check_learned(self.kernel, learnt)
        except ValueError as error:
            lines.append(str(error))
        return lines

    def elbo(
        self,
        params: Params,
        rng: Key,
        x: Tokens,
        *,
        known: Flags | None = None,
        train: bool = False,
    ) -> Nats:
        """-(T L_i + end_term) with i stratified over the batch; E[elbo] <= log p(x).

        With `known`, it is of the other tokens given those, as `infill` draws them.
        """
        checks.check_call(rng, x)
        process = self._given(self.open(params, train=train), x, known)
        if self.steps is None:
            return bounds.continuous(process, rng, x)
        return bounds.elbo(process, rng, x, self.steps)

    def elbo_of_all_steps(self, params: Params, rng: Key, x: Tokens, times: Grid) -> Nats:
        """The same by every step of a grid."""
        checks.check_call(rng, x)
        return bounds.elbo_of_all_steps(self.open(params), rng, x, times)

    def log_weight(
        self, params: Params, rng: Key, x: Tokens, *, known: Flags | None = None
    ) -> Nats:
        """Log p(x, x_1, …, x_T) - log q(x_1, …, x_T | x) of one trajectory, by T network calls.

        E[exp(log_weight)] = p(x): the draw that importance-weighted bounds are sound on. With
        `known`, it is of the other tokens given those.
        """
        checks.check_call(rng, x)
        process, steps = self._given(self.open(params), x, known), self.number_of_steps()
        return bounds.log_weight(process, rng, x, steps)

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
        rng_noise, rng = jax.random.split(rng)
        x = process.draw_prior(rng_noise, shape)
        return sampler(process, rng, x, sampler.times(self.steps))

    def infill(
        self,
        params: Params,
        rng: Key,
        x: Tokens,
        known: Flags,
        steps: int | None = None,
        sampler: Sampler | None = None,
    ) -> Tokens:
        """x with the tokens that are not `known` drawn given the others.

        Known tokens are held clean. For masks, and for a denoiser that sees what is known, that is
        as exact as the sampler. Raises ValueError for other noise and denoisers, where it biases
        the rest by far.
        """
        checks.check_call(rng, x)
        process, sampler = self._given(self.open(params), x, known), self._chosen(sampler, steps)
        categorical.inside(jnp.where(known, x, 0), process.kernel.num_classes)
        rng_noise, rng = jax.random.split(rng)
        noise = kernels.draw_prior(process.kernel, rng_noise, x.shape)
        start = process.held(noise, x).astype(jnp.int32)
        return sampler(process, rng, start, sampler.times(self.steps))

    def _given(self, process: Process, x: Tokens, known: Flags | None) -> Process:
        """The process of x given what is known of it; or ValueError."""
        if known is None:
            return process
        if not self.fills_gaps:
            raise ValueError(
                "Infilling needs masks, noise in sight, or a network that sees what is known; "
                "else known tokens that are held clean bias the rest. The kernel is "
                f"{type(process.kernel).__name__}: train as own_text_masked or "
                "own_text_infilling does."
            )
        return process.holding(jnp.where(known, jnp.asarray(x, jnp.int32), -1))

    def _chosen(self, sampler: Sampler | None, steps: int | None) -> Sampler:
        """A sampler, the first declared unless given, with a number of steps; or ValueError."""
        sampler = self.samplers[0] if sampler is None else sampler
        samplers.check(sampler, kernels.plain(self.kernel))
        if steps is None:
            return sampler
        if not (hasattr(sampler, "steps") and dataclasses.is_dataclass(sampler)):
            raise ValueError(f"{sampler.name} takes no steps: leave steps={steps} out.")
        return dataclasses.replace(sampler, steps=steps)

    def walk(
        self,
        params: Params,
        rng: Key,
        shape: tuple[int, ...],
        frames: int = 9,
        sampler: Sampler | None = None,
    ) -> Iterator[tuple[float, Integer[np.ndarray, "B *event"]]]:
        """States of one walk, `frames` or less, as they come: pairs (t, x), t falling."""
        sampler = self._chosen(sampler, None)
        rng_noise, rng = jax.random.split(rng)
        start = self.open(params).draw_prior(rng_noise, shape)
        for t, x in trajectories.states(self, sampler, params, rng, start, frames):
            yield t, np.asarray(x)
