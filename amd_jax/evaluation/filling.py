"""Fills gaps in rows whose content is known: its probability, and what the model draws."""

import functools
import re
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.diffusion import kernels
from amd_jax.evaluation import count_models, means
from amd_jax.evaluation.means import PerRow
from amd_jax.models import Diffusion
from amd_jax.models.code_lengths import CodeLength
from amd_jax.types import Array, Key, Model, Nats, Params, Sampler

BATCH = 32
EXACT = CodeLength(order="left")  # for masks
DRAWS = 8  # of the bound of each row, where there is no exact one
_WORD = re.compile(r"\w+")


class Trial(NamedTuple):
    """Rows (N, L) with a gap in each, and what became of them."""

    hidden: np.ndarray  # (N, L) bool, the gaps
    drawn: np.ndarray  # (N, L), a filling of each
    bits: np.ndarray  # (N,), per token of the gap: of the true filling, given all around it
    exact: bool  # whether they are that, and not a bound
    restored: float  # share of the hidden tokens that were found

    @property
    def bits_of_rows(self) -> PerRow:
        """Bits and tokens of each gap."""
        sizes = self.hidden.sum(axis=1)
        return PerRow(self.bits * sizes, sizes)

    def restored_of_rows(self, rows: np.ndarray) -> PerRow:
        """Tokens of each gap that a draw has restored, of rows (N, L) as they were; and all."""
        return PerRow(((self.drawn == rows) & self.hidden).sum(axis=1), self.hidden.sum(axis=1))


def trial(
    model: Diffusion,
    params: Params,
    rows: np.ndarray,
    size: int,
    seed: int = 0,
    sampler: Sampler | None = None,
) -> Trial:
    """A gap of so many tokens at a random place of each row (N, L), drawn, and the truth weighed.

    Raises ValueError for a gap that is longer than a row.
    """
    hidden, x = gaps(rows.shape, size, seed), np.asarray(rows, np.int32)
    drawn, bits = [], []
    for i in range(0, len(x), BATCH):
        part = slice(i, i + BATCH)
        rng = jax.random.fold_in(jax.random.key(seed), i)
        filled, nats = _both(model, sampler, params, rng, x[part], hidden[part])
        drawn.append(np.asarray(filled))
        bits.append(-np.asarray(nats, np.float64) / np.log(2) / size)
    result = np.concatenate(drawn)
    restored = float((result == x)[hidden].mean())
    return Trial(hidden, result, np.concatenate(bits), is_exact(model), restored)


def is_exact(model: Model) -> bool:
    """Whether a filling has an exact probability, and not a bound on it: with masks."""
    return isinstance(model, Diffusion) and EXACT.admits(kernels.plain(model.kernel))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _both(
    model: Diffusion, sampler: Sampler | None, params: Params, rng: Key, x: Array, hidden: Array
) -> tuple[Array, Nats]:
    """A filling of rows (B, L), and log p of the true one: (B, L), (B,)."""
    drawn = model.infill(params, rng, x, ~hidden, sampler=sampler)
    if is_exact(model):
        return drawn, EXACT.one(model, params, rng, x, ~hidden, hidden)
    rows, known = (jnp.tile(a, (DRAWS, 1)) for a in (x, ~hidden))
    bound = model.elbo(params, rng, rows, known=known)
    return drawn, bound.reshape(DRAWS, -1).mean(axis=0)


def gaps(shape: tuple[int, int], size: int, seed: int) -> np.ndarray:
    """Where a gap of so many tokens is, somewhere in each row: bool (N, L)."""
    number, length = shape
    if not 0 < size <= length:
        raise ValueError(f"A gap has 1 to {length} tokens, those of a row; got {size}.")
    start = np.random.default_rng(seed).integers(0, length - size + 1, (number, 1))
    position = np.arange(length)
    return (position >= start) & (position < start + size)


def words_restored(texts: list[str], filled: list[str], hidden: np.ndarray) -> tuple[float, float]:
    """Share of the words that a gap has touched which are there again, and its standard error.

    texts and filled: one character for each token; hidden (N, L).
    """
    counts = []
    for text, other, gap in zip(texts, filled, hidden, strict=True):
        again = {result.span() for result in _WORD.finditer(other)}
        words = [result for result in _WORD.finditer(text) if gap[slice(*result.span())].any()]
        right = [w for w in words if w.span() in again and other[slice(*w.span())] == w[0]]
        counts.append((len(right), len(words)))
    return means.ratio(*np.array(counts).T)


def bits_by_counts(
    train: np.ndarray, rows: np.ndarray, hidden: np.ndarray, num_classes: int, order: int
) -> PerRow:
    """Bits of the hidden tokens of each row by a count model, which sees what is left of them.

    train (N,); rows and hidden (M, L), in the order of the text.
    """
    p = count_models.probabilities(train, np.ravel(rows), num_classes, order).reshape(rows.shape)
    return PerRow((-np.log2(p) * hidden).sum(axis=1), hidden.sum(axis=1))
