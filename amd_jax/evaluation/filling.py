"""Fills gaps in rows whose content is known: its probability, and what the model draws."""

import functools
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from amd_jax.diffusion import kernels
from amd_jax.evaluation import count_models, groups, means
from amd_jax.evaluation.means import PerRow, Rows
from amd_jax.models import Diffusion
from amd_jax.models.code_lengths import CodeLength
from amd_jax.types import Flags, Key, Model, Nats, Params, Sampler, Tokens

Gaps = Bool[np.ndarray, "N L"]  # True in the gap of each row

BATCH = 32
EXACT = CodeLength(order="left")  # for masks
DRAWS = 8  # of the bound of each row, where there is no exact one
_WORD = re.compile(r"\w+")


class Trial(NamedTuple):
    """Rows (N, L) with a gap in each, and what became of them."""

    hidden: Gaps
    drawn: Rows  # a filling of each
    bits: Float[np.ndarray, "N"]  # per token of the gap: of the true filling, given all around it
    exact: bool  # whether they are that, and not a bound
    restored: float  # share of the hidden tokens that were found

    @property
    def bits_of_rows(self) -> PerRow:
        """Bits and tokens of each gap."""
        sizes = self.hidden.sum(axis=1)
        return PerRow(self.bits * sizes, sizes)

    def restored_of_rows(self, rows: Rows) -> PerRow:
        """Tokens of each gap that a draw has restored, of rows as they were; and all."""
        return PerRow(((self.drawn == rows) & self.hidden).sum(axis=1), self.hidden.sum(axis=1))


def trial(
    model: Diffusion,
    params: Params,
    rows: Rows,
    size: int,
    inside: Gaps,
    seed: int = 0,
    sampler: Sampler | None = None,
) -> Trial:
    """Fills a gap of `size` tokens at a random place of each row, and gives the truth's bits.

    Gaps lie `inside` rows, and are no longer than that. Raises ValueError for one that is longer
    than all rows.
    """
    hidden, x = gaps(inside, size, seed), np.asarray(rows, np.int32)
    sizes = hidden.sum(axis=1)
    drawn, bits = [], []
    copies = 1 if is_exact(model) else DRAWS
    together = groups.size(BATCH, x.shape[1:], copies, groups.classes(model))
    for i in range(0, len(x), together):
        part = slice(i, i + together)
        rng = jax.random.fold_in(jax.random.key(seed), i)
        filled, nats = _both(model, sampler, params, rng, x[part], hidden[part])
        drawn.append(np.asarray(filled))
        bits.append(-np.asarray(nats, np.float64) / np.log(2) / sizes[part])
    result = np.concatenate(drawn)
    restored = float((result == x)[hidden].mean())
    return Trial(hidden, result, np.concatenate(bits), is_exact(model), restored)


def is_exact(model: Model) -> bool:
    """Whether a filling has an exact probability, and not a bound on it: with masks."""
    return isinstance(model, Diffusion) and EXACT.admits(kernels.plain(model.kernel))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _both(
    model: Diffusion, sampler: Sampler | None, params: Params, rng: Key, x: Tokens, hidden: Flags
) -> tuple[Tokens, Nats]:
    """A filling of rows, and log p of the true one."""
    drawn = model.infill(params, rng, x, ~hidden, sampler=sampler)
    if is_exact(model):
        return drawn, EXACT.one(model, params, rng, x, ~hidden, hidden)
    rows, known = (jnp.tile(a, (DRAWS, 1)) for a in (x, ~hidden))
    bound = model.elbo(params, rng, rows, known=known)
    return drawn, bound.reshape(DRAWS, -1).mean(axis=0)


def gaps(inside: Gaps, size: int, seed: int) -> Gaps:
    """A gap of `size` tokens, or as many as there are, somewhere inside each row.

    The tokens `inside` a row follow each other.
    """
    first, lengths = inside.argmax(axis=1)[:, None], inside.sum(axis=1)[:, None]
    if not 0 < size <= lengths.max():
        raise ValueError(f"A gap has 1 to {lengths.max()} tokens, those of a row; got {size}.")
    sizes = np.minimum(size, lengths)
    start = first + np.random.default_rng(seed).integers(0, lengths - sizes + 1)
    position = np.arange(inside.shape[1])
    return (position >= start) & (position < start + sizes)


def words_restored(texts: list[str], filled: list[str], hidden: Gaps) -> tuple[float, float]:
    """Share of the words touched by a gap that are restored, and its standard error.

    texts and filled: one character for each token.
    """
    counts = []
    for text, other, gap in zip(texts, filled, hidden, strict=True):
        again = {result.span() for result in _WORD.finditer(other)}
        words = [result for result in _WORD.finditer(text) if gap[slice(*result.span())].any()]
        right = [w for w in words if w.span() in again and other[slice(*w.span())] == w[0]]
        counts.append((len(right), len(words)))
    return means.ratio(*np.array(counts).T)


def bits_by_counts(
    train: count_models.Stream, rows: Rows, hidden: Gaps, num_classes: int, order: int
) -> PerRow:
    """Bits of the hidden tokens of each row by a count model, which sees what is left of them."""
    p = count_models.probabilities(train, np.ravel(rows), num_classes, order).reshape(rows.shape)
    return PerRow((-np.log2(p) * hidden).sum(axis=1), hidden.sum(axis=1))
