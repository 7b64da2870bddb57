"""Rows of a table prepared for a page: beside real rows, by column, by pair, and with gaps."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Integer
from PIL import Image

from amd_jax.evaluation.tables import association, charts, conditional, features, similarity
from amd_jax.facts import Column, TableFacts
from amd_jax.host.printable import cut
from amd_jax.pages import shows

ROWS, LINES = 3, 40  # rows of either kind beside each other, and columns of them, at most
NAME, CELL = 40, 60  # characters of a name and of a cell, at most
PANELS = charts.PANELS  # columns that are drawn
PANEL = 240, 84  # the size of a panel
DIFFERENT = 6  # pairs that are listed
LIKELY, RARE = 3, 0.005  # values of a gap that are listed, unless they are less likely
TEAL, ORANGE, VIOLET = (24, 138, 135), (198, 92, 24), (108, 88, 208)
FULL = 0.3  # a difference of associations that has the full colour

Rows = Integer[np.ndarray, "N L"]
Others = Integer[np.ndarray, "M L"]
NO_TREES = "Detection and usefulness need scikit-learn: pip install 'amd_jax[tables]'."


class Cells(NamedTuple):
    """Rows on their side: a line for each column."""

    heads: list[str]
    lines: list[tuple[str, list[str]]]
    more: str = ""  # what is left out


class Bar(NamedTuple):
    """A part of a panel: where it stands, the share of real rows, and that of samples."""

    left: float
    width: float
    real: float  # height
    drawn: float


class Panel(NamedTuple):
    """The marginal of a column: real rows as bars, samples as lines."""

    name: str
    caption: str
    words: str  # for those who do not see it
    bars: list[Bar]


class HeatMap(NamedTuple):
    """A colour for every pair of columns."""

    title: str
    words: str
    source: str  # a data: address, a pixel for each pair


class Pair(NamedTuple):
    """Two columns, and how strongly they depend on each other."""

    names: str
    real: str
    drawn: str


class Pairs(NamedTuple):
    """The associations of pairs in real rows and in samples."""

    names: list[str]
    maps: list[HeatMap]
    most: list[Pair]  # that differ most


class TableShown(NamedTuple):
    """What a page shows of a table."""

    rows: Cells
    filled: Cells | None = None
    panels: Sequence[Panel] = ()
    pairs: Pairs | None = None
    note: str = ""  # why there are no real rows, and what else failed
    more: str = ""  # columns that are not drawn


def rows(facts: TableFacts, real: Rows | None, drawn: Others) -> Cells:
    """The first rows on their side, a real one and a sample in turn."""
    parts = {} if real is None else {"real": real}
    parts["sample"] = drawn[facts.possible(drawn)]
    turns = [(name, x, i) for i in range(ROWS) for name, x in parts.items() if i < len(x)]
    both = [(f"{name} {i + 1}", x[i]) for name, x, i in turns]
    whole = np.array([x for _, x in both], np.int32).reshape(len(both), len(facts.sizes))
    return on_its_side([head for head, _ in both], facts.decode(whole))


def on_its_side(heads: list[str], columns: Mapping[str, Sequence[str]]) -> Cells:
    """A line for each column, of so many that fit."""
    lines = [
        (cut(name, NAME), [cut(cell, CELL) for cell in cells]) for name, cells in columns.items()
    ]
    left = len(lines) - LINES
    return Cells(heads, lines[:LINES], f"… and {left:,} more columns" if left > 0 else "")


def panels(facts: TableFacts, real: Rows, drawn: Others) -> list[Panel]:
    """The marginal of each column that varies, of so many that fit."""
    both, alike = (facts.codes(real), facts.codes(drawn)), similarity.shape(facts, real, drawn)
    shown = [i for i, column in enumerate(facts.columns) if column.size > 1][:PANELS]
    return [_panel(facts.columns[i], both[0][:, i], both[1][:, i], alike[i]) for i in shown]


def of_shares(real: Float[np.ndarray, "bars"], drawn: Float[np.ndarray, "bars"]) -> list[Bar]:
    """The bars of a panel, as high as the highest share of either."""
    top, width = max(1e-9, real.max(), drawn.max()), PANEL[0] / len(real)
    heights = [((PANEL[1] - 4) * share / top).tolist() for share in (real, drawn)]
    return [
        Bar(round(i * width, 1), round(width - 1.5, 1), round(a, 1), round(b, 1))
        for i, (a, b) in enumerate(zip(*heights, strict=True))
    ]


def beyond(facts: TableFacts) -> str:
    """How many columns that vary are not drawn, in a sentence; empty if all are."""
    left = sum(column.size > 1 for column in facts.columns) - PANELS
    return f"The first {PANELS} columns are drawn; {left:,} more are not." if left > 0 else ""


def _panel(
    column: Column, real: Integer[np.ndarray, "N"], drawn: Integer[np.ndarray, "M"], alike: float
) -> Panel:
    bars = of_shares(*charts.shares(column, real, drawn))
    span, score = _span(column, real), "none" if np.isnan(alike) else f"{alike:.2f}"
    name = cut(column.name, NAME)
    words = f"{name}, {span}: bars are shares of real rows, lines those of samples; shape {score}"
    return Panel(name, f"{span}; shape {score}", words, bars)


def _span(column: Column, codes: Integer[np.ndarray, "N"]) -> str:
    """What the bars of a panel stand for, from left to right."""
    if column.kind in similarity.NUMERIC:
        known = codes[codes < column.num_values]
        if not len(known):
            return "missing"
        ends = f"{column.text(int(known.min()))} to {column.text(int(known.max()))}"
        return ends + (", last: missing" if column.missing is not None else "")
    common = np.bincount(codes).argsort(kind="stable")[::-1][: shows.COMMON]
    texts = [cut(column.text(int(code)), 20) or "(empty)" for code in common]
    return ", ".join(texts) + (", …" if column.size > len(texts) else "")


def pairs(facts: TableFacts, real: Rows, drawn: Others) -> Pairs | None:
    """Maps of the associations in both, and of their differences; None for one column alone."""
    shown = [i for i, column in enumerate(facts.columns) if column.size > 1][:PANELS]
    if len(shown) < 2:
        return None
    both = [v[np.ix_(shown, shown)] for v in association.of_pairs(facts, real, drawn)]
    names = [cut(facts.columns[i].name, 15) for i in shown]
    gap, upper = both[1] - both[0], np.triu_indices(len(shown), 1)
    order = np.argsort(-np.abs(gap[upper]), kind="stable")[:DIFFERENT]
    most = [
        Pair(f"{names[i]} and {names[j]}", f"{both[0][i, j]:.2f}", f"{both[1][i, j]:.2f}")
        for i, j in zip(upper[0][order], upper[1][order], strict=True)
    ]
    first, mean = most[0], np.abs(gap[upper]).mean()
    maps = [
        HeatMap("Real rows", _strongest(both[0], names), _pixels(both[0], TEAL, TEAL)),
        HeatMap("Samples", _strongest(both[1], names), _pixels(both[1], TEAL, TEAL)),
        HeatMap(
            "Samples minus real rows",
            f"Difference of the associations: {mean:.2f} on average, the largest of {first.names}",
            _pixels(gap / FULL, VIOLET, ORANGE),
        ),
    ]
    return Pairs(names, maps, most)


def _strongest(values: Float[np.ndarray, "C C"], names: Sequence[str]) -> str:
    upper = np.triu_indices(len(names), 1)
    best = int(values[upper].argmax())
    i, j = upper[0][best], upper[1][best]
    return (
        f"Association of each pair of columns: {values[upper].mean():.2f} on average, the "
        f"strongest {values[i, j]:.2f} of {names[i]} and {names[j]}"
    )


def _pixels(
    values: Float[np.ndarray, "C C"], above: tuple[int, int, int], below: tuple[int, int, int]
) -> str:
    """A pixel for each value: the colour of its sign, the more opaque the larger it is."""
    colours = np.where((values >= 0)[..., None], above, below)
    opaque = 255 * np.clip(np.abs(values), 0, 1)[..., None]
    pixels = np.concatenate([colours, opaque], axis=-1).round().astype(np.uint8)
    return shows.png(Image.fromarray(pixels))


def filled(
    facts: TableFacts,
    x: Rows,
    hidden: Bool[np.ndarray, "C"],
    filling: Others,
    log_p: Float[np.ndarray, "L K"],
) -> Cells:
    """A row x (1, L) of which some columns were `hidden`, and what a model says of them.

    `filling` are draws of the row, `log_p` the law of every token given the known ones.
    """
    truth, drawn = facts.decode(x), facts.decode(filling)
    lines = []
    for c, column in enumerate(facts.columns):
        name = cut(column.name, NAME)
        if hidden[c]:
            draws = " · ".join(cut(cell, 20) for cell in drawn[column.name])
            likely = " · ".join(likeliest(column, log_p[facts.places[c].start]))
            lines.append((name, ["gap", draws, likely, cut(truth[column.name][0], CELL)]))
        else:
            lines.append((name, [cut(truth[column.name][0], CELL), "", "", ""]))
    lines.sort(key=lambda line: line[1][0] != "gap" or not line[1][1])
    left = len(lines) - LINES
    heads = ["given", "draws", "likeliest values", "it was"]
    return Cells(heads, lines[:LINES], f"… and {left:,} more columns" if left > 0 else "")


def likeliest(column: Column, log_p: Float[np.ndarray, "K"]) -> list[str]:
    """The likeliest values of a gap with their probabilities, by the law of its first field.

    Of a column of several fields they are ranges of values.
    """
    result: list[str] = []
    for first, last, share in conditional.likeliest(column, log_p, LIKELY):
        text = cut(first, 20) or "(empty)"
        if last != first:
            text += f"..{cut(last, 20)}"
        if not result or share >= RARE:
            result.append(f"{text} {share:.0%}")
    return result


def missing_extra(measured: bool) -> str:
    """What to say where detection was not measured since scikit-learn is not installed."""
    return "" if measured or features.installed() else NO_TREES
