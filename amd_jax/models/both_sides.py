"""Bits from both sides: log p(x) between a lower and an upper bound."""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Float

from amd_jax import options
from amd_jax.diffusion.process import Stepwise
from amd_jax.models import bounds
from amd_jax.models.checks import check_call
from amd_jax.models.code_lengths import CodeLength
from amd_jax.models.declared import Stepped
from amd_jax.types import Array, Key, Model, Nats, Params, Tokens


@dataclasses.dataclass(frozen=True)
class BothSides:
    """Between two numbers of bits: bounds on log p(x) from below and from above.

    Both are of the same draws with weights w, E[w] = p(x). The logarithm of their mean is at most
    log p(x) in expectation. From above, for any ψ > 0 is log p <= log ψ + p / ψ - 1, the tangent
    of the logarithm at ψ. One half of the draws gives ψ, the other half estimates p, and the
    other way round; with a and b the logarithms of the two means this is
    (a + b) / 2 + cosh(a - b) - 1, and its expectation is at least log p(x).

    Both hold in expectation: each end is an estimate with an error of its own, and where the
    effective draws are many the two are nearer to each other than to log p(x). Where few draws
    have most of the weight a mean is far from its expectation. So the error of the ends and the
    effective number of draws are part of the result (`weighted`). As a bound it is the one from
    below.
    """

    weighted_draws: int = options.number(64, "draws of each row for bits from both sides", least=2)
    name = "both"
    exact = False
    draws = 1

    def __post_init__(self):
        """Raises ValueError for less than a draw in each half."""
        options.check(self)

    def describe(self, model: Model) -> str:
        """How many draws; ValueError for a model without weights that average to p(x)."""
        log_weight(model)
        return f"{self.weighted_draws} weighted draws each"

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Nats:
        return self.weighted(model, params, rng, x)[:, 0]

    def weighted(self, model: Model, params: Params, rng: Key, x: Tokens) -> Float[Array, "B 4"]:
        """Nats from below and from above, effective draws (Σ w)² / Σ w², and a squared error.

        With v = 1 / effective - 1 / draws, the squared relative error of the mean weight, that is
        v for the logarithm to first order; 8 v² is the variance of cosh(a - b). Below 8 effective
        draws of 64 it is too small.
        """
        check_call(rng, x)
        draw, number = log_weight(model), self.weighted_draws
        half = number // 2

        def total(first: int, last: int) -> tuple[Nats, Nats]:
            """Logarithms of Σ w and of Σ w² over some of the draws."""

            def add(i: Array, sums: tuple[Nats, Nats]) -> tuple[Nats, Nats]:
                log_w = draw(params, jax.random.fold_in(rng, i), x)
                return jnp.logaddexp(sums[0], log_w), jnp.logaddexp(sums[1], 2 * log_w)

            none = jnp.full(len(x), -jnp.inf)
            return jax.lax.fori_loop(first, last, add, (none, none))

        (a, a_squares), (b, b_squares) = total(0, half), total(half, number)
        sums, squares = jnp.logaddexp(a, b), jnp.logaddexp(a_squares, b_squares)
        a, b = a - jnp.log(half), b - jnp.log(number - half)
        above = (a + b) / 2 + jnp.cosh(a - b) - 1
        above = jnp.where(jnp.isfinite(a - b), above, jnp.inf)  # a half without any weight
        effective = jnp.exp(2 * sums - squares)
        v = jnp.maximum(1 / effective - 1 / number, 0.0) * number / (number - 1)
        return jnp.stack([sums - jnp.log(number), above, effective, v + 8 * v**2], axis=1)


def log_weight(model: Model) -> Callable[[Params, Key, Tokens], Nats]:
    """What draws log-weights of rows whose exponentials average to p(x).

    Of masks in continuous time, the code length in a random order, which is the law of revealing
    one token after the other. ValueError for other noise in continuous time.
    """
    if not isinstance(model, Stepped) or model.steps is not None:
        return model.log_weight
    if isinstance(model, Stepwise) and any(isinstance(b, CodeLength) for b in bounds.of(model)):
        return functools.partial(CodeLength().one, model)
    model.number_of_steps()  # ValueError, as there is no trajectory
    raise AssertionError
