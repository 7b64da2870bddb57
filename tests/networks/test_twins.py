"""Values and gradients of primitives: those of their plain twins, or of the definition."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives import attention, convolution, depthwise, matmul, recurrence
from tests.variants import quick


def draw(*shapes, seed=0):
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in shapes]


def masked(mask=None, lengths=(6, 6), **how):
    n, m = lengths
    twins = (
        functools.partial(attention.attention, **{"mask": mask} | how),
        functools.partial(attention.plain_attention, mask=mask),
    )
    return *twins, [(2, n, 3, 4), (2, m, 3, 4), (2, m, 3, 4)], 2e-5


def windows(length):
    """Of 4 places, which see the two windows beside theirs."""
    window = np.arange(length) // 4
    near = jnp.asarray(abs(window[:, None] - window) <= 1)
    return lambda *qkv: attention.window_attention(*qkv, 4), *masked(near, (length,) * 2)[1:]


def tapped(*offsets):
    shapes = (2, *range(5, 5 + len(offsets[0])), 3), (len(offsets), 3)
    functions = depthwise.depthwise, depthwise.plain_depthwise
    return *(functools.partial(f, offsets=offsets) for f in functions), shapes, 1e-5


def recurrent(length, reverse, *start):
    functions = recurrence.recurrence, recurrence.plain_recurrence
    twins = (lambda g, w, *c, f=f: f(g, w / 2, reverse, *c) for f in functions)
    return *twins, ((3, length, 16), (4, 16), *start), 2e-6


def convolved(number, height, width, channels, features):
    twins = convolution.convolve_by_parts, convolution.plain_convolve
    return *twins, ((number, height, width, channels), (3, 3, channels, features)), 5e-5


SOME = jnp.asarray(np.random.default_rng(2).random((2, 1, 6, 7)) < 0.6)
MATMUL = matmul.matmul, matmul.plain_matmul
TWINS = {  # function, twin, shapes of their arguments, how near
    "attention": masked(),
    "attention of 4 to 7": masked(lengths=(4, 7)),
    "masked": masked(SOME[..., :6]),
    "masked of 4 to 7": masked(SOME[:, :, :4], (4, 7)),
    "causal": (masked(causal=True)[0], *masked(jnp.tri(6, dtype=bool))[1:]),
    "linear attention": (
        *(attention.linear_attention, attention.plain_linear_attention),
        *([(2, 6, 3, 4)] * 3, 2e-5),
    ),
    **{f"windows of {length}": windows(length) for length in (4, 8, 16, 20)},
    "rows times a matrix": (*MATMUL, ((3, 5, 4), (4, 6)), 2e-5),
    "two matrices": (*MATMUL, ((7, 6), (6, 2)), 2e-5),
    "rows times a square": (*MATMUL, ((2, 3, 4), (4, 4)), 2e-5),
    "taps of text": tapped((0,), (2,), (-1,)),
    "taps of maps": tapped((0, 0), (1, -2), (-1, 1), (0, 3)),
    "recurrence": recurrent(5, False),
    "recurrence back": recurrent(5, True),
    "recurrence of one step": recurrent(1, False),
    "recurrence of one step back": recurrent(1, True),
    "recurrence from a start": recurrent(5, False, (3, 4)),
    "recurrence from a start back": recurrent(5, True, (3, 4)),
    "convolution": convolved(2, 8, 6, 3, 5),
    "convolution of squares": convolved(3, 4, 4, 5, 2),
    "convolution of a small map": convolved(1, 2, 2, 8, 4),
    "convolution of odd sides": convolved(2, 5, 4, 3, 3),
    "convolution of columns": convolved(1, 3, 1, 2, 3),
    "convolution by parts": convolved(9, 4, 4, 3, 5),
    "convolution by parts of one and of two": convolved(19, 3, 4, 2, 3),
}
DEFAULT = (
    *("masked of 4 to 7", "causal", "linear attention", "windows of 16", "rows times a matrix"),
    *("taps of text", "recurrence back", "recurrence from a start", "convolution by parts"),
)


@pytest.mark.parametrize("name", quick(TWINS, *DEFAULT))
def test_values_and_gradients_are_those_of_the_plain_twin(name, monkeypatch):
    monkeypatch.setattr(convolution, "_worth_parts", lambda x, kernel: len(x) > 8)
    function, twin, shapes, near = TWINS[name]
    arrays = draw(*shapes)
    (d_out,) = draw(jax.eval_shape(twin, *arrays).shape, seed=1)

    @jax.jit
    def both(d_out, arrays):
        (mine, pull), (plain, plain_pull) = (jax.vjp(f, *arrays) for f in (function, twin))
        return (mine, *pull(d_out)), (plain, *plain_pull(d_out))

    for mine, plain in zip(*both(d_out, arrays), strict=True):
        np.testing.assert_allclose(mine, plain, atol=near)


@pytest.mark.slow
def test_scores_beyond_the_range_of_exp_do_not_overflow():
    q, k, v = draw(*[(1, 5, 1, 4)] * 3)
    out, back = jax.vjp(attention.attention, 1000 * q, k, v)
    np.testing.assert_allclose(out, attention.plain_attention(1000 * q, k, v), atol=1e-5)
    assert all(jnp.isfinite(g).all() for g in back(out))


@pytest.mark.few(1)
@pytest.mark.parametrize("widths", [(3, 5), (5, 3)])
def test_transposed_matmul_is_what_it_says_on_every_backend(widths):
    a, b = draw(*[(2, 4, w) for w in widths])
    for name in ("transposed", "turned_transposed", "plain_transposed"):
        product = jax.jit(getattr(matmul, f"{name}_matmul"))
        np.testing.assert_allclose(product(a, b), np.swapaxes(a, 1, 2) @ b, atol=1e-5)


@pytest.mark.slow
def test_shift_moves_each_axis_and_fills_with_zeros():
    h = jnp.arange(6.0).reshape(1, 2, 3, 1)
    for by, wanted in (
        ((1,), [[0, 0, 0], [0, 1, 2]]),
        ((0, -1), [[1, 2, 0], [4, 5, 0]]),
        ((-1, 2), [[0, 0, 3], [0, 0, 0]]),
    ):
        np.testing.assert_array_equal(depthwise.shift(h, *by)[0, :, :, 0], wanted)


@pytest.mark.usefixtures("any_types")
def test_shapes_that_do_not_fit_are_named():
    q, k, v = draw((2, 6, 3, 4), (2, 5, 3, 4), (2, 6, 3, 4))
    with pytest.raises(ValueError, match="same M, H and D"):
        attention.attention(q, k, v)
    with pytest.raises(ValueError, match="multiple of the window; got L=6 and window=4"):
        attention.window_attention(q, q, q, 4)
