"""What a masked diffusion knows of the cells of a row, given others: laws, fillings, bits, draws.

One network answers all of it, since it has learnt to reveal columns in any order. The law of one
cell given some others is one call of it; the law of several follows by the chain rule.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

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
from amd_jax.ops import categorical
from amd_jax.types import Bound, Key, Logits, Model, Params, Tokens

ORDERS: Bound = CodeLength(order="random", orders=8)  # type: ignore[assignment]  # of a Stepwise
BLOCK = 1024  # rows that are computed together
ROUNDS = 1000  # of draws that a condition may refuse
TRIES = 64  # of a row whose cells are to have values; then one is chosen by weight

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


def _checked(model: Model, x: Rows) -> Rows:
    """Rows as int32. ValueError for a known token that its field does not have."""
    diffusion, x = check(model), np.asarray(x, np.int32)
    kernel = kernels.plain(diffusion.kernel)
    assert isinstance(kernel, kernels.Mixing)  # masks
    categorical.check_tokens(np.maximum(x, 0), classes := kernel.num_classes)
    if diffusion.support is not None:
        possible = diffusion.support.each(classes)[np.arange(x.shape[1]), np.maximum(x, 0)]
        possible |= np.asarray(diffusion.support.known(jnp.asarray(x)))
        if (bad := np.argwhere((x >= 0) & ~possible)).size:
            row, field = bad[0]
            raise ValueError(
                f"A field holds tokens of its own; field {field} of row {row} holds "
                f"{x[row, field]}. Encode rows by the facts of the table."
            )
    return x


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


def laws(
    model: Model, params: Params, x: Rows, facts: TableFacts | None = None
) -> Float[np.ndarray, "N L K"]:
    """log p of every token of every field, given the others of its row that are known.

    Of a known field, given the other known ones and itself: its own token for certain. With
    `facts`, the first field of every unknown cell has the law given that this cell is not missing.
    """
    network, x = _network(check(model)), _checked(model, x)

    def of_rows(part: Rows) -> Float[np.ndarray, "N L K"]:
        result = np.array(network(params, part))
        for column, place in _missable(facts) if facts else ():
            digits = column.digits(np.array([column.num_values]))[0]
            hidden, log_missing = part.copy(), np.zeros(len(part))
            for field, digit in zip(range(place.start, place.stop), digits, strict=True):
                log_missing += np.asarray(network(params, hidden)[:, field, digit])
                hidden[:, field] = digit
            unknown = part[:, place.start] < 0
            p = np.exp(result[unknown, place.start].astype(np.float64))
            p[:, digits[0]] = np.maximum(p[:, digits[0]] - np.exp(log_missing[unknown]), 0)
            p = np.maximum(p, 1e-300)
            result[unknown, place.start] = np.log(p / p.sum(axis=1, keepdims=True))
        return result

    return _in_blocks(of_rows, x)


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
    network, x = _network(check(model)), _checked(model, x)

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
    return _filled(model, params, x, jax.random.key(seed))


def _filled(model: Model, params: Params, x: Rows, rng: Key) -> Rows:
    draw = _filling(check(model))

    def of_rows(part: Rows, start: int) -> Rows:
        known = part >= 0
        return np.asarray(draw(params, jax.random.fold_in(rng, start), part * known, known))

    x = _checked(model, x)
    return np.concatenate([of_rows(p, i) for i, p in _blocks(x)])[: len(x)]


class Filled(NamedTuple):
    """Rows whose unknown cells were filled with values."""

    rows: Rows
    weighted: int  # rows of which no draw was accepted, so that one was chosen by its weight
    effective: float  # draws of such a row, (Σ w)² / Σ w², on average

    def describe(self) -> str:
        """How near the rows are to the conditional distribution, in a sentence."""
        exact = "drawn from the distribution given the known cells and that none is missing"
        if not self.weighted:
            return exact
        return (
            f"{exact}, but for {self.weighted:,} of {len(self.rows):,} rows chosen by weight "
            f"among {TRIES} draws ({self.effective:.1f} effective)"
        )


def filled_with_values(
    model: Model, params: Params, facts: TableFacts, x: Rows, seed: int = 0
) -> Filled:
    """Rows with the unknown cells drawn given the others, and given that none is missing.

    Cells that may be missing are drawn first, of their values only; the probability w of all the
    values that were allowed is the weight of such a draw. It is accepted with the probability w,
    so that the accepted draw has the conditional distribution. Of a row without an accepted one
    among `TRIES`, one is chosen by weight. Cells that are known to be missing stay so.
    """
    network, rng = _network(check(model)), np.random.default_rng(seed)
    values = {
        column.name: np.array([[0, column.num_values - 1]]) for column, _ in _missable(facts)
    }
    x = _checked(model, x)
    result, sums, squares = x.copy(), np.zeros(len(x)), np.zeros(len(x))
    left, tries, size = np.arange(len(x)), 0, _block_size(len(x))
    while len(left) and tries < TRIES:
        number = max(1, min(TRIES - tries, size // len(left)))
        start = x[left].repeat(number, axis=0)
        drawn, allowed = _begun(network, params, facts, values, rng, start, size)
        w = allowed.prod(axis=1).reshape(len(left), number)
        sums[left], squares[left] = sums[left] + w.sum(axis=1), squares[left] + (w**2).sum(axis=1)
        accepted, one = rng.random(w.shape) < w, rng.random((len(left), 1))
        by_weight = (np.cumsum(w, axis=1) <= one * w.sum(axis=1, keepdims=True)).sum(axis=1)
        found = accepted.any(axis=1)
        which = np.where(found, accepted.argmax(axis=1), np.minimum(by_weight, number - 1))
        taken = found | (rng.random(len(left)) * sums[left] < w.sum(axis=1))
        kept = drawn.reshape(len(left), number, -1)[np.arange(len(left)), which]
        result[left[taken]] = kept[taken]
        left, tries = left[~found], tries + number
    effective = sums[left] ** 2 / np.maximum(squares[left], np.finfo(float).tiny)
    rows = _filled(model, params, result, jax.random.key(seed))
    return Filled(rows, len(left), float(effective.mean()) if len(left) else float("nan"))


def _missable(facts: TableFacts) -> list[tuple[Column, slice]]:
    """The columns whose cells may have a value or be missing, and the fields of each."""
    pairs = zip(facts.columns, facts.places, strict=True)
    return [(c, place) for c, place in pairs if c.missing is not None and c.num_values]


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
    start = np.full((BLOCK, len(facts.sizes)), -1, np.int32)
    kept, tried = [start[:0]], 0
    while tried < ROUNDS * BLOCK and sum(map(len, kept)) < number:
        rows, allowed = _begun(network, params, facts, conditions, rng, start, BLOCK)
        if allowed.shape[1] and not allowed[:, 0].max() > 0:
            raise ValueError(
                f"A condition must be possible; {next(iter(conditions))} has probability 0 there. "
                "Loosen it."
            )
        rows = rows[
            rng.random(BLOCK) < allowed[:, 1:].prod(axis=1)
        ]  # the first is the same of all
        if len(rows):
            rng_rest = jax.random.fold_in(jax.random.key(seed), tried)
            rows = _filled(model, params, rows, rng_rest)
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
    x: Rows,
    size: int,
) -> tuple[Rows, Float[np.ndarray, "N fields"]]:
    """Rows x with the unknown cells of columns with a condition drawn, of what it allows.

    Beside them the probability of all that was allowed in each field: 1 where it was known.
    """
    x, totals = x.copy(), []
    for name, ranges in conditions.items():
        column, place = facts.column(name), facts.places[facts.place(name)]
        for field in range(place.start, place.stop):
            totals.append(np.ones(len(x)))
            unknown = x[:, field] < 0
            if not unknown.any():
                continue
            of_field = functools.partial(_of_field, network, params, field)
            log_p = _in_blocks(of_field, x, size)[unknown]
            p = np.exp(log_p[:, : column.bases[field - place.start]], dtype=np.float64)
            p *= _allowed(column, ranges, x[unknown, place.start : field])
            ends = np.cumsum(p, axis=1)
            totals[-1][unknown] = ends[:, -1]
            u = rng.random(len(ends)) * ends[:, -1]
            x[unknown, field] = (ends <= u[:, None]).sum(axis=1).clip(max=p.shape[1] - 1)
    return x, np.stack(totals, axis=1) if totals else np.ones((len(x), 0))


def _of_field(
    network: Callable[..., Logits], params: Params, field: int, x: Rows
) -> Float[np.ndarray, "N K"]:
    return np.asarray(network(params, x)[:, field])


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


def _block_size(number: int) -> int:
    """Rows that are computed together, of so many: few sizes, for few compilations."""
    return min(BLOCK, 1 << max(0, (number - 1).bit_length()))


def _blocks(x: Rows, size: int | None = None) -> list[tuple[int, Integer[np.ndarray, "block L"]]]:
    """Rows in blocks of one size, the last filled up with its first row; and where each begins."""
    size = size or _block_size(len(x))
    result = []
    for start in range(0, len(x), size):
        part = x[start : start + size]
        result.append((start, np.concatenate([part, part[:1].repeat(size - len(part), axis=0)])))
    return result


def _in_blocks(f: Callable[[Rows], np.ndarray], x: Rows, size: int | None = None) -> np.ndarray:
    """f of rows, block by block."""
    return np.concatenate([f(part) for _, part in _blocks(x, size)])[: len(x)]
