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


def test_shuffle_is_a_function_of_seed_and_channels():
    """With other numbers than these, no checkpoint would be worth a thing."""
    x, wanted = jnp.arange(8.0)[None], [5, 7, 4, 6, 3, 1, 0, 2]
    assert elementwise.Shuffle(3).forward({}, KEY, x)[0].tolist() == [wanted]
    assert elementwise.Shuffle(4).forward({}, KEY, x)[0].tolist() != [wanted]


BY_HAND = {  # layer, shape of x of the numbers 0, 1, 2, ..., z of one row
    "reverse": (elementwise.Reverse(), (3, 2), [[4, 5], [2, 3], [0, 1]]),
    "squeeze": (elementwise.Squeeze(2), (4, 2), [[0, 1, 2, 3], [4, 5, 6, 7]]),
    "squeeze-maps": (  # places of the window in order, each with all its channels
        *(elementwise.Squeeze(2), (4, 4, 1)),
        [[[0, 1, 4, 5], [2, 3, 6, 7]], [[8, 9, 12, 13], [10, 11, 14, 15]]],
    ),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_orders_by_hand(name):
    layer, shape, wanted = BY_HAND[name]
    z, _ = layer.forward({}, KEY, jnp.arange(np.prod(shape)).reshape(1, *shape))
    np.testing.assert_array_equal(z[0], wanted)


SQUEEZE, MERGE = elementwise.Squeeze, elementwise.Merge((2, 3))
REFUSED = [  # a call, the shape that it gets, what is said
    (SQUEEZE(3).forward, (1, 3, 4, 2), r"axes that 3 divides; got x of shape \(1, 3, 4, 2\)"),
    (SQUEEZE(2).inverse, (1, 3, 4, 2), r"multiple of 4 channels; got z of shape \(1, 3, 4, 2\)"),
    (MERGE.forward, (1, 3, 2), r"last axes \(2, 3\) here.*got shape \(1, 3, 2\)"),
    (MERGE.inverse, (1, 3), r"last axes \(6,\) here.*got shape \(1, 3\)"),
    (MERGE.forward, (2, 3), "after the batch"),
]


@pytest.mark.parametrize(("call", "shape", "message"), REFUSED)
def test_shapes_that_do_not_fit_are_refused(call, shape, message):
    with pytest.raises(ValueError, match=message):
        call({}, KEY, jnp.zeros(shape))
