"""Oracle denoisers: an exact guess in the place of a network.

`models.Diffusion` takes one as it takes a network, so every sampler, bound and editor runs on it
unchanged, and what is left is the sampler's or the bound's own error.
"""

import dataclasses
from typing import Any

from amd_jax.diffusion.process import Process
from amd_jax.types import Flags, Key, Logits, Params, Times, Tokens


@dataclasses.dataclass(frozen=True, eq=False)
class Oracle:
    """The denoiser of a process whose guess is known; it has no parameters, {}.

    `Oracle(chain.exact(kernel))` is the perfect network for rows of a chain of any length,
    `Oracle(certificates.exact(kernel, data))` that for few tokens of a law that is a table.
    """

    process: Process

    leave_one_out = True
    sees_known = True

    def __call__(
        self, x_t: Tokens, t: Times, *, train: bool = False, known: Flags | None = None
    ) -> Logits:
        """Log p(x_0[n] | x_t without token n): (B, L), (B,) -> (B, L, states of the kernel)."""
        return self.process.log_predict(x_t, t, known=known)

    def init_with_output(self, rng: Key, /, *x: Any, **more: Any) -> tuple[Logits, Params]:
        """The logits, and {}."""
        return self(*x, **more), {}

    def apply(self, variables: Params, /, *x: Any, rngs: Any = None, **more: Any) -> Logits:
        """The logits; there are no variables, and nothing is random."""
        return self(*x, **more)

    def clone(self, **numbers: Any) -> "Oracle":
        """The same of another process."""
        return dataclasses.replace(self, **numbers)
