"""Pictures of samples beside real rows: the marginals of columns, and a map of their pairs."""

import numpy as np
from jaxtyping import Float, Integer
from PIL import Image, ImageDraw

from amd_jax.evaluation.tables import similarity
from amd_jax.evaluation.tables.laws import Rows
from amd_jax.facts import Column, TableFacts
from amd_jax.host.printable import in_one_line

PANELS, BARS = 24, 20  # columns that are drawn, and bars of each, at most
WIDTH, HEIGHT, TITLE = 160, 90, 22  # of a panel in pixels; characters of its title
REAL, DRAWN = (190, 190, 190), (63, 81, 181)
SIDE, LOWEST = 240, 0.8  # pixels of a map of pairs; a trend of that or less is black

Others = Integer[np.ndarray, "M L"]


def marginals(facts: TableFacts, real: Rows, drawn: Others) -> dict[str, Image.Image]:
    """A panel for each column by its title: bars of real rows, and lines of samples over them.

    Numbers and dates stand in equal parts of the real range, categories by their frequency.
    """
    both = facts.codes(real), facts.codes(drawn)
    shown = [i for i, column in enumerate(facts.columns) if column.size > 1][:PANELS]
    return {
        f"{i + 1} {title(facts.columns[i].name)}": _bars(
            *shares(facts.columns[i], both[0][:, i], both[1][:, i])
        )
        for i in shown
    }


def shares(
    column: Column, real: Integer[np.ndarray, "N"], drawn: Integer[np.ndarray, "M"]
) -> tuple[Float[np.ndarray, "bars"], Float[np.ndarray, "bars"]]:
    """The shares of real cells and of samples in each bar of a column, missing cells last."""
    if column.kind not in similarity.NUMERIC:
        common = np.bincount(real).argsort(kind="stable")[::-1][:BARS]
        first, second = ((x[:, None] == common).mean(axis=0) for x in (real, drawn))
        return first, second
    numbers = [column.numbers(codes) for codes in (real, drawn)]
    known = numbers[0][~np.isnan(numbers[0])]
    edges = np.histogram_bin_edges(known if len(known) else np.zeros(1), BARS)
    result = []
    for x in numbers:
        inside = np.histogram(x[~np.isnan(x)], edges)[0] / max(1, len(x))
        result.append(np.append(inside, [np.isnan(x).mean()] * (column.missing is not None)))
    return result[0], result[1]


def pairs(trend: Float[np.ndarray, "C C"]) -> Image.Image:
    """A map of all pairs of columns: white where the trend is 1, black at 0.8 or less."""
    scaled = np.clip((np.nan_to_num(trend, nan=1.0) - LOWEST) / (1 - LOWEST), 0, 1)
    cell = max(2, SIDE // len(trend))
    shade = (255 * scaled).round().astype(np.uint8).repeat(cell, axis=0).repeat(cell, axis=1)
    return Image.fromarray(shade).convert("RGB")


def title(text: str) -> str:
    """A name as the font of pictures has it, cut where it is long."""
    return in_one_line(text).encode("latin-1", "replace").decode("latin-1")[:TITLE]


def _bars(real: Float[np.ndarray, "bars"], drawn: Float[np.ndarray, "bars"]) -> Image.Image:
    """Bars, and lines over them, as high as the highest of either."""
    canvas = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(canvas)
    top, width = max(real.max(), drawn.max(), 1e-9), WIDTH / len(real)
    for i, (bar, line) in enumerate(zip(real / top, drawn / top, strict=True)):
        left, right = round(i * width), round((i + 1) * width) - 2
        low, levels = HEIGHT - 1, [round((HEIGHT - 1) * (1 - p)) for p in (bar, line)]
        draw.rectangle((left, levels[0], max(left, right), low), fill=REAL)
        draw.line((left, levels[1], max(left, right), levels[1]), fill=DRAWN, width=3)
    return canvas
