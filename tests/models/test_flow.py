"""A flow is a distribution: every sequence, for every way through argmax and every base."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.ops import integers
from amd_jax.transforms import argmax, elementwise, laws
from tests import enumeration, zoo
from tests.models.means import assert_mean
from tests.variants import quick

DRAWS = 10_000  # per sequence
K = 4
BASES = {2: 2, 3: 2, K: 1}  # base -> digits for K classes; base 3 leaves 5 of 9 codes unused
QUICK = [("binary", 2, "coupling"), ("variational", 2, "none")]
CASES = [  # lift, base, layers
    (lift, base, "none") for lift in zoo.LIFTS for base in BASES if lift != "binary" or base == 2
]
CASES += [("binary", 2, "coupling"), ("gumbel", K, "coupling"), ("uniform", 2, "coupling")]
CASES += [(lift, 2, "autoregressive") for lift in ("binary", "argmax", "variational", "mixture")]
CASES += [("mixture", 2, "attention")]
CASES += [
    (lift, 2, layers)
    for lift in ("binary", "auto_encoder")
    for layers in ("recurrent", "recurrent_of_latents")
]


def named(case):
    return "-".join(map(str, case))


X = jnp.asarray(enumeration.sequences(K, zoo.LENGTH))


def parameters(model, num_classes):
    """Shaken a little only: the weights of a flow whose lift misses its base have heavy tails."""
    x = jnp.asarray(enumeration.sequences(num_classes, zoo.LENGTH))
    return zoo.parameters(model, scale=0.1, data=jnp.tile(x, (50, 1)))


@pytest.fixture(scope="module", params=quick(CASES, *QUICK), ids=named)
def case(request):
    """Lift, base and layers; tests of one case follow each other, and share what is measured."""
    return request.param


@functools.lru_cache(1)
def measure(lift, base, layers, num_classes):
    """Draws of log p(x) of every sequence, (DRAWS, N), and 20,000 samples."""
    model = zoo.flow(lift, base, num_classes, layers)
    x = jnp.asarray(enumeration.sequences(num_classes, zoo.LENGTH))
    params = parameters(model, num_classes)

    @functools.partial(jax.jit, compiler_options=zoo.HASTE)
    def draws(params, rng):
        rngs = jax.random.split(rng, 2)
        keys = jax.random.split(rngs[0], DRAWS)
        nats = jax.lax.map(lambda r: model.log_weight(params, r, x), keys, batch_size=500)
        return nats, model.sample(params, rngs[1], (20_000, zoo.LENGTH))

    nats, samples = draws(params, jax.random.key(1))
    return np.asarray(nats, np.float64), np.asarray(samples)


@pytest.mark.few(1)
def test_sums_to_one_over_all_codes(case):
    """With as many classes as codes, so that nothing is lost; dequantised, the rest is outside."""
    lift, base, layers = case
    nats, samples = measure(lift, base, layers, base ** BASES[base])
    outside = (samples == integers.UNUSED).any(axis=1).mean()
    error = (outside * (1 - outside) / len(samples)) ** 0.5
    if lift not in ("uniform", "variational"):
        assert outside == 0
    assert_mean(np.exp(nats).sum(axis=1), 1 - outside, 0.02, slack=5 * error)


def test_samples_follow_the_weights_never_leave_the_classes_and_the_mean_elbo_is_a_bound(case):
    """Of the frequencies among samples, which know nothing of the lift's law."""
    nats, samples = measure(*case, K)
    p = np.exp(nats).mean(axis=0)
    unused = (samples == integers.UNUSED).any(axis=1)
    assert samples.min() >= integers.UNUSED
    assert samples.max() < K
    drawn = np.where(unused, K**zoo.LENGTH, enumeration.number(samples, K))
    law = np.append(p, max(0.0, 1 - p.sum()) if unused.any() else 0.0)
    enumeration.assert_drawn_from(drawn[:4000], law)
    counts = np.bincount(drawn[~unused], minlength=K**zoo.LENGTH)
    often = counts >= 100
    assert often.sum() >= K
    slack = 5 * np.hypot(nats.std(axis=0) / DRAWS**0.5, counts.clip(1) ** -0.5)
    assert (nats.mean(axis=0) <= np.log(counts.clip(1) / len(samples)) + slack)[often].all()


