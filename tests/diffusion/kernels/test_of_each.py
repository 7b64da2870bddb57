"""Kernels with a prior of each token: token by token they are kernels of one prior."""

import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.diffusion.kernels import information, learned_schedule
from amd_jax.models.corrections import time_of
from tests import enumeration, zoo
from tests.variants import quick

GRID = [(0.0, 0.1), (0.0, 1.0), (0.3, 0.7), (0.9, 1.0)]
STEPS = [(0.0, 0.1), (0.3, 0.4), (0.9, 1.0)]


@pytest.fixture(params=quick(zoo.OF_EACH, "within-cosine"))
def kernel(request):
    return zoo.OF_EACH[request.param]


def compiled(f, kernel):
    return jax.jit(functools.partial(f, kernel))


def apart(kernel):
    """The kernel of each token."""
    return [dataclasses.replace(kernel, prior=prior) for prior in kernel.prior]


def test_rows_are_those_of_each_token_and_none_leads_to_what_it_cannot_be(kernel):
    every, likelihood = np.tile(np.arange(3)[:, None], (1, zoo.LENGTH)), jax.jit(kernel.likelihood)
    for s, t in GRID:
        rows = enumeration.matrix(kernel, s, t)
        assert rows.shape == (zoo.LENGTH, 3, 3)
        columns = likelihood(every, np.full(3, s, "f"), np.full(3, t, "f"))  # [x_t, l, x_s]
        np.testing.assert_allclose(columns, rows.transpose(2, 0, 1), rtol=1e-5)
        for own, one in zip(rows, apart(kernel), strict=True):
            np.testing.assert_allclose(own, enumeration.matrix(one, s, t), rtol=1e-6)
            never = np.asarray(one.prior) == 0
            assert (own * ~np.eye(3, dtype=bool))[:, never].max(initial=0) == 0


def test_law_at_the_end_is_the_prior(kernel):
    end = enumeration.matrix(kernel, 0.0, 1.0)
    np.testing.assert_allclose(end, np.broadcast_to(kernel.prior[:, None], end.shape), atol=0.01)
    x = kernels.draw_prior(kernel, jax.random.key(0), (20_000, zoo.LENGTH))
    for tokens, law in zip(x.T, kernel.prior, strict=True):
        enumeration.assert_drawn_from(tokens, law)


def pairs(kernel):
    """Every (x_0, x_t) that a token can be, for the first token; and at random for the second."""
    rng = np.random.default_rng(0)
    classes = [np.flatnonzero(prior[: kernel.num_classes] > 0) for prior in kernel.prior]
    classes = [c if len(c) else np.arange(kernel.num_classes) for c in classes]
    states = [
        np.union1d(c, np.flatnonzero(p > 0)) for c, p in zip(classes, kernel.prior, strict=True)
    ]
    x_0 = np.stack([rng.choice(c, 24) for c in classes], axis=1)
    x_t = np.stack([rng.choice(c, 24) for c in states], axis=1)
    if kernels.is_masking(kernel):
        x_t = np.where(x_t == kernel.num_classes, x_t, x_0)
    p_0 = rng.random((24, zoo.LENGTH, 3)) + 0.05
    for place, own in enumerate(classes):
        p_0[:, place, np.setdiff1d(np.arange(3), own)] = 0
    p_0 = (p_0 / p_0.sum(axis=-1, keepdims=True)).astype(np.float32)
    return x_0, p_0, x_t


TERMS = {  # the registered forms and the general ones
    f"{name}-{kind}": form
    for name in ("discrete", "leave_one_out", "rate", "leave_one_out_rate", "divergence")
    for kind, form in (
        ("own", getattr(bounds, name)),
        ("general", getattr(bounds, name).dispatch(object)),
    )
    if (name, kind) != ("leave_one_out", "general")
}


@pytest.mark.parametrize("name", quick(TERMS, "discrete-own", "rate-general"))
def test_terms_of_the_bound_are_those_of_each_token(kernel, name):
    form, (x_0, p_0, x_t) = TERMS[name], pairs(kernel)
    takes = list(inspect.signature(getattr(bounds, name.split("-")[0])).parameters)[1:-1]
    together = compiled(form, kernel)
    alone = jax.jit(lambda prior, *given: form(dataclasses.replace(kernel, prior=prior), *given))
    for s, t in STEPS[1:] if "rate" in name else STEPS:
        times = {"s": np.full(24, s, "f"), "t": np.full(24, t, "f")}
        given = {"x_0": x_0, "p_0": p_0, "x_t": x_t} | times
        given = [jnp.asarray(given[argument]) for argument in takes]
        result = together(*given)
        assert np.isfinite(result).all()
        for place, one in enumerate(apart(kernel)):
            own = [a if a.ndim == 1 else a[:, place : place + 1] for a in given]
            expected = alone(one.prior, *own)[:, 0]
            np.testing.assert_allclose(result[:, place], expected, rtol=1e-4, atol=1e-6)


