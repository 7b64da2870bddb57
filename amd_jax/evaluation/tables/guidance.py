"""Rows of a table guided towards values of some columns, and how near their law is to the target.

The target is p(rest) p(values | rest)^γ / Z: guidance of strength γ, with exact weights.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Int32

from amd_jax.diffusion import kernels
from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation.tables import conditional
from amd_jax.evaluation.tables.conditional import Rows
from amd_jax.facts.table import TableFacts
from amd_jax.facts.table_conditions import Ranges
from amd_jax.host.printable import in_one_line
from amd_jax.models import Diffusion
from amd_jax.types import Key, Model, Nats, Params, Tokens


class GuidedRows(NamedTuple):
    """Rows, and how much their weights vary."""

    rows: Rows
    effective: float  # the smallest effective number of particles of a row, on average
    off: float  # at most so far from the target, in total variation; NaN of one row alone


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

    How far their law may be from the target follows from the spread of the normalisers Ẑ of the
    rows: E|Ẑ / Z - 1| / 2 is the total variation between the particles as they are drawn and as
    they should be, of which what is picked cannot make more.

    Args:
        model: a masked diffusion.
        params: its parameters.
        facts: of the table.
        conditions: column -> one code, as `table_conditions.parse` reads it.
        number: of rows.
        sampler: the strength of guidance, and how many particles a row has.
        seed: of all draws.

    Raises:
        ValueError: for a condition that allows several values.
    """
    known = values(facts, conditions)
    draw = _draw(conditional.check(model), sampler)
    size = min(max(1, conditional.BLOCK // sampler.particles), number)
    given, rng = jnp.tile(jnp.asarray(known), (size, 1)), jax.random.key(seed)
    parts = [
        jax.tree.map(np.asarray, draw(params, jax.random.fold_in(rng, start), given))
        for start in range(0, number, size)
    ]
    rows, fewest, log_z = (np.concatenate(part)[:number] for part in zip(*parts, strict=True))
    z = np.exp(np.float64(log_z) - log_z.max())
    off = float(abs(z / z.mean() - 1).mean() / 2) if number > 1 else float("nan")
    return GuidedRows(rows, float(fewest.mean()), off)


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


@functools.lru_cache(maxsize=16)
def _draw(model: Diffusion, sampler: Guided) -> Callable[..., tuple[Tokens, Nats, Nats]]:
    """Rows, their effective number of particles, and their log-normalisers; compiled once."""

    @jax.jit
    def draw(params: Params, rng: Key, given: Tokens) -> tuple[Tokens, Nats, Nats]:
        rng_noise, rng_walk, rng_choice = jax.random.split(rng, 3)
        process = model.open(params).holding(given)
        noise = kernels.draw_prior(process.kernel, rng_noise, given.shape)
        result = sampler.weighted(process, rng_walk, process.held(noise, given).astype(jnp.int32))
        return result.drawn(rng_choice), result.fewest, result.log_normalizer

    return draw
