"""Monotone maps: inverse, slope and gradient, where it is hard, and the reference code."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special

from amd_jax.ops import nlsq, scalars, splines
from tests import golden_files
from tests.variants import quick

MAPS = {
    "affine": scalars.Affine(),
    "mixture": scalars.LogisticMixture(8),
    "spline_of_one": scalars.RationalQuadraticSpline(1),
    "spline": scalars.RationalQuadraticSpline(8, tail_bound=10.0),
    "nonlinear_squared": nlsq.NonlinearSquared(),
}
every_map = pytest.mark.parametrize("scalar", MAPS.values(), ids=MAPS)


def situation(scalar, n=500, reach=15.0, seed=0):
    """x (n,) over a wide range and random θ (n, P)."""
    rng = np.random.default_rng(seed)
    theta = 0.7 * rng.standard_normal((n, scalar.num_parameters))
    return jnp.linspace(-reach, reach, n), jnp.asarray(theta, jnp.float32)


@functools.partial(jax.jit, static_argnums=0)
def sensitivity(scalar, x, theta):
    """Gradients of the sum of y and log slope, with respect to x and θ."""
    total = lambda x, theta: sum(a.sum() for a in scalar.forward(x, theta))  # noqa: E731
    return jax.grad(total, (0, 1))(x, theta)


@functools.partial(jax.jit, static_argnums=0)
def sensitivity_of_inverse(scalar, y, theta):
    return jax.grad(lambda y, theta: scalar.inverse(y, theta).sum(), (0, 1))(y, theta)


@every_map
def test_inverse_undoes_forward_and_log_slope_is_that_of_the_map(scalar):
    """Also the gradients: dx/dy = 1 / slope, and x(y(x, θ), θ) does not move with θ."""

    @jax.jit
    def there_and_back(x, theta):
        y, log_slope = scalar.forward(x, theta)
        _, slope = jax.jvp(lambda x: scalar.forward(x, theta)[0], (x,), (jnp.ones_like(x),))
        x, pull = jax.vjp(scalar.inverse, y, theta)
        dx_dy, moved = pull(jnp.ones_like(y))
        _, pull = jax.vjp(lambda theta: scalar.forward(x, theta)[0], theta)
        return y, x, log_slope, jnp.log(slope), dx_dy, moved, pull(dx_dy)[0]

    x, theta = situation(scalar)
    y, back, log_slope, expected, *_ = there_and_back(x, theta)
    np.testing.assert_allclose(log_slope, expected, atol=1e-4)
    np.testing.assert_allclose(back, x, rtol=1e-5, atol=1e-4)
    *_, log_slope, _, dx_dy, of_inverse, of_forward = there_and_back(*situation(scalar, reach=3.0))
    np.testing.assert_allclose(jnp.log(dx_dy), -log_slope, atol=1e-3)
    np.testing.assert_allclose(of_inverse, -of_forward, atol=1e-3)


@pytest.mark.slow
@pytest.mark.few(1)
@every_map
def test_theta_broadcasts(scalar):
    """θ (2, 1, P) with x (3,), in both directions."""
    x, theta = situation(scalar, n=3, reach=1.5)
    forward, inverse, theta = jax.jit(scalar.forward), jax.jit(scalar.inverse), theta[:2, None]
    y, log_slope = forward(x, theta)
    expected = forward(jnp.stack([x, x]), jnp.repeat(theta, 3, axis=1))
    np.testing.assert_allclose((y, log_slope), expected, rtol=1e-5, atol=1e-6)
    back = inverse(y[0], theta)
    assert y.shape == log_slope.shape == back.shape == (2, 3)
    np.testing.assert_allclose(back[0], x, atol=1e-5)


@every_map
def test_theta_of_another_size_is_refused(scalar):
    says = rf"hold {scalar.num_parameters} parameters; got \(3, .*`num_parameters` outputs per"
    for verb in (scalar.forward, scalar.inverse):
        with pytest.raises(ValueError, match=says):
            verb(jnp.zeros(3), jnp.zeros((3, scalar.num_parameters + 1)))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: scalars.LogisticMixture(0), "at least one component; got 0"),
        (lambda: scalars.RationalQuadraticSpline(0), "1 to 500 bins; got 0"),
        (lambda: scalars.RationalQuadraticSpline(5, tail_bound=-1.0), r"positive; got -1\.0"),
    ],
)
def test_sizes_that_make_no_map_are_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_affine_by_hand():
    theta = jnp.array([3.0, np.log(2.0)])
    y, log_slope = scalars.Affine().forward(jnp.array([0.0, 5.0]), theta)
    np.testing.assert_allclose(y, [3.0, 13.0], rtol=1e-6)
    np.testing.assert_allclose(log_slope, np.log([2.0, 2.0]), rtol=1e-6)


# The mixture

MIXTURE = scalars.LogisticMixture(8)


def mixture_theta(rng, n, log_pi=1.0, log_scale=0.7, loc=1.0, components=8):
    """Random θ (n, P) whose parts have the given standard deviations."""
    scales = np.repeat([1.0, 0.5, log_pi, loc, log_scale], [1, 1, *(components,) * 3])
    return (scales * rng.standard_normal((n, len(scales)))).astype(np.float32)


def mixture_in_float64(x, theta):
    """The definition, by scipy."""
    x, theta = np.asarray(x, np.float64), np.asarray(theta, np.float64)
    t, log_s, (log_pi, loc, log_scale) = theta[:, 0], theta[:, 1], np.split(theta[:, 2:], 3, 1)
    log_pi = log_pi - special.logsumexp(log_pi, axis=1, keepdims=True)
    a = (x[:, None] - loc) * np.exp(-log_scale)
    below, above = special.log_expit(a), special.log_expit(-a)
    terms = (log_pi + below, log_pi + above, log_pi + below + above - log_scale)
    log_cdf, log_sf, log_pdf = (special.logsumexp(term, axis=1) for term in terms)
    return (log_cdf - log_sf + t) * np.exp(log_s), log_s + log_pdf - log_cdf - log_sf


HARD = {  # reach of x, standard deviations of parts of θ
    "plain": (3.0, {}),
    "far out": (50.0, {}),
    "weights of e^-30": (5.0, {"log_pi": 30.0}),
    "far out, light weights": (50.0, {"log_pi": 15.0}),
    "many scales": (50.0, {"log_scale": 1.5}),
}


@pytest.mark.few(1)
@pytest.mark.parametrize(("reach", "spread"), HARD.values(), ids=HARD)
def test_mixture_where_it_is_hard(reach, spread):
    """Against float64; the round trip up to float32's rounding of logit F over its slope."""
    rng = np.random.default_rng(0)
    theta = mixture_theta(rng, 2000, **spread)
    x = rng.uniform(-reach, reach, len(theta)).astype(np.float32)
    y, log_slope = jax.jit(MIXTURE.forward)(x, theta)
    expected_y, expected_log_slope = mixture_in_float64(x, theta)
    np.testing.assert_allclose(y, expected_y, rtol=2e-6, atol=1e-5)
    np.testing.assert_allclose(log_slope, expected_log_slope, atol=5e-5)

    t, log_s = theta[:, 0], theta[:, 1]
    logit = np.abs(expected_y) * np.exp(-log_s) + np.abs(t)
    rounding = 5e-6 * (1 + logit) * np.exp(log_s - expected_log_slope)
    error = np.abs(jax.jit(MIXTURE.inverse)(y, theta) - x)
    assert (error <= rounding + 1e-6 * np.abs(x)).all()

    for gradient in (*sensitivity(MIXTURE, x, theta), *sensitivity_of_inverse(MIXTURE, y, theta)):
        assert np.isfinite(gradient).all()


