"""Samplers that go from time to time and draw all tokens at once; and all samplers by name."""

import dataclasses

import jax.numpy as jnp
from jaxtyping import Float

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers.base import Steps
from amd_jax.diffusion.samplers.dilated import Dilated
from amd_jax.diffusion.samplers.remasking import Remasking
from amd_jax.diffusion.samplers.time_grids import grid
from amd_jax.diffusion.samplers.unmasking import DNDM, Confidence, EntropyBound, FirstHitting
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid, Kernel, Key, LearnedKernel, Probs, Sampler, Times, Tokens


@dataclasses.dataclass(frozen=True)
class Ancestral(Steps):
    """Draws x_s ~ q(x_s | x_t, guess of x_0), step after step (Hoogeboom et al., 2021, sec. 4).

    Fewer steps than the model has walk a coarser grid. Converges to the data's law as 1 / S: the
    tokens of a step are drawn independently. The analytic step of SEDD (Lou et al., 2024) is the
    same.
    """

    name = "ancestral"

    def law(self, process: Process, p_0: Probs, x_t: Tokens, s: Times, t: Times) -> Probs:
        """The posterior with the guess plugged in."""
        return kernels.posterior(process.kernel, p_0, x_t, s, t)

    def step(
        self, process: Process, rng: Key, p_0: Probs, x_t: Tokens, s: Times, t: Times
    ) -> Tokens:
        """The same in two parts, so that rare changes are drawn exactly."""
        return kernels.step_back(process.kernel, rng, p_0, x_t, s, t)


class _ByRates(Steps):
    """Walks by reverse rates, which kernels with a derivative in time have."""

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """Whether the kernel has a derivative in time."""
        return kernels.differentiable(kernel)

    def moves(self, chance: Float[Array, "B *event K"]) -> Probs:
        """The chances to move, from the expected numbers of moves to each state."""
        raise NotImplementedError

    def law(self, process: Process, p_0: Probs, x_t: Tokens, s: Times, t: Times) -> Probs:
        """To move or to stay; the last step draws from the denoising posterior."""
        kernel, middle = process.kernel, (s + t) / 2
        rates = kernels.reverse_rates(kernel, p_0, x_t, middle)
        moves = self.moves(categorical.expand(t - s, rates.ndim) * rates)
        stay = 1 - moves.sum(axis=-1, keepdims=True)
        law = moves + stay * categorical.one_hot(x_t, moves.shape[-1])
        last = categorical.expand(s, law.ndim) <= 0
        return jnp.where(last, kernels.denoising_posterior(kernel, p_0, x_t, t).law, law)


@dataclasses.dataclass(frozen=True)
class TauLeaping(_ByRates):
    """Draws how often each move happens in a step; a token moves if just one does.

    The numbers are Poisson, with the reverse rates at the middle of the step and the guess at its
    begin (Campbell et al., 2022, sec. 4.3, for states without an order). Converges to the data's
    law as 1 / S, with a larger error than `Ancestral`.
    """

    name = "tau_leaping"

    def moves(self, chance: Float[Array, "B *event K"]) -> Probs:
        """One of a kind and none of the others."""
        return chance * jnp.exp(-chance.sum(axis=-1, keepdims=True))


@dataclasses.dataclass(frozen=True)
class Euler(_ByRates):
    """Moves with the reverse rate times the length of the step (Lou et al., 2024, sec. 4).

    At the middle of the step, with the guess at its begin; where the chances sum to more than 1
    they are scaled down. Converges to the data's law as 1 / S.
    """

    name = "euler"

    def moves(self, chance: Float[Array, "B *event K"]) -> Probs:
        """The chances themselves, at most 1 together."""
        return chance / jnp.maximum(chance.sum(axis=-1, keepdims=True), 1.0)


KINDS = ("constant", "cap", "rescale", "loop")


