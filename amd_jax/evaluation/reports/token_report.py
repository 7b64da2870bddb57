"""Reports on a model of tokens of a vocabulary, whose texts may be known."""

import dataclasses

import numpy as np

from amd_jax.evaluation import count_models, filling, means
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import beside_counts
from amd_jax.evaluation.reports.plain_report import PlainReport
from amd_jax.facts import TokenFacts
from amd_jax.types import Dataset

COUNTED = 10_000_000  # first training tokens, to which count models are fitted
ORDERS = (0, 1, 2)


@dataclasses.dataclass(frozen=True)
class TokenReport(PlainReport):
    """The report on data whose rows are tokens."""

    facts: TokenFacts

    def yardsticks(
        self, data: Dataset, split: str, number: int | None, bits: PerRow | None = None
    ) -> tuple[str, list[Measurement]]:
        """The bits of a model for each byte of the text, and count models of the same tokens.

        By the first any two vocabularies can be compared; the text of a special token is its name,
        and where texts are not known it is left out. Count models are of orders 0, 1 and 2, see
        across row ends, and are fitted to the begin of the training tokens; of rows that are
        documents there are none.
        """
        rows = data.rows(split)[:number]
        lines, figures = self._of_text(rows, split, bits)
        if self.facts.length_frequencies:
            return "\n".join(lines), figures
        train = self._counted(data)
        fitted = f"fitted to {train.size:,} {self.facts.unit}s"
        counted = {
            n: count_models.bits_of_rows(train, rows, self.facts.num_classes, n) for n in ORDERS
        }
        on = {"split": split, "unit": self.facts.unit}
        beside, more = beside_counts.compared(counted, bits, fitted=fitted, **on)
        lines += [f"count models {fitted}:", *beside]
        return "\n".join(lines), figures + more

    def counted(self, data: Dataset, rows: Rows, hidden: filling.Gaps) -> PerRow | None:
        """Bits of the hidden tokens by the count model, given what is left of them."""
        if self.facts.length_frequencies:
            return None
        of_classes = self.facts.num_classes, max(ORDERS)
        return filling.bits_by_counts(self._counted(data), rows, hidden, *of_classes)

    def _counted(self, data: Dataset) -> count_models.Stream:
        """The first training tokens."""
        rows = data.rows("train")
        return np.ravel(rows[: max(1, COUNTED // rows.shape[1])])

    def _of_text(
        self, rows: Rows, split: str, bits: PerRow | None
    ) -> tuple[list[str], list[Measurement]]:
        """Bits of rows for each byte of their text, in a line and as a figure, if it is known."""
        if bits is None or not self.facts.texts:
            return [], []
        sizes = np.array([*map(len, self.facts.texts), 0])  # in bytes; of padding none
        of_text = PerRow(bits.sums, sizes[np.minimum(rows, len(sizes) - 1)].sum(axis=1))
        length, _ = PerRow(of_text.counts, bits.counts).mean()
        line = f"{split}: {means.shown(*of_text.mean())} bits/byte of its text, "
        on = {"split": split, "examples": len(rows), "unit": "byte"}
        figure = Measurement.mean("bits_of_text", of_text, **on)
        return [f"{line}{length:.2f} bytes a token"], [figure]
