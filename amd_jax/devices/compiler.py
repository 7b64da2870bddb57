"""Works around known faults of XLA, and checks the backend for them.

XLA for CPUs hands sums to a library, YNN, since jaxlib 0.10.2; of some programs all rows then come
out wrong, without a word. `avoid_known_faults` has it sum by itself; docs/how_it_works/numerics.md
has what that costs, up to a quarter of a training step.
"""

import functools
import importlib.metadata
import os
import re
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

YNN = "--xla_cpu_experimental_ynn_fusion_type"
NO_SUMS = f"{YNN}=-reduce"
FAULTY = ((0, 10, 2), (0, 13))  # from the first version of jaxlib to before the second


class Fault(NamedTuple):
    """A program that some compiler gets wrong: a row of `FAULTS`."""

    backend: str  # on which it was seen
    what: str
    computed: Callable[[], ArrayLike]  # by that backend
    expected: Callable[[], ArrayLike]  # by NumPy: small integers, exact everywhere
    way_out: str


def avoid_known_faults() -> None:
    """Sets XLA's flag against the faults of the jaxlib that is installed, unless it is set.

    XLA reads XLA_FLAGS once, when JAX computes for the first time.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    first, end = FAULTY
    if YNN not in flags and first <= version() < end:
        os.environ["XLA_FLAGS"] = f"{flags} {NO_SUMS}".strip()


def version() -> tuple[int, ...]:
    """The numbers of the jaxlib that is installed."""
    return tuple(map(int, re.findall(r"\d+", importlib.metadata.version("jaxlib"))[:3]))


@functools.cache
def check_backend() -> None:
    """Raises RuntimeError if JAX's default backend gets a program wrong that is known to fail.

    The line names the fault, the version and the way out. Takes a fraction of a second, once in a
    process; call it before results count.
    """
    import jax

    for fault in FAULTS:
        if fault.backend != jax.default_backend():
            continue
        wrong = int(np.sum(np.asarray(fault.computed()) != fault.expected()))
        if wrong:
            raise RuntimeError(
                f"jaxlib {importlib.metadata.version('jaxlib')} on "
                f"{jax.devices()[0].device_kind} ({jax.default_backend()}) computes wrong "
                f"numbers: {fault.what}, {wrong:,} of them wrong. {fault.way_out}"
            )


def _integers(*shape: int) -> np.ndarray:
    """Integers from -2 to 2, float32 of that shape, always the same."""
    return np.float32((np.arange(np.prod(shape)) * 7919 % 104729) % 5 - 2).reshape(shape)


ROWS, MATRIX = _integers(40_000, 3), _integers(3, 3)
WIDE, SCALE = _integers(2048, 27), np.float32(0.5)
LEFT, RIGHT, BIAS = _integers(32, 15), _integers(15, 100), _integers(32, 1)
DEEP = (3, 1, 2, 2, 8, 8, 8)


def _squares_of_products() -> ArrayLike:
    import jax

    return jax.jit(jax.vmap(lambda row, matrix: ((matrix @ row) ** 2).sum(), (0, None)))(
        ROWS, MATRIX
    )


def _squares_of_sums() -> ArrayLike:
    import jax
    import jax.numpy as jnp

    return jax.jit(lambda x: ((x @ jnp.ones((27, 16), x.dtype)) ** 2).sum(axis=-1))(WIDE)


def _library_of_deep_sums() -> ArrayLike:
    """Whether a sum over seven axes goes to YNN, which may end the process: it is not run."""
    import jax

    if not (0, 10, 2) <= version() < (0, 11, 1):
        return False
    array = jax.ShapeDtypeStruct(DEEP, np.float32)
    summed = jax.jit(lambda a, b: (a * b).sum(axis=3)).lower(array, array)
    return "__ynn_fusion" in (summed.compile().as_text() or "")


def _scaled_product() -> ArrayLike:
    import jax

    return jax.jit(lambda left, right, bias: SCALE * (left @ right + bias))(LEFT, RIGHT, BIAS)


def _single_operations() -> ArrayLike:
    import jax.numpy as jnp

    return jnp.sqrt(jnp.ones(4, jnp.float32) + 255)


BY_FLAG = (
    f"Import amd_jax before JAX computes anything, or set XLA_FLAGS={NO_SUMS} before Python "
    "starts."
)
ANOTHER = "Use another version of jaxlib, or another backend (JAX_PLATFORMS=cpu)."
FAULTS = [  # to add one: a row
    Fault(
        "cpu",
        "a matrix times each row, squared and summed (jax-ml/jax#39103)",
        _squares_of_products,
        lambda: ((ROWS @ MATRIX.T) ** 2).sum(axis=1),
        BY_FLAG,
    ),
    Fault(
        "cpu",
        "rows times a constant, squared and summed",
        _squares_of_sums,
        lambda: 16 * WIDE.sum(axis=1) ** 2,
        BY_FLAG,
    ),
    Fault(
        "cpu",
        "a sum over one of seven axes, which may end the process (jax-ml/jax#39257)",
        _library_of_deep_sums,
        lambda: False,
        BY_FLAG,
    ),
    Fault(
        "gpu",
        "a scaled product with a bias (jax-ml/jax#39336)",
        _scaled_product,
        lambda: SCALE * (LEFT @ RIGHT + BIAS),
        f"Set XLA_FLAGS=--xla_gpu_autotune_level=3. {ANOTHER}",
    ),
    Fault(
        "gpu",
        "single operations outside of jit (jax-ml/jax#40633)",
        _single_operations,
        lambda: np.full(4, 16.0),
        ANOTHER,
    ),
]
