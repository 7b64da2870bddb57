"""Repeated: a chain of like parts, compiled once."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.ops import scalars
from amd_jax.transforms.chain import Chain
from amd_jax.transforms.coupling import Coupling
from amd_jax.transforms.elementwise import ActNorm, Linear1x1
from amd_jax.transforms.repeated import Repeated, repeated

NETWORK = networks.DenseNet(4, blocks=1, growth=4, depth=1, width=8, zero_start=False)
PARTS = (ActNorm(), Linear1x1(), Coupling(NETWORK, scalars.Affine(bound=2.0)))
X = 1 + 3 * jax.random.normal(jax.random.key(0), (8, 2, 2, 4))
RNG, TIMES = jax.random.key(1), 3


@pytest.fixture(scope="module")
def layer():
    """It, and its parameters."""
    result = Repeated(Chain(PARTS), TIMES)
    return result, jax.jit(result.init)(RNG, X)


def unrolled(params):
    """The same as a chain of all parts, with its parameters."""
    flat = {}
    for i in range(TIMES):
        for name, result in params.items():
            place, kind = name.split("_")
            own = jax.tree.map(lambda leaf, i=i: leaf[i], result)
            flat[f"{len(PARTS) * i + int(place):02d}_{kind}"] = own
    return Chain(PARTS * TIMES), flat


@pytest.mark.slow
def test_it_is_the_chain_of_as_many_parts(layer):
    repeated, params = layer
    chain, flat = unrolled(params)
    z, nats = jax.jit(repeated.forward)(params, RNG, X)
    want, want_nats = jax.jit(chain.forward)(flat, RNG, X)
    np.testing.assert_allclose(z, want, atol=1e-5)
    np.testing.assert_allclose(nats, want_nats, rtol=1e-5)
    np.testing.assert_allclose(jax.jit(repeated.inverse)(params, RNG, z), X, atol=1e-4)


@pytest.mark.slow
def test_data_dependent_parts_see_what_reaches_them(layer):
    _, params = layer
    chain, flat = unrolled(params)
    z = X
    for name, part in chain.named():
        z, _ = part.forward(flat.get(name, {}), RNG, z)
        if isinstance(part, ActNorm):
            np.testing.assert_allclose(z.mean(axis=(0, 1, 2)), 0, atol=1e-4)
            np.testing.assert_allclose(z.std(axis=(0, 1, 2)), 1, atol=1e-3)


def test_each_time_has_parameters_of_its_own(layer):
    _, params = layer
    for leaf in map(np.asarray, jax.tree.leaves(params["01_Linear1x1"])):
        assert len(leaf) == TIMES
        assert np.abs(leaf[0] - leaf[1]).max() > 1e-3


class Uniform:
    """Changes nothing, and has a uniform number as its nats."""

    def init(self, rng, x):
        return {"of": jnp.zeros(())}

    def forward(self, params, rng, x, *, train=False):
        return x, jax.random.uniform(rng, (len(x),))


@pytest.mark.usefixtures("any_types")
def test_each_time_has_a_key_of_its_own():
    """The variance of a sum of three is 3 / 12, that of three times the same one 9 / 12."""
    x = jnp.zeros((10_000, 1))
    for part in (Repeated(Uniform(), TIMES), Chain((Uniform(),) * TIMES)):
        nats = jax.jit(lambda x, part=part: part.forward(part.init(RNG, x), RNG, x)[1])(x)
        np.testing.assert_allclose(np.var(nats), TIMES / 12, rtol=0.1)


@pytest.mark.slow
def test_its_gradient_is_that_of_the_chain(layer):
    repeated, params = layer
    chain, flat = unrolled(params)

    def loss(part):
        return lambda p: (part.forward(p, RNG, X)[0] ** 2).sum() / 100

    _, result = unrolled(jax.jit(jax.grad(loss(repeated)))(params))
    want = jax.jit(jax.grad(loss(chain)))(flat)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-3), result, want)


def test_none_at_all_is_no_part():
    assert repeated(ActNorm(), 0) == ()
    [part] = repeated(ActNorm(), 2)
    assert part.times == 2


def test_less_than_once_is_refused():
    with pytest.raises(ValueError, match="once or more; got times=0"):
        Repeated(ActNorm(), 0)
