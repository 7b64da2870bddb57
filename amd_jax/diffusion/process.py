"""A process: a kernel and a guess of the clean data, both with their parameters in place."""

import dataclasses
from collections.abc import Callable
from typing import Protocol, runtime_checkable

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Integer

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Flags,
    Kernel,
    Key,
    Logits,
    Nats,
    Params,
    PerToken,
    Probs,
    Support,
    Times,
    Tokens,
)

Predict = Callable[..., Probs]  # (x_t: Tokens, t: Times, rng=None, …)


@dataclasses.dataclass(frozen=True, eq=False)
class Process:
    """What bounds, log-weights, samplers and corrections are functions of.

    `predict` gives the leave-one-out law p(x_0[n] | x_t without token n) at every position n,
    zero on states that are noise only; a key feeds its dropout, if it has any. `log_predict` is
    its logarithm, which bounds and losses read: exact where the law itself is too small for
    float32. With `leave_one_out` the law does not depend on x_t[n] by construction, so that
    expectations over the own token can be taken exactly.
    """

    kernel: Kernel
    predict: Predict
    leave_one_out: bool = False
    sees_known: bool = False  # whether `predict` takes `known`, bool (B, ...), too
    two_sided: bool = False  # whether it takes `after`, the tokens after each position, too
    given: Integer[Array, "..."] | None = None  # what is known of the data, else -1
    support: Support | None = None  # what rows can be, and which tokens are never noise
    log_predict: Predict = None  # type: ignore[assignment]  # made of `predict` unless given
    unconditional: "Process | None" = None  # the one before the last `holding`

    def __post_init__(self):
        """Fills in `log_predict`."""
        if self.log_predict is None:
            predict = self.predict
            object.__setattr__(
                self, "log_predict", lambda *x, **more: categorical.log(predict(*x, **more))
            )

    def holding(self, given: Integer[Array, "..."]) -> "Process":
        """The process of the rest of the data, given some, -1 where they are unknown.

        What is given is clean at all times, and guessed as it is, so that it adds nothing to a
        bound. A guess that sees what is known is told; for others than that, and masks, what is
        held clean counts as noisy, and the rest is biased. Of a process that holds some already it
        is the process given those, too.
        """
        if self.given is not None:
            given = jnp.where(given >= 0, given, self.given)
        known = given >= 0

        def holding(predict: Predict, certain: Callable[[Probs], Probs]) -> Predict:
            def predict_rest(
                x_t: Tokens, t: Times, rng: Key | None = None, known: Bool[Array, "..."] = known
            ) -> Probs:
                seen = {"known": known} if self.sees_known else {}
                p_0 = predict(x_t, t, rng, **seen)
                clean = certain(categorical.one_hot(given, p_0.shape[-1]))
                return jnp.where(given[..., None] >= 0, clean, p_0)

            return predict_rest

        return dataclasses.replace(
            self,
            predict=holding(self.predict, lambda clean: clean),
            log_predict=holding(self.log_predict, categorical.log_or_never),
            two_sided=False,
            given=given,
            unconditional=self,
        )

    def drawn_first(self, x: Tokens) -> Flags:
        """Which tokens of a state the support draws before all others, so that they are data."""
        return jnp.zeros(x.shape, bool) if self.support is None else self.support.known(x)

    def known(self, x: Tokens) -> Flags:
        """Which tokens of a state are clean at all times: those given, and those drawn first."""
        first = self.drawn_first(x)
        return first if self.given is None else first | (self.given >= 0)

    def held(self, x: Tokens, of: Tokens) -> Tokens:
        """x with what is known of another state of its rows in its place."""
        return jnp.where(self.known(of), of, x)

    def inside(self, x: Tokens, *, apart: bool = False) -> Nats:
        """0; -inf for rows that the support rules out, NaN for a token of no class.

        With `apart`, as steps draw tokens, only those that their position never has are ruled out.
        """
        classes, support = self.kernel.num_classes, self.support
        if support is None:
            return categorical.inside(x, classes)
        if not apart:
            return categorical.inside(x, classes, support.possible_next(x, classes))
        possible = support.known(x)[..., None] | jnp.asarray(support.each(classes))
        return categorical.inside(x, classes, possible)

    def draw_prior(self, rng: Key, shape: tuple[int, ...]) -> Integer[Array, "..."]:
        """Draws of x_1, of the given shape: noise, but for what the support draws first."""
        noise = kernels.draw_prior(self.kernel, rng, shape)
        if self.support is None:
            return noise
        first = self.support.draw(jax.random.fold_in(rng, 1), shape)
        return jnp.where(first >= 0, first, noise)

    def log_predict_next(self, x: Tokens, rng: Key | None = None) -> Logits:
        """Log p(x_0[n] | x[:n]) of masks revealed from left to right, (B, L, K), by one call.

        What is known stands after each position as well, and all else there is masked. For a
        `two_sided` guess alone.
        """
        return self.log_predict(x, jnp.ones(len(x)), rng, after=self.masked(x))

    def masked(self, x: Tokens) -> Tokens:
        """x with masks in the place of all that is not known of it; for masks alone."""
        return self.held(jnp.full_like(x, self.kernel.num_classes), x)

    def log_first(self, x: Tokens) -> Nats:
        """Log p of what the support draws first; 0 given some tokens, for then it is known."""
        if self.support is None or self.given is not None:
            return jnp.zeros(len(x))
        return self.support.log_prob(x)

    def corrupted(self, rng: Key, x_s: Tokens, t: Times, s: Times | None = None) -> Tokens:
        """A draw of x_t ~ q(x_t | x_s), but for what is known; s = 0 unless given."""
        return self.held(kernels.corrupt(self.kernel, rng, x_s, t, s), x_s)

    def denoised(self, x_t: Tokens, t: Times, rng: Key | None = None) -> kernels.Denoised:
        """p(x_0 | x_t), the own token's evidence included."""
        p_0 = self.predict(x_t, t, rng)
        return kernels.denoising_posterior(self.kernel, p_0, x_t, t)

    def log_denoised(self, x_t: Tokens, t: Times, rng: Key | None = None) -> Logits:
        """Log p(x_0 | x_t), exact where the law itself is too small for float32."""
        log_p = self.log_predict(x_t, t, rng)
        return kernels.log_posterior(self.kernel, log_p, x_t, jnp.zeros_like(t), t)

    def log_denoised_of(
        self, x: Tokens, x_t: Tokens, t: Times, rng: Key | None = None
    ) -> PerToken:
        """Log p(x_0 = x | x_t) of each token, one entry of `log_denoised`."""
        return kernels.log_denoised_of(self.kernel, self.log_predict(x_t, t, rng), x, x_t, t)


