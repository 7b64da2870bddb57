import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives import attention as att
from amd_jax.networks.primitives import matmul as mm


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def assert_same(f, g, *arrays, atol=2e-5):
    """Values and gradients of f and g agree."""
    (d_out,) = draw(jax.eval_shape(g, *arrays).shape, seed=1)

    @jax.jit
    def both(d_out, arrays):
        (out_f, back_f), (out_g, back_g) = jax.vjp(f, *arrays), jax.vjp(g, *arrays)
        return (out_f, *back_f(d_out)), (out_g, *back_g(d_out))

    for mine, plain in zip(*both(d_out, arrays), strict=True):
        np.testing.assert_allclose(mine, plain, atol=atol)


@pytest.mark.few(1)
@pytest.mark.parametrize("lengths", [(6, 6), (4, 7)])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_equals_its_plain_twin(lengths, masked):
    n, m = lengths
    q, k, v = draw((2, n, 3, 4), (2, m, 3, 4), (2, m, 3, 4))
    mask = jax.random.bernoulli(jax.random.key(2), 0.6, (2, 1, n, m)) if masked else None
    assert_same(
        lambda *a: att.attention(*a, mask=mask),
        lambda *a: att.plain_attention(*a, mask=mask),
        q, k, v,
    )  # fmt: skip


def test_causal_attention_hides_the_future():
    q, k, v = draw(*[(2, 6, 3, 4)] * 3)
    lower = jnp.tri(6, dtype=bool)
    assert_same(
        lambda *a: att.attention(*a, causal=True),
        lambda *a: att.plain_attention(*a, mask=lower),
        q, k, v,
    )  # fmt: skip


@pytest.mark.slow
def test_scores_beyond_the_range_of_exp_do_not_overflow():
    q, k, v = draw(*[(1, 5, 1, 4)] * 3)
    out, back = jax.vjp(att.attention, 1000 * q, k, v)
    np.testing.assert_allclose(out, att.plain_attention(1000 * q, k, v), atol=1e-5)
    assert all(jnp.isfinite(g).all() for g in back(out))


def test_linear_attention_equals_its_plain_twin():
    assert_same(att.linear_attention, att.plain_linear_attention, *draw(*[(2, 6, 3, 4)] * 3))


@pytest.mark.few(1)
@pytest.mark.parametrize("length", [4, 8, 16, 20])
def test_window_attention_sees_its_own_and_the_two_neighbouring_windows(length):
    window = np.arange(length) // 4
    mask = jnp.asarray(abs(window[:, None] - window) <= 1)
    assert_same(
        lambda *a: att.window_attention(*a, 4),
        lambda *a: att.plain_attention(*a, mask=mask),
        *draw(*[(2, length, 3, 4)] * 3),
    )


@pytest.mark.few(1)
@pytest.mark.parametrize("shapes", [((3, 5, 4), (4, 6)), ((7, 6), (6, 2)), ((2, 3, 4), (4, 4))])
def test_matmul_equals_its_plain_twin(shapes):
    assert_same(mm.matmul, mm.plain_matmul, *draw(*shapes))


@pytest.mark.few(1)
@pytest.mark.parametrize("widths", [(3, 5), (5, 3)])
def test_transposed_matmul_is_what_it_says_on_every_backend(widths):
    a, b = draw(*[(2, 4, w) for w in widths])
    for f in (mm.transposed_matmul, mm.turned_transposed_matmul, mm.plain_transposed_matmul):
        np.testing.assert_allclose(jax.jit(f)(a, b), np.swapaxes(a, 1, 2) @ b, atol=1e-5)


@pytest.mark.usefixtures("any_types")
def test_shapes_that_do_not_fit_are_named():
    q, k, v = draw((2, 6, 3, 4), (2, 5, 3, 4), (2, 6, 3, 4))
    with pytest.raises(ValueError, match="same M, H and D"):
        att.attention(q, k, v)
    with pytest.raises(ValueError, match="multiple of the window; got L=6 and window=4"):
        att.window_attention(q, q, q, 4)
