"""Reports on a model of tokens of a vocabulary, whose texts may be known."""

import dataclasses

import numpy as np

from amd_jax.evaluation import means
from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports.plain_report import PlainReport
from amd_jax.facts import TokenFacts
from amd_jax.types import Dataset


@dataclasses.dataclass(frozen=True)
class TokenReport(PlainReport):
    """The report on data whose rows are tokens."""

    facts: TokenFacts

    def yardsticks(
        self, data: Dataset, split: str, number: int | None, bits: PerRow | None = None
    ) -> tuple[str, list[Measurement]]:
        """The bits of a model for each byte of the text, which any vocabulary can be judged by.

        The text of a special token is its name. Empty where texts are not known.
        """
        if bits is None or not self.facts.texts:
            return "", []
        rows = data.rows(split)[:number]
        sizes = np.array([*map(len, self.facts.texts), 0])  # in bytes; of padding none
        of_text = PerRow(bits.sums, sizes[np.minimum(rows, len(sizes) - 1)].sum(axis=1))
        length, _ = PerRow(of_text.counts, bits.counts).mean()
        line = f"{split}: {means.shown(*of_text.mean())} bits/byte of its text, "
        on = {"split": split, "examples": len(rows), "unit": "byte"}
        figure = Measurement.mean("bits_of_text", of_text, **on)
        return f"{line}{length:.2f} bytes a token", [figure]
