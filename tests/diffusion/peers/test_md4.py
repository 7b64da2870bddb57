"""MD4: masked diffusion (Shi et al., 2024). GenMD4 is left out: no kernel here learns a schedule.

Its alpha runs from 1 - 1e-4 to 1e-4 for every schedule (departure 9), so there is a distance
between time 0 and the time just after it: AFTER stands for its time 0.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels
from amd_jax.diffusion.samplers import base
from amd_jax.ops import categorical
from tests.diffusion.peers import golden

pytestmark = pytest.mark.slow

AFTER = 1e-30
NOISE = {
    "linear": lambda t: t,
    "cosine": lambda t: jnp.sin(jnp.pi / 2 * t),
    "poly2": lambda t: t**2,
    "poly0.5": lambda t: t**0.5,
}


@pytest.fixture(params=golden.SMALL)
def md4(request):
    with golden.opened("md4", request.param) as peer:
        yield peer


def theirs(name):
    return golden.from_zero(lambda t: jnp.log1p(-(1e-4 + (1 - 2e-4) * NOISE[name](t))))


def masking(md4, name):
    return kernels.absorbing(theirs(name), md4.num_classes)


@pytest.mark.few(slow=4)
@pytest.mark.parametrize("name", NOISE)
def test_schedules_in_this_file_are_theirs(md4, name):
    t, schedule = md4["t_sched"][1:], theirs(name)
    alpha = jnp.exp(schedule(t))
    md4.assert_near(alpha, md4.exact(f"{name}_alpha")[1:], single=(1e-3, 1e-6))
    result = golden.slope(schedule, t) * alpha
    md4.assert_near(result, md4.exact(f"{name}_dalpha")[1:], single=(1e-3, 1e-6))


@pytest.mark.parametrize("name", NOISE)
@pytest.mark.parametrize("form", [bounds.rate, bounds.rate.dispatch(object)])
def test_continuous_loss(md4, name, form):
    p_0 = golden.with_mask(jax.nn.softmax(md4["logits"]))
    terms = form(masking(md4, name), md4["x0"], p_0, md4["zt"], md4.t)
    expected = md4.exact(f"{name}_loss_cont")
    md4.assert_near(categorical.sum_event(terms), expected, single=(1e-4, 0))


@pytest.mark.parametrize("name", NOISE)
def test_discrete_loss(md4, name):
    """Times T: theirs is the whole sum's estimate."""
    steps, t = int(md4["disc_T"]), md4["disc_t"]
    s = jnp.maximum((jnp.floor(md4.t * steps)) / steps, AFTER).astype(md4.dtype)
    p_0 = golden.with_mask(jax.nn.softmax(md4["logits"]))
    terms = bounds.discrete(masking(md4, name), md4["x0"], p_0, md4["zt"], s, t)
    md4.assert_near(steps * categorical.sum_event(terms), f"{name}_loss_disc", single=(1e-4, 0))


@pytest.mark.few(slow=3)
@pytest.mark.parametrize("name", ["linear", "cosine"])
@pytest.mark.parametrize("grid", ["uniform", "cosine"])
def test_ancestral_step_from_a_mask(md4, name, grid):
    s, t = jnp.maximum(md4[f"{grid}_grid_st"], AFTER).T
    p_0 = golden.with_mask(jax.nn.softmax(md4["logits"][:2]))
    expected = md4.exact(f"{name}_{grid}_step_probs")
    masks = jnp.full((3, *p_0.shape[:-1]), md4.num_classes)
    p_0 = jnp.broadcast_to(p_0, expected.shape)
    result = kernels.posterior(masking(md4, name), p_0, masks, s, t)
    md4.assert_near(result, expected)


def test_top_p(md4):
    """Of the guess, the class that crosses p kept, as ours; theirs is float32."""
    s, t = jnp.maximum(md4["uniform_grid_st"][1:2], AFTER).T
    p_0 = base.tempered(golden.with_mask(jax.nn.softmax(md4["logits"][:2])), 1.0, 0.9)
    expected = md4.exact("linear_uniform_topp0.9_i4").astype(np.float64)
    assert (expected == 0).any()
    masks = jnp.full(p_0.shape[:-1], md4.num_classes)
    result = kernels.posterior(masking(md4, "linear"), p_0, masks, s, t)
    md4.assert_near(result, expected, rtol=1e-5, atol=1e-7)
