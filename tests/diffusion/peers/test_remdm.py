"""ReMDM: masks that come back (Wang et al., 2025), with alpha = 1 - t.

Left out: its "forward-backward", which breaks its own bound on sigma in the last step; top-p,
which drops the class that crosses p, where ours keeps it; its confidences in bfloat16 (all
departure 27); and the steps of discrete flow matching, of which there are none here.
"""

import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.process import Process
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow


@pytest.fixture(params=golden.CASES)
def remdm(request):
    with golden.opened("remdm", request.param) as peer:
        yield peer


def law(remdm, sampler, s, t, *memory):
    """What a sampler of ours draws from, in their state: (B, L, K + 1)."""
    process = Process(kernels.absorbing(schedules.linear, remdm.num_classes), None)
    return sampler.law(process, remdm["x_hat"], remdm["xt"], s, t, *memory)


@pytest.mark.parametrize(("kind", "eta"), [("cap", 0.3), ("cap", 0.02), ("rescale", 0.4)])
def test_steps_of_one_sigma(remdm, kind, eta):
    sampler = samplers.PredictorCorrector(kind=kind, eta=eta)
    result = law(remdm, sampler, remdm.t - remdm["dt"], remdm.t)
    remdm.assert_near(result, f"remdm-{kind}_eta{eta}_q", atol=1e-12)


def test_steps_of_a_loop(remdm):
    """Of those at the one time that it stays at; the others are ancestral, on times of its own."""
    on, off, t = (remdm.exact(name) for name in ("loop_t_on", "loop_t_off", "t"))
    stays = (t > off + 1e-9) & (t <= on)
    assert stays.sum() == 3
    sampler = samplers.PredictorCorrector(kind="loop", eta=0.1)
    still = jnp.full_like(remdm.t, 1 - remdm["loop_alpha_on"])
    result = law(remdm, sampler, still, still)
    expected = remdm.exact("remdm-loop_eta0.1_q")
    remdm.assert_near(result[stays], expected[stays], atol=1e-12)


def test_steps_by_confidence(remdm):
    """Their confidence is ours with a minus, and minus infinity on masks."""
    sure = -remdm["conf_f64"]
    result = law(remdm, samplers.Remasking(), remdm.t - remdm["dt"], remdm.t, sure)
    remdm.assert_near(result, "remdm-conf_q_f64conf", atol=1e-12)
    other = law(
        remdm, samplers.Remasking(), remdm.t - remdm["dt"], remdm.t, 0 * remdm["x_hat"][..., 0]
    )
    assert np.abs(other - remdm.exact("remdm-conf_q_f64conf")).max() > 0.01