@runtime_checkable
class Stepwise(Protocol):
    """A model of a process, in so many steps."""

    @property
    def steps(self) -> int | None:
        """T; None in continuous time."""

    def open(self, params: Params) -> Process:
        """The process with these parameters in place."""


def of_logits(
    kernel: Kernel,
    logits: Callable[..., Logits],
    *,
    denoises: bool = False,
    leave_one_out: bool = False,
    sees_known: bool = False,
    two_sided: bool = False,
    support: Support | None = None,
) -> Process:
    """The process of a kernel and any function of logits, wherever its parameters live.

    So bounds, samplers and corrections serve modules of Flax NNX, of Equinox, or plain functions.

    Args:
        kernel: The noise; one that is learned is opened with its parameters first.
        logits: Called as `logits(x_t, t, rng)`, x_t (B, ...) int, t (B,), rng a key or None; gives
            (B, ..., K) numbers, the logits of x_0. States that are noise only are left out here.
        denoises: The logits are of p(x_0 | x_t), as cross-entropy on a network that sees x_t
            makes them; else of p(x_0[n] | x_t without token n), the leave-one-out law. For masks
            both are the same.
        leave_one_out: The logits at n do not depend on x_t[n], by construction.
        sees_known: `logits` takes `known`, bool (B, ...), too.
        two_sided: `logits` takes `after`, (B, L) int, too: the tokens after each position.
        support: What data can be, as rows of a table or lines; all else gets no mass.
    """

    def log_predict(x_t: Tokens, t: Times, rng: Key | None = None, **more: Array) -> Logits:
        result = logits(x_t, t, rng, **more)
        possible = jnp.arange(result.shape[-1]) < kernel.num_classes
        if support is not None:
            clean = kernels.is_clean(kernel, x_t)
            possible &= support.possible(x_t, clean, result.shape[-1])
        wide = jnp.promote_types(result.dtype, jnp.float32)
        log_p = categorical.log_softmax(result.astype(wide), possible)
        return kernels.log_leave_own_out(kernel, log_p, x_t, t) if denoises else log_p

    def predict(x_t: Tokens, t: Times, rng: Key | None = None, **more: Array) -> Probs:
        return jnp.exp(log_predict(x_t, t, rng, **more))

    return Process(
        kernel,
        predict,
        leave_one_out,
        sees_known,
        two_sided,
        support=support,
        log_predict=log_predict,
    )
