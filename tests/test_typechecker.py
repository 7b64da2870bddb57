"""Annotations are checked in these tests: kinds and shapes, of arguments and of results."""

import dataclasses

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.ops import categorical
from amd_jax.types import Nats, Tokens
from tests import typechecker

pytestmark = pytest.mark.skipif(not typechecker.ASKED, reason="CHECK_TYPES=1 python -m pytest")
KERNEL = kernels.uniform(schedules.linear, 3)
X, T = jnp.zeros((2, 4), jnp.int32), jnp.full(2, 0.5)


@jaxtyping.jaxtyped(typechecker=typechecker.check)
def nats(x: Tokens, rows: int) -> Nats:
    return jnp.zeros(rows)


def test_nats_of_another_length_are_refused():
    assert nats(X, 2).shape == (2,)
    with pytest.raises(jaxtyping.TypeCheckError, match="return value"):
        nats(X, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: KERNEL.likelihood(X, T[:1], T),  # of one row
        lambda: KERNEL.likelihood(X, 0.0, T),  # no array
        lambda: KERNEL.push(X, T, T),  # tokens, not their law
        lambda: categorical.sample(jax.random.PRNGKey(0), jnp.ones((2, 3))),  # no typed key
        lambda: bounds.discrete(KERNEL, X, jnp.ones((2, 3, 3)), X, T, T),  # of another length
    ],
)
def test_arguments_of_another_shape_or_kind_are_refused(call):
    with pytest.raises(jaxtyping.TypeCheckError, match="parameter"):
        call()


def test_a_part_that_breaks_its_promise_is_seen_where_it_is_used():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Short(kernels.Mixing):
        def push(self, p, s, t):
            return super().push(p, s, t)[..., 1:]

    with pytest.raises(jaxtyping.TypeCheckError, match="kl"):
        bounds.prior_kl(Short(KERNEL.schedule, KERNEL.prior, 3), X)


def test_arrays_of_numpy_pass():
    assert KERNEL.likelihood(np.asarray(X), np.zeros(2), np.asarray(T)).shape == (2, 4, 3)


@pytest.mark.usefixtures("any_types")
def test_any_types_checks_nothing():
    assert nats(X, 3).shape == (3,)
