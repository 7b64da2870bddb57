"""The least that few steps lose, beside every schedule, and beside the samplers."""

import itertools

import numpy as np
import pytest
from scipy import special

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, few_steps


def law(classes, length, seed=0):
    p = np.random.default_rng(seed).gamma(0.3, size=(classes,) * length)
    return p / p.sum()


def marginal(p, places):
    return p.sum(axis=tuple({*range(p.ndim)} - places), keepdims=True)


def schedules_of(places, calls):
    """Every way to reveal the places in so many calls, without a look at what is seen."""
    for which in itertools.product(range(calls), repeat=len(places)):
        parts = [{i for i, w in zip(places, which, strict=True) if w == k} for k in range(calls)]
        if all(parts):
            yield parts


def drawn(p, parts):
    """The law of what a perfect network draws, part after part."""
    q, known = np.ones_like(p), set()
    for now in parts:
        for i in now:
            joint, own = (marginal(p, s) for s in (known | {i}, known))
            q = q * joint / np.where(own > 0, own, 1)
        known |= now
    return q


def test_one_call_loses_the_total_correlation_and_as_many_as_tokens_nothing():
    p = law(3, 3)
    alone = sum(special.entr(marginal(p, {i})).sum() for i in range(3))
    losses = few_steps.least_losses(p)
    assert losses[0] == pytest.approx(alone - special.entr(p).sum())
    assert losses[-1] == pytest.approx(0, abs=1e-12)
    assert (np.diff(losses) <= 0).all()
    apart = np.einsum("i,j,k->ijk", *np.random.default_rng(1).dirichlet(np.ones(3), size=3))
    np.testing.assert_allclose(few_steps.least_losses(apart), 0, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_no_fixed_schedule_loses_less(seed):
    p = law(2, 4, seed)
    losses = few_steps.least_losses(p)
    for calls in (1, 2, 3, 4):
        each = [
            special.rel_entr(p, drawn(p, parts)).sum() for parts in schedules_of(range(4), calls)
        ]
        assert losses[calls - 1] <= min(each) + 1e-9
    assert losses[0] == pytest.approx(special.rel_entr(p, drawn(p, [set(range(4))])).sum())


def test_what_is_seen_may_decide_what_is_next():
    """The first token says which of four others are copies of each other, two and two."""
    p = np.zeros((3, 2, 2, 2, 2))
    pairs = (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
    for x, rest in itertools.product(range(3), itertools.product(range(2), repeat=4)):
        p[x, *rest] = all(rest[i] == rest[j] for i, j in pairs[x]) / 12
    losses = few_steps.least_losses(p)
    assert losses[2] == pytest.approx(0, abs=1e-12)
    fixed = min(special.rel_entr(p, drawn(p, parts)).sum() for parts in schedules_of(range(5), 3))
    assert fixed > 0.03


@pytest.mark.few(1)
@pytest.mark.parametrize("by", ["probability", "left"])
def test_samplers_without_chance_lose_no_less(by):
    p = law(2, 4, seed=2)
    process = certificates.exact(kernels.absorbing(schedules.linear, 2), p)
    losses = few_steps.least_losses(p)
    for calls in (1, 2):
        sampler = samplers.Confidence(steps=calls, by=by)
        lost = special.rel_entr(p, certificates.law(sampler, process, 4, None)).sum()
        assert lost >= losses[calls - 1] - 1e-5
        if calls == 1:
            assert lost == pytest.approx(losses[0], abs=1e-5)


def test_what_is_no_law():
    with pytest.raises(ValueError, match=r"sums to 1; got \(2, 2\), sum 4"):
        few_steps.least_losses(np.ones((2, 2)))
