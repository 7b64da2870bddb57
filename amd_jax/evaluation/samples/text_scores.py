"""Scores of samples of texts, beside those of the data and of nonsense."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation import count_models, filling, spelling
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import (
    brier,
    draws,
    reverse_bits,
    text_features,
    text_nonsense,
)
from amd_jax.evaluation.samples.draws import Draws, Figure
from amd_jax.evaluation.samples.real_rows import Nonsense, RealRows
from amd_jax.evaluation.samples.score_table import Column, Row
from amd_jax.evaluation.samples.two_sample import TwoSample
from amd_jax.evaluation.tables import features
from amd_jax.facts import TextFacts

FITTED = 300_000  # training tokens that counts of the two-sample test are fitted to, at most
COLUMNS = {
    "reverse_bits": Column(f"reverse bits (order {reverse_bits.ORDER})"),
    "two_sample_auc": Column("two-sample AUC"),
    "brier": Column(f"Brier of {brier.GRAM}-grams", higher=True),
    "known_words": Column("known words", higher=True, form=".1%", safe=False),
}


@dataclasses.dataclass(frozen=True, eq=False)
class TextScores:
    """What samples of texts are scored against, all from the data."""

    facts: TextFacts
    rows: RealRows  # (R, N, L)

    columns = COLUMNS

    def __post_init__(self):
        """Raises ValueError for padded rows."""
        if self.facts.padding is not None:
            raise ValueError(
                "--what=samples is for texts whose rows are full; these are padded. Leave it out."
            )

    @property
    def test(self) -> count_models.Test:
        """Rows that reverse bits are scored on: (M, L)."""
        return self.rows.test

    @functools.cached_property
    def fitted(self) -> Stream:
        """The text that counts of the two-sample test are fitted to, `FITTED` tokens at most."""
        return self.rows.fitted.ravel()[:FITTED]

    @functools.cached_property
    def samplers(self) -> dict[str, Nonsense]:
        """Nonsense by name; of words, where whitespace ends them."""
        signs = self.facts.alphabet or [chr(k) for k in range(128)]
        return text_nonsense.samplers([k for k, sign in enumerate(signs) if sign.isspace()])

    def of(self, drawn: Draws) -> dict[str, Figure]:
        """The scores of samples (R, N, L); without scikit-learn no two-sample test."""
        classes = self.facts.num_classes
        result = {
            "reverse_bits": draws.over(
                drawn, lambda rows: reverse_bits.of(rows, self.test, classes)
            ),
            "known_words": draws.over(drawn, self._known_words),
        }
        if features.installed():
            result["two_sample_auc"] = self._two_sample.of(drawn)
        return result

    def beside(self) -> list[Row]:
        """Rows of the data, and of nonsense."""
        return self.rows.beside(self.rows.nonsense(self.samplers), self.of)

    def fillings(self, rows: Rows, hidden: Gaps) -> dict[str, Figure]:
        """The Brier scores of what nonsense fills into gaps of rows (N, L)."""
        stream, result = self.rows.train.ravel(), {}
        source = self.rows.train.reshape(-1, rows.shape[1])
        for i, (name, make) in enumerate(self.samplers.items()):
            rng = np.random.default_rng((self.rows.seed, i, 1))

            def fill(name: str, make: Nonsense, rng: np.random.Generator) -> Rows:
                if name.startswith("counts"):
                    return text_nonsense.filled(rows, hidden, stream, rng)
                chosen = source[rng.integers(len(source), size=len(rows))]
                return np.where(hidden, make(chosen, rng), rows)

            first, second = (fill(name, make, rng) for _ in range(2))
            result[name] = Figure(*brier.of_rows(rows, first, second, hidden).mean())
        return result

    @functools.cached_property
    def known(self) -> str:
        """The training text of the share of known words."""
        return "".join(self.facts.pieces(np.append(self.fitted, self.rows.train.ravel())))

    def _known_words(self, rows: Rows) -> float:
        return spelling.share_of_known_words([self.facts.decode(x) for x in rows], self.known)[0]

    @functools.cached_property
    def _two_sample(self) -> TwoSample:
        return TwoSample(self.rows.real, self._features, self.rows.seed)

    def _features(self, rows: Rows) -> Float[np.ndarray, "N F"]:
        return text_features.of(rows, self.fitted, self.facts.num_classes)


def gaps(facts: TextFacts, rows: Rows, seed: int) -> Gaps:
    """A gap of `brier.GAP` tokens in each row, or of as many as a quarter of it."""
    inside = facts.inside(rows)
    size = min(brier.GAP, max(brier.GRAM, rows.shape[1] // 4))
    return filling.gaps(inside, size, seed)
