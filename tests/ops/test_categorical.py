import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.ops import categorical
from tests import enumeration


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_log_is_floored_with_finite_gradients():
    p = np.array([0.0, 1e-38, 1e-20, 0.3, 1.0], np.float32)
    log_p, gradient = jax.jit(jax.vmap(jax.value_and_grad(categorical.log)))(p)
    np.testing.assert_allclose(log_p, np.log([1e-30, 1e-30, 1e-20, 0.3, 1.0]), rtol=1e-6)
    assert np.isfinite(gradient).all()


def test_normalize(rng):
    p = rng.random((3, 4)).astype(np.float32)
    expected = p / p.sum(axis=-1, keepdims=True)
    p[0] = expected[0] = 0
    np.testing.assert_allclose(categorical.normalize(jnp.asarray(p)), expected, rtol=1e-6)


def test_what_rounding_made_negative_is_0_and_goes_on_at_its_slope():
    p, slope = jax.vmap(jax.value_and_grad(categorical.positive))(jnp.array([-1.0, 0.0, 2.0]))
    np.testing.assert_array_equal([p, slope], [[0, 0, 2], [0, 1, 1]])


def test_kl(rng):
    p, q = rng.dirichlet(np.ones(4), (2, 9)).astype(np.float32)
    expected = (p * np.log(p / q)).sum(axis=-1)
    p[7:], q[7:], expected[7:] = [0, 0, 0, 1], [[0, 0, 0.5, 0.5], [0, 0, 0, 1]], (np.log(2), 0)
    result = jax.jit(categorical.kl)(p, q)
    np.testing.assert_allclose(result, expected, rtol=1e-4)
    a, b = rng.normal(0, 3, (2, 9)).astype(np.float32)
    p, q = (np.stack([1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(odds))], -1) for odds in (a, b))
    result = jax.jit(categorical.kl_of_log_odds)(a, b)
    np.testing.assert_allclose(result, (p * np.log(p / q)).sum(axis=-1), rtol=1e-4, atol=1e-5)


def test_sample_follows_each_row(rng):
    p = np.array([[0.2, 0.0, 0.5, 0.3], [0.0, 2.0, 0.0, 6.0], [0.0, 0.0, 0.0, 1.0]], np.float32)
    rows = jnp.broadcast_to(jnp.asarray(p)[:, None], (3, 20_000, 4))
    x = jax.jit(categorical.sample)(jax.random.key(0), rows)
    assert x.dtype == jnp.int32
    for row, law in zip(np.asarray(x)[:2], p, strict=False):
        enumeration.assert_drawn_from(row, law)
    assert (x[2] == 3).all()


@pytest.mark.few(1)
@pytest.mark.parametrize("states", [1031, 1024, 5000])
def test_of_many_states_it_is_the_inverse_of_their_cdf(states, rng):
    """But for draws at a border, where sums of another order round otherwise."""
    p = np.where(rng.random((200, states)) < 0.1, rng.random((200, states)), 0)
    p = p.astype(np.float32)
    x = np.asarray(jax.jit(categorical.sample)(jax.random.key(1), jnp.asarray(p)))
    cdf = p.astype(np.float64).cumsum(axis=1)
    u = np.asarray(jax.random.uniform(jax.random.key(1), (200, 1))) * cdf[:, -1:]
    assert ((cdf <= u).sum(axis=1) == x).mean() > 0.98
    assert (np.take_along_axis(p, x[:, None], axis=1) > 0).all()


@pytest.mark.parametrize("states", [37, 1500])
@pytest.mark.parametrize("u", [0.0, 1 - 2**-24])
def test_none_is_drawn_that_cannot_be(states, u, monkeypatch):
    """For the least and the largest u, and where sums round: few states are possible."""
    monkeypatch.setattr(jax.random, "uniform", lambda _, shape: jnp.full(shape, np.float32(u)))
    p = np.random.default_rng(0).random((500, states)).astype(np.float32)
    p[:, ::3] = 0
    if states > 1000:
        p[:, -40:] = 0
    x = np.asarray(jax.jit(categorical.sample)(jax.random.key(0), p))
    assert (np.take_along_axis(p, x[:, None], axis=1) > 0).all()


@pytest.mark.parametrize(("token", "place"), [(5, (1, 2)), (-1, (0, 1))])
def test_check_tokens_names_value_and_place(token, place):
    x = np.zeros((2, 3), np.int32)
    x[1, 2] = 5  # the second offence at the most
    x[place] = token
    says = rf"Tokens must be in \[0, 4\); got {token} at index \({place[0]}, {place[1]}\)"
    with pytest.raises(ValueError, match=says):
        categorical.check_tokens(x, 4)
    for allowed in (np.array([0, 3], np.uint8), np.zeros((0, 3), np.int32)):
        categorical.check_tokens(allowed, 4)


def test_under_jit_rows_with_a_token_outside_have_no_probability():
    x = jnp.array([[0, 3], [3, 0], [-1, 0], [0, 4], [9, 9]])
    result = jax.jit(categorical.inside, static_argnums=1)(x, 4)
    np.testing.assert_array_equal(result, [0, 0, np.nan, np.nan, np.nan])
