"""Parts at real sizes, compiled as users compile them, against float64 without fusion.

What a compiler gets wrong shows at sizes that no other test has: numbers of rows around powers of
two and beyond 32,768, and as many classes as vocabularies have.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.kernels import rate_matrices
from amd_jax.diffusion.samplers import base
from amd_jax.ops import categorical, gumbel, integers, scalars
from amd_jax.transforms import argmax, dequantize, laws
from benchmarks.workers.differential import UNFUSED

HASTE = jax.config.read("jax_disable_most_optimizations")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(HASTE, reason='as users compile: XLA_FLAGS="" python -m pytest -m slow'),
]
SIZES = [  # rows, classes
    *((1023, 3), (1024, 27), (1025, 256), (2048, 2), (2048, 27), (2049, 3), (4096, 27)),
    *((32769, 2), (32769, 3), (32769, 256), (40_000, 27), (65_536, 27)),
    *((129, 50_257), (257, 50_257)),
]
FEW = ((1025, 256), (2048, 27), (32769, 3), (129, 50_257))
LIMIT = 27  # classes of a kernel by matrices
T = np.float32([0.4])
S = np.float32([0.399])


class Inputs:
    """Arrays of a number of rows and classes: float32 (1, N, K), (1, N) or as said."""

    def __init__(self, rows, classes):
        self.rng = np.random.default_rng(rows + classes)
        self.shape, self.classes = (1, rows), classes

    def logits(self):
        return self.rng.normal(0, 2, (*self.shape, self.classes)).astype(np.float32)

    def p(self):
        logits = self.logits()
        p = np.exp(logits - logits.max(axis=-1, keepdims=True), dtype=np.float32)
        return p / p.sum(axis=-1, keepdims=True)

    def x(self):
        return self.rng.integers(0, self.classes, self.shape).astype(np.int32)

    def reals(self, *last):
        return self.rng.normal(0, 2, (*self.shape, *last)).astype(np.float32)


def log_p(logits):
    return jax.nn.log_softmax(logits)


def irreversible(k):
    """Rates of near classes and of the next, the last before the first: no sums of modes."""
    return rate_matrices.gaussian(k, 1.0) + np.roll(np.eye(k), 1, axis=1) - np.eye(k)


KERNELS = {  # of a number of states, a mask among them
    "uniform": lambda k: kernels.uniform(schedules.cosine, k),
    "absorbing": lambda k: kernels.absorbing(schedules.linear, k - 1),
    "masks_and_uniform": lambda k: kernels.masks_and_uniform(k - 1),
    "matrices": lambda k: kernels.Generator(irreversible(k), schedules.cosine),
}


def gradient(f):
    """Values (…) of a function of logits and more, and the gradient of their sum by logits."""

    def both(logits, *more):
        value, pull = jax.vjp(lambda logits: f(logits, *more), logits)
        return value, pull(jnp.ones_like(value))[0]

    return both


def bound(form, *times):
    def terms(kernel, logits, x, y):
        inputs = (y, *times) if form in (bounds.discrete, bounds.rate) else times
        known = jnp.arange(logits.shape[-1]) < kernel.num_classes

        def nats(logits, x):
            log_p = categorical.log_softmax(logits, known)
            x = jnp.minimum(x, kernel.num_classes - 1)
            return form(kernel, x, jnp.exp(log_p), *inputs, log_p)

        return gradient(nats)(logits, x)

    return terms


PARTS = {  # name -> function of the inputs below
    "log": lambda p, q, x: categorical.log(p),
    "normalize": lambda p, q, x: categorical.normalize(p * q),
    "kl": lambda p, q, x: categorical.kl(p, q),
    "gather": lambda p, q, x: categorical.gather(p, x),
    "tempered": lambda p, q, x: base.tempered(p, 0.7, 1.0),
    "digits": lambda p, q, x: integers.from_digits(integers.to_digits(x, 3, 10), 3),
    "press": lambda p, q, x: argmax._press(3 * p - q, x, jnp.zeros(1))[0],
    "place": lambda p, q, x: dequantize._place(x, p[..., 0], p.shape[-1], 0.0),
    "categorical": lambda p, q, x: gradient(laws.Categorical(p.shape[-1]).log_prob)(p, x),
}
ON_KERNELS = {  # name -> function of a kernel, logits, x and another x
    "push": lambda k, logits, x, y: k.push(jax.nn.softmax(logits), S, T),
    "likelihood": lambda k, logits, x, y: k.likelihood(y, S, T),
    "posterior": lambda k, logits, x, y: kernels.posterior(k, jax.nn.softmax(logits), y, S, T),
    "log_posterior": lambda k, logits, x, y: kernels.log_posterior(k, log_p(logits), y, S, T),
    "discrete": bound(bounds.discrete, S, T),
    "decoder": bound(bounds.discrete, 0 * S, T),
    "leave_one_out": bound(bounds.leave_one_out, S, T),
    "rate": bound(bounds.rate, T),
    "leave_one_out_rate": bound(bounds.leave_one_out_rate, T),
}
ON_NUMBERS = {  # name -> (function of numbers and parameters, the number of these)
    "kl_of_log_odds": (lambda x, theta: categorical.kl_of_log_odds(x, theta[..., 0]), 1),
    "gumbel": (lambda x, theta: gumbel.log_prob(x, theta[..., 0]), 1),
    "from_logit": (lambda x, theta: gumbel.from_logit(x), 1),
    "threshold": (lambda x, theta: gumbel.threshold(x, theta[..., 0]), 1),
    "discretized_logistic": (
        lambda x, theta: laws.DiscretizedLogistic().log_prob(theta, jnp.round(x)),
        2,
    ),
    **{
        name: (both, part.num_parameters)
        for name, part in {
            "affine": scalars.Affine(2.0),
            "logistic_mixture": scalars.LogisticMixture(3),
            "spline": scalars.RationalQuadraticSpline(5, 3.0),
        }.items()
        for both in [
            lambda x, theta, part=part: (part.forward(x, theta), part.inverse(x, theta)),
        ]
    },
}


def check(f, *inputs, rtol=1e-4, digits=0.0):
    """Compares a compiled float32 function with itself in float64, each operation alone.

    Beyond `digits` an error is relative to the number itself and a hundredth of the mean size.
    """
    result = jax.tree.map(np.asarray, jax.jit(f)(*inputs))
    with jax.enable_x64(True):
        wide = [np.float64(a) if a.dtype == np.float32 else a for a in inputs]
        single = jax.jit(lambda *inputs: f(*inputs)).lower(*wide).compile(UNFUSED)
        expected = jax.tree.map(np.asarray, single(*wide))
    for a, b in zip(jax.tree.leaves(result), jax.tree.leaves(expected), strict=True):
        assert np.isfinite(a).all()
        size = abs(b) + 1e-2 * abs(b).mean()
        assert (abs(a - b) <= rtol * size + digits).all()


@pytest.mark.few(2)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("name", PARTS)
def test_of_laws(name, size):
    inputs = Inputs(*size)
    check(PARTS[name], inputs.p(), inputs.p(), inputs.x())


@pytest.mark.few(2)
@pytest.mark.parametrize("size", FEW, ids=str)
@pytest.mark.parametrize("make", KERNELS)
@pytest.mark.parametrize("name", ON_KERNELS)
def test_of_kernels(name, make, size):
    if make == "matrices" and size[1] > LIMIT:
        pytest.skip("a matrix (K, K)")
    kernel, inputs = KERNELS[make](size[1]), Inputs(*size)
    logits, x = inputs.logits(), inputs.x()
    states = jnp.minimum(x, kernel.num_classes - 1)
    given = logits, x, np.asarray(kernels.corrupt(kernel, jax.random.key(0), states, T))
    digits = 1e-6 if make == "matrices" else 0.0  # in general a short step is a difference
    check(functools.partial(ON_KERNELS[name], kernel), *given, rtol=1e-3, digits=digits)


@pytest.mark.few(2)
@pytest.mark.parametrize("rows", sorted({n for n, _ in SIZES}))
@pytest.mark.parametrize("name", ON_NUMBERS)
def test_of_numbers(name, rows):
    f, number = ON_NUMBERS[name]
    inputs = Inputs(rows, 2)
    rtol = 1e-2 if name == "spline" else 1e-3  # an inverse magnifies where the slope is small
    check(f, inputs.reals(), 0.5 * inputs.reals(number), rtol=rtol)
