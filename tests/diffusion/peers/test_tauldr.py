"""tauLDR: continuous time by rate matrices (Campbell et al., 2022).

Departure 29: each quotient there has 1e-9 more below, and transitions under 1e-8 are 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

RATES = ["uniform", "birthdeath", "gausstarget"]


class Tauldr:
    """A generator of theirs: `integral` is -log α, `speed` its derivative."""

    def __init__(self, peer, name):
        self.peer, self.name, self.t = peer, name, peer.t
        schedule = getattr(self, name)
        self.generator = kernels.Generator(self.exact("base_rate"), schedule)
        self.x_t = peer[f"{name}_xt"]

    def exact(self, name):
        return self.peer.exact(f"{self.name}_{name}")

    def config(self, name):
        return float(self.exact(f"cfg_{name}"))

    def uniform(self, t):
        return -t

    def birthdeath(self, t):
        low, high = self.config("sigma_min"), self.config("sigma_max")
        return -(low**2) / 2 * ((high / low) ** (2 * t) - 1)

    def gausstarget(self, t):
        return -self.config("time_base") * (self.config("time_exponential") ** t - 1)


@pytest.fixture(params=golden.CASES)
def peer(request):
    with golden.opened("tauldr", request.param) as peer:
        yield peer


@pytest.fixture(params=RATES)
def tauldr(peer, request):
    return Tauldr(peer, request.param)


@pytest.mark.few(2)
def test_schedules_in_this_file_are_theirs(tauldr):
    schedule = tauldr.generator.schedule
    tauldr.peer.assert_near(-schedule(tauldr.t), tauldr.exact("int_beta"), single=(1e-4, 0))
    result = -golden.slope(schedule, tauldr.t)
    tauldr.peer.assert_near(result, tauldr.exact("beta"))


@pytest.mark.few(2)
def test_transitions(tauldr):
    states = tauldr.peer.num_classes
    eye = jnp.broadcast_to(jnp.eye(states), (len(tauldr.t), states, states))
    result = tauldr.generator.push(eye, tauldr.peer.start, tauldr.t)
    tauldr.peer.assert_near(result, tauldr.exact("transition"), rtol=1e-9, atol=1e-8)
    # By the series that irreversible rates need; it is planned for log α down to -30, not -199.5.
    result = tauldr.generator.matrix(tauldr.peer.start, tauldr.t)
    tauldr.peer.assert_near(result, tauldr.exact("transition"), rtol=1e-6, atol=1e-8)
    x_t = jnp.broadcast_to(jnp.arange(states), (len(tauldr.t), states))
    result = tauldr.generator.likelihood(x_t, tauldr.peer.start, tauldr.t)
    tauldr.peer.assert_near(result.mT, tauldr.exact("transition"), rtol=1e-9, atol=1e-8)


@pytest.mark.few(1)
def test_uniform_rates_are_the_uniform_kernel(peer):
    """Its -log α is K times the rate times t."""
    tauldr = Tauldr(peer, "uniform")
    states, rate = peer.num_classes, tauldr.config("rate_const")
    kernel = kernels.uniform(lambda t: -states * rate * t, states)
    eye = jnp.broadcast_to(jnp.eye(states), (len(peer.t), states, states))
    peer.assert_near(kernel.push(eye, peer.start, peer.t), tauldr.exact("transition"))


@pytest.mark.few(2)
def test_reverse_rates(tauldr):
    """Theirs take p(x_0 | x_t) from the network, ours p_0 without the own token: M15.

    Compared where x_t is likely from every x_0, so that departure 29 is below 1e-5.
    """
    start, t = tauldr.peer.start, tauldr.t
    likelihood = tauldr.generator.likelihood(tauldr.x_t, start, t)
    denoised = jax.nn.softmax(tauldr.peer["logits"])
    p_0 = categorical.normalize(denoised / likelihood)
    result = golden.reverse_rates(tauldr.generator, p_0, tauldr.x_t, t)
    own = categorical.one_hot(tauldr.x_t, tauldr.peer.num_classes, dtype=bool)
    likely = np.asarray(likelihood.min(axis=-1) > 1e-4)
    assert likely.any()
    expected = tauldr.exact("reverse_rates")[likely]
    tauldr.peer.assert_near(
        jnp.where(own, 0, result)[likely], expected, rtol=2e-5, atol=1e-7, single=(1e-4, 1e-3)
    )
