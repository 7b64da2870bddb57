"""The scores of each kind of data."""

import numpy as np

from amd_jax.evaluation.reports.plain_report import held_out
from amd_jax.evaluation.samples.data_scores import Scores
from amd_jax.evaluation.samples.line_scores import LineScores
from amd_jax.evaluation.samples.map_scores import MapScores
from amd_jax.evaluation.samples.real_rows import RealRows
from amd_jax.evaluation.samples.text_scores import TextScores
from amd_jax.facts import Facts, LineFacts, MapFacts, TextFacts
from amd_jax.types import Dataset

# By the facts: those of a subclass first.
SCORED: dict[type[Facts], type[Scores]] = {
    LineFacts: LineScores,
    TextFacts: TextScores,
    MapFacts: MapScores,
}


def check(facts: Facts) -> None:
    """ValueError for a kind of data whose samples have no scores."""
    if not isinstance(facts, tuple(SCORED)):
        raise ValueError(
            "--what=samples scores samples of texts, lines and maps; this experiment has "
            f"{facts.rows}. --mode=sample --compare compares them with the data."
        )
    if type(facts) is TextFacts and facts.padding is not None:
        raise ValueError(
            "--what=samples is for texts whose rows are full; these are padded. Leave it out."
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
    split = split or held_out(data)
    test, others = np.asarray(data.rows(split)), None
    if "validation" in data.splits and split != "validation":
        others = np.asarray(data.rows("validation"))
    elif split != "train":
        others, test = test[: len(test) // 2], test[len(test) // 2 :]
    kind = next(kind for known, kind in SCORED.items() if isinstance(facts, known))
    train = np.asarray(data.rows("train"))
    if not kind.in_order:
        train = np.random.default_rng(seed).permutation(train)
    rows = RealRows.of(
        train,
        test[:num_texts],
        others,
        number=number,
        repeats=repeats,
        name=facts.rows,
        seed=seed,
    )
    return kind(facts, rows)