def test_mixture_gradients_are_those_of_float64():
    rng = np.random.default_rng(1)
    theta = mixture_theta(rng, 200, log_pi=15.0)
    x = rng.uniform(-50, 50, len(theta)).astype(np.float32)
    result = sensitivity(MIXTURE, x, theta)
    with jax.enable_x64(True):
        expected = sensitivity(MIXTURE, x.astype(np.float64), theta.astype(np.float64))
    for a, b in zip(result, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("name", "tol"), [("mixture", 1e-6), ("nonlinear_squared", 0.0)])
def test_theta_of_zero_is_the_identity(name, tol):
    x, scalar = np.linspace(-50, 50, 101, dtype=np.float32), MAPS[name]
    theta = np.zeros(scalar.num_parameters, np.float32)
    y, log_slope = jax.jit(scalar.forward)(x, theta)
    np.testing.assert_allclose(y, x, rtol=tol, atol=tol)
    np.testing.assert_allclose(log_slope, np.zeros(101), atol=10 * tol)
    np.testing.assert_array_equal(jax.jit(scalar.inverse)(x, theta), x)


def test_mixture_inverts_exactly_where_its_components_coincide():
    """Whatever their weights: x = loc + scale * c, with not one bit of the search in it."""
    rng = np.random.default_rng(0)
    one = mixture_theta(rng, 100, components=1)
    weights = rng.normal(size=(100, 8)).astype(np.float32)
    eight = np.concatenate(
        [one[:, :2], weights, *np.repeat(one[:, 3:, None], 8, axis=2).swapaxes(0, 1)], 1
    )
    y = jnp.linspace(-30.0, 30.0, 100)
    result = jax.jit(MIXTURE.inverse)(y, eight)
    expected = jax.jit(scalars.LogisticMixture(1).inverse)(y, one)
    np.testing.assert_array_equal(result, expected)
    c = y * np.exp(-one[:, 1]) - one[:, 0]
    np.testing.assert_allclose(result, one[:, 3] + c * np.exp(one[:, 4]), rtol=1e-5, atol=1e-5)


