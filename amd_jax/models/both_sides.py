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

    It holds in expectation. Where few draws have most of the weight a mean is far from its
    expectation, so the effective number of draws is part of the result (`weighted`). As a bound
    it is the one from below.
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

    def weighted(self, model: Model, params: Params, rng: Key, x: Tokens) -> Float[Array, "B 3"]:
        """Nats from below and from above, and how many draws are effective: (Σ w)² / Σ w²."""
        draw, half = log_weight(model), self.weighted_draws // 2

        def total(first: int) -> tuple[Nats, Nats]:
            """Logarithms of Σ w and of Σ w² over half of the draws."""

            def add(i: Array, sums: tuple[Nats, Nats]) -> tuple[Nats, Nats]:
                log_w = draw(params, jax.random.fold_in(rng, first + i), x)
                return jnp.logaddexp(sums[0], log_w), jnp.logaddexp(sums[1], 2 * log_w)

            none = jnp.full(len(x), -jnp.inf)
            return jax.lax.fori_loop(0, half, add, (none, none))

        (a, a_squares), (b, b_squares) = total(0), total(half)
        sums, squares = jnp.logaddexp(a, b), jnp.logaddexp(a_squares, b_squares)
        above = (a + b) / 2 - jnp.log(half) + jnp.cosh(a - b) - 1
        above = jnp.where(jnp.isfinite(a - b), above, jnp.inf)  # a half without any weight
        return jnp.stack([sums - jnp.log(2 * half), above, jnp.exp(2 * sums - squares)], axis=1)


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
