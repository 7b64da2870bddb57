"""Integer discrete flows beside the authors' code, in float64.

Their numbers live on the grid n / 2^bits, ours are n: `unit` says so to networks and laws. Their
logarithms hold an epsilon of 1e-8, by which their probabilities add up to more than one. We have
none; where it is added, the test says so.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.ops import rounding
from amd_jax.transforms import coupling, elementwise, integer, laws, multiscale
from amd_jax.transforms.conditioner import Scaled
from tests import golden_files, zoo

pytestmark = pytest.mark.slow

GOLDEN = golden_files.load("baselines/idf")
UNIT = float(GOLDEN["dl_ibw"])
EPSILON = 1e-8  # theirs


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64():
        yield


def close(result, want, rtol=1e-9, atol=1e-12):
    np.testing.assert_allclose(result, want, rtol=rtol, atol=atol)


N = GOLDEN["dl_n"].astype(float)  # the numbers whose probabilities are compared
MU, LOGS, PI = (GOLDEN[f"dl_mix_{name}"] for name in ("mu", "logs", "pi"))
EACH = np.stack([MU, LOGS], axis=-1).reshape(*MU.shape[:-1], -1)
SINGLE = laws.DiscretizedLogistic(unit=UNIT)
LAWS = {  # family, theta of each number
    "logistic": (SINGLE, np.stack([GOLDEN["dl_mu"], GOLDEN["dl_logs"]], axis=-1)),
    "mixture": (
        laws.Mixture(SINGLE, MU.shape[-1]),
        np.concatenate([np.log(PI), EACH], axis=-1),
    ),
}


def test_discretised_logistic():
    """Exact; and with the epsilon, of the share of the upper CDF, what is shipped."""
    family, theta = LAWS["logistic"]
    log_p = np.asarray(jax.jit(family.log_prob)(theta, N))
    close(log_p, GOLDEN["exact_logistic"])
    upper = jax.nn.sigmoid((N + 0.5 - UNIT * theta[..., 0]) / (UNIT * np.exp(theta[..., 1])))
    close(upper, GOLDEN["f64_cdf"])
    close(np.log(np.exp(log_p) + EPSILON * upper), GOLDEN["f64_logistic"])
    assert (GOLDEN["f64_logistic"] - log_p).max() > 1  # in the tail, where it is all there is


def test_mixture_of_discretised_logistics():
    family, theta = LAWS["mixture"]
    log_p = np.asarray(jax.jit(family.log_prob)(theta, N))
    close(log_p, GOLDEN["exact_mixture"])
    close(np.log(np.exp(log_p) + EPSILON), GOLDEN["f64_mixture"])
    upper = jax.nn.sigmoid((((N + 0.5) / UNIT)[..., None] - MU) / np.exp(LOGS))
    close((PI * upper).sum(axis=-1), GOLDEN["f64_mixture_cdf"])


@pytest.mark.parametrize("name", LAWS)
def test_laws_in_single_precision_keep_their_tails(name):
    """Theirs is up to 1.3 nats off in tails; ours is within 1e-4 of the exact value there."""
    family, theta = LAWS[name]
    result = jax.jit(family.log_prob)(theta.astype(np.float32), N.astype(np.float32))
    assert result.dtype == jnp.float32
    exact, theirs = GOLDEN[f"exact_{name}"], GOLDEN[f"f32_{name}"]
    np.testing.assert_allclose(result, exact, rtol=2e-5, atol=2e-5)
    near = np.abs(GOLDEN[f"f64_{name}"] - exact) < 1e-6
    np.testing.assert_allclose(result[near], theirs[near], atol=2e-2)


SIGMOIDS = {"1.0": None, "0.2": 5, "0.1": 3, "0.04": 1}


@pytest.mark.parametrize("hard", [False, True], ids=["soft", "hard"])
@pytest.mark.parametrize("temperature", SIGMOIDS)
def test_rounding(temperature, hard):
    """At temperature 1 theirs is the identity, and hard the nearest number."""
    sigmoids, name = SIGMOIDS[temperature], f"rd_T{temperature}_{'hard' if hard else 'soft'}"
    want, grad = GOLDEN[name], GOLDEN[f"{name}_grad"]
    u, g = (jnp.asarray(GOLDEN[f"rd_{part}"][: len(want)]) for part in "ug")

    def rounded(u):
        steps = UNIT * u
        if sigmoids:
            steps = rounding.soft(steps, float(temperature), sigmoids)
        return (rounding.nearest(steps) if hard else steps) / UNIT

    result, pull = jax.vjp(rounded, u)
    close(result, want)
    close(pull(g)[0], grad)


@dataclasses.dataclass(frozen=True)
class DenseNet:
    """Their network at a place among their layers; maps are (B, H, W, C) here."""

    place: str  # "2.coupling.nn"
    depth = int(GOLDEN["cfg"][4])

    def init(self, rng, x, *, train):
        return {"params": self.weights()}

    def weights(self):
        start = f"w/flow.layers.{self.place}.nn."
        result = {name.removeprefix(start) for name in GOLDEN if name.startswith(start)}
        return {name: jnp.asarray(GOLDEN[start + name], float) for name in result}

    def apply(self, variables, x, *, train=False, rngs=None):
        def conv(name, h):
            kernel = variables["params"][f"{name}.weight"].transpose(2, 3, 1, 0)
            result = jax.lax.conv_general_dilated(
                h, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            return result + variables["params"][f"{name}.bias"]

        for d in range(self.depth):
            h = jax.nn.relu(conv(f"0.nn.{d}.nn.0.nn", x))
            x = jnp.concatenate([x, jax.nn.relu(conv(f"0.nn.{d}.nn.1.nn", h))], axis=-1)
        return conv("1", x)


class Order(elementwise.Shuffle):
    """Channels in a given order."""

    def _order(self, x):
        return self.seed


def theirs(channels):
    """Channels of their Squeeze, c fast and the place in the window slow, out of ours."""
    return Order(np.arange(4 * channels).reshape(4, channels).T.ravel())


class ShippedLogistic(laws.DiscretizedLogistic):
    """With their epsilon, of the share of the upper CDF."""

    def log_prob(self, theta, z):
        upper = jax.nn.sigmoid(
            (z + 0.5 - self.unit * theta[..., 0]) / (self.unit * jnp.exp(theta[..., 1]))
        )
        return jnp.log(jnp.exp(super().log_prob(theta, z)) + EPSILON * upper)


class ShippedMixture(laws.Mixture):
    """With their epsilon, of all values alike."""

    def log_prob(self, theta, z):
        return jnp.log(jnp.exp(super().log_prob(theta, z)) + EPSILON)


def flow():
    """Their model as shipped, its parameters, and the names of their arrays after parts."""
    channels, shift, parts, after = GOLDEN["img"].shape[1], rounding.Shift(UNIT), [], {}
    for kind in sorted((k for k in GOLDEN if k.startswith("mid/")), key=number):
        i = number(kind)
        if kind.endswith("Squeeze"):
            parts += [elementwise.Squeeze(2), theirs(channels)]
            channels *= 4
        elif kind.endswith("Permute"):
            parts.append(Order(GOLDEN[f"perm/{i}"]))
        elif kind.endswith("Coupling"):
            network = Scaled(DenseNet(f"{i}.coupling.nn"), UNIT)
            parts.append(coupling.Coupling(network, shift, moving=channels // 4))
        else:
            law = laws.Conditional(ShippedLogistic(unit=UNIT), Scaled(DenseNet(f"{i}.nn"), UNIT))
            parts.append(multiscale.FactorOutGiven(law))
            channels //= 2
        after[len(parts)] = kind
    mu, logs, pi = (
        GOLDEN[f"w/prior.{p}"].transpose(1, 2, 0, 3) for p in ("mu", "logs", "pi_logit")
    )
    each = np.stack([mu, logs], axis=-1).reshape(*mu.shape[:-1], -1)
    theta = jnp.asarray(np.concatenate([pi, each], axis=-1), float)
    family = ShippedMixture(SINGLE, mu.shape[-1])
    model = models.Flow((integer.Levels(256), *parts), laws.Learned(family, own=True))
    params = {"base": {"theta": theta}}
    for name, part in model.chain.named():
        reader = getattr(part, "law", part)
        if hasattr(reader, "network"):
            params[name] = reader.network.network.weights()
    return model, params, after


def number(kind):
    """The place of an array "mid/{i}_{kind}" among theirs."""
    return int(kind.split("/")[1].split("_")[0])


IMAGE = GOLDEN["img"].transpose(0, 2, 3, 1).astype(np.int32)
DIMS = IMAGE[0].size * np.log(2)
RNG = jax.random.key(0)
compiled = functools.partial(jax.jit, compiler_options=zoo.HASTE)


def test_every_layer_and_the_way_back():
    model, params, after = flow()
    states, z = [], jnp.asarray(IMAGE)
    for i, (name, part) in enumerate(model.chain.named()):
        states.append(z)
        z, nats = compiled(part.forward)(params.get(name, {}), RNG, z)
        if i in after:
            np.testing.assert_array_equal(z.transpose(0, 3, 1, 2), GOLDEN[after[i]])
        if isinstance(part, multiscale.FactorOutGiven):
            close(-nats / DIMS, GOLDEN["bpd_parts"][:, 1])
            kept, out = jnp.split(states[-1], 2, axis=-1)
            np.testing.assert_array_equal(out.transpose(0, 3, 1, 2), GOLDEN["split/0_y"])
            numbers = part.law.network.apply({"params": params[name]}, kept)
            theta = numbers.reshape(*kept.shape, 2).transpose(4, 0, 3, 1, 2)
            for result, array in zip(theta, ("mu", "logs"), strict=True):
                close(result, GOLDEN[f"split/0_{array}"])
    np.testing.assert_array_equal(z.transpose(0, 3, 1, 2), GOLDEN["z"])
    named = reversed(list(zip(model.chain.named(), states, strict=True)))
    for (name, part), before in named:
        z = compiled(part.inverse)(params.get(name, {}), RNG, z)
        if isinstance(part, multiscale.FactorOutGiven):  # what left is drawn anew
            np.testing.assert_array_equal(z[..., : before.shape[-1] // 2], kept)
            z = before
        np.testing.assert_array_equal(z, before)


def test_nats_and_gradients_with_their_epsilons():
    """Gradients of the last bias of each coupling: straight through every rounding."""
    model, params, _ = flow()

    def loss(params):
        nats = model.elbo(params, RNG, jnp.asarray(IMAGE))
        return -nats.mean(), nats

    grad, nats = compiled(jax.grad(loss, has_aux=True))(params)
    close(-nats, GOLDEN["nll"])
    close(-nats / DIMS, GOLDEN["bpd"])
    np.testing.assert_allclose(-nats, GOLDEN["f32_nll"], atol=0.7)
    z = jnp.asarray(GOLDEN["z"].transpose(0, 2, 3, 1))
    last = compiled(model.base.log_prob)(params["base"], z)
    close(-last / DIMS, GOLDEN["bpd_parts"][:, 0])
    couplings = [name for name, part in model.chain.named() if "Coupling" in name]
    for name, place in zip(couplings, (2, 4, 8, 10), strict=True):
        want = GOLDEN[f"grad/{place}_last_bias"]
        close(grad[name]["1.bias"], want, rtol=1e-8)  # in tails their logarithm cancels
