"""Lines prepared for a page: properties of samples beside those of real lines."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation import means
from amd_jax.evaluation.lines import property_measures
from amd_jax.evaluation.means import Rows
from amd_jax.facts import LineFacts, line_properties
from amd_jax.pages import table_shows
from amd_jax.pages.table_shows import Panel

BARS = 20  # of a panel, at most

Train = Integer[np.ndarray, "T *event"]
Others = Integer[np.ndarray, "M *event"]


class LinesShown(NamedTuple):
    """What a page shows of lines."""

    panels: Sequence[Panel] = ()  # one for each property
    note: str = ""  # why there are none


def panels(facts: LineFacts, drawn: Rows, train: Train, others: Others, split: str) -> list[Panel]:
    """The law of each property in training lines and in samples.

    Captions have the means, and the distance of samples from training lines beside that of
    `others`, held-out lines.
    """
    ours, real, floor = (property_measures.values(facts, x) for x in (drawn, train, others))
    mine, theirs = (property_measures.measured(x, real) for x in (ours, floor))
    result = []
    for name, values in ours.items():
        if not len(values) or not len(real[name]):
            continue
        title = line_properties.PROPERTIES[name].title
        caption = (
            f"mean {mine[name].mean[0]:.4g}, of training lines {real[name].mean():.4g}; distance "
            f"{means.shown(*mine[name].distance, '.2g')} ({split} lines: "
            f"{means.shown(*theirs[name].distance, '.2g')})"
        )
        words = f"{title}: bars are shares of training lines, lines those of samples; {caption}"
        bars = table_shows.of_shares(*shares(real[name], values))
        result.append(Panel(title, f"{span(real[name])}; {caption}", words, bars))
    return result


def shares(
    real: Float[np.ndarray, "N"], drawn: Float[np.ndarray, "M"]
) -> tuple[Float[np.ndarray, "bars"], Float[np.ndarray, "bars"]]:
    """The shares of both in equal parts of the real range; the ends have what lies beyond.

    Of whole numbers each has a part of its own, or some together.
    """
    low, high = float(real.min()), float(real.max())
    if np.all(real % 1 == 0):
        width = -(-(high - low + 1) // BARS)
        edges = np.arange(low, high + width + 0.5, width) - 0.5
    else:
        edges = np.linspace(low, high, BARS + 1)
    first, second = (
        np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / len(v) for v in (real, drawn)
    )
    return first, second


def span(real: Float[np.ndarray, "N"]) -> str:
    """The range that the bars stand for."""
    return f"{real.min():.4g} to {real.max():.4g}"
