"""What a masked diffusion knows of the cells of a row, given others: laws, fillings, bits, draws.

One network answers all of it, since it has learnt to reveal columns in any order. The law of one
cell given some others is one call of it; the law of several follows by the chain rule.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Integer

from amd_jax.diffusion import kernels
from amd_jax.diffusion.samplers import mask_times, unmasking
from amd_jax.evaluation import likelihood
from amd_jax.evaluation.means import PerRow
from amd_jax.facts.column import Column
from amd_jax.facts.table import TableFacts
from amd_jax.facts.table_conditions import Ranges, next_digits
from amd_jax.models import Diffusion, bounds
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops.columns import Columns
from amd_jax.types import Bound, Logits, Model, Params, Tokens

ORDERS: Bound = CodeLength(order="random", orders=8)  # type: ignore[assignment]  # of a Stepwise
BLOCK = 1024  # rows that are computed together
ROUNDS = 1000  # of draws that a condition may refuse

Rows = Integer[np.ndarray, "N L"]  # tokens; -1 where a cell is unknown


def admits(model: Model) -> bool:
    """Whether a model is a masked diffusion."""
    return isinstance(model, Diffusion) and kernels.is_masking(kernels.plain(model.kernel))


def check(model: Model) -> Diffusion:
    """The model, if it is a masked diffusion; else ValueError."""
    if not admits(model):
        raise ValueError(
            "Conditions, fillings and the bits of single cells are for masked diffusion, which "
            f"knows every conditional; this is a {type(model).__name__} of another kind. Train "
            "own_table."
        )
    assert isinstance(model, Diffusion)
    return model


def with_values(model: Model, facts: TableFacts) -> Diffusion:
    """The same model, given that no cell is missing: every cell that it draws gets a value."""
    limits = tuple(facts.columns[owner].num_values for owner in facts.owners)
    return _limited(check(model), dataclasses.replace(Columns.of(facts), limits=limits))


@functools.lru_cache(maxsize=16)
def _limited(model: Diffusion, columns: Columns) -> Diffusion:
    return dataclasses.replace(model, support=columns)


def row_bits(
    model: Model,
    params: Params,
    facts: TableFacts,
    x: Rows,
    bound: Bound | None = None,
    seed: int = 0,
) -> tuple[Bound, PerRow]:
    """Bits of every row (N, L), and the bound that gave them.

    Unless one is given, of a masked diffusion the likelihood of a random order, by 8 of them; of
    others the first bound that they have.
    """
    if bound is None:
        bound = ORDERS if admits(model) else bounds.of(model)[0]
    rng = jax.random.key(seed)
    return bound, likelihood.bits(bound, model, params, rng, x, facts).per_row


def laws(model: Model, params: Params, x: Rows) -> Float[np.ndarray, "N L K"]:
    """log p of every token of every field, given the others of its row that are known.

    Of a known field, given the other known ones and itself: its own token for certain.
    """
    network = _network(check(model))
    return _in_blocks(lambda part: np.asarray(network(params, part)), x)


def likeliest(
    column: Column, log_p: Float[np.ndarray, "K"], number: int
) -> list[tuple[str, str, float]]:
    """The likeliest values of a cell by the law of its first field: first, last, probability.

    Of a column of one field the first value is the last, too; of several they are ranges.
    """
    law, weight = np.exp(log_p[: column.bases[0]]), column.weights[0]
    result = []
    for token in np.argsort(-law, kind="stable")[:number].tolist():
        first, last = token * weight, min((token + 1) * weight, column.size) - 1
        result.append((column.text(first), column.text(last), float(law[token])))
    return result


def cell_bits(
    model: Model, params: Params, facts: TableFacts, x: Rows
) -> Float[np.ndarray, "N C"]:
    """Bits of every cell, given all others of its row: how unlikely it is there.

    Digit by digit in columns of several fields. A cell of a column of one value has 0 bits.
    """
    network = _network(check(model))

    def of_rows(part: Rows) -> Float[np.ndarray, "N C"]:
        result = np.zeros((len(part), len(facts.columns)))
        for c, place in enumerate(facts.places):
            for field in range(place.start, place.stop):
                hidden = part.copy()
                hidden[:, field : place.stop] = -1
                log_p = network(params, hidden)[:, field]
                own = jnp.take_along_axis(log_p, jnp.asarray(part[:, field, None]), axis=1)
                result[:, c] -= np.asarray(own[:, 0], np.float64) / np.log(2)
        return result

    return _in_blocks(of_rows, x)


def filled(model: Model, params: Params, x: Rows, seed: int = 0) -> Rows:
    """Rows with the unknown tokens drawn given the others, each row by one draw: int32."""
    draw = _filling(check(model))

    def of_rows(part: Rows, start: int) -> Rows:
        rng = jax.random.fold_in(jax.random.key(seed), start)
        return np.asarray(draw(params, rng, np.where(part < 0, 0, part), part >= 0))

    x = np.asarray(x, np.int32)
    return np.concatenate([of_rows(p, i) for i, p in _blocks(x)])[: len(x)]


def draws(
    model: Model,
    params: Params,
    facts: TableFacts,
    conditions: Mapping[str, Ranges],
    number: int,
    seed: int = 0,
    where: Callable[[Rows], Bool[np.ndarray, "N"]] | None = None,
) -> tuple[Rows, int]:
    """`number` rows that meet conditions, and how many draws it took.

    The columns with a condition are drawn first, of the codes that it allows; each draw is kept
    with the probability that its second, third, ... condition had, so that what is kept has the
    exact law of the model given all of them. The rest of the row follows. `where` is a further
    condition on whole rows, by refusal alone.

    Args:
        model: a masked diffusion.
        params: its parameters.
        facts: of the table.
        conditions: column -> allowed codes, as `table_conditions.parse` reads them.
        number: of rows.
        seed: of all draws.
        where: rows (N, L) -> which of them to keep.

    Raises:
        ValueError: if hardly any draw meets the conditions.
    """
    network, rng = _network(check(model)), np.random.default_rng(seed)
    kept, tried = [np.zeros((0, len(facts.sizes)), np.int32)], 0
    while tried < ROUNDS * BLOCK and sum(map(len, kept)) < number:
        rows = _begun(network, params, facts, conditions, rng)
        if len(rows):
            rows = filled(model, params, rows, seed + len(kept))
            kept.append(rows[where(rows)] if where else rows)
        tried += BLOCK
    if sum(map(len, kept)) >= number:
        return np.concatenate(kept)[:number], tried
    raise _too_few(sum(map(len, kept)), tried, number, conditions)


def _too_few(met: int, tried: int, number: int, conditions: Iterable[str]) -> ValueError:
    return ValueError(
        f"Conditions must be met by some rows; {met:,} of {tried:,} draws meet them, and "
        f"{number:,} are asked for. Loosen one of {', '.join(conditions) or 'them'}."
    )


def _begun(
    network: Callable[..., Logits],
    params: Params,
    facts: TableFacts,
    conditions: Mapping[str, Ranges],
    rng: np.random.Generator,
) -> Rows:
    """Rows of which the columns with a condition are drawn, and the rest is unknown."""
    x, chance = np.full((BLOCK, len(facts.sizes)), -1, np.int32), np.ones(BLOCK)
    for n, (name, ranges) in enumerate(conditions.items()):
        column, place = facts.column(name), facts.places[facts.place(name)]
        for field in range(place.start, place.stop):
            p = np.exp(np.asarray(network(params, x)[:, field], np.float64))
            p = p[:, : column.bases[field - place.start]]
            p *= _allowed(column, ranges, x[:, place.start : field])
            total = p.sum(axis=1)
            if n or field > place.start:
                chance *= total
            ends = np.cumsum(p, axis=1)
            u = rng.random(BLOCK) * total
            x[:, field] = (ends <= u[:, None]).sum(axis=1).clip(max=p.shape[1] - 1)
            if not n and field == place.start and not total.max() > 0:
                raise ValueError(
                    f"A condition must be possible; {name} has probability 0 there. Loosen it."
                )
    return x[rng.random(BLOCK) < chance]


def _allowed(column: Column, ranges: Ranges, before: Rows) -> Bool[np.ndarray, "N base"]:
    """Which tokens of the next field keep the codes of some rows within ranges."""
    prefixes, which = np.unique(before, axis=0, return_inverse=True)
    each = [next_digits(column, ranges, prefix.tolist()) for prefix in prefixes]
    return np.stack(each)[which.reshape(-1)]


@functools.lru_cache(maxsize=16)
def _network(model: Diffusion) -> Callable[[Params, Rows], Logits]:
    """log p of every field, of rows that hold -1 where they are unknown; compiled once."""

    @jax.jit
    def log_p(params: Params, x: Tokens) -> Logits:
        process = model.open(params)
        x_t = jnp.where(x >= 0, x, process.kernel.num_classes)
        return process.log_denoised(x_t, mask_times.time_of(process, x_t))

    return log_p


@functools.lru_cache(maxsize=16)
def _filling(model: Diffusion) -> Callable[..., Tokens]:
    one_by_one = unmasking.FirstHitting()  # exact, whatever the model is sampled with
    return jax.jit(functools.partial(model.infill, sampler=one_by_one))


def _blocks(x: Rows) -> list[tuple[int, Integer[np.ndarray, "block L"]]]:
    """Rows in blocks of one size, the last filled up with its first row; and where each begins."""
    size = min(BLOCK, 1 << max(0, (len(x) - 1).bit_length()))  # few sizes: few compilations
    result = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        result.append((start, np.concatenate([part, part[:1].repeat(size - len(part), axis=0)])))
    return result


def _in_blocks(f: Callable[[Rows], np.ndarray], x: Rows) -> np.ndarray:
    """f of rows, block by block."""
    x = np.asarray(x, np.int32)
    return np.concatenate([f(part) for _, part in _blocks(x)])[: len(x)]