def test_draws_are_those_of_each_token(kernel):
    s, t = 0.3, 0.6
    early, late = jnp.full(20_000, s), jnp.full(20_000, t)
    x_0, guess = np.array([0, 1]), np.array([0.3, 0.7, 0.0])
    there = np.where(np.asarray(kernel.prior)[:, 2] == 1, 2, 1)  # a mask, or 1

    @jax.jit
    def draws(rng):
        rows, seen = jnp.tile(x_0, (20_000, 1)), jnp.tile(there, (20_000, 1))
        p_0 = jnp.broadcast_to(guess.astype(np.float32), (20_000, 2, 3))
        x_s = kernels.step_back(kernel, rng, p_0, seen, early, late)
        return kernels.corrupt(kernel, rng, rows, late), x_s

    laws = enumeration.matrix(kernel, 0.0, t), enumeration.bayes(kernel, guess, there, s, t)
    x_t, x_s = draws(jax.random.key(0))
    for place in range(zoo.LENGTH):
        enumeration.assert_drawn_from(x_t[:, place], laws[0][place, x_0[place]])
        enumeration.assert_drawn_from(x_s[:, place], laws[1][place])


def test_what_survives_all_noise_is_that_of_each_token():
    kernel = dataclasses.replace(
        zoo.OF_EACH["within-cosine"], schedule=schedules.tabulated(-np.arange(11) / 10)
    )

    @jax.jit
    def left(x):
        parts = [bounds.prior_kl(one, x[:, n : n + 1]) for n, one in enumerate(apart(kernel))]
        return bounds.prior_kl(kernel, x), sum(parts)

    result, expected = left(np.array([[0, 2], [1, 0]]))
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    assert (result > 0.1).all()


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["ancestral", "tau_leaping", "euler", "predictor_corrector-cap", "dndm"]
)
def test_samplers_near_the_law_of_the_data(name):
    """With the exact guess, whose law is known: the same as that of three classes with one of 0.

    DNDM alone is biased on noise that does not show.
    """
    data = np.array([[0.3, 0.1, 0.1], [0.05, 0.05, 0.4], [0.0, 0.0, 0.0]])
    process = certificates.exact(zoo.OF_EACH["within-cosine"], data)
    sampler = zoo.SAMPLERS[name]
    sampler = dataclasses.replace(sampler, **({"steps": 64} if sampler.steps else {}))
    law = certificates.law(sampler, process, 2, 64)
    assert law[2].sum() == pytest.approx(0, abs=1e-9)
    assert law.sum() == pytest.approx(1, abs=1e-4)
    far = certificates.distance(law, data)
    assert far < (0.15 if name == "dndm" else 0.05)
    x = kernels.draw_prior(process.kernel, jax.random.key(0), (8000, 2))
    x = jax.jit(functools.partial(sampler, process))(jax.random.key(1), x, sampler.times(64))
    enumeration.assert_drawn_from(enumeration.number(np.asarray(x), 3), law.ravel())


@pytest.mark.slow
def test_masks_of_each_token_are_masks():
    kernel, data = zoo.OF_EACH["masks"], np.array([[0.4, 0.1], [0.2, 0.3]])
    assert kernels.is_masking(kernel)
    assert kernels.shows_noise(kernel)
    process = certificates.exact(kernel, data)
    noise = kernels.draw_prior(kernel, jax.random.key(0), (100, 2))
    assert (noise == 2).all()
    for name in ("first_hitting", "remasking", "confidence"):
        sampler = zoo.SAMPLERS[name]
        walk = jax.jit(functools.partial(sampler, process))
        assert (walk(jax.random.key(1), noise, sampler.times(8)) < 2).all()
    law = certificates.law(zoo.SAMPLERS["confidence"], process, 2, 8)
    np.testing.assert_allclose(law, data, atol=1e-6)


def test_an_error_rate_counts_what_a_token_can_be():
    """Of two classes 1/2 of what is redrawn changes, of three 2/3; each class counts alike."""
    process = certificates.exact(zoo.OF_EACH["within-linear"], np.full((3, 3), 1 / 9))
    time = jax.jit(lambda: time_of(process, 1000, 0.3))()
    assert float(time) * 3 / 5 == pytest.approx(0.3, abs=1e-3)


def test_uniform_within_is_uniform_over_what_is_possible():
    """And a learned pace keeps its priors."""
    kernel = zoo.OF_EACH["within-cosine"]
    np.testing.assert_allclose(kernel.prior, [[1 / 2, 1 / 2, 0], [1 / 3] * 3], rtol=1e-6)
    assert kernel.prior.dtype == jnp.float32
    pace = learned_schedule.LearnedSchedule(kernel, bins=4)
    np.testing.assert_array_equal(pace.prior, kernel.prior)
    opened = pace.open({"levels": jnp.array([0.5, -1.0, 0.0, 1.0])})
    np.testing.assert_allclose(enumeration.matrix(opened, 0.0, 0.5).sum(axis=-1), 1, rtol=1e-6)


def test_what_is_for_one_prior_and_a_token_that_can_be_nothing_are_refused():
    kernel = zoo.OF_EACH["within-cosine"]
    x_0, p_0, _ = pairs(kernel)
    with pytest.raises(ValueError, match="the Mixing has a prior of each. Make it"):
        bounds.leave_one_out.dispatch(object)(kernel, x_0, p_0, jnp.zeros(24), jnp.ones(24))
    with pytest.raises(ValueError, match=r"one token; the kernel has priors \(2, 3\) of each"):
        information.mutual(kernel, np.full(3, 1 / 3), jnp.zeros(1))
    with pytest.raises(ValueError, match="one class or more; got a row of none"):
        kernels.uniform_within(schedules.linear, np.array([[True, True], [False, False]]))
