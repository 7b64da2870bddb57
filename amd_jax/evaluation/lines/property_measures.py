"""Properties of drawn lines beside those of training lines: means, and distances of their laws."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation import means
from amd_jax.evaluation.lines import line_measures, validity
from amd_jax.evaluation.lines.line_measures import Figure
from amd_jax.evaluation.means import Rows
from amd_jax.facts import LineFacts, line_properties

MOST = 2000  # lines whose properties are computed
NAMES = {
    f"{name}_{end}": f"{one.title}, {what}"
    for name, one in line_properties.PROPERTIES.items()
    for end, what in (("mean", "mean"), ("distance", "Wasserstein distance"))
}

Values = Mapping[str, Float[np.ndarray, "_"]]  # of each property by its name


class Measured(NamedTuple):
    """What is measured of one property."""

    mean: Figure
    distance: Figure  # from training lines


def values(facts: LineFacts, x: Rows) -> Values:
    """The properties of the first rows x (N, ...), of lines that are valid and have them."""
    lines = [*facts.lines(x[:MOST])]
    fits = validity.of(lines, facts.validity)
    names = line_properties.of_rule(facts.validity)
    valid = [line for line, is_valid in zip(lines, fits, strict=True) if is_valid]
    columns = line_properties.values(valid, names).T
    return {name: v[~np.isnan(v)] for name, v in zip(names, columns, strict=True)}


def measured(drawn: Values, train: Values) -> dict[str, Measured]:
    """Each property by its name that some of the drawn and of the training lines have."""
    return {
        name: Measured(means.of(v, independent=True), line_measures.wasserstein(v, train[name]))
        for name, v in drawn.items()
        if len(v) and len(train[name])
    }