def test_mixture_inverse_stays_between_the_components_quantiles():
    """Also for y of no sane size and across gaps without mass, where logit F is flat."""
    rng = np.random.default_rng(0)
    theta = mixture_theta(rng, 1000, log_pi=10.0, loc=100.0, log_scale=1.5)
    theta[:, :2] = 0
    y = np.concatenate([rng.uniform(-1e4, 1e4, 500), rng.normal(size=500)]).astype(np.float32)
    loc, log_scale = np.split(theta[:, 10:], 2, axis=1)
    quantiles = jnp.asarray(loc) + y[:, None] * jnp.exp(log_scale)
    low, high = np.asarray(quantiles.min(1)), np.asarray(quantiles.max(1))
    x = np.asarray(jax.jit(MIXTURE.inverse)(y, theta))
    slack = 1e-6 * np.maximum(np.abs(low), np.abs(high))  # jit may round the quantiles otherwise
    assert (low - slack <= x).all()
    assert (x <= high + slack).all()
    again, log_slope = mixture_in_float64(x, theta)
    step = np.maximum(2.0**-28 * (high - low), 2e-7 * np.abs(x)) * np.exp(log_slope)
    error = np.abs(again - y) / (1e-5 * (1 + np.abs(y)) + 2 * step)
    assert np.quantile(error, 0.99) < 1


# The spline


@pytest.mark.parametrize("tail_bound", quick([1.0, 10.0], 10.0))
@pytest.mark.slow
def test_spline_is_the_identity_outside_and_smooth_at_its_knots(tail_bound):
    spline = scalars.RationalQuadraticSpline(5, tail_bound)
    _, theta = situation(spline, n=1)
    outside = tail_bound * jnp.array([-1e6, -2.0, -1.0, 1.0, 1.5, 1e6])
    y, log_slope = spline.forward(outside, theta)
    np.testing.assert_allclose(y, outside, rtol=1e-6)
    np.testing.assert_allclose(log_slope, np.zeros(6), atol=1e-5)

    x_knots, y_knots, slopes = spline._knots(theta[0])
    for side in (-1e-5, 0.0, 1e-5):
        y, log_slope = spline.forward(x_knots + side * tail_bound, theta)
        np.testing.assert_allclose(y, y_knots, atol=1e-4 * tail_bound)
        np.testing.assert_allclose(log_slope, jnp.log(slopes), atol=5e-3)


@pytest.mark.slow
def test_spline_gradients_are_finite():
    """At the knots, at both ends, outside, and where softmax and softplus saturate."""
    spline = scalars.RationalQuadraticSpline(5)
    _, theta = situation(spline, n=3)
    theta = jnp.array([[0.0], [1.0], [30.0]]) * theta
    outside = jnp.array([-1e6, -1.5, -1.0, 1.0, 1.5, 1e6])
    x = jnp.concatenate([jnp.broadcast_to(outside, (3, 6)), spline._knots(theta)[0]], axis=1)
    theta = jnp.broadcast_to(theta[:, None], (*x.shape, spline.num_parameters))
    for gradient in (*sensitivity(spline, x, theta), *sensitivity_of_inverse(spline, x, theta)):
        assert np.isfinite(gradient).all()


# Golden numbers of the reference code


