"""What a run says of a trained text model: samples, corrected text. All return lines."""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np

from amd_jax.evaluation import count_models, gallery, infill, spelling
from amd_jax.models import Diffusion
from amd_jax.types import Model, Params

COUNT_LIMIT = 20_000_000  # characters of training text up to which count models are fitted
WORDS_LIMIT = 100_000_000


@dataclasses.dataclass(frozen=True)
class TextReport:
    """The report (`report.Report`) on data whose rows are read and written as text."""

    data: Any
    rows: str = "texts"
    num_samples: int = 4

    def yardsticks(self, *, split: str, num_texts: int | None) -> str:
        """Count models of orders 0, 3 and 6 on the same rows, which see across row ends."""
        data, train = self.data, self.data.stream("train")
        if len(train) > COUNT_LIMIT:
            return (
                f"count models: not run (training text of {len(train):,} is over {COUNT_LIMIT:,})"
            )
        rows = data.rows(split)[:num_texts]
        found = []
        for order in (0, 3, 6):
            mean, error = count_models.bits_per_char(train, rows, data.num_classes, order)
            found.append(f"  order {order}: {mean:.3f} ± {error:.3f} bits/{data.unit}")
        return "\n".join(["count models of the same text:", *found])

    def samples(
        self, model: Model, params: Params, workdir: Path, *, num_samples: int, seed: int
    ) -> str:
        """Samples, and the share of their words that occur in the training text.

        Codes of a flow that stand for no class show as \ufffd, and their share is told.
        """
        shape = (num_samples, *self.data.event_shape)
        drawn = gallery.samples(model, params, jax.random.key(seed), shape)
        texts = [gallery.text(x, self.data.decode) for x in drawn]
        train = self.data.stream("train")
        lines = [f"sample {i + 1}:\n{gallery.wrapped(text)}" for i, text in enumerate(texts)]
        lines += gallery.unused(drawn, "\ufffd")
        if len(train) <= WORDS_LIMIT:
            share = spelling.share_of_known_words(texts, self.data.decode(train))
            lines.append(f"words of the samples that occur in the training text: {share:.0%}")
        return "\n".join(lines)

    def chain(self, model: Diffusion, params: Params, workdir: Path, *, seed: int) -> str:
        """One sample on its way from noise to text."""
        shape = (1, *self.data.event_shape)
        frames = gallery.chain(model, params, jax.random.key(seed), shape)
        return "\n".join(
            f"t = {t:.2f}\n{gallery.wrapped(self.data.decode(x[0]))}" for t, x in frames
        )

    def tokens(self, text: str) -> np.ndarray:
        """A text as tokens, int32 (L,); ValueError if it is empty or leaves the alphabet."""
        x = self.data.encode(text).astype(np.int32)
        if not len(x):
            raise ValueError("--text must not be empty. Give a sentence with a spelling error.")
        return x

    def correction(self, model: Diffusion, params: Params, *, text: str, error_rate: float) -> str:
        """A text with its probable errors corrected, the changed places marked."""
        x = self.tokens(text)
        fixed = infill.correct_text(model, params, x, *self.data.event_shape, error_rate)
        return self._corrected(x, fixed)

    def restored(self, trial: infill.Trial, rows: np.ndarray, workdir: Path) -> str:
        """The first text of a trial, the changed places marked."""
        return self._corrected(trial.damaged[0], trial.restored[0])

    def _corrected(self, before: np.ndarray, after: np.ndarray) -> str:
        """Two texts (L,), the changes marked in the second."""
        return (
            f"given:\n{gallery.wrapped(self.data.decode(before))}\n"
            f"corrected ({(before != after).sum()} changed):\n"
            f"{gallery.marked(before, after, self.data.decode)}"
        )
