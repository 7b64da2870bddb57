"""Samples and corrections prepared for a page: marked texts, captioned pictures."""

import base64
import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from amd_jax.evaluation import pictures
from amd_jax.evaluation.reports import point_report
from amd_jax.facts import (
    Facts,
    LineFacts,
    MapFacts,
    PlaneFacts,
    TableFacts,
    TextFacts,
    TokenFacts,
)
from amd_jax.ops import integers
from amd_jax.pages import texts
from amd_jax.pages.texts import Piece

COMMON = 3  # categories that the words for a picture name
TEXTS, ROWS, LINES = 8, 8, 24  # on a page
SIDE = 320  # pixels of the longer side of a map on a page, at most
CHANGED, SAME = (0, 0, 0), (235, 235, 235)


class Picture(NamedTuple):
    """A picture within the page."""

    source: str  # a data: address
    words: str  # for those who do not see it
    width: int  # on the page
    height: int
    title: str = ""


class Shown(NamedTuple):
    """Texts or pictures of samples."""

    texts: list[str]
    pictures: list[Picture]


class Corrected(NamedTuple):
    """A row before and after something was done to it: as texts, or as pictures."""

    before: list[Piece]
    after: list[Piece]
    pictures: list[Picture]
    caption: str


def samples(drawn: np.ndarray, facts: Facts) -> Shown:
    """Samples (N, ...): texts, a picture of each map, one picture of all points."""
    if isinstance(facts, MapFacts):
        titles = [
            f"Sample {i + 1}" + (f", {label}" if (label := facts.label(x)) else "")
            for i, x in enumerate(drawn)
        ]
        maps = zip(facts.maps(drawn), titles, strict=True)
        return Shown([], [of_map(x, facts, title) for x, title in maps])
    if isinstance(facts, PlaneFacts):
        return Shown([], [of_points(drawn, facts)])
    if isinstance(facts, TableFacts):  # they stand beside real rows: see `table_shows`
        return Shown([], [])
    if isinstance(facts, LineFacts):  # in one text
        return Shown(["\n".join(texts.in_one_line(facts.show(x)) for x in drawn[:LINES])], [])
    return Shown([facts.show(x) for x in drawn[:TEXTS]], [])


def correction(
    before: np.ndarray, after: np.ndarray, truth: np.ndarray | None, facts: Facts
) -> Corrected:
    """One row (...) before and after, and as it should be, if that is known."""
    if isinstance(facts, TableFacts):
        given, made = (facts.codes(x[None])[0] for x in (before, after))
        wanted = None if truth is None else facts.codes(truth[None])[0]
        caption = counted(given, made, wanted, "cell")
    else:
        given, made = np.ravel(before), np.ravel(after)
        wanted = None if truth is None else np.ravel(truth)
        caption = counted(before, after, truth, facts.token)
    if isinstance(facts, MapFacts):
        return Corrected([], [], of_changes(before, after, truth, facts), caption)
    pieces = [_pieces(x, facts) for x in (before, after)]
    wrong, right = (texts.marks(given, x, wanted) for x in (given, made))
    first, second = (texts.marked(p, m) for p, m in zip(pieces, (wrong, right), strict=True))
    return Corrected(first, second, [], caption)


def filling(x: np.ndarray, hidden: np.ndarray, filled: np.ndarray, facts: Facts) -> Corrected:
    """One row (...) without what is `hidden`, bool (...), and with that filled in by a model."""
    right, gap = (x == filled) & hidden, np.where(hidden, facts.num_classes, x)
    caption = (
        f"{hidden.sum():,} of {x.size:,} {facts.token}s were hidden, and filled from what is "
        f"around them; {right.sum():,} became what they were."
    )
    if isinstance(facts, MapFacts):
        panels = {"Given": gap, "Filled": filled, "Original": x}
        return Corrected(
            [], [], [of_map(row, facts, title) for title, row in panels.items()], caption
        )
    marks = np.where(np.ravel(hidden), "changed", "").tolist()
    before, after = (texts.marked(_pieces(row, facts), marks) for row in (gap, filled))
    return Corrected(before, after, [], caption)


