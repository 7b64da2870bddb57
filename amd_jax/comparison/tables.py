"""Markdown tables of a comparison: bits of each row, and measures of its samples."""

from collections.abc import Sequence

import numpy as np

from amd_jax.comparison import rows
from amd_jax.comparison.rows import Figure, Row
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import run_report
from amd_jax.models.declared import Corrector
from amd_jax.options import Named
from amd_jax.pages import figures

NAMES = {
    "known_words": "known words",
    "distinct_4grams": "distinct 4-grams",
    "count_model_bits": "bits by counts",
    "neighbour_distance": "neighbour distance",
    "detection_auc": "detection AUC",
    "logistic_auc": "logistic AUC",
    "line_lengths": "lengths, variation",
    "line_labels": "labels, variation",
    "seconds_a_sample": "seconds each",
}
LAST = ("steps", "minutes", "parameters")  # columns


def bits(row: Row, number: int | None) -> dict[str, str]:
    """The cells of a row: its bounds, errors corrected, and what it took."""
    result = {"model": row.title}
    for bound in row.bounds:
        paper = row.paper.get(bound.name)
        cell = _cell("bits", row.bits(bound, number))
        result[bound.name] = f"{cell} ({paper})" if paper else cell
    for editor in row.correctors:
        trial = row.corrected(editor, number)
        result |= {title: _cell(name, trial[name]) for name, title in corrected(editor).items()}
    result |= {"steps": f"{row.run.step:,}", "minutes": f"{row.minutes:.0f}"}
    return result | {"parameters": f"{row.parameters:,}"}


def samples(row: Row, sampler: Named, number: int) -> dict[str, str]:
    """The cells of a sampler of a row."""
    named = {"model": row.title, "sampler": rows.label(sampler)}
    return named | _shown(row.samples(sampler, number))


def differences(
    done: Sequence[Row], number: int | None, counted: Sequence[Measurement]
) -> list[dict[str, str]]:
    """The cells of what each further row, count model and baseline is beyond the first row.

    By pairs of test rows. The first bounds of two rows are compared, whatever they are.
    """
    (_, first), *others = [(row.title, of_rows(row, number)) for row in done]
    for figure in counted:
        if figure.order is None:
            title = figure.method or figure.what
        else:
            title = f"count model of order {figure.order}"
        others.append((title, {"bits": ("bits", figure.rows)}))
    return [
        {"model": title}
        | {
            column: figures.shown(f"{what}_difference", *per_row.minus(first[column][1]).mean())
            for column, (what, per_row) in result.items()
            if column in first
        }
        for title, result in others
    ]


def of_rows(row: Row, number: int | None) -> dict[str, tuple[str, PerRow]]:
    """What is compared of a row, by column: what it is, and what in each test row."""
    first, *others = row.bounds
    result = {"bits": ("bits", row.bits_of_rows(first, number))}
    result |= {bound.name: ("bits", row.bits_of_rows(bound, number)) for bound in others}
    for editor in row.correctors:
        for name, per_row in row.corrected_of_rows(editor, number).items():
            result[corrected(editor)[name]] = (name, per_row)
    return result


def corrected(editor: Corrector) -> dict[str, str]:
    """The columns of a correction, by what they are of."""
    rate = f"{editor.error_rate:.0%}"
    return {"restored": f"{rate} errors restored", "spoiled": "right ones spoiled"}


def real(row: Row, number: int) -> dict[str, str]:
    """The same measures of as many real rows, which follow each other."""
    drawn = np.asarray(row.run.data.rows(row.split)[:number])
    result = run_report.of(row.run.facts).measures(drawn, row.run.data, independent=False)
    named = {"model": f"{row.split} {row.run.facts.rows}"}
    return named | _shown({name: Figure(*figure) for name, figure in result.items()})


def _shown(result: dict[str, Figure]) -> dict[str, str]:
    return {NAMES.get(name, name): _cell(name, figure) for name, figure in result.items()}


def _cell(what: str, figure: Figure) -> str:
    """A figure in words, as on the pages of runs."""
    return figures.shown(what, *figure)


def markdown(table: Sequence[dict[str, str]]) -> list[str]:
    """Lines of a table of cells by their columns; a dash where a row has none."""
    columns = list(dict.fromkeys(name for row in table for name in row))
    columns = sorted(columns, key=lambda name: LAST.index(name) + 1 if name in LAST else 0)
    lines = [columns, ["---"] * len(columns)]
    lines += [[row.get(name, "–") for name in columns] for row in table]
    return [f"| {' | '.join(line)} |" for line in lines]
