"""What samples of a kind of data are scored by."""

from typing import Protocol

import numpy as np

from amd_jax.evaluation.reports.plain_report import held_out
from amd_jax.evaluation.samples.draws import Draws, Figure
from amd_jax.evaluation.samples.real_rows import RealRows
from amd_jax.evaluation.samples.score_table import Columns, Row
from amd_jax.evaluation.samples.text_scores import TextScores
from amd_jax.facts import Facts, LineFacts, TextFacts
from amd_jax.types import Dataset


class Scores(Protocol):
    """Scores of samples, and the rows that stand beside them.

    To add a kind of data: a class with these members, and a line in `of`.
    """

    @property
    def columns(self) -> Columns:
        """The scores by their names."""

    @property
    def test(self) -> np.ndarray:
        """Rows that samples are scored on: (M, *event)."""

    def of(self, drawn: Draws) -> dict[str, Figure]:
        """The scores of samples (R, N, *event)."""

    def beside(self) -> list[Row]:
        """Rows of the data, and of nonsense."""


def check(facts: Facts) -> None:
    """ValueError for a kind of data whose samples have no scores."""
    if not isinstance(facts, TextFacts) or isinstance(facts, LineFacts):
        raise ValueError(
            f"--what=samples scores samples of texts; this experiment has {facts.rows}. "
            "--mode=sample --compare compares them with the data."
        )


def of(
    data: Dataset,
    split: str | None = None,
    *,
    number: int,
    repeats: int,
    num_texts: int | None = None,
    seed: int = 0,
) -> Scores:
    """What `number` samples in `repeats` draws are scored by; ValueError for too few of anything.

    Samples are scored on a split, test rows unless given, or its first `num_texts` rows. Held-out
    rows beside them are those of validation, or else the first half of the split.
    """
    facts = data.facts
    check(facts)
    assert isinstance(facts, TextFacts)
    split = split or held_out(data)
    test, others = np.asarray(data.rows(split)), None
    if "validation" in data.splits and split != "validation":
        others = np.asarray(data.rows("validation"))
    elif split != "train":
        others, test = test[: len(test) // 2], test[len(test) // 2 :]
    train = np.asarray(data.rows("train"))
    rows = RealRows.of(
        train, test[:num_texts], others, number=number, repeats=repeats, name="text", seed=seed
    )
    return TextScores(facts, rows)
