"""A process: a kernel and a guess of the clean data, both with their parameters in place."""

import dataclasses
from collections.abc import Callable

import jax.numpy as jnp

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from amd_jax.types import Array, Kernel, Key

Predict = Callable[..., Array]  # (x_t (B, ...), t (B,), rng=None, …) -> (B, ..., K)


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
    sees_known: bool = False  # whether `predict` takes `known`, bool (B, ...), too
    given: Array | None = None  # (B, ...) int, data that are known; -1 where they are not
    log_predict: Predict | None = None  # log of the guess without underflow, where that is known

    def log_guess(self, x_t: Array, t: Array) -> Array:
        """Log of the guess, with no floor: (B, ...), (B,) -> (B, ..., K)."""
        return (
            jnp.log(self.predict(x_t, t)) if self.log_predict is None else self.log_predict(x_t, t)
        )

    def holding(self, given: Array) -> "Process":
        """The process of the rest of the data, given some (B, ...), -1 where they are unknown.

        What is given is clean at all times, and guessed as it is, so that it adds nothing to a
        bound. A guess that sees what is known is told; for others than that, and masks, what is
        held clean counts as noisy, and the rest is biased.
        """
        known = given >= 0
        told = {"known": known} if self.sees_known else {}

        def predict(x_t: Array, t: Array, rng: Array | None = None) -> Array:
            p_0 = self.predict(x_t, t, rng, **told)
            return jnp.where(known[..., None], categorical.one_hot(given, p_0.shape[-1]), p_0)

        return dataclasses.replace(self, predict=predict, given=given, log_predict=None)

    def held(self, x: Array) -> Array:
        """x (B, ...) with what is given in its place."""
        return x if self.given is None else jnp.where(self.given >= 0, self.given, x)

    def corrupted(self, rng: Key, x_0: Array, t: Array) -> Array:
        """A draw of x_t ~ q(x_t | x_0), but for what is given: (B, ...), (B,) -> (B, ...)."""
        return self.held(kernels.corrupt(self.kernel, rng, x_0, t))

    def denoised(self, x_t: Array, t: Array, rng: Array | None = None) -> kernels.Denoised:
        """p(x_0 | x_t), the own token's evidence included, of x_t (B, ...) and t (B,)."""
        p_0 = self.predict(x_t, t, rng)
        return kernels.denoising_posterior(self.kernel, p_0, x_t, t)
