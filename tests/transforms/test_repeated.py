"""Repeated: a chain of like parts, compiled once."""

import functools

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
    """Forward, backward and in its gradient; each ActNorm has seen what reaches it."""
    repeated, params = layer
    chain, flat = unrolled(params)

    def run(part):
        def loss(params):
            z, nats = part.forward(params, RNG, X)
            return (z**2).sum() / 100, (z, nats)

        return jax.jit(jax.grad(loss, has_aux=True))

    (grad, (z, nats)), (want_grad, (want, want_nats)) = run(repeated)(params), run(chain)(flat)
    np.testing.assert_allclose(z, want, atol=1e-5)
    np.testing.assert_allclose(nats, want_nats, rtol=1e-5)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-3)
    jax.tree.map(close, unrolled(grad)[1], want_grad)
    np.testing.assert_allclose(jax.jit(repeated.inverse)(params, RNG, z), X, atol=1e-4)
    z = X
    for name, part in chain.named():
        z, _ = part.forward(flat.get(name, {}), RNG, z)
        if isinstance(part, ActNorm):
            close(z.mean(axis=(0, 1, 2)), 0)
            close(z.std(axis=(0, 1, 2)), 1)


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


def test_a_part_repeated_no_times_is_none():
    assert repeated(ActNorm(), 0) == ()
    assert [part.times for part in repeated(ActNorm(), 2)] == [2]
