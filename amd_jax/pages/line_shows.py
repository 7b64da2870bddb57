"""Lines prepared for a page: molecules, and properties of samples beside those of real lines."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation import means
from amd_jax.evaluation.lines import property_measures
from amd_jax.evaluation.means import Rows
from amd_jax.facts import LineFacts, line_properties
from amd_jax.pages import molecules, table_shows
from amd_jax.pages.molecules import Molecule
from amd_jax.pages.table_shows import Panel

BARS = 20  # of a panel, at most
OUTER = (0.005, 0.995)  # quantiles that the bars reach from and to

Train = Integer[np.ndarray, "T *event"]
Others = Integer[np.ndarray, "M *event"]


class LinesShown(NamedTuple):
    """What a page shows of lines."""

    panels: Sequence[Panel] = ()  # one for each property
    note: str = ""  # what they say, or why there are none
    molecules: Sequence[Molecule] = ()
    no_molecules: str = ""  # why there are none


def drawings(facts: LineFacts, drawn: Rows) -> tuple[list[Molecule], str]:
    """Pictures of samples that are molecules; or none, and why, unless lines are no molecules."""
    if facts.validity not in ("smiles", "rdkit"):
        return [], ""
    if not molecules.installed():
        return [], molecules.NO_RDKIT
    found = molecules.of([*facts.lines(drawn)])
    return found, "" if found else molecules.NONE


def panels(
    facts: LineFacts, drawn: Rows, train: Train, others: Others, split: str
) -> tuple[list[Panel], str]:
    """The law of each property in training lines and in samples; and what captions say.

    Captions have the means, and the distance of samples from training lines beside that of
    `others`, held-out lines.
    """
    ours, real, floor = (property_measures.values(facts, x) for x in (drawn, train, others))
    mine, theirs = (property_measures.measured(x, real) for x in (ours, floor))
    result = []
    for name in (name for name in mine if name in theirs):
        title, values = line_properties.PROPERTIES[name].title, ours[name]
        distances = (means.shown(*x[name].distance, ".2g") for x in (mine, theirs))
        caption = (
            f"{span(real[name])}; mean {values.mean():.4g} ({real[name].mean():.4g}), distance "
            "{} ({})".format(*distances)
        )
        words = f"{title}, {caption}: bars are shares of training lines, lines those of samples"
        result.append(
            Panel(title, caption, words, table_shows.of_shares(*shares(real[name], values)))
        )
    valid = len(ours["length"])
    note = (
        f"Of valid lines: {valid:,} of {len(drawn):,} samples, {len(real['length']):,} training "
        "lines. In brackets stand the mean of training lines, and the Wasserstein distance of "
        f"{split} lines from them. The first and the last bar have all that lies beyond."
    )
    return result, note if result else "None of the samples is valid, so none has properties."


def shares(
    real: Float[np.ndarray, "N"], drawn: Float[np.ndarray, "M"]
) -> tuple[Float[np.ndarray, "bars"], Float[np.ndarray, "bars"]]:
    """The shares of both in equal parts of the range; the ends have what lies beyond.

    Of whole numbers each has a part of its own, or some together.
    """
    low, high = extent(real)
    if np.all(real % 1 == 0):
        width = -(-(high - low + 1) // BARS)
        edges = np.arange(low, high + width + 0.5, width) - 0.5
    else:
        edges = np.linspace(low, high, BARS + 1)
    first, second = (
        np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / len(v) for v in (real, drawn)
    )
    return first, second


def extent(real: Float[np.ndarray, "N"]) -> tuple[float, float]:
    """The range of most values: 1 % are beyond."""
    low, high = np.quantile(real, OUTER, method="inverted_cdf")
    return float(low), float(high)


def span(real: Float[np.ndarray, "N"]) -> str:
    """The range in words."""
    return "{:.4g} to {:.4g}".format(*extent(real))
