"""The paper's two flows of text, end to end, given the reference code's weights and noise."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.ops import scalars
from amd_jax.transforms import argmax, autoregressive, coupling, elementwise, laws
from amd_jax.transforms.conditioner import OfTokens
from tests import golden_files
from tests.networks import test_lstm as weights
from tests.variants import quick

GOLDEN = {"ar": weights.AR, "coupling": weights.COUPLING}


def parts_of(name):
    """Layers and their parameters by place, after the lift."""
    golden, config = GOLDEN[name], weights.CONFIGS[name == "coupling"]
    bijection, size = scalars.LogisticMixture(config["M"]), (config["hidden"],)
    if name == "ar":
        network = networks.AutoregressiveLSTM(*size, config["M"], layers=2)
        return [
            (autoregressive.Autoregressive(network, bijection), weights.autoregressive_params())
        ]
    moved = config["D"] - config["D"] // 2
    network = networks.BidirectionalLSTM(*size, moved, config["M"])
    couple = coupling.Coupling(network, bijection)
    parts = [(couple, weights.coupling_params(3))]
    for step in range(1, int(golden["cfg/steps"])):
        matrix = golden[f"w/transforms.{3 * step + 2}.weight"]
        parts.append((elementwise.Reverse(), {}))
        parts.append((Mix(matrix.reshape(matrix.shape[:2])), {}))
        parts.append((couple, weights.coupling_params(3 * step + 3)))
    return parts


class Mix:
    """The 1x1 convolution with a given matrix; ours has its factors as parameters."""

    def __init__(self, matrix):
        self.matrix = jnp.asarray(matrix)

    def forward(self, params, rng, x, *, train=False):
        nats = np.prod(x.shape[1:-1]) * jnp.linalg.slogdet(self.matrix)[1]
        return x @ self.matrix.T, jnp.full(len(x), nats)

    def inverse(self, params, rng, z):
        return z @ jnp.linalg.inv(self.matrix).T


def noisy(noise):
    """A normal law whose draws are given: (B, D, L) as in the files."""
    noise = jnp.asarray(noise).swapaxes(1, 2)
    return laws.LocationScale(laws.NORMAL.log_density, lambda rng, shape: noise)


@functools.cache
def flow(name):
    """The flow and its parameters; the lift's noise is that of the file."""
    golden, config = GOLDEN[name], weights.CONFIGS[name == "coupling"]
    kind = networks.ContextLSTM if name == "ar" else networks.PointwiseContext
    size = dict(width=config["context_hidden"], context=config["context"])
    encoder = kind(config["K"], 2 * config["D"], **size)
    lift = argmax.BinaryArgmax(laws.Conditional(noisy(golden["eps"]), OfTokens(encoder)))
    layers, values = zip(*parts_of(name), strict=True)
    base = [golden[f"w/base_dist.{kind}"].reshape(-1) for kind in ("loc", "log_scale")]
    model = models.Flow((argmax.Digits(config["K"]), lift, *layers), laws.Learned(laws.NORMAL))
    named = zip(model.chain.named()[2:], values, strict=True)
    params = {name: value for (name, _), value in named}
    params |= {
        "01_BinaryArgmax": weights.context_params() if name == "ar" else weights.pointwise_params()
    }
    return model, params | {"base": {"theta": jnp.stack(base, axis=-1)}}


def close(result, want, atol=5e-5):
    np.testing.assert_allclose(result, want, atol=atol, rtol=1e-5)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDEN)
def test_elbo_and_its_pieces_are_those_of_the_reference(name):
    golden, (model, params) = GOLDEN[name], flow(name)
    rng, x = jax.random.key(0), jnp.asarray(golden["x"][:, 0])
    digits, _ = model.transforms[0].forward({}, rng, x)
    np.testing.assert_array_equal(digits, golden["elbo/bits"][:, 0])
    v, nats = jax.jit(model.transforms[1].forward)(params["01_BinaryArgmax"], rng, digits)
    close(v.swapaxes(1, 2), golden["elbo/v"])
    close(nats, -golden["elbo/log_qv"], atol=2e-4)
    z, nats = jax.jit(model.forward)(params, rng, x)
    close(z.swapaxes(1, 2), golden["elbo/z"])
    close(nats, golden["elbo/ldj"] - golden["elbo/log_qv"], atol=2e-4)
    close(model.base.log_prob(params["base"], z), golden["elbo/log_base"], atol=2e-4)
    close(jax.jit(model.elbo)(params, rng, x), golden["elbo/elbo"], atol=2e-4)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDEN)
def test_samples_are_those_of_the_reference_for_its_noise(name):
    golden, (model, params) = GOLDEN[name], flow(name)
    family = noisy(golden["sample/eps"])
    z = laws.Learned(family).sample(params["base"], jax.random.key(0), (3, 8, 5))
    close(z.swapaxes(1, 2), golden["sample/z"])
    v, rng = z, jax.random.key(0)
    for place, part in reversed(model.chain.named()[2:]):
        v = jax.jit(part.inverse)(params[place], rng, v)
    close(v.swapaxes(1, 2), golden["sample/v"])
    x = jax.jit(model.inverse)(params, rng, z)
    want = golden["sample/x"][:, 0]
    np.testing.assert_array_equal(x, np.where(want < int(golden["cfg/K"]), want, -1))


BINARY = golden_files.load("binary_encoder")


@pytest.mark.slow
@pytest.mark.parametrize("k", quick([2, 5, 27], 5))
def test_binary_lift_is_that_of_the_reference(k):
    """Their latents for given noise u; log q(u | x) is theirs as well."""
    x, u, log_pu = (BINARY[f"K{k}_{name}"] for name in ("x", "u", "log_pu"))

    class Given:
        def sample_and_log_prob(self, params, rng, x, *, train=False):
            return jnp.asarray(u), jnp.asarray(log_pu)

    rng = jax.random.key(0)
    bits, _ = argmax.Digits(k).forward({}, rng, jnp.asarray(x))
    lift = argmax.BinaryArgmax(Given())
    z, nats = lift.forward({}, rng, bits)
    np.testing.assert_allclose(z, BINARY[f"K{k}_z"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(nats, -BINARY[f"K{k}_log_qz"], rtol=1e-5)
    np.testing.assert_array_equal(lift.inverse({}, rng, z), bits)
