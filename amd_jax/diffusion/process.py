"""A process: a kernel and a guess of the clean data, both with their parameters in place."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp

from amd_jax.diffusion import kernels
from amd_jax.types import Array, Kernel

Predict = Callable[..., Array]  # (x_t (B, ...), t (B,), rng=None) -> (B, ..., K)


@dataclasses.dataclass(frozen=True, eq=False)
class Process:
    """What bounds, log-weights, samplers and corrections are functions of.

    `predict` gives the leave-one-out law p(x_0[n] | x_t without token n) at every position n,
    zero on states that are noise only; a key feeds its dropout, if it has any. With
    `leave_one_out` it does not depend on x_t[n] by construction, so that expectations over the
    own token can be taken exactly.
    """

    kernel: Kernel
    predict: Predict
    leave_one_out: bool = False
    given: Array | None = None  # (B, ...) int, data that are known; -1 where they are not

    def held(self, x: Array) -> Array:
        """x (B, ...) with what is given in its place."""
        return x if self.given is None else jnp.where(self.given >= 0, self.given, x)

    def denoised(self, x_t: Array, t: Array, rng: Array | None = None) -> kernels.Denoised:
        """p(x_0 | x_t), the own token's evidence included, of x_t (B, ...) and t (B,)."""
        p_0 = self.predict(x_t, t, rng)
        return kernels.denoising_posterior(self.kernel, p_0, x_t, t)
