"""Reports on a model of a table: rows as CSV, exact baselines, and samples beside real rows."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Integer

from amd_jax.evaluation import gallery, likelihood, means, pictures
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports.plain_report import (
    PlainReport,
    held_out,
    stem_of,
    write_arrays,
    write_edit,
)
from amd_jax.evaluation.tables import (
    baselines,
    charts,
    copying,
    detection,
    features,
    measures,
    similarity,
    text_tables,
    usefulness,
)
from amd_jax.evaluation.tables.baselines import subset
from amd_jax.facts import UNUSED_SIGN, TableFacts
from amd_jax.facts.table_csv import write_csv
from amd_jax.host.log import logger
from amd_jax.host.printable import in_one_line
from amd_jax.models import bounds
from amd_jax.types import Dataset, Model, Params

SHOWN = 5  # rows on the console, beside each other
PANELS = 6  # of a picture, beside each other
USED, TARGETS, WORST = 5_000, 20, 3  # rows and columns of usefulness; columns that are named
SCORED = 1_000  # rows of each split whose bits are compared
FEWEST = 20  # rows that a classifier is fitted to
NO_TREES = "detection and usefulness: not run (pip install 'amd_jax[tables]')"
NOTES = {"detection_auc": " (0.5 is best)", "logistic_auc": " (a weak test)"}

Others = Integer[np.ndarray, "M *event"]
Measures = dict[str, tuple[float, float | None]]  # each with its standard error, if it has one
MEMORY = "memory_difference"  # the name of a figure


@dataclasses.dataclass(frozen=True)
class TableReport(PlainReport):
    """The report on rows of a table."""

    facts: TableFacts

    def samples(self, drawn: Rows, stem: Path | None) -> list[str]:
        """Some samples on the console, all that are possible as a CSV, all as an array."""
        possible = self.facts.possible(drawn)
        rows = drawn[possible]
        lines = [
            *text_tables.aligned(self.cells(rows[:SHOWN])),
            *gallery.unused(drawn, UNUSED_SIGN),
        ]
        if len(rows) > SHOWN:
            lines.append(f"... and {len(rows) - SHOWN:,} more rows")
        if len(rows) < len(drawn):
            share = 1 - possible.mean()
            lines.append(f"samples with a value that no column has, left out: {share:.2%}")
        if stem:
            stem = write_arrays(stem, samples=drawn)
            table, array = (stem.with_name(f"{stem.name}.{end}") for end in ("csv", "npz"))
            escaped = write_csv(table, self.facts, rows)
            lines += [f"table: {in_one_line(table)}", f"array: {in_one_line(array)}"]
            if escaped:
                lines.append(f"cells that a spreadsheet would execute, escaped by ': {escaped:,}")
        return lines

    def preview(self, drawn: Rows) -> str:
        """Some of the samples as a table of Markdown."""
        cells = self.cells(drawn[self.facts.possible(drawn)][: 2 * SHOWN])
        names = [_markdown(name) for name, _ in cells]
        rows = zip(*([_markdown(cell) for cell in column] for _, column in cells), strict=True)
        lines = [names, ["---"] * len(names), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def cells(self, rows: Rows) -> list[text_tables.Line]:
        """Columns of rows, each with its cells as they are written."""
        return [(in_one_line(name), cells) for name, cells in self.facts.decode(rows).items()]

    def yardsticks(
        self, data: Dataset, split: str, number: int | None, bits: PerRow | None = None
    ) -> tuple[str, list[Measurement]]:
        """Exact bits of independent fields, of a tree and of a mixture on the same rows."""
        rows, unit = data.rows(split)[:number], self.facts.unit
        fitted = f"fitted to {min(baselines.FITTED, len(data.rows('train'))):,} {self.facts.rows}"
        lines, figures = [f"baselines with exact bits, {fitted}:"], []
        on = {"split": split, "examples": len(rows), "unit": unit}
        fits = baselines.fitted(data, self.facts.sizes)  # type: ignore[arg-type]  # as in `likelihood`
        for name, law in fits.items():
            nats = law.log_prob(rows)
            counted = PerRow(-nats / np.log(2), self.facts.lengths(rows))
            method = f"{name}, {fitted}"
            line = f"  {name}: {means.shown(*counted.mean())} bits/{unit}"
            figures.append(Measurement.mean("baseline", counted, method=method, exact=True, **on))
            if bits is not None:
                above = bits.minus(counted)
                line += f"; the model minus it: {means.signed(*above.mean())}"
                figures.append(Measurement.mean("bits_difference", above, to=name, **on))
            lines.append(line)
        return "\n".join(lines), figures

    def measures(self, drawn: Rows, data: Dataset, *, independent: bool = True) -> Measures:
        """Shape and trend, detection where scikit-learn is installed, and the share of copies.

        Samples are measured beside held-out rows. Rows of a split, which are not `independent`,
        are measured beside training rows: that is what samples can reach.
        """
        real = subset(data.rows(held_out(data) if independent else "train"))
        drawn = subset(drawn)
        possible = self.facts.possible(drawn)
        failures: dict[str, str] = {}
        result = self._beside(drawn[possible], real, failures)
        for line in measures.failed(failures):
            logger.warning(line)
        if (~possible).any():
            result["impossible"] = means.of(~possible, independent=independent)
        copied = copying.are_among(drawn, data.rows("train"))
        return {**result, "copies": means.of(copied, independent=independent)}

    def _beside(self, drawn: Rows, real: Others, failures: dict[str, str]) -> Measures:
        """Measures of rows beside others, without those that are added to the failures."""
        result: Measures = {}
        with measures.attempted("shape", failures):
            columns = similarity.shape(self.facts, real, drawn)
            result["shape"] = similarity.mean_shape(columns), None
        with measures.attempted("trend", failures):
            pairs = similarity.trend(self.facts, real, drawn)
            result["trend"] = similarity.mean_trend(pairs), None
        if features.installed() and min(len(drawn), len(real)) >= FEWEST:
            with measures.attempted("detection_auc", failures):
                trees = detection.by_trees(self.facts, real, drawn, seeds=1)
                result["detection_auc"] = trees.value, trees.error
            with measures.attempted("logistic_auc", failures):
                linear = detection.by_logistic(self.facts, real, drawn)
                result["logistic_auc"] = linear.value, linear.error
        return result

    def compared(
        self, drawn: Rows, stem: Path | None, model: Model, params: Params, data: Dataset
    ) -> tuple[list[str], list[Measurement]]:
        """Measures of samples beside held-out rows, and of as many training rows beside them.

        And a picture of the marginals, and of the pairs of both.
        """
        split, every = held_out(data), drawn
        drawn = subset(drawn[self.facts.possible(drawn)])
        if not len(drawn):
            return ["samples beside real rows: not measured, since none is possible"], []
        real, train = subset(data.rows(split)), subset(data.rows("train"), len(drawn))
        failures: dict[str, str] = {}
        measured, floor = (self._beside(x, real, failures) for x in (drawn, train))
        lines = [
            f"{len(drawn):,} samples beside {len(real):,} {split} rows; "
            f"in brackets as many training rows:"
        ]
        for name in [name for name in measured if name not in failures]:
            title = measures.NAMES[name] + NOTES.get(name, "")
            lines.append(f"  {title}: {_shown(measured[name])} ({_shown(floor[name])})")
        with measures.attempted("copies", failures):
            copies = copying.copies(drawn, data.rows("train"), real)
            measured["copies"], floor["copies"] = copies
            lines.append(
                f"  samples that are training rows: {means.shown(*copies.drawn, '.2%')}; "
                f"{split} rows that are: {means.shown(*copies.held_out, '.2%')}"
            )
        memory, gap = self.memorised(model, params, data)
        lines.append(memory)
        if stem:
            path = stem_of(stem, samples=every)
            path = path.with_name(f"{path.name}.png")
            with measures.attempted("picture", failures):
                self.write_picture(drawn, real, train, path)
                lines.append(f"  picture: {in_one_line(path)}")
        used, uses, of_real = self.uses(drawn, data, failures)
        lines += [*used, *(f"  {line}" for line in measures.failed(failures))]
        return lines, [
            *_figures(measured | uses, floor | of_real, failures, split, len(drawn)),
            gap,
        ]

    def write_picture(self, drawn: Rows, real: Others, train: Rows, path: Path) -> None:
        """The marginals of real rows and of samples, and the pairs of samples and training rows.

        Samples are lines over the bars of real rows.
        """
        panels = charts.marginals(self.facts, real, drawn)
        maps = {
            name: charts.pairs(similarity.trend(self.facts, real, x))
            for name, x in (("samples", drawn), ("training rows", train))
        }
        parts = {
            "bars: real rows, lines: samples": pictures.in_rows(panels, PANELS),
            f"trend of pairs: white 1, black {charts.LOWEST}": pictures.side_by_side(maps),
        }
        pictures.write(pictures.in_rows(parts, 1), path)

    def memorised(self, model: Model, params: Params, data: Dataset) -> tuple[str, Measurement]:
        """Bits of some training rows beside those of held-out rows: a model may know the first."""
        split, bound = held_out(data), bounds.of(model)[0]
        both = [subset(data.rows(name), SCORED) for name in ("train", split)]
        figure = Measurement(
            what=MEMORY,
            value=None,
            bound=bound.name,
            to="training rows",
            unit=self.facts.unit,
            split=split,
            examples=len(both[1]),
        )
        failures: dict[str, str] = {}
        with measures.attempted(MEMORY, failures):
            about = bound, model, params, jax.random.key(0)
            found = [likelihood.bits(*about, rows, self.facts) for rows in both]
            gap = copying.memorised(*(one.per_row for one in found))
            line = (
                f"  bits of training rows ({bound.name}): {found[0]}, of {split} rows {found[1]}; "
                f"these take {means.signed(*gap)} more"
            )
            return line, dataclasses.replace(figure, value=gap[0], error=gap[1])
        (line,) = measures.failed(failures)
        return f"  {line}", dataclasses.replace(figure, failure=failures[MEMORY])

    def uses(
        self, drawn: Rows, data: Dataset, failures: dict[str, str]
    ) -> tuple[list[str], Measures, Measures]:
        """How well trees fitted to samples predict columns of held-out rows.

        As lines: beside trees fitted to as many training rows, and the columns that lose most. And
        the mean scores of samples, and of training rows.
        """
        if not features.installed():
            return [f"  {NO_TREES}"], {}, {}
        drawn = subset(drawn[self.facts.possible(drawn)], USED)
        if len(drawn) < FEWEST:
            return [], {}, {}
        real, test = subset(data.rows("train"), len(drawn)), subset(data.rows(held_out(data)))
        several = [c for c in self.facts.columns if c.size > 1][:TARGETS]
        lines: list[str] = []
        found: dict[str, usefulness.Use] = {}
        ours: Measures = {}
        theirs: Measures = {}
        for measure, shown in (("AUC", "AUC"), ("R2", "R²")):
            names = [c.name for c in several if usefulness.measure(c) == measure]
            name = f"usefulness_{measure.lower()}"
            if not names:
                continue
            with measures.attempted(name, failures):
                uses = usefulness.of_columns(self.facts, real, drawn, test, names)
                found |= uses
                ours[name] = float(np.mean([use.drawn.value for use in uses.values()])), None
                theirs[name] = float(np.mean([use.real.value for use in uses.values()])), None
                lines.append(
                    f"  usefulness, {shown} of {len(uses)} columns predicted by trees fitted to "
                    f"{len(drawn):,} samples: {ours[name][0]:.3f} ({theirs[name][0]:.3f})"
                )
        worst = sorted(found.items(), key=lambda item: -item[1].loss[0])[:WORST]
        lost = [f"{in_one_line(name)} {means.signed(*use.loss)}" for name, use in worst]
        if lost:
            lines.append(f"  columns that lose most by that: {', '.join(lost)}")
        return lines, ours, theirs

    def corrected(
        self,
        before: Rows,
        after: Rows,
        rows: Rows | None,
        stem: Path | None,
        done: str = "corrected",
    ) -> list[str]:
        """The first row before an edit, and which of its cells became what."""
        first = np.stack([before[0], after[0]])
        if self.facts.possible(first).all():
            both = self.facts.decode(first)
            changes = [
                f"{in_one_line(f'{n}={a}')} → {in_one_line(b)}"
                for n, (a, b) in both.items()
                if a != b
            ]
            result = f"{len(changes)} changed", "; ".join(changes) or "nothing"
        else:
            result = "a value that no column has is in it", self.facts.show(after[0])
        return [
            f"given:\n{gallery.wrapped(self.facts.show(before[0]))}",
            f"{done} ({result[0]}):\n{gallery.wrapped(result[1])}",
            *write_edit(before, after, rows, stem, done),
        ]


def _markdown(text: str) -> str:
    return in_one_line(text).replace("|", "\\|")


def _figures(
    measured: Measures, floor: Measures, failures: dict[str, str], split: str, number: int
) -> list[Measurement]:
    """Measures of so many samples, and what real rows reach, which is "shape_floor" and so on."""
    kinds = {"": (measured, "samples"), measures.FLOOR: (floor, "training rows")}
    lost = {name: (None, None) for name in failures if name in measures.NAMES}
    return [
        Measurement(
            what=f"{name}{end}",
            value=value,
            error=error,
            failure=failures.get(name),
            method=f"{number:,} {whose}" if name != "copies" else None,
            split=split,
            examples=number,
        )
        for end, (some, whose) in kinds.items()
        for name, (value, error) in {**some, **lost}.items()
    ]


def _shown(figure: tuple[float, float | None]) -> str:
    value, error = figure
    return means.shown(value, float("nan") if error is None else error)