def bounded(nn_out, channels, components, scale, mixture_scale):
    """The reference's θ (B, L, C, P): both log-scales squashed between -e^scale and e^scale."""
    theta = nn_out.reshape(*nn_out.shape[:2], channels, 2 + 3 * components)
    t, log_s, rest, log_scale = np.split(theta, [1, 2, 2 + 2 * components], axis=-1)
    squash = lambda a, s: np.tanh(a / np.maximum(np.exp(s), 1)) * np.exp(s)  # noqa: E731
    log_s = squash(log_s, scale[:, None])
    return np.concatenate([t, log_s, rest, squash(log_scale, mixture_scale)], axis=-1)


@pytest.mark.few(1)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("components", quick([4, 8, 27], 8))
def test_mixture_is_the_references(components, precision):
    names = "nn_out scaling_factor mixture_scaling_factor x z ldj x_rec".split()
    golden = golden_files.load("mixture_cdf")
    nn_out, *scales, x, z, ldj, x_rec = (golden[f"M{components}_{name}"] for name in names)
    mixture = scalars.LogisticMixture(components)
    rtol, search = (1e-4, 1e-4) if precision == "float32" else (1e-9, 1e-7)
    with jax.enable_x64(precision == "float64"):
        theta = bounded(nn_out, 5, components, *scales).astype(precision)
        y, log_slope = jax.jit(mixture.forward)(x.astype(precision), theta)
        assert y.dtype == precision
        np.testing.assert_allclose(y, z, rtol=rtol, atol=rtol / 10)
        np.testing.assert_allclose(log_slope.sum((1, 2)), ldj, rtol=rtol)
        np.testing.assert_allclose(
            jax.jit(mixture.inverse)(z.astype(precision), theta), x_rec, search, search / 10
        )


@pytest.mark.few(1)
@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", quick(["unc5", "unc8", "rq5", "rq8"], "unc8", "rq5"))
def test_spline_is_the_references(name, precision):
    """Theirs with tails is ours; theirs on [0, 1] is our core with free slopes at the ends."""
    golden = {k: v.astype(precision) for k, v in golden_files.load("rq_spline").items()}
    x, w, h, d, z, ldj, x_rec = (
        golden[f"{name}_{k}"] for k in ("x", "w", "h", "d", "z", "ldj", "x_rec")
    )
    rtol = 1e-4 if precision == "float32" else 1e-8
    with jax.enable_x64(precision == "float64"):
        if name.startswith("unc"):
            spline = scalars.RationalQuadraticSpline(w.shape[-1])
            theta = np.concatenate([w, h, d], axis=-1)
            y, log_slope = jax.jit(spline.forward)(x, theta)
            back = jax.jit(spline.inverse)(z, theta)
        else:
            knots = [splines.partition(jnp.asarray(part), 0.0, 1.0) for part in (w, h)]
            knots.append(splines.positive_slopes(d))
            y, log_slope = jax.jit(splines.value)(x, *knots)
            back = jax.jit(splines.inverse)(z, *knots)
        np.testing.assert_allclose(y, z, rtol=rtol, atol=rtol / 10)
        np.testing.assert_allclose(log_slope, ldj, rtol=rtol, atol=rtol)
        np.testing.assert_allclose(back, x_rec, rtol=rtol, atol=rtol)


# The nonlinear squared map


@pytest.mark.few(2)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("r", [1.4895, -1.4895, 1.0, 0.0])
def test_the_root_of_the_cubic_is_as_good_as_its_number(r, dtype):
    """Some roundings of y, divided by the slope, which is 0.033 where it is least.

    With b = d = 1 and c = r, where the map is steep, flat and far away.
    """
    scalar, far = nlsq.NonlinearSquared(), np.geomspace(1, 1e12, 500)
    x = np.concatenate([np.linspace(-4, 4, 801), far, -far]).astype(dtype)
    theta = np.zeros((len(x), 5), dtype)
    theta[:, 2] = np.arctanh(r / nlsq.LARGEST) / 0.3
    with jax.enable_x64(dtype == "float64"):
        y, log_slope = jax.jit(scalar.forward)(x, theta)
        back = jax.jit(scalar.inverse)(y, theta)
        assert back.dtype == dtype
        allowed = 6 * jnp.finfo(dtype).eps * (1 + jnp.abs(x)) / jnp.exp(log_slope)
        assert (jnp.abs(back - x) <= allowed).all()
