"""Reports on a model of lines: samples a line each, and how many are valid, different and new."""

import csv
import dataclasses
import io
from pathlib import Path

import numpy as np

from amd_jax.evaluation import gallery, label_success, means
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.lines import (
    line_counts,
    line_measures,
    property_measures,
    validity,
)
from amd_jax.evaluation.lines.line_measures import NAMES, SHARES, Figure
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import beside_counts
from amd_jax.evaluation.reports.plain_report import held_out, write_arrays
from amd_jax.evaluation.reports.text_report import ORDERS, TextReport
from amd_jax.evaluation.tables.measures import FLOOR
from amd_jax.facts import UNUSED_SIGN, LineFacts, line_properties
from amd_jax.host import filesystem
from amd_jax.host.printable import in_one_line
from amd_jax.types import Dataset, Model, Params

SHOWN = 10  # lines on the console


@dataclasses.dataclass(frozen=True)
class LineReport(TextReport):
    """The report on lines of any length, with or without labels."""

    facts: LineFacts

    def samples(self, drawn: Rows, stem: Path | None) -> list[str]:
        """Some lines on the console; all in a file, with labels a CSV, and as an array."""
        shown = [f"  {in_one_line(self.facts.show(x))}" for x in drawn[:SHOWN]]
        lines = ["samples:", *shown]
        if len(drawn) > SHOWN:
            lines.append(f"  ... and {len(drawn) - SHOWN:,} more")
        lines += gallery.unused(drawn, UNUSED_SIGN)
        if stem is None:
            return lines
        stem = write_arrays(stem, samples=drawn)
        end = "csv" if self.facts.labels else "txt"
        text, array = (stem.with_name(f"{stem.name}.{name}") for name in (end, "npz"))
        filesystem.write(text, self._file(drawn).encode())
        return [*lines, f"lines: {in_one_line(text)}", f"array: {in_one_line(array)}"]

    def _file(self, drawn: Rows) -> str:
        """Lines as a file holds them: a line each, or with labels two columns of a CSV."""
        if not self.facts.labels:
            return "".join(f"{line}\n" for line in self.facts.lines(drawn))
        result = io.StringIO()
        writer = csv.writer(result, lineterminator="\n")
        writer.writerow(("label", "line"))
        writer.writerows(zip(map(self.facts.label, drawn), self.facts.lines(drawn), strict=True))
        return result.getvalue()

    def preview(self, drawn: Rows) -> str:
        """Some of the samples as Markdown."""
        return "\n".join(f"    {in_one_line(self.facts.show(x))}" for x in drawn[: 2 * SHOWN])

    def yardsticks(
        self, data: Dataset, split: str, number: int | None, bits: PerRow | None = None
    ) -> tuple[str, list[Measurement]]:
        """Count models of orders 0, 3 and 6 on the same lines; each sees one line alone."""
        train = line_counts.fitted(self.facts, data.rows("train"))
        rows = data.rows(split)[:number]
        counted = {n: line_counts.bits_of_rows(self.facts, train, rows, n) for n in ORDERS}
        fitted = f"fitted to {len(train):,} lines"
        lines, figures = beside_counts.compared(
            counted, bits, split=split, unit=self.facts.unit, fitted=fitted
        )
        return "\n".join(["count models of the same lines, ends included:", *lines]), figures

    def measures(
        self, drawn: Rows, data: Dataset, *, independent: bool = True
    ) -> dict[str, tuple[float, float | None]]:
        """Shares of valid, different and new lines, and how far lengths and labels are off.

        Different are counted among the valid ones, and new among the different. Lengths and
        labels are compared with those of training lines.
        """
        return {**self._measured(drawn, data, independent)}

    def _measured(self, drawn: Rows, data: Dataset, independent: bool = True) -> dict[str, Figure]:
        """The same; each measure has an error."""
        facts, train = self.facts, data.rows("train")
        lines, result = [*facts.lines(drawn)], {}
        fits = validity.of(lines, facts.validity)
        if facts.validity:
            result["valid"] = means.of(fits, independent=independent)
        good = [line for line, valid in zip(lines, fits, strict=True) if valid]
        result["unique"] = line_measures.unique(good)
        result["novel"] = line_measures.novel(good, facts.lines(train))
        lengths = (facts.sizes(x) for x in (drawn, train))
        result["line_lengths"] = line_measures.variation(*lengths)
        if facts.labels:
            labels = (np.asarray(x)[:, 0] for x in (drawn, train))
            result["line_labels"] = line_measures.variation(*labels)
        if facts.label_rule:
            fits = facts.have_label(drawn)
            result["label_success"] = means.of(fits, independent=independent)
        return result

    def compared(
        self, drawn: Rows, stem: Path | None, model: Model, params: Params, data: Dataset
    ) -> tuple[list[str], list[Measurement]]:
        """Measures and properties of samples, and of as many held-out lines in their place."""
        split = held_out(data)
        real = data.rows(split)[: len(drawn)]
        ours, floor = self._measured(drawn, data), self._measured(real, data)
        lines = [f"{len(drawn):,} samples; in brackets {len(real):,} {split} lines:"]
        figures = []
        for name, title in NAMES.items():
            if name in ours:
                form = ".1%" if name in SHARES else ".3f"
                shown, real_shown = (means.shown(*x[name], form) for x in (ours, floor))
                lines.append(f"  {title}: {shown} ({real_shown})")
                figures.append(_figure(name, ours[name], split, len(drawn)))
                figures.append(_figure(f"{name}{FLOOR}", floor[name], split, len(real)))
        if self.facts.label_rule:
            table, of_labels = label_success.by_label(self.facts, drawn)
            lines += table
            figures += [dataclasses.replace(figure, split=split) for figure in of_labels]
        properties, more = self._properties(drawn, real, data, split)
        return [*lines, *properties], [*figures, *more]

    def _properties(
        self, drawn: Rows, real: Rows, data: Dataset, split: str
    ) -> tuple[list[str], list[Measurement]]:
        """A line for each property of samples, and of held-out lines in brackets."""
        ours, floor, train = (
            property_measures.values(self.facts, x) for x in (drawn, real, data.rows("train"))
        )
        valid = "valid " if self.facts.validity else ""
        lines = [
            f"properties of {valid}lines: their mean, and the Wasserstein distance from training "
            "lines;",
            f"in brackets those of {split} lines:",
        ]
        figures, floors = [], property_measures.measured(floor, train)
        measured = property_measures.measured(ours, train)
        if not measured or not floors:
            return ["properties of lines: not measured, since no line is valid"], []
        for name in (name for name in measured if name in floors):
            mine = measured[name]
            pairs = [*zip(mine._fields, mine, floors[name], strict=True)]
            shown = [f"{means.shown(*a)} ({means.shown(*b)})" for _, a, b in pairs]
            lines.append(f"  {line_properties.PROPERTIES[name].title}: {'; '.join(shown)}")
            for end, a, b in pairs:
                figures.append(_figure(f"{name}_{end}", a, split, len(drawn)))
                figures.append(_figure(f"{name}_{end}{FLOOR}", b, split, len(real)))
        return lines, figures

    def tokens(self, text: str) -> Stream:
        """A line as tokens, with its label in front; the commonest character for unknown ones.

        With labels the text is as `LineFacts.show` writes it: "label: line". ValueError for
        another label, and a line that is empty or too long.
        """
        facts, (label, line) = self.facts, self.facts.read(text.strip("\r\n"))
        shares = facts.frequencies[: len(facts.symbols)]
        common = facts.symbols[int(np.argmax(shares)) if shares else 0]
        signs = facts.signs(line)
        known = zip(signs, facts.known(signs), strict=True)
        row = facts.row("".join(sign if is_known else common for sign, is_known in known), label)
        return row[: facts.start + len(signs)]


def _figure(what: str, figure: Figure, split: str, number: int) -> Measurement:
    value, error = figure
    return Measurement(what=what, value=value, error=error, split=split, examples=number)
