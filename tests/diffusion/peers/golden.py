"""Numbers from the code of other authors (tests/golden/peers), as arguments of our functions.

Where that code departs from its paper, or from ours, the test that meets it says so; departures
have the numbers of our list of them. All is in float64, as their numbers are.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels
from tests import golden_files

STATES = ["K5", "K27"]  # arrays of K = 27 are too large to keep of some peers
small = pytest.mark.parametrize("peer", ["K5"], indirect=True)
FORMS = (bounds.rate, bounds.rate.dispatch(object))


class Peer:
    """One file, for one K: tokens (B, L), probabilities (B, L, K), times `t`."""

    def __init__(self, name, states):
        self.arrays, self.states = golden_files.load(f"peers/{name}"), states
        self.num_classes = int(states[1:])
        self.t = self["gen_t" if name == "genmd4" else "t"]
        self.start = np.zeros_like(self.t, np.float64)

    def __getitem__(self, name):
        """An array of this K, or one for all K."""
        result = self.arrays.get(f"{self.states}_{name}")
        return self.arrays[name] if result is None else result

    def eye(self, number=None):
        """Laws of which each is one state: (number, K, K), else as many as there are times."""
        states, number = self.num_classes, number or len(self.t)
        return np.broadcast_to(np.eye(states), (number, states, states))

    def near(self, result, expected, rtol=1e-9, atol=1e-13):
        """`expected` is an array, or its name."""
        near(result, self[expected] if isinstance(expected, str) else expected, rtol, atol)


def opened(request):
    """The peer that the test's name begins with: a fixture."""
    with jax.enable_x64(True):
        yield Peer(request.function.__name__.split("_")[1], request.param)


def near(result, expected, rtol=1e-9, atol=1e-13):
    """They are, and in float64."""
    assert np.asarray(result).dtype == np.float64
    np.testing.assert_allclose(result, np.broadcast_to(expected, result.shape), rtol, atol)


def without_mask(logits):
    """Softmax over the classes, 0 on the mask, which is the last of the K + 1 states."""
    return with_mask(jax.nn.softmax(logits[..., :-1]))


def with_mask(p_0):
    """The same for p_0 (B, ..., K) that has no mask."""
    return jnp.pad(p_0, [(0, 0)] * (p_0.ndim - 1) + [(0, 1)])


def from_zero(schedule):
    """Theirs for t > 0; 0 at t = 0, as `schedules.check` asks, where theirs is below."""
    return lambda t: jnp.where(t > 0, schedule(t), 0.0)


def almost_linear(t):
    """Log of 1 - (1 - 1e-3) t, the "log-linear" noise of four peers."""
    return jnp.log1p(-(1 - 1e-3) * t)


geometric = from_zero(lambda t: -(1e-3 ** (1 - t)) * 20.0**t)  # departure 26


def slope(schedule, t):
    """Its derivative in t."""
    return jax.jvp(schedule, (t,), (jnp.ones_like(t),))[1]


def reverse_rates(kernel, p_0, x_t, t):
    """Rates from x_t to every state back in time: how the posterior of x_s leaves x_t at s = t."""
    return -slope(lambda s: kernels.posterior(kernel, p_0, x_t, s, t), t)
