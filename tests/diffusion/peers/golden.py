"""Numbers from the code of other authors (tests/golden/peers), as arguments of our functions.

Where that code departs from its paper, or from ours, the test that meets it says so; departures
have the numbers of our list of them.
"""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels
from amd_jax.ops import categorical
from tests import golden_files

SMALL = [
    pytest.param(("K5", "f64"), id="K5-f64"),
    pytest.param(("K5", "f32"), id="K5-f32", marks=pytest.mark.slow),
]
CASES = SMALL + [  # of some peers, whose arrays of K = 27 are not too large to keep
    pytest.param(("K27", precision), id=f"K27-{precision}", marks=pytest.mark.slow)
    for precision in ("f64", "f32")
]


class Peer:
    """One file, for one K, in float32 or float64: tokens (B, L), probabilities (B, L, K)."""

    def __init__(self, name, states, precision):
        self.arrays = golden_files.load(f"peers/{name}")
        self.states, self.precision = states, precision
        self.num_classes = int(states[1:])
        self.dtype = {"f64": np.float64, "f32": np.float32}[precision]
        self.t = self["t"]
        self.start = jnp.zeros_like(self.t)

    def __getitem__(self, name):
        """An array of this K, or one for all K; floats in the precision of the case."""
        result = self.arrays.get(f"{self.states}_{name}")
        result = self.arrays[name] if result is None else result
        return jnp.asarray(result, self.dtype if result.dtype.kind == "f" else result.dtype)

    def clean(self, states):
        return categorical.one_hot(self["x0"], states, dtype=self.dtype)

    def assert_near(self, result, expected, rtol=1e-9, atol=1e-13, single=(1e-4, 2e-6)):
        """`single` is (rtol, atol) of float32; `expected` an array, or its name."""
        expected = self.exact(expected) if isinstance(expected, str) else expected
        assert result.dtype == self.dtype
        rtol, atol = (rtol, atol) if self.precision == "f64" else single
        np.testing.assert_allclose(result, expected, rtol=rtol, atol=atol)

    def exact(self, name):
        """An array of this K as it is in the file, in float64 in either case."""
        return self.arrays.get(f"{self.states}_{name}", self.arrays.get(name))


@contextlib.contextmanager
def opened(name, case):
    states, precision = case
    with jax.enable_x64(precision == "f64"):
        yield Peer(name, states, precision)


def without_mask(logits):
    """Softmax over the classes, 0 on the mask, which is the last of the K + 1 states."""
    return jax.nn.softmax(logits.at[..., -1].set(-jnp.inf))


def with_mask(p_0):
    """The same for p_0 (B, ..., K) that has no mask."""
    return jnp.pad(p_0, [(0, 0)] * (p_0.ndim - 1) + [(0, 1)])


def from_zero(schedule):
    """Theirs for t > 0; 0 at t = 0, as `schedules.check` asks, where theirs is below."""
    return lambda t: jnp.where(t > 0, schedule(t), 0.0)


def almost_linear(t):
    """Log of 1 - (1 - 1e-3) t, the "log-linear" noise of four peers."""
    return jnp.log1p(-(1 - 1e-3) * t)


def slope(schedule, t):
    """Its derivative in t."""
    return jax.jvp(schedule, (t,), (jnp.ones_like(t),))[1]


def reverse_rates(kernel, p_0, x_t, t):
    """Rates from x_t to every state back in time: how the posterior of x_s leaves x_t at s = t."""
    return -slope(lambda s: kernels.posterior(kernel, p_0, x_t, s, t), t)
