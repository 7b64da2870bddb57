"""Texts and maps from a command line, whole or with gaps, as rows of tokens."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from amd_jax.cli.mode_options import Infill
from amd_jax.data.reading import characters, labels
from amd_jax.evaluation.reports import run_report
from amd_jax.evaluation.reports.text_report import TextReport
from amd_jax.facts import Facts, LineFacts, MapFacts, TextFacts
from amd_jax.host import memory
from amd_jax.host.printable import cut, in_one_line


class Partly(NamedTuple):
    """A row of which some is known, and some is asked for; of the rest neither: (...) each."""

    x: np.ndarray  # int32
    known: np.ndarray  # bool
    wanted: np.ndarray  # bool


def text(facts: Facts, given: str | None, file: str | None) -> str:
    """The text of --text or --input; ValueError where data are no text."""
    if given is not None and file is not None:
        raise ValueError("--text and --input are two ways to say the same. Give one.")
    if not isinstance(facts, TextFacts):
        raise ValueError(
            f"--text is for data that are text; this experiment has {facts.rows}. Leave it "
            "out: damaged rows are then restored."
        )
    if given is not None:
        return given
    assert file is not None  # or nothing asks for a text
    return characters.read_text(Path(file), "--input is a text file")


def tokens(facts: Facts, given: str) -> np.ndarray:
    """A text as tokens (L,); ValueError where data are no text, or for one that is empty."""
    text(facts, given, None)  # or there are no tokens at all
    report = run_report.of(facts)
    assert isinstance(report, TextReport)
    return report.tokens(given)


def a_map(facts: Facts, file: Path) -> np.ndarray:
    """A map in a PNG, int32 (H, W); ValueError unless it fits the data."""
    if not isinstance(facts, MapFacts):
        raise ValueError(f"--input is a text or a map; this experiment has {facts.rows}.")
    pixels = labels.picture(file, facts.palette)
    if pixels.shape != facts.map_shape:
        result, wanted = (" x ".join(map(str, shape)) for shape in (pixels.shape, facts.map_shape))
        raise ValueError(
            f"The model is of maps of {wanted} pixels; {file} has {result}. Resize it."
        )
    labels.check(pixels[None], facts.categories, lambda n: str(file))
    return pixels.astype(np.int32)


def a_map_row(facts: Facts, file: Path) -> np.ndarray:
    """A map in a PNG, and its label by rule if there are labels, as a row: int32.

    Raises:
        ValueError: unless it fits the data; and for labels that no rule computes.
    """
    pixels = a_map(facts, file)
    assert isinstance(facts, MapFacts)  # or `a_map` had refused
    if facts.labels and not facts.label_rule:
        raise ValueError(
            f"The maps of {facts.name} have labels, and a PNG has none. Edit maps of the data: "
            "leave --input out."
        )
    by_rule = str(facts.labels_by_rule(pixels[None])[0]) if facts.labels else ""
    return facts.row(pixels, by_rule)


def label(condition: str, rows: str, instead: str) -> str:
    """The label of a condition such as "label=yes"; ValueError, with what else to do, if none."""
    name, equals, result = (part.strip() for part in condition.partition("="))
    if (name, equals) != ("label", "="):
        raise ValueError(
            f"{rows.capitalize()} are given a label, as label=yes; got "
            f"{cut(in_one_line(condition), 60)!r}. {instead}"
        )
    return result


def partly(facts: Facts, options: Infill) -> Partly:
    """A text with gaps, or a map with a hole; ValueError where one of them is missing."""
    if options.given is not None and not (isinstance(facts, MapFacts) and facts.labels):
        raise ValueError(
            f"--given is for the label of maps; {facts.name} has none beside its {facts.rows}, or "
            "takes it in --text. Leave it out."
        )
    if not isinstance(facts, MapFacts):
        nothing = options.text is None and options.input is None
        if nothing or options.hole is not None or not isinstance(facts, TextFacts):
            raise ValueError(
                "--mode=infill takes a text with gaps, for a model of texts: "
                f'--text="the {4 * options.gap} of the". Of texts and tokens, --hidden=8 makes '
                "gaps in test rows."
            )
        return with_gaps(facts, text(facts, options.text, options.input), options.gap)
    if options.input is None or options.hole is None:
        raise ValueError(
            "--mode=infill takes a map with a hole, for a model of maps: --input=map.png "
            "--hole=top,left,height,width."
        )
    try:
        top, left, rows, columns = map(int, options.hole.split(","))
    except ValueError:
        raise ValueError(
            "A hole is four whole numbers, --hole=top,left,height,width in pixels; "
            f"got {options.hole!r}."
        ) from None
    unknown = hole(facts, top, left, rows, columns)
    of_map = "" if options.given is None else label(options.given, facts.rows, "Leave it out.")
    return with_hole(facts, a_map(facts, Path(options.input)), unknown, of_map)


def check_fillings(x: np.ndarray, number: int) -> None:
    """ValueError for more fillings of each row (N, ...) than fit into memory."""
    size = number * (2 * x.nbytes + 24 * len(x))
    memory.check(size, f"{number:,} fillings of {len(x):,} rows", "Give a smaller --num_samples.")


def with_hole(
    facts: MapFacts, pixels: np.ndarray, unknown: np.ndarray, of_map: str = ""
) -> Partly:
    """A map (H, W) whose unknown pixels are asked for, given its label if there is one.

    Raises:
        ValueError: for an unknown label.
    """
    x = facts.row(pixels, of_map or next(iter(facts.labels), ""))
    known = facts.joined(np.array([bool(of_map)]), ~unknown[None])[0]
    return Partly(x, known, facts.joined(np.zeros(1), unknown[None])[0])


def with_gaps(facts: TextFacts, written: str, gap: str) -> Partly:
    """A text, its gaps asked for, and filled up to the length of the data: (L,).

    `gap` stands for one unknown character. Raises ValueError for a text that cannot be filled.
    """
    if len(gap) != 1 or gap in (facts.symbols or ""):
        raise ValueError(
            f"A gap is one character that the data do not have; got {gap!r}. Give another --gap."
        )
    if gap not in written:
        raise ValueError(f"The text has no gap. Write {gap} for every unknown character.")
    if isinstance(facts, LineFacts):
        return _line_with_gaps(facts, written, gap)
    whole = facts.decode([0]) if facts.alphabet else " "
    x = facts.encode(written.replace(gap, whole))
    (length,) = facts.event_shape
    if len(x) > length:
        raise ValueError(
            f"The model is of texts of {length} {facts.unit}s; got {len(x)}. Give a shorter one."
        )
    if facts.alphabet is None and len(x) != len(written):
        raise ValueError(
            "A text with gaps for a model of bytes is in ASCII. Leave the others out."
        )
    gaps = np.array([character == gap for character in written])
    return Partly(*(np.pad(part, (0, length - len(x))) for part in (x, ~gaps, gaps)))


def _line_with_gaps(facts: LineFacts, written: str, gap: str) -> Partly:
    """A line, its gaps asked for, and all else known but a label that is not given: (L,).

    The label stands before the line, as in "yes: CC_O". The gaps have the length that they are
    written with: the end of a line is known.
    """
    of_line, line = facts.read(written.strip("\r\n"))
    any_token = facts.texts[0] if facts.texts else facts.symbols[0]
    x = facts.row(line.replace(gap, any_token), of_line or next(iter(facts.labels), ""))
    wanted = np.zeros(len(x), bool)
    signs = facts.signs(line, gap)
    wanted[facts.start : facts.start + len(signs)] = [sign == gap for sign in signs]
    known = ~wanted
    known[: facts.start] = bool(of_line)
    return Partly(x, known, wanted)


def hole(facts: MapFacts, top: int, left: int, rows: int, columns: int) -> np.ndarray:
    """A rectangle of a map, bool (H, W); ValueError for one that does not lie in it."""
    height, width = facts.map_shape
    if not (0 <= top < top + rows <= height and 0 <= left < left + columns <= width):
        raise ValueError(
            f"A hole lies in the map, which has {height} x {width} pixels; {rows} x {columns} "
            f"pixels from row {top} and column {left}, counted from 0, do not."
        )
    result = np.zeros(facts.map_shape, bool)
    result[top : top + rows, left : left + columns] = True
    return result