@dataclasses.dataclass(frozen=True)
class PredictorCorrector(Steps):
    """Makes some tokens noise again: κ q(x_s | x_t, r) + (1 - κ) q_s(· | d), d = p(x_0 | x_t).

    Any κ keeps the marginals of every token. "constant": κ = 1 - η. The others are for kernels
    with an α: 1 - κ is σ / (1 - α_s), with ReMDM's σ (Wang et al., 2025, sec. 4): "cap":
    min(η, σ_max), "rescale": η σ_max, "loop": η in the middle half of the steps, which stay at one
    time, and 0 outside; σ_max = min(1, (1 - α_s) / α_t). Converges to the data's law, but more
    slowly than `Ancestral`: the tokens made noise in a step are drawn independently, and their
    number grows with S. It mends what a wrong guess has done earlier. ReMDM's choice by confidence
    is `Remasking`.
    """

    kind: str = options.number("constant", "how much is made noise", among=KINDS)
    eta: float = options.number(0.04, "how much of it")
    name = "predictor_corrector"

    def __post_init__(self):
        """Raises ValueError for a number that is out of its range, as η outside [0, 1]."""
        super().__post_init__()
        if not 0 <= self.eta <= 1:
            raise ValueError(f"eta must be in [0, 1]; got eta={self.eta}.")
        if self.kind == "loop" and not isinstance(self.spacing, str):
            raise ValueError("kind=loop makes times of its own. Use spacing=uniform or cosine.")

    def times(self, steps: int | None) -> Grid:
        """Its grid; of a loop the middle half stays at one time."""
        times = super().times(steps)
        if self.kind != "loop":
            return times
        quarter = (len(times) - 1) // 4
        ends = grid(2 * quarter + (len(times) - 1) % 2, self.spacing)
        stay = jnp.full(len(times) - len(ends), ends[quarter])
        return jnp.concatenate([ends[:quarter], stay, ends[quarter:]])

    def law(self, process: Process, p_0: Probs, x_t: Tokens, s: Times, t: Times) -> Probs:
        """The mixture of a step and of noise upon the denoised token."""
        kernel, start = process.kernel, jnp.zeros_like(s)
        step = kernels.posterior(kernel, p_0, x_t, s, t)
        clean = kernels.denoising_posterior(kernel, p_0, x_t, t).law
        share = categorical.expand(self.share(kernel, s, t), step.ndim)
        mixed = step + share * (kernel.push(clean, start, s) - step)
        return categorical.positive(mixed)

    def share(self, kernel: Kernel, s: Times, t: Times) -> Times:
        """1 - κ."""
        if self.kind == "constant":
            return jnp.full_like(s, self.eta)
        if not isinstance(kernel, kernels.Mixing):
            raise ValueError(
                f"kind={self.kind} is for kernels with an α and a prior that stays, which "
                f"{type(kernel).__name__} is not. Use kind=constant."
            )
        start = jnp.zeros_like(s)
        alpha_s, alpha_t = kernel.keep(start, s, 1), kernel.keep(start, t, 1)
        most = jnp.minimum(1.0, (1 - alpha_s) / jnp.maximum(alpha_t, categorical.FLOOR))
        noise = {
            "cap": jnp.minimum(self.eta, most),
            "rescale": self.eta * most,
            "loop": jnp.where(s == t, self.eta, 0.0),
        }[self.kind]
        share = noise / jnp.maximum(1 - alpha_s, categorical.FLOOR)
        return share if kernels.is_masking(kernel) else jnp.minimum(share, 1.0)


ALL: tuple[Sampler, ...] = (
    Ancestral(),
    TauLeaping(),
    Euler(),
    PredictorCorrector(),
    Remasking(),
    FirstHitting(),
    Confidence(),
    EntropyBound(),
    Dilated(),
    DNDM(),
)


def of(kernel: Kernel | LearnedKernel, declared: tuple[Sampler, ...] = ()) -> tuple[Sampler, ...]:
    """The samplers that a model offers: those declared, then all others, as far as for it.

    Others that go from step to step take as many as the first unless they say otherwise.
    """
    steps = options.values(declared[0]).get("steps") if declared else None
    result = {sampler.name: sampler for sampler in reversed(declared)}  # the first counts
    names = dict.fromkeys(sampler.name for sampler in (*declared, *ALL))
    for sampler in ALL:
        if isinstance(sampler, Steps):
            sampler = dataclasses.replace(sampler, steps=steps)
        result.setdefault(sampler.name, sampler)
    return options.admitted((result[name] for name in names), kernel)


def check(sampler: Sampler, kernel: Kernel | LearnedKernel) -> None:
    """Raises ValueError, naming those that there are, for a sampler not for this kernel."""
    if not options.admitted((sampler,), kernel):
        known = ", ".join(other.name for other in of(kernel))
        raise ValueError(
            f"The sampler {sampler.name} is not for {type(kernel).__name__} as it is here; "
            f"those for it are {known}."
        )
