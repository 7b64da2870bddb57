"""Few steps of masks with random symbols: a bound whose best network uses the symbols."""

import dataclasses

import jax

from amd_jax.diffusion import bounds, kernels
from amd_jax.learning.objectives import NegativeElbo
from amd_jax.models import Diffusion
from amd_jax.types import Key, Nats, Params, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class MultiSampleElbo(NegativeElbo):
    """The negative bound of a model of S steps with `kernels.RandomMasks`, by one of the steps.

    -S log (1/N) Σ_n p(x_s | x_t, z_n) / q(x_s | x_t, x_0) + end_term, with the symbols z of the
    masks of x_t drawn N times. A step draws from the mean over z, a mixture of products, so it can
    lose less than the total correlation of the tokens that it reveals
    (`exact.few_steps.least_losses`), which is what a product loses at least. By the usual bound,
    N = 1, the best network ignores z. Masks of many states are Yoo et al.'s (2026), who distil
    them from a teacher; the bound is that of Burda et al. (2016), taken of every step.

    The network has to see z: of the own token too, if few tokens are revealed together. A
    leave-one-out network such as `networks.Hollow` sees those of all others.
    """

    model: Diffusion
    draws: int = 4  # N

    def __post_init__(self):
        """Raises ValueError for less than one draw, and for masks without symbols."""
        if self.draws < 1:
            raise ValueError(f"draws must be at least 1; got draws={self.draws}. Try 4.")
        if not isinstance(self.model.kernel, kernels.RandomMasks):
            raise ValueError(
                "MultiSampleElbo is for masks with random symbols; the kernel is "
                f"{type(self.model.kernel).__name__}. Use kernels.random_masks(kernel, symbols=8)."
            )

    def loss(self, params: Params, memory: tuple, rng: Key, x: Tokens) -> tuple[Nats, tuple]:
        """The bound's negative per example, by one step of each; no evidence."""
        rng_time, rng = jax.random.split(rng)
        process, steps = self.model.open(params, train=True), self.model.number_of_steps()
        s, t = bounds.ends(bounds.steps_at(bounds.stratified(rng_time, len(x)), steps), steps)
        nats = bounds.multi_sample_term(process, rng, x, s, t, self.draws)
        return steps * nats + bounds.end_term(process, x), ()
