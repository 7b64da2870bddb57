"""Rounding by hand: values, and the gradients that take the place of zero."""

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.ops import rounding

U = jnp.array([-1.7, -0.5, 0.2, 0.5, 1.5, 2.6])


def test_the_nearest_has_the_gradient_of_the_identity():
    np.testing.assert_array_equal(rounding.nearest(U), [-2, 0, 0, 0, 2, 3])
    np.testing.assert_array_equal(
        jax.grad(lambda u: (u * rounding.nearest(u)).sum())(U), U + rounding.nearest(U)
    )


def test_a_staircase_nears_it_and_rises_between():
    away = jnp.array([-1.7, 0.2, 1.3, 2.7])
    soft = jax.jit(rounding.soft, static_argnums=1)
    np.testing.assert_allclose(soft(away, 0.01), np.round(away), atol=1e-6)
    np.testing.assert_allclose(soft(U, 0.1)[jnp.array([1, 4])], [-0.5, 1.5], atol=1e-5)
    slope = jax.jit(jax.grad(lambda u: rounding.soft(u, 0.1).sum()))(U)
    assert (slope > 0).all()
    np.testing.assert_allclose(slope[1], 0.25 / 0.1, rtol=1e-3)  # of a sigmoid in its middle


def test_a_shift_by_whole_units_has_an_inverse_and_a_gradient():
    shift, x, theta = rounding.Shift(unit=4.0), jnp.arange(6.0), U[:, None]
    z, nats = shift.forward(x, theta)
    np.testing.assert_array_equal(z, x + jnp.round(4 * U))
    np.testing.assert_array_equal(nats, 0)
    np.testing.assert_array_equal(shift.inverse(z, theta), x)
    slope = jax.grad(lambda theta: shift.forward(x, theta)[0].sum())(theta)
    np.testing.assert_array_equal(slope, 4)
