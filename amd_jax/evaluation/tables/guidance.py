"""Rows of a table guided towards values of some columns, and how near their law is to the target.

The target is p(rest) p(values | rest)^γ / Z: guidance of strength γ, with exact weights.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Int32

from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation import guided_rows
from amd_jax.evaluation.guided_rows import GuidedRows
from amd_jax.evaluation.tables import conditional
from amd_jax.facts.table import TableFacts
from amd_jax.facts.table_conditions import Ranges
from amd_jax.host.printable import in_one_line
from amd_jax.types import Model, Params


def draws(
    model: Model,
    params: Params,
    facts: TableFacts,
    conditions: Mapping[str, Ranges],
    number: int,
    sampler: Guided,
    seed: int = 0,
) -> GuidedRows:
    """`number` rows that hold the values of the conditions, by guidance towards them.

    Args:
        model: a masked diffusion.
        params: its parameters.
        facts: of the table.
        conditions: column -> one code, as `table_conditions.parse` reads it.
        number: of rows.
        sampler: the strength of guidance, and how many particles a row has.
        seed: of all draws.

    Raises:
        ValueError: for a condition that allows several values, or a reward that is no law.
    """
    known = values(facts, conditions)
    return guided_rows.towards(conditional.check(model), params, known, number, sampler, seed)


def values(facts: TableFacts, conditions: Mapping[str, Ranges]) -> Int32[np.ndarray, "L"]:
    """The tokens of the conditions, -1 for other columns. ValueError for a condition on a set."""
    result = np.full(len(facts.sizes), -1, np.int32)
    for name, ranges in conditions.items():
        codes = np.unique(ranges)
        if len(codes) != 1:
            raise ValueError(
                f"Guidance is towards one value of a column; the condition on {in_one_line(name)} "
                "allows several. Give one, or leave guidance out."
            )
        result[facts.places[facts.place(name)]] = facts.column(name).digits(codes)[0]
    return result
