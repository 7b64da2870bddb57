"""One battery over all layers: log-determinant and inverse; then what each promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.transforms import elementwise
from amd_jax.transforms.conditional import Beside

TEXT, MAPS = (3, 4, 2), (2, 4, 2, 3)
LAYERS = {  # layer, shape of x, shape of z
    "act_norm": (elementwise.ActNorm(), TEXT, TEXT),
    "act_norm-maps": (elementwise.ActNorm(), MAPS, MAPS),
    "linear": (elementwise.Linear1x1(), (3, 2, 5), (3, 2, 5)),
    "linear-maps": (elementwise.Linear1x1(), MAPS, MAPS),
    "linear-one_channel": (elementwise.Linear1x1(), (3, 4, 1), (3, 4, 1)),
    "reverse": (elementwise.Reverse(), TEXT, TEXT),
    "reverse-channels": (elementwise.Reverse(axis=-1), MAPS, MAPS),
    "shuffle": (elementwise.Shuffle(seed=1), (3, 2, 5), (3, 2, 5)),
    "squeeze": (elementwise.Squeeze(2), TEXT, (3, 2, 4)),
    "squeeze-maps": (elementwise.Squeeze(2), MAPS, (2, 2, 1, 12)),
    "squeeze-by_one": (elementwise.Squeeze(1), TEXT, TEXT),
    "merge": (elementwise.Merge((2, 3)), (3, 2, 2, 3), (3, 2, 6)),
    "merge-all": (elementwise.Merge((2, 3)), (3, 2, 3), (3, 6)),
    "merge-nothing": (elementwise.Merge(()), (3, 2, 3), (3, 2, 3, 1)),
    "beside": (Beside(1, elementwise.Linear1x1()), MAPS, MAPS),
}
KEY = jax.random.key(0)


def situation(layer, shape):
    """Parameters pushed off their first values, and a batch that `init` has not seen."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, *shape)).astype(np.float32)
    params = jax.jit(layer.init)(KEY, 2 * x[0] + 1)
    assert isinstance(params, dict)
    for w in jax.tree.leaves(params):
        assert w.dtype == jnp.float32
        assert np.isfinite(w).all()
    move = lambda w: w + 0.3 * rng.standard_normal(w.shape).astype(np.float32)  # noqa: E731
    return jax.tree.map(move, params), jnp.asarray(x[1])


@pytest.mark.few(1)
@pytest.mark.parametrize(("layer", "shape", "latent"), LAYERS.values(), ids=LAYERS)
def test_nats_are_the_log_determinant_and_inverse_undoes_forward(layer, shape, latent):
    params, x = situation(layer, shape)
    z, nats = jax.jit(layer.forward)(params, KEY, x)
    assert z.shape == latent
    assert nats.shape == shape[:1]
    np.testing.assert_allclose(jax.jit(layer.inverse)(params, KEY, z), x, atol=1e-4)

    def flat(x):
        return layer.forward(params, KEY, x.reshape(1, *shape[1:]))[0].reshape(-1)

    jacobian = jax.jit(jax.vmap(jax.jacfwd(flat)))(x.reshape(shape[0], -1))
    _, expected = np.linalg.slogdet(np.asarray(jacobian, np.float64))
    np.testing.assert_allclose(nats, expected, rtol=1e-5, atol=1e-4)


def test_act_norm_normalises_its_first_batch():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((16, 5, 4)) * [1e-3, 1.0, 30.0, 0.0] + [1e-2, -5.0, 100.0, 10.1]
    x = x.astype(np.float32)
    norm = elementwise.ActNorm()
    params = jax.jit(norm.init)(KEY, x)
    z, nats = map(np.asarray, jax.jit(norm.forward)(params, KEY, x))
    np.testing.assert_allclose(z.mean((0, 1)), np.zeros(4), atol=2e-4)
    np.testing.assert_allclose(z.std((0, 1)), [1, 1, 1, 0], atol=2e-4)  # the last is constant
    np.testing.assert_allclose(nats, np.full(16, nats[0]))
    assert params["log_scale"][3] == 0


@pytest.mark.few(1)
@pytest.mark.parametrize("channels", [5, 1, 2, 32])
def test_linear_starts_orthogonal(channels):
    """So it keeps volumes; other keys give other matrices."""
    linear, x = elementwise.Linear1x1(), np.eye(channels, dtype=np.float32)
    first = jax.jit(lambda rng: linear.forward(linear.init(rng, x), rng, x))
    weight, nats = map(np.asarray, first(KEY))
    np.testing.assert_allclose(weight @ weight.T, np.eye(channels), atol=1e-5)
    np.testing.assert_allclose(nats, np.zeros(channels), atol=1e-5)
    if channels > 1:
        assert np.abs(first(jax.random.key(1))[0] - weight).max() > 0.05


def test_reverse_by_hand():
    x = jnp.arange(6).reshape(1, 3, 2)
    z, _ = elementwise.Reverse().forward({}, KEY, x)
    np.testing.assert_array_equal(z[0], [[4, 5], [2, 3], [0, 1]])


def test_shuffle_is_a_function_of_seed_and_channels():
    """With other numbers than these, no checkpoint would be worth a thing."""
    x = jnp.arange(8.0)[None]
    z, _ = elementwise.Shuffle(3).forward({}, KEY, x)
    again, _ = elementwise.Shuffle(3).forward({}, jax.random.key(9), x)
    np.testing.assert_array_equal(z, again)
    np.testing.assert_array_equal(z[0], [5, 7, 4, 6, 3, 1, 0, 2])
    other, _ = elementwise.Shuffle(4).forward({}, KEY, x)
    assert (other != z).any()


def test_squeeze_by_hand():
    """Places of the window in order, each with all its channels."""
    text = jnp.arange(8).reshape(1, 4, 2)
    z, _ = elementwise.Squeeze(2).forward({}, KEY, text)
    np.testing.assert_array_equal(z[0], [[0, 1, 2, 3], [4, 5, 6, 7]])
    maps = jnp.arange(16).reshape(1, 4, 4, 1)
    z, _ = elementwise.Squeeze(2).forward({}, KEY, maps)
    np.testing.assert_array_equal(z[0, 0, 0], [0, 1, 4, 5])
    np.testing.assert_array_equal(z[0, 1, 0], [8, 9, 12, 13])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"axes that 3 divides; got x of shape \(1, 3, 4, 2\)"):
        elementwise.Squeeze(3).forward({}, KEY, jnp.zeros((1, 3, 4, 2)))
    with pytest.raises(ValueError, match=r"multiple of 4 channels; got z of shape \(1, 3, 4, 2\)"):
        elementwise.Squeeze(2).inverse({}, KEY, jnp.zeros((1, 3, 4, 2)))
    merge = elementwise.Merge((2, 3))
    with pytest.raises(ValueError, match=r"last axes \(2, 3\) here.*got shape \(1, 3, 2\)"):
        merge.forward({}, KEY, jnp.zeros((1, 3, 2)))
    with pytest.raises(ValueError, match=r"last axes \(6,\) here.*got shape \(1, 3\)"):
        merge.inverse({}, KEY, jnp.zeros((1, 3)))
    with pytest.raises(ValueError, match="after the batch"):
        merge.forward({}, KEY, jnp.zeros((2, 3)))
