"""The baselines of a table: laws with exact bits, fitted to its training rows."""

import functools

import numpy as np
from jaxtyping import Integer

from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.tables import chow_liu, independent, mixture
from amd_jax.evaluation.tables.laws import Law
from amd_jax.types import Dataset

FITTED = 200_000  # training rows that baselines are fitted to, at most
COMPONENTS, SECONDS = (30, 100, 300), 60.0  # of the mixture
MEASURED = 20_000  # rows that something is measured by, at most


@functools.lru_cache(maxsize=1)
def fitted(data: Dataset, sizes: tuple[int, ...]) -> dict[str, Law]:
    """Laws fitted to the training rows, by name; kept, since a comparison reads them often."""
    train = subset(data.rows("train"), FITTED)
    if "validation" in data.splits:
        kept, others = train, data.rows("validation")[:MEASURED]
    else:
        parts = np.arange(len(train)) % 20 > 0
        kept, others = train[parts], train[~parts]
    components = tuple(number for number in COMPONENTS if number <= len(kept)) or 1
    return {
        "independent fields": independent.fit(train, sizes),
        "Chow-Liu tree": chow_liu.fit(train, sizes),
        "mixture of products": mixture.fit(
            kept, sizes, components=components, seconds=SECONDS, validation=others
        ),
    }


def subset(rows: Rows, number: int = MEASURED) -> Integer[np.ndarray, "M *event"]:
    """`number` of the rows at random, in their order; all of them if there are fewer."""
    if len(rows) <= number:
        return rows
    rng = np.random.default_rng(0)
    return rows[np.sort(rng.choice(len(rows), number, replace=False))]
