"""Reports on a model of text: samples and corrected text, in lines."""

import dataclasses
from pathlib import Path

import numpy as np

from amd_jax.evaluation import count_models, diversity, filling, gallery, spelling
from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.means import PerRow, Row, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.evaluation.reports import beside_counts
from amd_jax.evaluation.reports.plain_report import Marks, PlainReport, content, write_edit
from amd_jax.facts import TextFacts
from amd_jax.types import Dataset, Model, Params

COUNT_LIMIT = 20_000_000  # characters of training text up to which count models are fitted
ORDERS = (0, 3, 6)
HIGHEST = max(ORDERS)
WORDS_LIMIT = 100_000_000
CHANGED, KEPT = "^", "?"  # under a character


@dataclasses.dataclass(frozen=True)
class TextReport(PlainReport):
    """The report on data whose rows are read and written as text."""

    facts: TextFacts

    def yardsticks(
        self, data: Dataset, split: str, number: int | None, bits: PerRow | None = None
    ) -> tuple[str, list[Measurement]]:
        """Count models of orders 0, 3 and 6 on the same rows, which see across row ends."""
        if self.facts.padding is not None:
            return "", []
        train = _stream(data)
        if len(train) > COUNT_LIMIT:
            size = f"training text of {len(train):,} is over {COUNT_LIMIT:,}"
            return f"count models: not run ({size})", []
        rows = data.rows(split)[:number]
        lines, figures = beside_counts.of_stream(train, rows, self.facts, ORDERS, bits, split)
        return "\n".join(["count models of the same text:", *lines]), figures

    def counted(self, data: Dataset, rows: Rows, hidden: filling.Gaps) -> PerRow | None:
        """Bits of the hidden tokens by the count model, given what is left of them."""
        train = _stream(data)
        if not self._countable(train):
            return None
        return filling.bits_by_counts(train, rows, hidden, self.facts.num_classes, HIGHEST)

    def measures(
        self, drawn: Rows, data: Dataset, *, independent: bool = True
    ) -> dict[str, tuple[float, float | None]]:
        """The share of known words, of distinct pieces, and bits under the count model.

        Samples are better with more known words, as long as the others stay near the text's own.
        """
        train = _stream(data)
        result = {
            "known_words": self._known_words(drawn, train, independent),
            "distinct_4grams": (diversity.share_of_distinct(drawn), None),
        }
        if self._countable(train):
            bits = count_models.bits_of_rows(train, drawn, self.facts.num_classes, HIGHEST)
            result["count_model_bits"] = bits.mean(independent=independent)
        return result

    def compared(
        self, drawn: Rows, stem: Path | None, model: Model, params: Params, data: Dataset
    ) -> tuple[list[str], list[Measurement]]:
        """The share of the samples' words that occur in the training text."""
        train = _stream(data)
        if len(train) > WORDS_LIMIT:
            return [], []
        share, _ = self._known_words(drawn, train)
        return [f"words of the samples that occur in the training text: {share:.0%}"], []

    def _countable(self, train: Stream) -> bool:
        """Whether count models are fitted to a training text."""
        return len(train) <= COUNT_LIMIT and self.facts.padding is None

    def _known_words(
        self, drawn: Rows, train: Stream, independent: bool = True
    ) -> tuple[float, float]:
        """The share of the rows' words that occur in the training text, and its error."""
        texts, known = [self.facts.decode(x) for x in drawn], "".join(self.facts.pieces(train))
        return spelling.share_of_known_words(texts, known, independent=independent)

    def corrected(
        self,
        before: Rows,
        after: Rows,
        rows: Rows | None,
        stem: Path | None,
        done: str = "corrected",
    ) -> list[str]:
        """The first of some texts, the changed places marked."""
        return [
            *self.corrected_text(self.facts.decode(before[0]), before[0], after[0], done),
            *write_edit(before, after, rows, stem, done),
        ]

    def filled(
        self,
        x: Row,
        known: Marks,
        wanted: Marks,
        drawn: Rows,
        captions: list[str],
        stem: Path | None,
    ) -> list[str]:
        """Texts with their gaps filled, each under its caption; without what was not given."""
        given, lines = known | wanted, []
        signs = "".join(np.where(wanted, CHANGED, " ")[given])
        for row, line in zip(drawn, captions, strict=True):
            shown = gallery.aligned(self.facts.pieces(row[given]), signs)
            lines += [line, gallery.wrapped(*shown)]
        return lines

    def tokens(self, text: str) -> Stream:
        """A text as tokens, the commonest for what has none; ValueError if empty."""
        if not text:
            raise ValueError("The text must not be empty. Give a sentence with a spelling error.")
        common = int(np.argmax(self.facts.frequencies)) if self.facts.frequencies else 0
        return self.facts.encode(text.replace("\r\n", "\n"), unknown=common)

    def corrected_text(
        self, text: str, before: Stream, after: Stream, done: str = "corrected"
    ) -> list[str]:
        """A text, its tokens and those of an edit, with the changed places marked.

        A character that has no token stays as it is, and is marked as well.
        """
        text = text.replace("\r\n", "\n")
        pieces, foreign = self.facts.pieces(after), set()
        if self.facts.alphabet is not None and len(text) == len(pieces):
            foreign = {i for i, known in enumerate(self.facts.known(text)) if not known}
        signs = np.where(before != after, CHANGED, " ").tolist()
        for i in foreign:
            pieces[i], signs[i] = text[i], KEPT
        shown = gallery.wrapped(*gallery.aligned(pieces, "".join(signs)))
        lines = [
            f"given:\n{gallery.wrapped(text)}",
            f"{done} ({signs.count(CHANGED)} changed):\n{shown}",
        ]
        if foreign:
            lines.append(f"{KEPT} marks what the alphabet lacks, and is kept: {len(foreign)}")
        return lines


def _stream(data: Dataset) -> Stream:
    """The training text in one piece."""
    return np.ravel(content(data, "train"))
