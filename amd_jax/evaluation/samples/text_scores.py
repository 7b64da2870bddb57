"""Scores of samples of texts, beside those of the data and of nonsense."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Integer

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
    two_sample,
)
from amd_jax.evaluation.samples.draws import Draws, Figure
from amd_jax.evaluation.samples.score_table import Column, Row
from amd_jax.evaluation.samples.text_nonsense import Nonsense
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
    """What samples of texts are scored against: real rows that no score has seen twice.

    Of the training text the first half, `FITTED` tokens at most, is what the counts of the
    two-sample test are fitted to; from the rest come `real`, which samples are to be told from,
    and `train`, other rows in their place. Nonsense is made from `train`.
    """

    facts: TextFacts
    fitted: Stream
    real: Draws  # (R, N, L)
    train: Draws  # (R, N, L)
    held_out: Draws | None  # (R, N, L)
    test: count_models.Test  # (M, L), to score reverse bits on
    seed: int = 0

    columns = COLUMNS

    @classmethod
    def of_data(
        cls,
        facts: TextFacts,
        train: Integer[np.ndarray, "N L"],
        test: count_models.Test,
        held_out: Integer[np.ndarray, "V L"] | None,
        *,
        number: int,
        repeats: int,
        seed: int = 0,
    ) -> "TextScores":
        """For `number` samples in `repeats` draws. ValueError for too few rows of any kind.

        `held_out` rows are none of the test rows; where there are too few, they are left out.
        """
        draws.check(number, repeats)
        if facts.padding is not None:
            raise ValueError(
                "--what=samples is for texts whose rows are full; these are padded. Leave it out."
            )
        number -= number % repeats
        half, rng = len(train) // 2, np.random.default_rng(seed)
        rest = train[half:]
        if len(rest) < 2 * number:
            raise ValueError(
                f"{number} samples are compared with {2 * number} rows of the second half of the "
                f"training text, which has {len(rest)}. Draw {len(rest) // 2} or fewer."
            )
        places = rng.permutation(len(rest))[: 2 * number]
        real, own = (rest[part] for part in np.split(places, 2))
        others = None
        if held_out is not None and len(held_out) >= number:
            chosen = rng.permutation(len(held_out))[:number]
            others = draws.divided(held_out[chosen], repeats)
        fitted = train[:half].ravel()[:FITTED]
        real, own = (draws.divided(x, repeats) for x in (real, own))
        return cls(facts, fitted, real, own, others, test, seed)

    @property
    def separators(self) -> Sequence[int]:
        """The tokens that end a word."""
        signs = self.facts.alphabet or [chr(k) for k in range(128)]
        return [k for k, sign in enumerate(signs) if sign.isspace()]

    @functools.cached_property
    def nonsense(self) -> dict[str, Draws]:
        """Nonsense made from `train`, draw by draw."""
        result = {}
        for i, (name, make) in enumerate(text_nonsense.samplers(self.separators).items()):
            rng = np.random.default_rng((self.seed, i))
            result[name] = np.stack([make(rows, rng) for rows in self.train])
        return result

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
            pairs = zip(self._real_features, self._features(drawn), strict=True)
            result["two_sample_auc"] = draws.of(
                [two_sample.auc(a, b, self.seed) for a, b in pairs]
            )
        return result

    def beside(self) -> list[Row]:
        """Rows of the data, and of nonsense."""
        data = {"training text": self.train}
        if self.held_out is not None:
            data["held-out text"] = self.held_out
        rows = [Row(name, "data", self.of(x)) for name, x in data.items()]
        return rows + [Row(name, "nonsense", self.of(x)) for name, x in self.nonsense.items()]

    def fillings(self, rows: Rows, hidden: Gaps) -> dict[str, Figure]:
        """The Brier scores of what nonsense fills into gaps of rows (N, L)."""
        stream, result = self.train.ravel(), {}
        source = self.train.reshape(-1, self.train.shape[-1])
        for i, (name, make) in enumerate(text_nonsense.samplers(self.separators).items()):
            rng = np.random.default_rng((self.seed, i, 1))

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
        return "".join(self.facts.pieces(np.append(self.fitted, self.train.ravel())))

    def _known_words(self, rows: Rows) -> float:
        return spelling.share_of_known_words([self.facts.decode(x) for x in rows], self.known)[0]

    @functools.cached_property
    def _real_features(self) -> Float[np.ndarray, "R N F"]:
        return self._features(self.real)

    def _features(self, drawn: Draws) -> Float[np.ndarray, "R N F"]:
        flat = drawn.reshape(-1, drawn.shape[-1])
        result = text_features.of(flat, self.fitted, self.facts.num_classes)
        return result.reshape(*drawn.shape[:2], -1)


def gaps(facts: TextFacts, rows: Rows, seed: int) -> Gaps:
    """A gap of `brier.GAP` tokens in each row, or of as many as a quarter of it."""
    inside = facts.inside(rows)
    size = min(brier.GAP, max(brier.GRAM, rows.shape[1] // 4))
    return filling.gaps(inside, size, seed)
