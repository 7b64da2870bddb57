"""Estimates of log p(x) over a whole split, in bits, with standard errors."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation import groups
from amd_jax.evaluation.means import Figures, PerRow, Rows
from amd_jax.facts import Facts
from amd_jax.models.bounds import in_order
from amd_jax.ops import categorical
from amd_jax.types import Array, Bound, Key, Model, Params, Tokens, Weighted


class OtherSide(NamedTuple):
    """What a bound from both sides says from below."""

    per_row: PerRow  # at least so many bits
    effective: float  # draws of a row that count, on average
    low: float  # the bits of these rows are between both, with two errors of the draws beyond
    high: float  # either end


class Estimate(NamedTuple):
    """A mean over examples."""

    bits: float  # per dimension
    error: float  # its standard error, by blocks of rows; it holds the noise of the draws too
    examples: int
    per_row: PerRow  # bits and tokens of each
    other_side: OtherSide | None = None  # if the bound has one

    def __str__(self) -> str:
        """Such as "1.972 ± 0.031"; without an error where one example tells of none."""
        return f"{self.bits:.3f}" + (f" ± {self.error:.3f}" if self.examples > 1 else "")


def bits(
    bound: Bound,
    model: Model,
    params: Params,
    rng: Key,
    rows: Rows,
    facts: Facts,
) -> Estimate:
    """An estimate of -log p of rows, in bits per token that counts."""
    nats, *others = _of_rows(bound, model, params, rng, rows, facts.num_classes).T
    result = mean_bits(nats, lengths := facts.lengths(rows))
    if not others:
        return result
    above, effective, variance = others
    at_least = mean_bits(above, lengths)
    beyond = 2 * np.sqrt(variance.sum()) / np.log(2) / lengths.sum()  # rows are drawn apart
    ends = at_least.bits - beyond, result.bits + beyond
    other = OtherSide(at_least.per_row, float(effective.mean()), *map(float, ends))
    return result._replace(other_side=other)


def nats_of_rows(
    bound: Bound,
    model: Model,
    params: Params,
    rng: Key,
    rows: Rows,
    num_classes: int,
) -> Float[np.ndarray, "N"]:
    """bound(model, params, rng, x) of all rows, on all devices: float64.

    The numbers are the same on any number of devices. The last group is filled up with copies of
    its first row, which are not counted. Raises ValueError for a token outside [0, num_classes).
    """
    return _of_rows(bound, model, params, rng, rows, num_classes)[:, 0]


def _of_rows(
    bound: Bound,
    model: Model,
    params: Params,
    rng: Key,
    rows: Rows,
    num_classes: int,
) -> Float[np.ndarray, "N _"]:
    """What a bound says of every row: nats, and what a `Weighted` one says beside them."""
    categorical.check_tokens(rows, num_classes)
    size = len(rows)
    if not in_order(bound):
        size = groups.size(len(rows), rows.shape[1:], bound.draws, num_classes)
    count = -(-len(rows) // size)
    x = np.asarray(rows, np.int32)
    start = (count - 1) * size
    x = np.concatenate([x, np.repeat(x[start : start + 1], count * size - len(x), axis=0)])
    estimate = _estimate(bound, model)  # type: ignore[arg-type]  # mypy: Protocols have no hash
    result = groups.run(estimate, params, rng, count, size, x)
    return result[: len(rows)].astype(np.float64)


@functools.lru_cache(maxsize=16)
def _estimate(bound: Bound, model: Model) -> Callable:
    """The estimate of a group of rows; kept, since each one made anew would compile anew."""

    def estimate(params: Params, rng: Key, x: Tokens) -> Float[Array, "B _"]:
        if isinstance(bound, Weighted):
            return bound.weighted(model, params, rng, x)
        return bound(model, params, rng, x)[:, None]

    return estimate


def mean_bits(nats: Float[np.ndarray, "N"], lengths: Figures) -> Estimate:
    """The bits per token of -nats of rows of some lengths, and their standard error."""
    per_row = PerRow(-nats / np.log(2), lengths)
    return Estimate(*per_row.mean(), len(nats), per_row)
