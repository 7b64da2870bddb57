"""Scores of samples of texts."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation import filling, spelling
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.filling import Gaps
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import brier, reverse_bits, text_features, text_nonsense
from amd_jax.evaluation.samples.data_scores import Scores, Trial
from amd_jax.evaluation.samples.draws import Draws, Figure
from amd_jax.evaluation.samples.real_rows import Nonsense
from amd_jax.evaluation.samples.score_table import Column, Row
from amd_jax.facts import TextFacts
from amd_jax.ops import integers

FITTED = 300_000  # training tokens that counts of the two-sample test are fitted to, at most
GAPS = 64  # rows with a gap, at most
COLUMNS = {
    "reverse_bits": Column(f"reverse bits (order {reverse_bits.ORDER})"),
    "two_sample_auc": Column("two-sample AUC"),
    "brier": Column(f"Brier of {brier.GRAM}-grams", higher=True),
    "known_words": Column("known words", higher=True, form=".1%", safe=False),
}


@dataclasses.dataclass(frozen=True, eq=False)
class TextScores(Scores):
    """What samples of texts are scored against, all from the data."""

    facts: TextFacts

    columns = COLUMNS
    in_order = True

    @property
    def samplers(self) -> dict[str, Nonsense]:
        """Nonsense by name; of words, where whitespace ends them."""
        signs = self.facts.alphabet or [chr(k) for k in range(128)]
        return text_nonsense.samplers([k for k, sign in enumerate(signs) if sign.isspace()])

    @property
    def measures(self) -> dict[str, Callable[[Rows], float]]:
        """Reverse bits, and the share of known words, of draws (N, L)."""
        k = self.facts.num_classes
        return {
            "reverse_bits": lambda rows: reverse_bits.of(rows, self.test, k),
            "known_words": self._known_words,
        }

    def features(self, rows: Rows) -> Float[np.ndarray, "N F"]:
        """`text_features`, by counts of training text that is not compared."""
        return text_features.of(rows, self.fitted, self.facts.num_classes)

    @functools.cached_property
    def fitted(self) -> Stream:
        """The text that counts of the two-sample test are fitted to, `FITTED` tokens at most."""
        return self.rows.fitted.ravel()[:FITTED]

    def of(self, drawn: Draws) -> dict[str, Figure]:
        """The scores of samples (R, N, L). ValueError for codes that stand for no class."""
        if (drawn == integers.UNUSED).any():
            raise ValueError(
                f"Samples are scored that are tokens; of these {(drawn < 0).mean():.2%} are codes "
                "of no class. Draw them anew: --redraws=20."
            )
        return super().of(drawn)

    @functools.cached_property
    def trial(self) -> Trial:
        """A gap in each of the first test rows."""
        rows = np.asarray(self.test[:GAPS], np.int32)
        return Trial(rows, gaps(self.facts, rows, self.rows.seed))

    def beside(self, filled: bool = False) -> list[Row]:
        """As `Scores.beside`: the Brier score of each nonsense that fills gaps."""
        if not filled:
            return super().beside()
        return [row.having("brier", self._briers.get(row.label)) for row in super().beside()]

    @functools.cached_property
    def _briers(self) -> dict[str, Figure]:
        return self.fillings(*self.trial)

    def fillings(self, rows: Rows, hidden: Gaps) -> dict[str, Figure]:
        """The Brier scores of what nonsense fills into gaps of rows (N, L)."""
        result = {}
        for i, (name, make) in enumerate(self.samplers.items()):
            rng = np.random.default_rng((self.rows.seed, i, 1))
            first, second = (self._filled(name, make, rows, hidden, rng) for _ in range(2))
            result[name] = Figure(*brier.of_rows(rows, first, second, hidden).mean())
        return result

    def _filled(
        self, name: str, make: Nonsense, rows: Rows, hidden: Gaps, rng: np.random.Generator
    ) -> Rows:
        """Rows whose gaps are filled by nonsense; by counts, given what is left of them."""
        source = self.rows.train.reshape(-1, rows.shape[1])
        if name.startswith("counts"):
            return text_nonsense.filled(rows, hidden, source.ravel(), rng)
        chosen = source[rng.integers(len(source), size=len(rows))]
        return np.where(hidden, make(chosen, rng), rows)

    @functools.cached_property
    def known_text(self) -> str:
        """The training text of the share of known words."""
        return "".join(self.facts.pieces(np.append(self.fitted, self.rows.train.ravel())))

    def _known_words(self, rows: Rows) -> float:
        return spelling.share_of_known_words(
            [self.facts.decode(x) for x in rows], self.known_text
        )[0]


def gaps(facts: TextFacts, rows: Rows, seed: int) -> Gaps:
    """A gap of `brier.GAP` tokens in each row, or of as many as a quarter of their mean length."""
    inside = facts.inside(rows)
    size = min(brier.GAP, max(brier.GRAM, int(inside.sum(axis=1).mean()) // 4))
    return filling.gaps(inside, size, seed)
