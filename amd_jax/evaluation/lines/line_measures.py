"""Measures of drawn lines: valid, distinct and new ones, and laws of lengths and properties.

Lines of training that are repeated are valid, and of the right lengths: only `novel` sees them.
One good line, drawn again and again, is valid and may be new: only `unique` sees it. So none of
the measures is a score by itself.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation import means

NAMES = {
    "valid": "lines that are valid",
    "unique": "valid lines that differ",
    "novel": "different ones that are no training lines",
    "line_lengths": "lengths, total variation",
    "line_labels": "labels, total variation",
    "label_success": "lines that have their label by its rule",
    "given_label": "lines given a label that have it by its rule",
}
SHARES = ("valid", "unique", "novel", "label_success", "given_label")  # in percent

Figure = tuple[float, float]  # with its standard error
Drawn = Integer[np.ndarray, "N"]
Real = Integer[np.ndarray, "M"]


def unique(lines: Sequence[str]) -> Figure:
    """The share of different ones among lines: how many there are over how many were drawn.

    It falls with the number of lines, so compare the same numbers. With f_k the number of lines
    that occur k times among N, the variance of the number of different ones is about

        f_1 - f_2 + f_3 - ... - f_1² / N,

    what as many draws again would bring (Good and Toulmin, 1956), and less since N is fixed.
    """
    number = len(lines)
    if not number:
        return float("nan"), float("nan")
    _, counts = np.unique(np.array(lines, object), return_counts=True)
    more = np.where(counts % 2, 1, -1).sum() - (counts == 1).sum() ** 2 / number
    return len(counts) / number, float(max(more, 0.0) ** 0.5) / number


def novel(lines: Sequence[str], train: Iterable[str]) -> Figure:
    """The share of the different ones among lines that are none of the training lines."""
    different = sorted({*lines})
    if not different:
        return float("nan"), float("nan")
    known = {*different}.intersection(train)
    return means.of(np.array([line not in known for line in different]), independent=True)


def variation(drawn: Drawn, real: Real) -> Figure:
    """Total variation of two laws by draws of each, such as lengths: ½ Σ_n |p̂(n) - q̂(n)|.

    0 is best, 1 is worst. Both laws are counted, so two samples of one law are at a distance,
    too: compare it with that of as many real lines. The error is of first order: that of the mean
    of ½ sign(p̂(n) - q̂(n)) over the draws of each.
    """
    size = int(max(drawn.max(), real.max())) + 1
    p, q = (np.bincount(x, minlength=size) / len(x) for x in (drawn, real))
    signs = np.sign(p - q) / 2
    error = np.hypot(*(float(signs[x].std()) / len(x) ** 0.5 for x in (drawn, real)))
    return float(np.abs(p - q).sum() / 2), float(error)


def wasserstein(drawn: Float[np.ndarray, "N"], real: Float[np.ndarray, "M"]) -> Figure:
    """1-Wasserstein distance of two laws of a number by draws of each: ∫ |F̂(v) - Ĝ(v)| dv.

    0 is best; its unit is that of the number, which has to move that far on average. As of
    `variation`, two samples of one law are at a distance, too. The error is of first order: that
    of the mean of ∫_v^∞ sign(F̂(u) - Ĝ(u)) du over the draws v of each.
    """
    if not len(drawn) or not len(real):
        return float("nan"), float("nan")
    points = np.unique(np.concatenate([drawn, real]))
    f, g = (np.searchsorted(np.sort(x), points[:-1], side="right") / len(x) for x in (drawn, real))
    steps = np.diff(points)
    beyond = np.append(np.cumsum((np.sign(f - g) * steps)[::-1])[::-1], 0.0)
    slopes = (beyond[np.searchsorted(points, x)].std() / len(x) ** 0.5 for x in (drawn, real))
    return float((np.abs(f - g) * steps).sum()), float(np.hypot(*slopes))
