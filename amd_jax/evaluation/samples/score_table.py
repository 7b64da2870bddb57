"""The table of scores: samples of a model, the data, and nonsense beside each other."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from amd_jax.evaluation import means
from amd_jax.evaluation.samples.draws import Figure

Kind = Literal["model", "data", "nonsense"]
KINDS: tuple[Kind, ...] = ("model", "data", "nonsense")
SURE = 2.0  # standard errors


@dataclasses.dataclass(frozen=True)
class Column:
    """A score: its title, and which way is better."""

    title: str
    higher: bool = False  # is better
    form: str = ".3f"
    safe: bool = True  # whether nonsense must not win it


Columns = Mapping[str, Column]


@dataclasses.dataclass(frozen=True)
class Row:
    """A sampler, or the data in the place of samples, with its scores by their names."""

    label: str
    kind: Kind
    scores: Mapping[str, Figure]

    def having(self, name: str, figure: Figure | None) -> "Row":
        """The row with one more score, where there is one."""
        if figure is None:
            return self
        return dataclasses.replace(self, scores={**self.scores, name: figure})


def cells(rows: Sequence[Row], columns: Columns) -> list[dict[str, str]]:
    """The scores of each row in words by their titles, after its label; the model first.

    Of the scores that a row has at all; a dash where this one has none.
    """
    measured = {name: c for name, c in columns.items() if any(name in row.scores for row in rows)}
    return [
        {"": f"{row.label}{' (nonsense)' * (row.kind == 'nonsense')}"}
        | {
            column.title: means.shown(*row.scores[name], column.form)
            if name in row.scores
            else "–"
            for name, column in measured.items()
        }
        for kind in KINDS
        for row in rows
        if row.kind == kind
    ]


def lines(rows: Sequence[Row], columns: Columns) -> list[str]:
    """The table as text."""
    shown = cells(rows, columns)
    table = [[*shown[0]], *([*row.values()] for row in shown)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if i else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in table
    ]


def remarks(rows: Sequence[Row], columns: Columns) -> list[str]:
    """Which nonsense is better than a row of the model or of the data, score by score.

    Beyond `SURE` standard errors of the difference. A score on which it is better than the data
    says nothing on so few samples; of one that nonsense may win only the data are compared.
    """
    result = []
    nonsense = [row for row in rows if row.kind == "nonsense"]
    for name, column in columns.items():
        of = ("data", "model") if column.safe else ("data",)
        for row in (row for row in rows if row.kind in of and name in row.scores):
            above = [
                other.label
                for other in nonsense
                if name in other.scores
                and _is_better(other.scores[name], row.scores[name], column)
            ]
            if not above:
                continue
            end = ""
            if row.kind == "data":
                end = ": no score of quality" if not column.safe else ": take more samples"
            result.append(f"{column.title}: {' and '.join(above)} above {row.label}{end}.")
    return result


def _is_better(one: Figure, other: Figure, column: Column) -> bool:
    """Whether a score is better than another one, beyond the error of their difference."""
    above = (one.value - other.value) * (1 if column.higher else -1)
    return above > SURE * np.hypot(np.nan_to_num(one.error), np.nan_to_num(other.error))
