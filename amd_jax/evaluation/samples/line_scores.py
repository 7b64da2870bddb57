"""Scores of samples of lines: those of texts, where no line knows another and the end counts."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.lines import line_counts
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import line_features, line_nonsense, reverse_bits, text_nonsense
from amd_jax.evaluation.samples.real_rows import Nonsense
from amd_jax.evaluation.samples.score_table import Column
from amd_jax.evaluation.samples.text_scores import COLUMNS, FITTED, TextScores
from amd_jax.facts import LineFacts

SAFE = ("reverse_bits", "two_sample_auc", "brier")


@dataclasses.dataclass(frozen=True, eq=False)
class LineScores(TextScores):
    """What samples of lines are scored against, all from the data."""

    facts: LineFacts

    columns = {name: COLUMNS[name] for name in SAFE} | {
        "known_lines": Column("known lines", higher=True, form=".1%", safe=False)
    }

    in_order = False

    @property
    def samplers(self) -> dict[str, Nonsense]:
        """Nonsense by name."""
        return line_nonsense.samplers(self.facts)

    @property
    def measures(self) -> dict[str, Callable[[Rows], float]]:
        """Reverse bits per character and end, and the share of training lines, of (N, L)."""
        return {"reverse_bits": self._reverse_bits, "known_lines": self._known_lines}

    def features(self, rows: Rows) -> Float[np.ndarray, "N F"]:
        """`line_features`, by counts of training lines that are not compared."""
        fitted = line_counts.fitted(self.facts, self.rows.fitted, FITTED)
        return line_features.of(self.facts, rows, fitted)

    def _reverse_bits(self, rows: Rows) -> float:
        bits = line_counts.bits_of_rows(self.facts, rows, self.test, reverse_bits.ORDER)
        return bits.mean()[0]

    @functools.cached_property
    def known_lines(self) -> frozenset[bytes]:
        """The tokens of all training lines, without their labels."""
        return frozenset(self._tokens(self.rows.training))

    def _known_lines(self, rows: Rows) -> float:
        return float(np.mean([line in self.known_lines for line in self._tokens(rows)]))

    def _tokens(self, rows: Rows) -> list[bytes]:
        x = np.where(self.facts.inside(rows), rows, len(self.facts.symbols)).astype(np.int32)
        return [row.tobytes() for row in x[:, self.facts.start :]]

    def _filled(
        self, name: str, make: Nonsense, rows: Rows, hidden: Gaps, rng: np.random.Generator
    ) -> Rows:
        source = self.rows.train.reshape(-1, rows.shape[1])
        if name.startswith("counts"):
            before = line_nonsense.begin(self.facts, rows)
            stream = line_nonsense.stream(self.facts, source)
            return text_nonsense.filled(rows, hidden, stream, rng, before)
        return line_nonsense.filled(self.facts, rows, hidden, make(source, rng), rng)
