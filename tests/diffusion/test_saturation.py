"""Guesses as sure as a network can be: right values and gradients, against float64.

The expected figures are written out anew, in logarithms: sums over all K² paths, whatever form
the library takes.
"""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.ops import categorical
from tests import zoo

GAPS = (0.0, 3.0, 20.0, 40.0, 44.0, 50.0, 88.0, 104.0, 1e3, 1e4)
STEPS = ((0.0, 0.1), (0.0, 1.0), (0.3, 0.4), (0.9, 1.0))
ENDS = (1e-4, 0.1, 0.5, 1.0)
QUICK = (
    "uniform-cosine",
    "absorbing-linear",
    "masks_and_uniform",
    "augmented",
    "class_masking",
    "table-gaussian",
)
SMOOTH = [name for name in zoo.KERNELS if name.split("-")[-1] not in zoo.ROUGH]


def cases(names):
    """Kernels and forms of a bound: for any kernel, or for mixtures; for a few both."""
    return [
        pytest.param(name, form, marks=() if name in QUICK else pytest.mark.slow)
        for name in names
        for form in forms(name)
    ]


def forms(name):
    if not isinstance(zoo.KERNELS[name], kernels.Mixture):
        return [object]
    return [object, kernels.Mixture] if name in QUICK else [kernels.Mixture]


def situations(kernel, times):
    """Every gap, time, x_0 and x_t, a class that is x_0 or another being sure: (N,) each."""
    classes, states = kernel.num_classes, len(kernel.prior)
    each = itertools.product(GAPS, range(len(times)), *map(range, (classes, classes, states)))
    gap, time, sure, x_0, x_t = map(np.array, zip(*each, strict=True))
    logits = np.where(np.arange(classes) == sure[:, None], gap[:, None], 0.0)
    logits += 0.3 * np.arange(classes)
    times = np.asarray(times, np.float32)[time]
    return logits.astype(np.float32), x_0, x_t, times


def log_guess(logits, states):
    log_p = jax.nn.log_softmax(logits)
    ends = [(0, 0), (0, states - log_p.shape[-1])]
    return jnp.pad(log_p, ends, constant_values=categorical.NEVER)


def matrix(kernel, s, t):
    """Q(s, t)[x_s, x_t]: (N, K, K)."""
    states = len(kernel.prior)
    return kernel.push(jnp.broadcast_to(jnp.eye(states), (len(s), states, states)), s, t)


def log_matrix(kernel, s, t):
    """Log Q(s, t)[x_s, x_t]: (N, K, K)."""
    q = matrix(kernel, s, t)
    return jnp.where(q > 0, jnp.log(jnp.where(q > 0, q, 1.0)), 2 * categorical.NEVER)


def paths(log_p, log_q):
    """Log Σ_j p_j q_jk: (N, K), (N, K, K) -> (N, K)."""
    return jax.nn.logsumexp(log_p[..., None] + log_q, axis=1)


def clean(x_0, states):
    return jnp.where(jnp.arange(states) == x_0[:, None], 0.0, 2 * categorical.NEVER)


def expected_kl(kernel, logits, x_0, x_t, s, t):
    """KL of two posteriors: (N,)."""
    states = len(kernel.prior)
    log_q = log_matrix(kernel, jnp.zeros_like(s), s)
    likelihood = log_matrix(kernel, s, t)[jnp.arange(len(s)), :, x_t]
    pushed = [paths(log_p, log_q) for log_p in (clean(x_0, states), log_guess(logits, states))]
    true, guess = (jax.nn.log_softmax(likelihood + log_p) for log_p in pushed)
    return (jnp.exp(true) * (true - guess)).sum(axis=-1)


def expected_rate(kernel, logits, x_0, x_t, t):
    """The limit of the KL over t - s: (N,)."""
    states = len(kernel.prior)
    log_q = log_matrix(kernel, jnp.zeros_like(t), t)
    into = jax.jvp(functools.partial(matrix, kernel, t), (t,), (jnp.ones_like(t),))[1]
    into = into[jnp.arange(len(t)), :, x_t]
    pushed = [paths(log_p, log_q) for log_p in (clean(x_0, states), log_guess(logits, states))]
    true, guess = (p - p[jnp.arange(len(t)), x_t][:, None] for p in pushed)
    others = jnp.arange(states) != x_t[:, None]
    true, guess = (jnp.where(others, jnp.minimum(p, 60.0), 0.0) for p in (true, guess))
    terms = jnp.exp(guess) - jnp.exp(true) + jnp.exp(true) * (true - guess)
    return (jnp.where(others, into, 0.0) * terms).sum(axis=-1)


def chances(kernel, x_0, x_t, t):
    """How probable x_t is: (N,); 0 where it hardly ever is."""
    chance = np.asarray(matrix(kernel, jnp.zeros_like(t), t))[np.arange(len(t)), x_0, x_t]
    return np.where(chance > 1e-10, chance, 0.0)


def differentiated(f, logits, chance):
    """What f gives, and the gradient of its expectation: numpy."""

    def expectation(logits):
        result = f(logits)
        return (result * chance).sum(), result

    (_, result), gradient = jax.jit(jax.value_and_grad(expectation, has_aux=True))(logits)
    return jax.tree.map(np.asarray, (result, gradient))


