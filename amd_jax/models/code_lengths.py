"""Exact code lengths of masked diffusion: a text, token by token, in some order."""

import dataclasses
import functools

import jax
import jax.numpy as jnp

from amd_jax import options
from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Stepwise
from amd_jax.diffusion.samplers import base, mask_times, unmasking
from amd_jax.models import bounds
from amd_jax.models.checks import check_call
from amd_jax.ops import categorical
from amd_jax.types import Array, Flags, Kernel, Key, LearnedKernel, Model, Nats, Params, Tokens


@dataclasses.dataclass(frozen=True)
class CodeLength:
    """Log p(x) of the model that reveals one token after the other, in L network calls.

    By the chain rule, Σ_n log p(x[n] | what was revealed before n), for masks only. From left to
    right or by confidence (`unmasking.scores`, which look at nothing still masked) it is the
    exact log-likelihood of the model in that order; in random order its mean is the bound in
    continuous time, for a network that does not look at the time, and log-mean-exp over several
    `orders` nears the likelihood of random order (Hoogeboom et al., 2022).
    """

    order: str = options.number("random", "which token next", among=unmasking.BY)
    orders: int = options.number(
        1, "random orders of each row, averaged as probabilities", least=1
    )
    name = "code_length"
    exact = False
    draws = 1

    def __post_init__(self):
        """Raises ValueError for an unknown order, or several orders where one is possible."""
        options.check(self)
        if self.orders > 1 and self.order != "random":
            raise ValueError(
                f"orders={self.orders} is for order=random; there is one order by {self.order}."
            )

    def admits(self, kernel: Kernel | LearnedKernel) -> bool:
        """For masks only."""
        return kernels.is_masking(kernel)

    def describe(self, model: Model) -> str:
        """The order, and how many of them."""
        several = f", {self.orders} averaged" if self.orders > 1 else ""
        return f"exact code length in order {self.order}{several}"

    def __call__(self, model: Stepwise, params: Params, rng: Key, x: Tokens) -> Nats:
        check_call(rng, x)
        draw = functools.partial(self.one, model, params)
        return bounds.log_mean_exp(draw, rng, x, self.orders)

    def one(
        self,
        model: Stepwise,
        params: Params,
        rng: Key,
        x: Tokens,
        given: Flags | None = None,
        wanted: Flags | None = None,
    ) -> Nats:
        """In one order, of the tokens that are `wanted`, given those that are `given`.

        By default none are given and all are wanted. Tokens that are neither stay masked: nothing
        is known of them. Given some tokens, so is what a support draws first, as a line's length.
        """
        process = model.open(params)
        if self.order == "left" and process.two_sided and given is None and wanted is None:
            x = jnp.asarray(x, jnp.int32)
            nats = categorical.gather(process.log_predict_next(x), x)
            return process.inside(x) + process.log_first(x) + categorical.sum_event(nats)
        kernel = process.kernel
        assert isinstance(kernel, kernels.Mixing)  # masks alone are admitted
        total = process.inside(x)
        if given is None:
            total += process.log_first(x)
        given = process.known(x) if given is None else given | process.known(x)
        wanted = ~given if wanted is None else wanted & ~given
        start = jnp.where(given, x, kernel.num_classes)
        calls = categorical.sum_event(wanted).max()

        def reveal(i: Array, carry: tuple[Array, Nats]) -> tuple[Array, Nats]:
            x_t, total = carry
            masked = (x_t == kernel.num_classes) & wanted
            log_p = process.log_predict(x_t, mask_times.time_of(process, x_t))
            score = unmasking.scores(self.order, jax.random.fold_in(rng, i), jnp.exp(log_p))
            now = base.best_place(score, among=masked) & masked  # the leftmost, as in sampling
            nats = jnp.where(now, categorical.gather(log_p, x), 0.0)
            return jnp.where(now, x, x_t), total + categorical.sum_event(nats)

        return jax.lax.fori_loop(0, calls, reveal, (start, total))[1]
