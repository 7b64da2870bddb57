"""SEDD's scores (Lou et al., 2024), and tauLDR's rate matrices (Campbell et al., 2022).

SEDD's scores s are any positive numbers. A score is that of a guess of x_0:
s_y = q_t(y | p_0) / q_t(x_t | p_0) says q_t(· | p_0), and p_0 is that without its noise. Of an
arbitrary score p_0 is no law, some of it is negative; yet rates and posteriors are rational in it.
So their stored numbers, of random scores, are matched as they are; a bound is in logarithms, and
is matched where p_0 is a law.

tauLDR, departure 29: each quotient has 1e-9 more below, and transitions under 1e-8 are 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

peer = pytest.fixture(golden.opened, params=golden.STATES)

SEDD = {
    "uniform_loglinear": (kernels.uniform, golden.almost_linear),
    "uniform_geometric": (kernels.uniform, golden.geometric),
    "absorb_loglinear": (kernels.absorbing, golden.almost_linear),
}


@golden.small
@pytest.mark.few(2)
@pytest.mark.parametrize("name", SEDD)
def test_sedd(peer, name):
    """Departure 26: of an arbitrary score some of a step is negative, in theirs as in ours."""
    (make, schedule), of = SEDD[name], name.split("_")[1]
    kernel, t, x_t = make(schedule, peer.num_classes), peer.t, peer[f"{name}_xt"]
    speed = -golden.slope(schedule, t)[:, None]
    peer.near(-schedule(t), f"{of}_sigma")
    peer.near(speed[:, 0], f"{of}_dsigma")
    q_t = categorical.normalize(jnp.exp(peer[f"{name}_log_score"]))
    p_0 = (q_t - kernel.noise(peer.start, t, 3)) / kernel.keep(peer.start, t, 3)

    # Score entropy is the rate, also where nothing is left to learn: on tokens not masked.
    expected, law = speed * peer[f"{name}_score_entropy"], (p_0 >= 0).all(axis=-1)
    assert law.sum() > 10
    for form in golden.FORMS:
        result = form(kernel, peer["x0"], p_0, x_t, t)
        peer.near(result[law], expected[law], rtol=1e-7, atol=1e-7)
    peer.near(expected.sum(axis=-1), f"{name}_loss", rtol=1e-7)

    # The last step is the denoising posterior; theirs leaves the mask out, and the rest as it is.
    noisy = (x_t == peer.num_classes) | (make is kernels.uniform)  # where there is a way back
    steps = peer[f"{name}_analytic_probs"]
    assert (steps < 0).any()
    last = kernels.denoising_posterior(kernel, p_0, x_t, t).law[..., : peer.num_classes]
    rates = speed[..., None] * peer[f"{name}_reverse_rate"]
    for result, expected, rtol in (
        (golden.reverse_rates(kernel, p_0, x_t, t), rates, 1e-7),
        (kernels.posterior(kernel, p_0, x_t, t - peer["dt"], t), steps, 1e-7),
        (last, peer[f"{name}_denoise_probs"], 1e-6),
    ):
        peer.near(result[noisy], expected[noisy], rtol=rtol, atol=1e-7)


TAULDR = {  # log α of a generator of theirs, from its numbers
    "uniform": lambda t, rate_const: -t,
    "birthdeath": lambda t, sigma_min, sigma_max: (
        -(sigma_min**2) / 2 * ((sigma_max / sigma_min) ** (2 * t) - 1)
    ),
    "gausstarget": lambda t, time_base, time_exponential: -time_base * (time_exponential**t - 1),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("name", TAULDR)
def test_tauldr(peer, name):
    """Their reverse rates take p(x_0 | x_t) from the network, ours p_0 without the own token: M15.

    Compared where x_t is likely from every x_0, so that departure 29 is below 1e-5.
    """
    start, t, states = peer.start, peer.t, peer.num_classes
    begin = f"{peer.states}_{name}_cfg_"
    numbers = {k[len(begin) :]: float(v) for k, v in peer.arrays.items() if k.startswith(begin)}
    schedule = lambda t: TAULDR[name](t, **numbers)  # noqa: E731
    kernel, x_t = kernels.Generator(peer[f"{name}_base_rate"], schedule), peer[f"{name}_xt"]
    peer.near(-schedule(t), f"{name}_int_beta")
    peer.near(-golden.slope(schedule, t), f"{name}_beta")

    transition, close = peer[f"{name}_transition"], {"rtol": 1e-9, "atol": 1e-8}
    peer.near(kernel.push(peer.eye(), start, t), transition, **close)
    # By the series that irreversible rates need; it is planned for log α down to -30, not -199.5.
    peer.near(kernel.matrix(start, t), transition, rtol=1e-6, atol=1e-8)
    every = np.broadcast_to(np.arange(states), (len(t), states))
    peer.near(kernel.likelihood(every, start, t).mT, transition, **close)
    if name == "uniform":  # the uniform kernel, whose -log α is K times the rate times t
        uniform = kernels.uniform(lambda t: -states * numbers["rate_const"] * t, states)
        peer.near(uniform.push(peer.eye(), start, t), transition)

    likelihood = kernel.likelihood(x_t, start, t)
    p_0 = categorical.normalize(jax.nn.softmax(peer["logits"]) / likelihood)
    result = golden.reverse_rates(kernel, p_0, x_t, t)
    own = categorical.one_hot(x_t, states, dtype=bool)
    likely = np.asarray(likelihood.min(axis=-1) > 1e-4)
    assert likely.any()
    expected = peer[f"{name}_reverse_rates"][likely]
    peer.near(jnp.where(own, 0, result)[likely], expected, rtol=2e-5, atol=1e-7)