def check(form, expect, logits, chance, digits=0.0):
    """Compares a float32 form (N,) with its expectation in float64; all is finite in any case.

    What x_t that hardly ever is has to pay is large, and counts for as little as it is rare.
    """
    with jax.enable_x64(True):
        wanted, slope = differentiated(expect, np.float64(logits), np.float64(chance))
    result, gradient = differentiated(form, logits, np.float32(chance))
    assert np.isfinite(result).all()
    assert np.isfinite(gradient).all()
    sound = (chance > 0) & (wanted < 1e20)
    assert sound.sum() > 0.3 * len(chance)
    assert (chance * result > -1e-6 - digits)[sound].all()
    size = chance * abs(wanted)
    digits += 2e-7 * abs(logits).max(axis=-1)  # the network's own
    assert (chance * abs(result - wanted) <= 1e-4 * size + 3e-6 + digits)[sound].all()
    apart, scale = abs(gradient - slope).max(axis=-1), abs(slope).max(axis=-1)
    assert (apart <= 3e-4 * scale + 2e-7 * size + 2e-6 + digits)[sound].all()


def guessed(form, kernel, x_0, logits, *more):
    """A form of a bound of one token a row: (N,)."""
    log_p = log_guess(logits, len(kernel.prior))[:, None]
    return form(kernel, x_0[:, None], jnp.exp(log_p), *more, log_p)[:, 0]


def first_end(name):
    """Chances by modes, as sums that cancel, are known to 1e-7: too little at the first time."""
    return int(name == "generator-reversible")


@pytest.mark.few(1, slow=2)
@pytest.mark.parametrize(("name", "kind"), cases(zoo.KERNELS))
def test_the_kl_of_a_step(name, kind):
    kernel, form = zoo.KERNELS[name], bounds.discrete.dispatch(kind)
    logits, x_0, x_t, times = situations(kernel, STEPS)
    s, t = times.T
    check(
        lambda logits: guessed(form, kernel, x_0, logits, x_t[:, None], s, t),
        lambda logits: expected_kl(kernel, logits, x_0, x_t, *map(jnp.float64, (s, t))),
        logits,
        chances(kernel, x_0, x_t, t),
    )


@pytest.mark.few(1, slow=2)
@pytest.mark.parametrize(("name", "kind"), cases(SMOOTH))
def test_the_rate(name, kind):
    kernel, form = zoo.KERNELS[name], bounds.rate.dispatch(kind)
    logits, x_0, x_t, t = situations(kernel, ENDS[first_end(name) :])
    check(
        lambda logits: guessed(form, kernel, x_0, logits, x_t[:, None], t),
        lambda logits: expected_rate(kernel, logits, x_0, x_t, jnp.float64(t)),
        logits,
        chances(kernel, x_0, x_t, t),
    )


@pytest.mark.few(1, slow=2)
@pytest.mark.parametrize(("name", "kind"), cases(zoo.KERNELS))
def test_the_kl_without_the_own_token(name, kind):
    kernel, form = zoo.KERNELS[name], bounds.leave_one_out.dispatch(kind)
    logits, x_0, x_t, times = situations(kernel, STEPS)
    first = x_t == 0
    logits, x_0, (s, t) = logits[first], x_0[first], times[first].T
    check(
        lambda logits: guessed(form, kernel, x_0, logits, s, t),
        lambda logits: over_x_t(expected_kl, kernel, logits, x_0, *map(jnp.float64, (s, t))),
        logits,
        np.ones(len(s)),
    )


@pytest.mark.few(1, slow=2)
@pytest.mark.parametrize(("name", "kind"), cases(SMOOTH))
def test_the_rate_without_the_own_token(name, kind):
    kernel, form = zoo.KERNELS[name], bounds.leave_one_out_rate.dispatch(kind)
    logits, x_0, x_t, t = situations(kernel, ENDS[first_end(name) :])
    first = x_t == 0
    logits, x_0, t = logits[first], x_0[first], t[first]
    check(
        lambda logits: guessed(form, kernel, x_0, logits, t),
        lambda logits: over_x_t(expected_rate, kernel, logits, x_0, jnp.float64(t)),
        logits,
        np.ones(len(t)),
        digits=1e-5 if kind is object else 0.0,
    )


def over_x_t(expect, kernel, logits, x_0, *times):
    """The expectation over x_t of what is expected: (N,)."""
    rows, end = np.arange(len(x_0)), times[-1]
    chance = matrix(kernel, jnp.zeros_like(end), end)[rows, x_0].T  # (K, N)
    terms = jax.vmap(lambda z: expect(kernel, logits, x_0, jnp.full(len(x_0), z), *times))
    terms = terms(jnp.arange(len(kernel.prior)))
    return jnp.where(chance > 0, chance * terms, 0.0).sum(axis=0)


def test_no_rate_leads_into_data_that_a_guess_rules_out():
    """Of masks, by the form for any kernel: 0, and not 0 times infinity."""
    kernel, x = kernels.absorbing(schedules.linear, 3), jnp.array([[1]])
    log_p = jnp.array([[[0.0, -1e3, -1e3, categorical.NEVER]]])
    form = jax.jit(functools.partial(bounds.rate.dispatch(object), kernel))
    np.testing.assert_array_equal(form(x, jnp.exp(log_p), x, jnp.array([0.5]), log_p), 0)
