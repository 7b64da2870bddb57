"""Guidance against the law that it stands for, by enumeration: two unknown tokens, one known."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, guided_laws
from amd_jax.diffusion.samplers import particles
from tests import enumeration, zoo

DATA, GIVEN = guided_laws.example(), guided_laws.GIVEN
CONDITIONAL, FREE = DATA[1] / DATA[1].sum(), DATA.sum(axis=0)  # laws of the two unknown tokens
KERNEL = kernels.absorbing(schedules.linear, 3)


def one_by_one(guidance):
    """Plain guidance, written out: laws (3, 3) of the two unknown tokens, and these times ∏ Z."""

    def step(axis, known):
        """The guided law of a token given the other one, or before that is known, and its Z."""
        laws = []
        for p in (CONDITIONAL, FREE):
            p = np.moveaxis(p, axis, 0)
            p = p.sum(axis=1) if known is None else p[:, known]
            laws.append(p / p.sum())
        a = laws[0] ** guidance * laws[1] ** (1 - guidance)
        return a / a.sum(), a.sum()

    law, weighted = np.zeros((3, 3)), np.zeros((3, 3))
    for first in (0, 1):
        p, z = step(first, None)
        for k in range(3):
            q, z_next = step(1 - first, k)
            place = (k, slice(None)) if first == 0 else (slice(None), k)
            law[place] += p[k] * q / 2
            weighted[place] += p[k] * q * z * z_next / 2
    return law, weighted


def target(guidance):
    """p(x) p(y | x)^γ / Z of the two tokens, and Z where p(y)^γ is left out."""
    law = FREE * (CONDITIONAL / FREE) ** guidance
    return law / law.sum(), law.sum()


def started(rows, *given):
    """The process of the exact guess that holds what is given, and rows of masks but for that."""
    process = certificates.exact(KERNEL, DATA)
    for tokens in given:
        process = process.holding(jnp.tile(jnp.array(tokens), (rows, 1)))
    return process, process.held(jnp.full((rows, 3), 3), process.given)


def weighted(sampler, rows, given=GIVEN):
    """The particles of some rows."""
    process, start = started(rows, given)
    return jax.jit(functools.partial(sampler.weighted, process))(jax.random.key(0), start)


def assert_unbiased(log_normalizers, z):
    """Estimates of z, whose errors are small."""
    ratio = np.exp(np.asarray(log_normalizers, np.float64)) / z
    error = ratio.std() / len(ratio) ** 0.5
    assert error < 0.02, f"standard error {error:.3f}: too loose to mean anything"
    assert abs(ratio.mean() - 1) < 5 * error + 1e-6


def numbers(x):
    """Rows (N, 3) as numbers of their unknown tokens."""
    return enumeration.number(np.asarray(x)[:, 1:], 3)


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("guidance", [2.0, 4.0])
def test_plain_guidance_draws_another_law(guidance):
    law, corrected = one_by_one(guidance)
    pi, z = target(guidance)
    assert certificates.distance(law, pi) > 0.05
    np.testing.assert_allclose(corrected, pi * z, rtol=1e-12)  # the weights mend all of it
    result = weighted(samplers.Guided(guidance, particles=1), 20_000)
    assert (result.x[..., 0] == 1).all()
    enumeration.assert_drawn_from(numbers(result.x[0]), law.ravel())
    np.testing.assert_array_equal(result.fewest, 1)


def test_from_left_to_right_the_first_unknown_token_is_drawn_first():
    """By plain guidance, which shows it: its law is another one for each order."""
    laws = [p.sum(axis=1, keepdims=True) for p in (CONDITIONAL, FREE)]
    first = laws[0] ** 3 / laws[1] ** 2
    then = (CONDITIONAL / laws[0]) ** 3 / (FREE / laws[1]) ** 2
    law = first / first.sum() * then / then.sum(axis=1, keepdims=True)
    assert certificates.distance(law, one_by_one(3.0)[0]) > 0.02, "nothing is told apart"
    result = weighted(samplers.Guided(3.0, particles=1, reveal="left"), 5000)
    drawn = numbers(result.x[0])
    enumeration.assert_drawn_from(drawn, law.ravel())
    weights = np.repeat(first.sum() * then.sum(axis=1), 3)
    np.testing.assert_allclose(np.exp(result.log_weights[0]), weights[drawn], rtol=1e-3)


@pytest.mark.few(1)
@pytest.mark.parametrize("guidance", [2.0, 0.0, 0.5, 4.0])
@pytest.mark.parametrize("count", [4, 1])
def test_the_mean_weight_is_an_unbiased_estimate_of_the_normaliser(guidance, count):
    result = weighted(samplers.Guided(guidance, particles=count), 10_000)
    assert_unbiased(result.log_normalizer, target(guidance)[1])


@pytest.mark.slow
def test_what_was_held_before_is_in_both_laws():
    """With x_2 = 0 held first, guidance is towards y: p(x_1 | y, x_2)^γ p(x_1 | x_2)^(1 - γ)."""
    process, start = started(5, (-1, -1, 0), (1, -1, -1))
    np.testing.assert_array_equal(start[0], [1, 3, 0])
    weigh = jax.jit(functools.partial(samplers.Guided(3.0, particles=2).weighted, process))
    result = weigh(jax.random.key(0), start)
    conditional, free = (p[:, 0] / p[:, 0].sum() for p in (CONDITIONAL, FREE))
    np.testing.assert_allclose(result.log_weights, np.log((conditional**3 / free**2).sum()), 1e-4)
    assert (result.x[..., [0, 2]] == jnp.array([1, 0])).all()


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize(("guidance", "law"), [(1.0, CONDITIONAL), (0.0, FREE)])
def test_one_is_the_conditional_law_and_zero_ignores_what_is_given(guidance, law):
    sampler, (process, start) = samplers.Guided(guidance, particles=3), started(20_000, GIVEN)
    draw = jax.jit(lambda rng: sampler(process, rng, start, sampler.times(None)))
    enumeration.assert_drawn_from(numbers(draw(jax.random.key(1))), law.ravel())
    np.testing.assert_allclose(weighted(sampler, 50).log_weights, 0, atol=1e-5)


def nats(x):
    """A reward: for a sum of the tokens, and one row never."""
    never = (x == jnp.array([1, 2, 0])).all(axis=-1)
    return jnp.where(never, -jnp.inf, 0.7 * x.sum(axis=-1))


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("given", [GIVEN, (-1, -1, 0)])
@pytest.mark.parametrize("guidance", [2.0, 1.0])
def test_rewards_tilt_the_law(given, guidance):
    """A law of rows p(x) exp(r): what is left of 1 / N, and none of what must not be."""
    sampler = samplers.Guided(guidance, 64, nats)
    pi, z = guided_laws.target(sampler, DATA, given)
    held = [slice(None) if token < 0 else token for token in given]
    rest = tuple(n for n, token in enumerate(given) if token >= 0)
    every = enumeration.sequences(3, 3).reshape(3, 3, 3, 3)
    tilt = np.exp(0.7 * every.sum(axis=-1))
    tilt[1, 2, 0] = 0
    free = DATA.sum(axis=rest)
    conditional = DATA[tuple(held)] / DATA[tuple(held)].sum()
    expected = free * (conditional / free) ** guidance * tilt[tuple(held)]
    np.testing.assert_allclose(z, expected.sum(), rtol=1e-6)
    np.testing.assert_allclose(pi[tuple(held)], expected / expected.sum(), rtol=1e-5)
    law, error = guided_laws.law(sampler, KERNEL, DATA, given, jax.random.key(0), 2000)
    plain, _ = guided_laws.target(dataclasses.replace(sampler, reward=None), DATA, given)
    assert error.sum() / 2 < 0.005, "too loose to mean anything"
    assert certificates.distance(law, pi) < 0.02 < 0.1 < certificates.distance(plain, pi)
    assert law[1, 2, 0] == 0
    assert_unbiased(weighted(sampler, 4000, given).log_normalizer, z)


@pytest.mark.slow
def test_a_reward_needs_nothing_that_is_given():
    sampler = samplers.Guided(reward=lambda x: jnp.where(x[:, 0] == 1, 0.0, -jnp.inf))
    model = zoo.diffusion("absorbing-linear", "table", 5)
    params = zoo.parameters(model)
    draw = jax.jit(lambda rng: model.sample(params, rng, (50, zoo.LENGTH), sampler=sampler))
    x = draw(jax.random.key(0))
    assert (x[:, 0] == 1).all()
    assert len(np.unique(x[:, 1])) > 1


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("reward", "says"),
    [
        (lambda x: x * 1.0, r"for each row; got the shape \(20, 2\) for rows \(20, 2\)"),
        (lambda x: 1.0, r"got the shape \(\)"),
        (lambda x: jnp.where(x[:, 0] == 1, jnp.nan, 0.0), "NaN or inf among its 4 particles"),
        (lambda x: jnp.where(x[:, 0] == 1, jnp.inf, 0.0), "NaN or inf among its 4 particles"),
        (lambda x: jnp.full(len(x), -jnp.inf), "or nothing but -inf"),
    ],
)
def test_what_is_no_reward(reward, says):
    model, sampler = zoo.diffusion("absorbing-linear", "table", 5), samplers.Guided(1.0, 4, reward)
    draw = functools.partial(model.sample, zoo.parameters(model), shape=(5, zoo.LENGTH))
    with pytest.raises(ValueError, match=says) as error:
        draw(jax.random.key(0), sampler=sampler)
    assert "\n" not in str(error.value)
    if "shape" not in says:
        x = np.asarray(jax.jit(lambda rng: draw(rng, sampler=sampler))(jax.random.key(0)))
        assert (x == -1).any()  # under jit nothing can be raised
        assert ((x == -1).all(axis=1) | (x >= 0).all(axis=1)).all()


@pytest.mark.slow
def test_rows_may_know_different_tokens():
    """Each row is guided towards its own, and keeps it."""
    model = zoo.diffusion("absorbing-linear", "table", 5)
    params, x = zoo.parameters(model), jnp.array([[0, 1], [1, 1], [1, 0]])
    known = jnp.array([[True, False], [False, True], [True, True]])
    guided = samplers.Guided(2.0, 8)
    y = jax.jit(lambda rng: model.infill(params, rng, x, known, sampler=guided))(jax.random.key(0))
    np.testing.assert_array_equal(np.where(known, y, 0), np.where(known, x, 0))
    assert ((y >= 0) & (y < 2)).all()


def test_guidance_is_for_masks_and_for_what_is_given():
    masks, uniform = (zoo.diffusion(k, "table", 5) for k in ("absorbing-linear", "uniform-cosine"))
    x, rng = jnp.zeros((1, 2), jnp.int32), jax.random.key(0)
    with pytest.raises(ValueError, match="none known. Use `infill`, or guidance=1"):
        masks.sample(zoo.parameters(masks), rng, (1, 2), sampler=samplers.Guided(2.0))
    with pytest.raises(ValueError, match="guided is not for"):
        uniform.sample(zoo.parameters(uniform), rng, (1, 2), sampler=samplers.Guided(1.0))
    with pytest.raises(ValueError, match="guided takes no steps"):
        masks.infill(zoo.parameters(masks), rng, x, x == 1, 4, samplers.Guided(1.0))


def test_what_the_condition_excludes_is_never_drawn():
    """Of a token that one of the laws excludes nothing is left, whatever γ makes of it."""
    held, x = certificates.exact(KERNEL, DATA).holding(jnp.array([GIVEN])), jnp.array([[1, 3, 3]])
    log = jnp.log(jnp.full((1, 3, 4), 1 / 3))
    out = log.at[:, 1, 0].set(-1e6)

    @jax.jit
    def log_laws(conditional, unconditional):
        free = dataclasses.replace(held.unconditional, log_predict=lambda x, t: unconditional)
        guess = {"log_predict": lambda x, t: conditional, "unconditional": free}
        process = dataclasses.replace(held, **guess)
        return [samplers.Guided(g).log_law(process, x)[0, 1] for g in (0.01, 0.5, 2.0)]

    for pair in ((out, log), (log, out), (out, out)):
        for log_a in log_laws(*pair):
            assert log_a[0] < -5000
            assert (log_a[1:3] > -5).all()


def test_resampling_keeps_the_mean_weight_and_draws_in_proportion():
    w = np.random.default_rng(0).dirichlet(np.full(16, 0.3), 400).astype(np.float32).T
    w[3] = 0

    @jax.jit
    def all_of(rng, log_w):
        every = (jnp.tile(jnp.arange(16)[:, None], (1, 400)),)
        chosen = particles.systematic(rng, log_w)
        return particles.effective(log_w), chosen, particles.resampled(rng, log_w, every)

    log_w = np.log(w, out=np.full_like(w, -np.inf), where=w > 0)
    effective, chosen, (after, (which,)) = jax.tree.map(
        np.asarray, all_of(jax.random.key(0), log_w)
    )
    np.testing.assert_allclose(effective, w.sum(axis=0) ** 2 / (w**2).sum(axis=0), rtol=1e-5)
    few = effective < 8
    assert 0 < few.mean()
    counts = np.stack([np.bincount(column, minlength=16) for column in chosen.T], axis=1)
    expected = 16 * w / w.sum(axis=0)
    assert (abs(counts - expected) < 1 + 1e-4).all()
    assert (counts[3] == 0).all()
    assert abs((counts - expected).mean(axis=1)).max() < 0.1
    np.testing.assert_array_equal(which[:, few], chosen[:, few])
    mean = np.broadcast_to(np.log(w.mean(axis=0)), w.shape)
    np.testing.assert_allclose(after[:, few], mean[:, few], rtol=1e-4)
    assert (which[:, ~few] == np.arange(16)[:, None]).all()
