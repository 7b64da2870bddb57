"""Maps a function over groups of rows: each on a device or several, with a key of its own."""

import functools
import math
from collections.abc import Callable, Sequence

import jax
import numpy as np
from jaxtyping import Shaped

from amd_jax.devices import parallel, shards
from amd_jax.evaluation.means import Rows
from amd_jax.host import memory
from amd_jax.types import Key, Params, PyTree

TOKENS = 1 << 15  # of a group, about
PROBABILITIES = 1 << 27  # of all classes of its tokens: half a gigabyte
WHAT = "The numbers of a group of rows, beside the parameters,"
SMALLER = "Take fewer rows or draws, shorter ones, or a machine with more."


def size(number: int, event: Sequence[int], copies: int = 1, classes: int = 1) -> int:
    """How many of `number` rows are computed together, where each takes `copies` copies.

    Of many classes they are fewer: a network gives logits of each.
    """
    tokens = min(TOKENS, PROBABILITIES // classes)
    return max(1, min(number, tokens // (copies * math.prod(event))))


def classes(model: object) -> int:
    """How many classes the network of a model, or its noise, says that it has; 1 if none does."""
    parts = (getattr(model, name, None) for name in ("kernel", "network"))
    return max(getattr(part, "num_classes", 1) for part in parts)


def run(
    f: Callable,
    params: Params,
    rng: Key,
    count: int,
    rows_each: int,
    rows: Rows | None = None,
) -> Shaped[np.ndarray, "..."]:
    """f(params, key, rows of the group) of each of `count` groups, joined.

    Of `rows` (count * rows_each, ...) every group gets its share; without any, f is called with
    parameters and key alone. The key of a group depends on the number of its first row only. A
    device computes a group; several do if they share the parameters (`shards.divided`). Keep f:
    one made anew would compile anew.
    """
    memory.check_compiler()
    devices, result = shards.of(params), []
    params, each = devices.put(params), _each(devices, f)
    at_once = devices.width * jax.process_count()
    for first in range(0, count, at_once):
        begin = first + devices.width * jax.process_index()
        places = [min(i, count - 1) for i in range(begin, begin + devices.width)]  # may repeat
        given: list[PyTree] = [jax.numpy.stack([_key(rng, i * rows_each) for i in places])]
        if rows is not None:
            given.append(rows.reshape(count, rows_each, *rows.shape[1:])[places])
        if not first:
            parallel.check_memory(each.lower(params, *given).compile(), WHAT, SMALLER)
        drawn = parallel.gather(each(params, *given))
        share = len(drawn) // at_once
        result.append(drawn[: share * min(at_once, count - first)])
    return np.concatenate(result)


@functools.lru_cache(maxsize=32)
def _each(devices: parallel.Copies | shards.Shards, f: Callable) -> parallel.Compilable:
    """The function of groups for all devices."""
    return devices.each(f)


def _key(rng: Key, row: int) -> Key:
    """The key of the group that begins with a row."""
    return jax.random.split(jax.random.fold_in(rng, row), 1)[0]
