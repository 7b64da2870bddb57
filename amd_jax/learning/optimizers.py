"""Optimisers, composed from optax."""

import math
from collections.abc import Callable

import jax
import optax

from amd_jax.types import Array, Params

OUTER = ("time", "in", "out")  # what ends the names of layers that are not hidden


class Scheduled(optax.GradientTransformation):
    """An optimiser of optax that says its learning rate."""

    learning_rate: optax.Schedule  # number of updates so far -> rate of the next


def scheduled(make: Callable, learning_rate: optax.Schedule, **others) -> Scheduled:
    """The optimiser `make(learning_rate, ...)`, such as optax.adam's, with its learning rate.

    Raises ValueError for one that does not begin at 0 or above.
    """
    _check(float(learning_rate(0)))
    init, update = make(learning_rate, **others)
    result = Scheduled(init, update)
    result.learning_rate = learning_rate
    return result


def rise(peak: float, warmup_steps: int) -> optax.Schedule:
    """A learning rate that rises linearly to its peak, and stays there.

    Raises ValueError for a peak or a number of steps below 0.
    """
    _check(peak)
    if warmup_steps < 0:
        raise ValueError(f"warmup_steps must be at least 0; got warmup_steps={warmup_steps}.")
    return optax.linear_schedule(0.0, peak, warmup_steps)


def rise_and_fall(peak: float, warmup_steps: int, num_steps: int) -> optax.Schedule:
    """A learning rate that rises linearly to its peak, then falls linearly to zero."""
    fall = optax.linear_schedule(peak, 0.0, max(1, num_steps - warmup_steps))
    return optax.join_schedules([rise(peak, warmup_steps), fall], [warmup_steps])


def adam(learning_rate: float, *, warmup_steps: int, num_steps: int) -> Scheduled:
    """Adam; warm-up, then linear decay to zero."""
    return scheduled(optax.adam, rise_and_fall(learning_rate, warmup_steps, num_steps))


def muon(matrices: float, others: float, *, warmup_steps: int, num_steps: int) -> Scheduled:
    """Muon for hidden matrices, AdamW for all else; warm-up, then linear decay to zero.

    `matrices` and `others` are the two peak learning rates. Inputs, outputs, time embeddings and
    vectors have no spectrum of hidden features that Muon could equalise (Jordan et al., 2024).
    """
    matrices, others = (rise_and_fall(r, warmup_steps, num_steps) for r in (matrices, others))
    return scheduled(
        optax.contrib.muon,
        matrices,
        ns_steps=3,  # instead of 5: cheaper, and no worse in trials
        adam_b2=0.99,
        adam_learning_rate=others,
        muon_weight_dimension_numbers=hidden_matrices,
    )


def _check(peak: float) -> None:
    """Raises ValueError for a learning rate that is no rate."""
    if not 0 <= peak < math.inf:
        raise ValueError(
            f"A learning rate must be finite, and at least 0; got {peak}. Use such as 1e-3."
        )


def staircase(peak: float, decay: float, every: int) -> optax.Schedule:
    """A learning rate that is multiplied by `decay` after every so many steps, as after epochs."""
    _check(peak)
    return optax.exponential_decay(peak, every, decay, staircase=True)


def hidden_matrices(params: Params) -> Params:
    """Muon's axes for every hidden matrix, None for every other parameter."""

    def axes(
        path: tuple[jax.tree_util.DictKey, ...], leaf: Array
    ) -> optax.contrib.MuonDimensionNumbers | None:
        *_, layer, kind = ["", *(key.key for key in path)]
        hidden = kind == "kernel" and leaf.ndim == 2 and layer.split("_")[-1] not in OUTER
        return optax.contrib.MuonDimensionNumbers() if hidden else None

    return jax.tree_util.tree_map_with_path(axes, params)
