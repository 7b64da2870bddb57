"""Integers mod K as one-hots: exact forward; backward, arithmetic of probabilities."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.ops import modular

K = 5
SCALES = (1, 2, 3)
RNG = np.random.default_rng(0)


def numbers(size, high):
    """Some integers, and the same as one-hots."""
    result = RNG.integers(high, size=size)
    return result, np.eye(high, dtype=np.float32)[result]


def of_probabilities(x, scale, loc):
    """loc + scale x of independent x, scale and loc, in every argument linear: (N, K)."""
    i, j, m = np.indices((K, len(SCALES), K))
    ends = jax.nn.one_hot((m + np.array(SCALES)[j] * i) % K, K)
    return jnp.einsum("ni,nj,nm,ijmu->nu", x, scale, loc, ends)


def test_gradients_are_those_of_the_arithmetic_of_probabilities():
    (_, x), (_, scale), (_, loc) = numbers(8, K), numbers(8, len(SCALES)), numbers(8, K)
    weight = jnp.asarray(RNG.normal(size=(8, K)))

    def slopes(f):
        total = lambda *a: (weight * f(*a)).sum()  # noqa: E731
        return jax.jit(jax.grad(total, argnums=(0, 1, 2)))(x, scale, loc)

    result = slopes(functools.partial(modular.affine, SCALES))
    for one, other in zip(result, slopes(of_probabilities), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 0.3])
def test_what_is_hardened_has_the_gradient_of_a_softmax_at_its_temperature(temperature):
    logits, weight = RNG.normal(size=(2, 4, K)).astype(np.float32)

    @jax.jit
    def both(logits):
        hard, pull = jax.vjp(lambda a: modular.harden(a, temperature), logits)
        _, other = jax.vjp(lambda a: jax.nn.softmax(a / temperature), logits)
        return hard, pull(weight)[0], other(weight)[0]

    hard, result, exact = both(logits)
    np.testing.assert_allclose(hard, np.eye(K)[logits.argmax(axis=-1)], atol=1e-6)
    np.testing.assert_allclose(result, exact, rtol=1e-5, atol=1e-7)


def test_a_map_and_its_inverse_by_its_numbers():
    bijection = modular.Affine(K, SCALES)
    (i, x), (j, scale), (m, loc) = numbers(20, K), numbers(20, len(SCALES)), numbers(20, K)
    theta = np.concatenate([3 * loc, 3 * scale], axis=-1)
    z = jax.jit(bijection.forward)(x, theta)
    np.testing.assert_array_equal(z.argmax(axis=-1), (m + np.array(SCALES)[j] * i) % K)
    np.testing.assert_array_equal(jax.jit(bijection.inverse)(z, theta), x)
