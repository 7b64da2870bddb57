"""The bound of a process that inserts tokens is tight, and its estimate is unbiased."""

import collections
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import insertion
from amd_jax.diffusion.exact import insertions
from tests import enumeration
from tests.diffusion.insertion import brute_force

SIZES = [(2, 2), (3, 1), (3, 2), (2, 1), (2, 3)]  # tokens, the longest line
NODES = 64  # of a Gauss-Legendre rule in t


@functools.cache
def law(num_tokens, longest):
    """A random law of all lines, the empty one included."""
    number = len(brute_force.lines(num_tokens, longest))
    return np.random.default_rng(num_tokens + 7 * longest).dirichlet(0.7 * np.ones(number))


def shares(t):
    """Probabilities of dropped, masked and clean: (..., 3), written out anew."""
    u = -2 * np.log(t)
    return np.stack([np.exp(-u), u * np.exp(-u), -np.expm1(-u) - u * np.exp(-u)], axis=-1)


def integral(rate):
    """∫ rate(t) dt over [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    return sum(w * rate(t) for t, w in zip((nodes + 1) / 2, weights / 2, strict=True))


@functools.cache
def histories(num_tokens, longest):
    """All lines with all that can become of them: indices of lines, x_t, and states."""
    every = brute_force.lines(num_tokens, longest)
    result = [
        (n, x_t, states)
        for n, line in enumerate(every)
        for x_t, states in brute_force.histories(line, num_tokens + 1)
    ]
    number, x_t, states = zip(*result, strict=True)
    return every, np.array(number), x_t, states


def chances(num_tokens, longest, t):
    """The probability of each history."""
    _, number, _, states = histories(num_tokens, longest)
    each = shares(t)
    return law(num_tokens, longest)[number] * [np.prod(each[list(s)]) for s in states]


def bounds_of_lines(process, num_tokens, longest):
    """E[-elbo] of every line, (N,), all its histories weighted."""
    every, number, x_t, _ = histories(num_tokens, longest)
    x = jnp.asarray(brute_force.padded([every[n] for n in number], longest, num_tokens))
    x_t = jnp.asarray(brute_force.padded(x_t, longest, num_tokens))

    @jax.jit
    def rate(t):
        t = jnp.full(len(x), t, jnp.float32)
        return insertion.bounds.rate_of(process, jax.random.key(0), x, x_t, t)

    def means(t):
        weighted = chances(num_tokens, longest, t) * np.asarray(rate(t), np.float64)
        return np.bincount(number, weighted)

    return integral(means) / law(num_tokens, longest)


@pytest.mark.few(1)
@pytest.mark.parametrize(("num_tokens", "longest"), SIZES)
def test_the_bound_of_the_exact_network_is_the_code_length_of_each_line(num_tokens, longest):
    """So its mean is the entropy."""
    p = law(num_tokens, longest)
    nats = bounds_of_lines(insertions.exact(p, num_tokens, longest), num_tokens, longest)
    assert p @ nats == pytest.approx(-(p @ np.log(p)), abs=1e-4)
    np.testing.assert_allclose(nats, -np.log(p), rtol=2e-3)


def distorted(process):
    """A network that is wrong about gaps and tokens."""

    def network(x_t, t, rng=None):
        guess = process.guess(x_t, t, rng)
        tilt = jnp.arange(process.padding) * jnp.cos(3 * t)[:, None, None]
        return insertion.Guess(
            guess.log_gaps + 0.7 * jnp.sin(5 * t)[:, None], guess.log_law + tilt
        )

    return insertion.Process(process.padding, network)


def test_a_draw_is_an_unbiased_estimate_of_what_a_network_that_is_wrong_pays():
    """Its bounds leave lines less than all probability; the estimate varies little."""
    process, draws = distorted(insertions.exact(law(2, 2), 2, 2)), 20_000
    x = jnp.tile(insertions.lines(2, 2), (draws, 1))
    elbo = jax.jit(functools.partial(insertion.bounds.elbo, process))
    nats = np.asarray(elbo(jax.random.key(0), x), np.float64).reshape(draws, -1)
    error = nats.std(axis=0) / draws**0.5
    assert (error < 0.1).all()
    mean = -bounds_of_lines(process, 2, 2)
    assert 0.5 < np.exp(mean).sum() < 0.99
    assert (abs(nats.mean(axis=0) - mean) < 5 * error + 1e-3).all()


def test_what_is_left_of_a_line_follows_the_law_of_its_histories():
    """Tokens are dropped and masked independently, and what is left moves to the left."""
    process, line, draws = insertions.exact(law(2, 2), 2, 2), (0, 1, 1), 10_000
    x = jnp.tile(jnp.array([[*line, 2]]), (draws, 1))
    for seed, t in enumerate((0.9, 0.4)):
        rows = process.corrupted(jax.random.key(seed), x, jnp.full(draws, t))
        expected = collections.Counter()
        for x_t, states in brute_force.histories(line, 3):
            expected[(*x_t, *(2,) * (4 - len(x_t)))] += np.prod(shares(t)[list(states)])
        every = list(expected)
        numbers = [every.index(tuple(row)) for row in np.asarray(rows).tolist()]
        enumeration.assert_drawn_from(np.array(numbers), np.array([*expected.values()]))


def test_a_row_has_a_gap_after_each_of_its_tokens_but_none_when_it_is_full():
    x_t = jnp.array([[2, 2], [0, 2], [3, 2], [1, 3]])
    one_token = insertion.Guess(jnp.zeros((4, 3)), jnp.zeros((4, 2, 2)))
    guess = insertion.Process(2, lambda x_t, t, rng=None: one_token).guess(x_t, jnp.ones(4))
    np.testing.assert_array_equal(
        jnp.exp(guess.log_gaps), [[1, 0, 0], [1, 1, 0], [1, 1, 0], [0, 0, 0]]
    )


def test_times_at_both_ends_are_finite():
    process = insertions.exact(law(2, 2), 2, 2)
    x, rate = (
        jnp.asarray(insertions.lines(2, 2)),
        functools.partial(insertion.bounds.rate, process),
    )
    for t in (2.0**-24, 1.0):
        assert jnp.isfinite(jax.jit(rate)(jax.random.key(0), x, jnp.full(len(x), t))).all()
