"""One battery over all families: densities add up, draws follow them, gradients stay finite."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from amd_jax.transforms import laws
from tests import enumeration

LOC, SCALE = 0.4, 0.7
THETA = jnp.array([LOC, np.log(SCALE)])
CONTINUOUS = {  # family -> the same law in scipy
    "normal": (laws.NORMAL, stats.norm),
    "logistic": (laws.LOGISTIC, stats.logistic),
    "gumbel": (laws.GUMBEL, stats.gumbel_r),
}
DISCRETE = {  # family, theta, all values that matter
    "categorical": (laws.Categorical(4), jnp.array([0.3, -1.0, 2.0, 0.0]), np.arange(4)),
    "discretized_logistic": (laws.DiscretizedLogistic(), THETA, np.arange(-25, 26)),
    "discretized_logistic-bounded": (laws.DiscretizedLogistic(3), THETA, np.arange(3)),
    "discretized_logistic-unit": (laws.DiscretizedLogistic(unit=3.0), THETA, np.arange(-60, 61)),
    "mixture": (
        laws.Mixture(laws.DiscretizedLogistic(), 2),
        *(jnp.array([0.3, -0.5, -4.0, 0.2, 5.0, -0.7]), np.arange(-40, 41)),
    ),
}
FAMILIES = {
    **{name: (family, THETA, np.linspace(-2, 3, 7)) for name, (family, _) in CONTINUOUS.items()},
    **DISCRETE,
}


@functools.partial(jax.jit, static_argnums=0)
def densities_and_draws(family, theta, z):
    rows = jnp.broadcast_to(theta, (5000, family.num_parameters))
    return family.log_prob(theta, z), family.sample(jax.random.key(0), rows)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_density_and_draws_are_those_of_scipy(name):
    family, law = CONTINUOUS[name]
    law, z = law(LOC, SCALE), np.linspace(-8, 12, 60)
    result, drawn = densities_and_draws(family, THETA, z)
    np.testing.assert_allclose(result, law.logpdf(z), rtol=2e-4, atol=1e-5)
    assert stats.kstest(drawn, law.cdf).pvalue > 1e-4


@pytest.mark.few(2)
@pytest.mark.parametrize("name", DISCRETE)
def test_probabilities_sum_to_one_and_draws_follow_them(name):
    family, theta, values = DISCRETE[name]
    log_p, drawn = densities_and_draws(family, theta, values)
    np.testing.assert_allclose(np.exp(log_p).sum(), 1, atol=1e-6)
    assert drawn.dtype == jnp.int32
    enumeration.assert_drawn_from(np.asarray(drawn) - values[0], np.exp(log_p))


def test_a_single_draw_of_a_mixture_follows_it():
    """Of many keys one draw each: which component it is says nothing of where it lies in it."""
    family, theta = laws.Mixture(laws.NORMAL, 2), jnp.array([0.0, 0.5, -1.0, 0.0, 1.0, 0.0])
    draw = jax.jit(jax.vmap(lambda rng: family.sample(rng, theta)))
    drawn, share = draw(jax.random.split(jax.random.key(0), 5000)), 1 / (1 + np.exp(-0.5))

    def cdf(z):
        return (1 - share) * stats.norm.cdf(z, -1) + share * stats.norm.cdf(z, 1)

    assert stats.kstest(drawn, cdf).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(("own", "shape"), [(False, (2, 9)), (True, (4, 2, 9))])
def test_a_learned_law_starts_where_it_is_told(own, shape):
    family, z = laws.Mixture(laws.DiscretizedLogistic(), 3), jnp.zeros((5, 4, 2))
    start = family.apart(2.0)
    np.testing.assert_array_equal(start, [0, 0, 0, -2, 0, 0, 0, 2, 0])
    law = laws.Learned(family, start, own)
    params = law.init(jax.random.key(0), z)
    np.testing.assert_array_equal(params["theta"], np.broadcast_to(start, shape))
    want = np.full(5, 8 * family.log_prob(start, jnp.zeros(())))
    np.testing.assert_allclose(law.log_prob(params, z), want, rtol=1e-6)
    assert law.sample(params, jax.random.key(1), (3, 4, 2)).shape == (3, 4, 2)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.slow
def test_gradients_are_finite_far_out(name):
    family, theta, values = FAMILIES[name]
    z = values + (0 if name == "categorical" else 50)
    log_p, pull = jax.vjp(lambda theta: family.log_prob(theta, z), theta)
    assert np.isfinite(log_p).all()
    assert np.isfinite(pull(jnp.ones_like(log_p))[0]).all()


def test_discretized_logistic_keeps_its_tail():
    """Where σ(b) - σ(a) is 0 in float32: P(z) = e^-(z - loc - 1/2) (1 - e^-1) for scale 1."""
    result = laws.DiscretizedLogistic().log_prob(jnp.zeros(2), jnp.array(60))
    np.testing.assert_allclose(result, -59.5 + np.log1p(-np.exp(-1)), rtol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("num_classes", [None, 5])
def test_discretized_logistic_of_any_scale(num_classes):
    """As narrow as one integer, or so wide that all are alike: P(z) = 1 / (4 scale)."""
    family, scales = laws.DiscretizedLogistic(num_classes), [-1e4, -200, -50, 50, 200, 1e4]

    def log_prob(log_scale):
        result = family.log_prob(jnp.stack([2.0, log_scale]), jnp.arange(1, 4))
        return result.sum(), result

    each = jax.jit(jax.vmap(jax.value_and_grad(log_prob, has_aux=True)))
    (_, results), gradients = each(np.array(scales, np.float32))
    assert np.isfinite(gradients).all()
    assert np.isfinite(results).all()
    for log_scale, result in zip(scales, results, strict=True):
        if log_scale > 0:
            np.testing.assert_allclose(result, -log_scale - np.log(4), rtol=1e-5)
        else:
            np.testing.assert_array_equal(result[1], 0.0)
            assert (result[::2] < -1e15).all()


class Twice(nn.Module):
    """theta = [2 x, 0]: a context that shows in the draws."""

    num_outputs: int = 2

    @nn.compact
    def __call__(self, x, *, train=False):
        scale = self.param("scale", nn.initializers.constant(2.0), ())
        fill = jnp.zeros((*x.shape, self.num_outputs - 1))
        return jnp.concatenate([scale * x[..., None], fill], axis=-1)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", ["normal", "categorical", "mixture"])
@pytest.mark.parametrize("kind", ["conditional", "fixed", "learned"])
def test_laws_sum_their_family_over_the_event(kind, name):
    family, rng = FAMILIES[name][0], jax.random.key(0)
    if kind == "conditional":
        context = jnp.array([[0, 1, 0], [1, 1, 0]])  # (B, L)
        network = Twice(family.num_parameters)
        law = laws.Conditional(family, network)
        params = law.init(rng, context)
        z, log_prob = law.sample_and_log_prob(params, rng, context)
        np.testing.assert_allclose(law.log_prob(params, z, context), log_prob, rtol=1e-5)
        theta = network.apply({"params": params}, context)
    else:
        theta = jnp.full((2, 3, family.num_parameters), 0.1)
        law = laws.Fixed(family, 0.1) if kind == "fixed" else laws.Learned(family, 0.1)
        params = law.init(rng, jnp.zeros((2, 3)))
        z = law.sample(params, rng, (2, 3))
        log_prob = law.log_prob(params, z)
    assert z.shape == (2, 3)
    np.testing.assert_allclose(log_prob, family.log_prob(theta, z).sum(axis=1), rtol=1e-5)


@pytest.mark.slow
def test_conditional_draws_depend_on_their_own_context():
    law = laws.Conditional(laws.NORMAL, Twice())
    x = jnp.tile(jnp.array([[0, 3]]), (4000, 1))
    z, _ = law.sample_and_log_prob(law.init(jax.random.key(0), x), jax.random.key(1), x)
    np.testing.assert_allclose(z.mean(axis=0), [0, 6], atol=0.1)


def test_a_network_that_does_not_fit_is_refused():
    law = laws.Conditional(laws.NORMAL, Twice(num_outputs=3))
    with pytest.raises(ValueError, match=r"\(2, 5, 2\); Twice gave \(2, 5, 3\).*have 2 numbers"):
        law.init(jax.random.key(0), jnp.zeros((2, 5), jnp.int32))