KEPT = [case for case in CASES if case[0] not in zoo.DECODED]


@pytest.mark.few(1)
@pytest.mark.parametrize("kept", quick(KEPT, *QUICK), ids=named)
def test_inverse_undoes_forward(kept):
    lift, base, layers = kept
    model = zoo.flow(lift, base, K, layers)
    params = parameters(model, K)
    x = jnp.tile(X, (20, 1))
    z, _ = jax.jit(model.forward)(params, jax.random.key(2), x)
    np.testing.assert_array_equal(jax.jit(model.inverse)(params, jax.random.key(3), z), x)


class Constant(nn.Module):
    """The same numbers for every context."""

    values: tuple[float, ...]

    @nn.compact
    def __call__(self, x, *, train=False):
        return jnp.broadcast_to(jnp.array(self.values), (*x.shape, len(self.values)))


PHI = (0.5, -1.0, 2.0, 0.0)
STANDARD = laws.Conditional(laws.LOGISTIC, Constant((0.0,) * 2 * K), (K,))
TIGHT = {
    "gumbel": argmax.GumbelArgmax(K, Constant(PHI)),
    "gumbel_threshold": argmax.GumbelThreshold(STANDARD, jnp.array(PHI)),
}


@pytest.mark.parametrize("lift", TIGHT)
def test_on_its_own_base_every_single_draw_is_log_p(lift):
    base = laws.Fixed(laws.GUMBEL, jnp.stack([jnp.array(PHI), jnp.zeros(K)], axis=-1))
    model = models.Flow((TIGHT[lift],), base)
    x = jnp.tile(X, (500, 1))
    want = jax.nn.log_softmax(jnp.array(PHI))[x].sum(axis=1)
    result = jax.jit(model.elbo)({}, jax.random.key(1), x)
    np.testing.assert_allclose(result, want, atol=1e-5)


class Dice:
    """A law of which one draw in three is a code of no class: 0, 1 and 2 of two classes."""

    def sample(self, params, rng, shape):
        return jax.random.randint(rng, shape, 0, 3)


@pytest.mark.usefixtures("any_types")
def test_redraws_are_new_draws_until_none_are_left():
    model = models.Flow((argmax.Digits(2, 3),), Dice())
    draw = functools.partial(model.sample, {}, jax.random.key(0), (9000, 1))
    drawn = {n: np.asarray(draw(models.Inverse(n))) for n in (0, 2, 100)}
    for redraws, x in drawn.items():  # each draw leaves a third of those before
        left = (x == integers.UNUSED).mean()
        np.testing.assert_allclose(left, 3.0 ** -(redraws + 1), atol=5 * 9000**-0.5)
        np.testing.assert_allclose((x == 1).mean(), (1 - left) / 2, atol=5 * 9000**-0.5)
    good = drawn[0] != integers.UNUSED
    np.testing.assert_array_equal(drawn[2][good], drawn[0][good])
    assert (drawn[100] != integers.UNUSED).all()


@pytest.mark.slow
def test_parts_start_from_what_reaches_them_and_the_part_that_is_not_finite_is_named():
    layers = (elementwise.Linear1x1(), elementwise.ActNorm())
    model = models.Flow(layers, laws.Learned(laws.NORMAL))
    x = 3 + 2 * jax.random.normal(jax.random.key(0), (64, 5, 3))
    params = model.init(jax.random.key(1), x)
    z, _ = model.forward(params, jax.random.key(2), x)
    np.testing.assert_allclose(z.mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=(0, 1)), 1, atol=1e-4)
    model.check(params, jax.random.key(2), x)
    for name in ("00_Linear1x1", "base"):
        broken = {**params, name: jax.tree.map(lambda a: a * jnp.nan, params[name])}
        with pytest.raises(ValueError, match=f"{name} does not"):
            model.check(broken, jax.random.key(2), x)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: argmax.Digits(27, 3, 2), r"got 3 \*\* 2 < 27. Use digits=3"),
        (lambda: argmax.Digits(1), "at least 2 classes; got num_classes=1"),
        (
            lambda: zoo.parameters(zoo.flow("binary", 2, 2, "coupling")),
            "needs 2 or more; got 1",
        ),
    ],
)
def test_parts_that_make_no_sense_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
