"""SEDD: its scores s are any positive numbers (Lou et al., 2024).

A score is that of a guess of x_0: s_y = q_t(y | p_0) / q_t(x_t | p_0) says q_t(· | p_0), and p_0
is that without its noise. Of an arbitrary score p_0 is no law, some of it is negative; yet rates
and posteriors are rational in it. So their stored numbers, of random scores, are matched as they
are; a bound is in logarithms, and is matched where p_0 is a law.
"""

import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels
from amd_jax.ops import categorical
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

THEIRS = {
    "loglinear": golden.almost_linear,
    "geometric": golden.from_zero(lambda t: -(1e-3 ** (1 - t)) * 20.0**t),  # departure 26
}
KERNELS = {
    "uniform_loglinear": kernels.uniform,
    "uniform_geometric": kernels.uniform,
    "absorb_loglinear": kernels.absorbing,
}


class Sedd:
    """A kernel, and the guess that has the stored score."""

    def __init__(self, peer, name):
        self.peer, self.name = peer, name
        schedule = THEIRS[name.split("_")[1]]
        self.kernel = KERNELS[name](schedule, peer.num_classes)
        self.x_0, self.x_t, self.t = peer["x0"], peer[f"{name}_xt"], peer.t
        self.s = self.t - peer["dt"]
        self.speed = np.asarray(-golden.slope(schedule, self.t)).reshape(-1, 1, 1)  # "dsigma"
        q_t = categorical.normalize(jnp.exp(peer[f"{name}_log_score"]))
        noise = self.kernel.noise(peer.start, self.t, 3)
        self.p_0 = (q_t - noise) / self.kernel.keep(peer.start, self.t, 3)
        self.noisy = np.full(self.x_t.shape, True)  # where there is a way back
        if name.startswith("absorb"):
            self.noisy = np.asarray(self.x_t) == peer.num_classes

    def exact(self, name):
        return self.peer.exact(f"{self.name}_{name}")

    def assert_near(self, result, expected, rtol=1e-7):
        result, expected = result[self.noisy], expected[self.noisy]
        self.peer.assert_near(result, expected, rtol=rtol, atol=1e-7)


@pytest.fixture
def peer():
    with golden.opened("sedd", ("K5", "f64")) as peer:  # float32 has no digits of such guesses
        yield peer


@pytest.fixture(params=KERNELS)
def sedd(peer, request):
    return Sedd(peer, request.param)


@pytest.mark.parametrize("name", THEIRS)
def test_schedules_in_this_file_are_theirs(peer, name):
    peer.assert_near(-THEIRS[name](peer.t), f"{name}_sigma")
    peer.assert_near(-golden.slope(THEIRS[name], peer.t), f"{name}_dsigma")


@pytest.mark.few(2)
@pytest.mark.parametrize("form", [bounds.rate, bounds.rate.dispatch(object)])
def test_score_entropy_is_the_rate(sedd, form):
    """Also where nothing is left to learn, on tokens that are not masked."""
    result = form(sedd.kernel, sedd.x_0, sedd.p_0, sedd.x_t, sedd.t)
    expected = sedd.speed[..., 0] * sedd.exact("score_entropy")
    law = np.asarray((sedd.p_0 >= 0).all(axis=-1))
    assert law.sum() > 10
    sedd.peer.assert_near(result[law], expected[law], rtol=1e-7, atol=1e-7)
    sedd.peer.assert_near(expected.sum(axis=-1), sedd.exact("loss"), rtol=1e-7)


def test_rates_and_steps(sedd):
    """Departure 26: of an arbitrary score some of a step is negative, in theirs as in ours.

    The last step is the denoising posterior; theirs leaves the mask out, and the rest as it is.
    """
    kernel, given = sedd.kernel, (sedd.p_0, sedd.x_t)
    result = golden.reverse_rates(kernel, *given, sedd.t)
    sedd.assert_near(result, sedd.speed * sedd.exact("reverse_rate"))
    result = kernels.posterior(kernel, *given, sedd.s, sedd.t)
    sedd.assert_near(result, sedd.exact("analytic_probs"))
    assert (sedd.exact("analytic_probs") < 0).any()
    last = kernels.denoising_posterior(kernel, *given, sedd.t).law[..., : sedd.peer.num_classes]
    sedd.assert_near(last, sedd.exact("denoise_probs"), rtol=1e-6)
