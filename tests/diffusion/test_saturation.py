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
from tests.variants import quick

GAPS = (0.0, 3.0, 20.0, 40.0, 44.0, 50.0, 88.0, 104.0, 1e3, 1e4)
STEPS = ((0.0, 0.1), (0.0, 1.0), (0.3, 0.4), (0.9, 1.0))
ENDS = (1e-4, 0.1, 0.5, 1.0)
SMOOTH = [name for name in zoo.KERNELS if name.split("-")[-1] not in zoo.ROUGH]


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


def over_x_t(expect, kernel, logits, x_0, *times):
    """The expectation over x_t of what is expected: (N,)."""
    rows, end = np.arange(len(x_0)), times[-1]
    chance = matrix(kernel, jnp.zeros_like(end), end)[rows, x_0].T  # (K, N)
    terms = jax.vmap(lambda z: expect(kernel, logits, x_0, jnp.full(len(x_0), z), *times))
    terms = terms(jnp.arange(len(kernel.prior)))
    return jnp.where(chance > 0, chance * terms, 0.0).sum(axis=0)


TERMS = {  # a form, what is expected of it, the kernels that it is for
    "discrete": (bounds.discrete, expected_kl, zoo.KERNELS),
    "rate": (bounds.rate, expected_rate, SMOOTH),
    "leave_one_out": (bounds.leave_one_out, expected_kl, zoo.KERNELS),
    "leave_one_out_rate": (bounds.leave_one_out_rate, expected_rate, SMOOTH),
}


EVERY = [  # each term with each kernel, in the form for any kernel and in that for mixtures
    (term, name, kind)
    for term, (_, _, names) in TERMS.items()
    for name in names
    for kind in (object, kernels.Mixture)
    if isinstance(zoo.KERNELS[name], kind)
]
CHOSEN = [("discrete", "uniform-cosine", kernels.Mixture)]
CHOSEN += [(term, "uniform-cosine", object) for term in TERMS]
OWN = [  # one term of each kernel, and each term of some, in the form that they take
    (term, name, kind)
    for term, name, kind in EVERY
    if (term == "discrete" or name in zoo.FAMILIES)
    and (kind is kernels.Mixture) == isinstance(zoo.KERNELS[name], kernels.Mixture)
]


def case_id(case):
    return "-".join((*case[:2], case[2].__name__))


@pytest.mark.parametrize("case", quick(EVERY, *CHOSEN, slow=OWN), ids=case_id)
def test_terms_of_sure_guesses(case):
    term, name, kind = case
    generic, expect, _ = TERMS[term]
    kernel, form = zoo.KERNELS[name], generic.dispatch(kind)
    # chances by modes, as sums that cancel, are known to 1e-7: too little at the first time
    ends = ENDS[name == "generator-reversible" :]
    logits, x_0, x_t, times = situations(kernel, STEPS if expect is expected_kl else ends)
    seen = not term.startswith("leave_one_out")
    if not seen:
        logits, x_0, times = (a[x_t == 0] for a in (logits, x_0, times))
    times = np.atleast_2d(times.T)

    def wanted(logits):
        exact = map(jnp.float64, times)
        if seen:
            return expect(kernel, logits, x_0, x_t, *exact)
        return over_x_t(expect, kernel, logits, x_0, *exact)

    check(
        lambda logits: guessed(form, kernel, x_0, logits, *[x_t[:, None]] * seen, *times),
        wanted,
        logits,
        chances(kernel, x_0, x_t, times[-1]) if seen else np.ones(len(x_0)),
        digits=1e-5 if (term, kind) == ("leave_one_out_rate", object) else 0.0,
    )


def test_no_rate_leads_into_data_that_a_guess_rules_out():
    """Of masks, by the form for any kernel: 0, and not 0 times infinity."""
    kernel, x = kernels.absorbing(schedules.linear, 3), jnp.array([[1]])
    log_p = jnp.array([[[0.0, -1e3, -1e3, categorical.NEVER]]])
    form = jax.jit(functools.partial(bounds.rate.dispatch(object), kernel))
    np.testing.assert_array_equal(form(x, jnp.exp(log_p), x, jnp.array([0.5]), log_p), 0)
