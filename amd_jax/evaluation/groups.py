"""Maps a function over groups of rows: each on one device, with a key of its own."""

import math
from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Shaped

from amd_jax.devices import parallel
from amd_jax.evaluation.means import Rows
from amd_jax.host import memory
from amd_jax.types import Array, Key, Params

TOKENS = 1 << 15  # of a group, about
WHAT = "The numbers of a group of rows, beside the parameters,"
SMALLER = "Take fewer rows or draws, shorter ones, or a machine with more."


def size(number: int, event: Sequence[int], copies: int = 1) -> int:
    """How many of `number` rows are computed together, where each takes `copies` copies."""
    return max(1, min(number, TOKENS // (copies * math.prod(event))))


def run(
    f: parallel.Compilable,
    params: Params,
    rng: Key,
    count: int,
    rows_each: int,
    rows: Rows | None = None,
) -> Shaped[np.ndarray, "..."]:
    """f(params, key, rows of the group) of each of `count` groups, joined.

    `f` is a function made by `parallel.over_devices`. Of `rows` (count * rows_each, ...) every
    group gets its share; without any, f is called with parameters and key alone. The key of a
    group depends on the number of its first row only.
    """
    memory.check_compiler()
    devices, result = jax.device_count(), []
    params = parallel.settled(parallel.replicate(params))
    for first in range(0, count, devices):
        places = [min(i, count - 1) for i in range(first, first + devices)]  # the last may repeat
        keys = jax.numpy.stack([_key(rng, i * rows_each) for i in places])
        given: list[Array | np.ndarray] = [parallel.own(keys)[:, 0]]
        if rows is not None:
            groups = rows.reshape(count, rows_each, *rows.shape[1:])[places]
            given.append(parallel.own(groups.reshape(-1, *rows.shape[1:])))
        if not first:
            parallel.check_memory(f.lower(params, *given).compile(), WHAT, SMALLER)
        drawn = parallel.gather(f(params, *given))
        share = len(drawn) // devices
        result.append(drawn[: share * min(devices, count - first)])
    return np.concatenate(result)


def _key(rng: Key, row: int) -> Key:
    """The key of the group that begins with a row."""
    return jax.random.split(jax.random.fold_in(rng, row), 1)[0]
