"""What samples of a kind of data are scored by, and the rows that stand beside them."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import ClassVar, NamedTuple

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import draws
from amd_jax.evaluation.samples.draws import Draws, Figure
from amd_jax.evaluation.samples.real_rows import Nonsense, RealRows
from amd_jax.evaluation.samples.score_table import Columns, Row
from amd_jax.evaluation.samples.two_sample import TwoSample
from amd_jax.evaluation.tables import features
from amd_jax.facts import Facts


class Trial(NamedTuple):
    """Rows (N, L), and a gap in each that is to be filled."""

    rows: Rows
    hidden: Gaps


@dataclasses.dataclass(frozen=True, eq=False)
class Scores:
    """Scores of samples against real rows.

    To add a kind of data: a subclass with `columns`, `samplers`, `measures` and `features`, and a
    line in `score_kinds.SCORED`.
    """

    facts: Facts
    rows: RealRows  # (R, N, *event)

    columns: ClassVar[Columns]  # the scores by their names
    in_order: ClassVar[bool] = False  # whether a row goes on in the next one

    @property
    def samplers(self) -> Mapping[str, Nonsense]:
        """Nonsense by name."""
        raise NotImplementedError

    @property
    def measures(self) -> Mapping[str, Callable[[Rows], float]]:
        """What is measured of the rows (N, *event) of a draw, by name."""
        raise NotImplementedError

    def features(self, rows: Rows) -> Float[np.ndarray, "N F"]:
        """Features of rows (N, *event) for the two-sample test."""
        raise NotImplementedError

    @property
    def test(self) -> Rows:
        """Rows that samples are scored on: (M, *event)."""
        return self.rows.test

    @property
    def trial(self) -> Trial | None:
        """Gaps whose fillings are scored, where that makes sense."""
        return None

    @property
    def names(self) -> list[str]:
        """What `of` has."""
        return [*self.measures, *(["two_sample_auc"] if features.installed() else [])]

    def of(self, drawn: Draws) -> dict[str, Figure]:
        """The scores of samples (R, N, *event); without scikit-learn no two-sample test."""
        result = {name: draws.over(drawn, measure) for name, measure in self.measures.items()}
        if features.installed():
            result["two_sample_auc"] = self._two_sample.of(drawn)
        return result

    def beside(self, filled: bool = False) -> list[Row]:
        """Rows of the data, and of nonsense; they are scored once.

        With `filled`, the fillings of gaps by nonsense are scored, too, where there is a `trial`.
        """
        return [*self._beside]

    @functools.cached_property
    def _beside(self) -> list[Row]:
        data = {f"training {self.facts.rows}": self.rows.train}
        if self.rows.held_out is not None:
            data[f"held-out {self.facts.rows}"] = self.rows.held_out
        nonsense = self.rows.nonsense(self.samplers)
        rows = [Row(name, "data", self.of(x)) for name, x in data.items()]
        return rows + [Row(name, "nonsense", self.of(x)) for name, x in nonsense.items()]

    @functools.cached_property
    def _two_sample(self) -> TwoSample:
        return TwoSample(self.rows.real, self.features, self.rows.seed)
