"""Reports on a model of tokens of a vocabulary, whose texts may be known."""

import dataclasses

import numpy as np

from amd_jax.evaluation import filling, means
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import beside_counts
from amd_jax.evaluation.reports.plain_report import PlainReport
from amd_jax.facts import TokenFacts
from amd_jax.types import Dataset

COUNTED = 5_000_000  # first training tokens, to which count models are fitted
ORDERS = (0, 1, 2)


@dataclasses.dataclass(frozen=True)
class TokenReport(PlainReport):
    """The report on data whose rows are tokens."""

    facts: TokenFacts

    def yardsticks(
        self, data: Dataset, split: str, number: int | None, bits: PerRow | None = None
    ) -> tuple[str, list[Measurement]]:
        """The bits of a model for each byte of the text, and count models of the same tokens.

        Bits per byte compare models of different vocabularies. They are left out where texts are
        not known; the text of a special token is its name. Count models of orders 0, 1 and 2 see
        across row ends, and are fitted to the first training tokens. There are none where each row
        is a document.
        """
        rows = data.rows(split)[:number]
        lines, figures = self._of_text(rows, split, bits)
        if self.facts.length_frequencies:
            return "\n".join(lines), figures
        train = _first_tokens(data)
        beside, more = beside_counts.of_stream(train, rows, self.facts, ORDERS, bits, split)
        lines += [f"count models fitted to {len(train):,} training tokens:", *beside]
        return "\n".join(lines), figures + more

    def counted(self, data: Dataset, rows: Rows, hidden: filling.Gaps) -> PerRow | None:
        """Bits of the hidden tokens by the count model, given what is left of them."""
        if self.facts.length_frequencies:
            return None
        train, classes = _first_tokens(data), self.facts.num_classes
        return filling.bits_by_counts(train, rows, hidden, classes, max(ORDERS))

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


def _first_tokens(data: Dataset) -> Stream:
    """The training tokens that count models are fitted to."""
    rows = data.rows("train")
    return np.ravel(rows[: max(1, COUNTED // rows.shape[1])])