def counted(before: np.ndarray, after: np.ndarray, truth: np.ndarray | None, unit: str) -> str:
    """What a correction did, in a sentence."""
    changed = before != after
    if truth is None:
        return f"{changed.sum():,} of {before.size:,} {unit}s were changed."
    wrong, right = before != truth, after == truth
    return (
        f"{wrong.sum():,} of {before.size:,} {unit}s were replaced at random; "
        f"{(wrong & right).sum():,} of them were restored, and {(changed & ~wrong).sum():,} that "
        "were right were changed."
    )


def of_map(x: np.ndarray, facts: MapFacts, title: str) -> Picture:
    """A map (H, W) in its colours."""
    pixels = pictures.coloured(x[None], pictures.Palette.of(facts.colours))[0]
    return _picture(pixels, f"{title}: {shares(x, facts)}", title)


def of_changes(
    before: np.ndarray, after: np.ndarray, truth: np.ndarray | None, facts: MapFacts
) -> list[Picture]:
    """Maps (H, W) before and after, as they should be, and where the two differ."""
    changed = before != after
    where = np.where(changed[..., None], CHANGED, SAME).astype(np.uint8)
    words = f"What was changed: {changed.sum():,} pixels, dark"
    result = [of_map(before, facts, "Given"), of_map(after, facts, "Corrected")]
    result += [] if truth is None else [of_map(truth, facts, "Original")]
    return [*result, _picture(where, words, "What was changed, dark")]


def of_points(drawn: np.ndarray, facts: PlaneFacts) -> Picture:
    """Points (N, 2) of a grid, the darker the more."""
    k = facts.num_classes
    shades = np.asarray(point_report.shaded(point_report.counts(drawn, k)))
    words = f"{len(drawn):,} samples in a grid of {k} by {k} cells, the darker the more"
    return _picture(shades, words, "Samples")


def shares(x: np.ndarray, facts: MapFacts) -> str:
    """The commonest categories of a map in words, such as "road 52 %, sky 20 %"."""
    states, counts = np.unique(x, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:COMMON]
    return ", ".join(
        f"{category(int(states[i]), facts)} {100 * counts[i] / x.size:.0f} %" for i in order
    )


def category(state: int, facts: MapFacts) -> str:
    """What a state of a pixel is called."""
    if state == integers.UNUSED:
        return "codes of no class"
    if state >= facts.categories:
        return "noise"
    return facts.names[state] if facts.names else f"category {state}"


def legend(facts: Facts) -> list[tuple[str, str]]:
    """The name and the colour (#rrggbb) of each category of maps; none for other data."""
    if not isinstance(facts, MapFacts):
        return []
    colours = ("#{:02x}{:02x}{:02x}".format(*colour) for colour in facts.palette)
    return [(category(k, facts), colour) for k, colour in enumerate(colours)]


def png(picture: Image.Image) -> str:
    """A picture within a page."""
    buffer = io.BytesIO()
    picture.save(buffer, "png", optimize=True)
    return data_address(buffer.getvalue())


def data_address(content: bytes, kind: str = "image/png") -> str:
    """A file within a page."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _pieces(x: np.ndarray, facts: Facts) -> Sequence[str]:
    """What each token of a row shows, or each cell of a row of a table."""
    if isinstance(facts, TableFacts):
        return facts.pieces(x)
    if isinstance(facts, TextFacts | TokenFacts):
        return list(map(texts.shown, facts.pieces(x)))
    return [f"{facts.show([token])} " for token in np.ravel(x)]


def _picture(pixels: np.ndarray, words: str, title: str) -> Picture:
    """Pixels, uint8 (H, W) or (H, W, 3), each a square on the page."""
    height, width = pixels.shape[:2]
    scale = max(1, math.floor(SIDE / max(height, width)))
    return Picture(png(Image.fromarray(pixels)), words, width * scale, height * scale, title)
