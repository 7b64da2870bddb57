"""Texts that are nonsense by construction, made from real rows: a score must not rank them first.

Each takes rows (N, L) of real text and gives as many back. What they know is what is in those
rows, so a score that prefers one of them to the rows themselves prefers less to more.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Integer

from amd_jax.evaluation.count_models import Stream
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples.real_rows import Nonsense

ORDER = 3
WORDS = 3  # of a pasted piece
PIECE = 12  # tokens of one, in a text without words

Context = Integer[np.ndarray, "N C"]


def independent(rows: Rows, rng: np.random.Generator) -> Rows:
    """Tokens of the rows, each drawn alone."""
    return rng.choice(rows.ravel(), rows.shape)


def counts(rows: Rows, rng: np.random.Generator, order: int = ORDER) -> Rows:
    """Draws from the counts of rows: each token as after the `order` tokens before it."""
    stream = rows.ravel()
    place = rng.integers(len(stream), size=(len(rows), 1)) + np.arange(order)
    return continued(stream, stream[place % len(stream)], rows.shape[1], rng)


def continued(
    stream: Stream, context: Context, length: int, rng: np.random.Generator
) -> Integer[np.ndarray, "N S"]:
    """`length` tokens after each context of C tokens, drawn from the counts of a text.

    The text is taken as a circle, so that every context in it goes on; one that is not in it goes
    on as a random place of the text does.
    """
    order, k = context.shape[1], int(stream.max()) + 1
    if k**order >= 2**62:
        raise ValueError(f"Counts of order {order} of {k} classes are too many. Take fewer.")
    weights = k ** np.arange(order)
    around = np.arange(len(stream))[:, None] + np.arange(order)
    codes = stream[around % len(stream)] @ weights
    places = np.argsort(codes, kind="stable")
    ordered, result = codes[places], np.asarray(context, np.int64)
    for _ in range(length):
        now = result[:, result.shape[1] - order :] @ weights
        first, last = (np.searchsorted(ordered, now, side=s) for s in ("left", "right"))
        unseen = first == last
        first, last = np.where(unseen, 0, first), np.where(unseen, len(stream), last)
        chosen = places[rng.integers(first, last)] + order
        result = np.concatenate([result, stream[chosen % len(stream)][:, None]], axis=1)
    return result[:, order:].astype(stream.dtype)


def shuffled_words(
    rows: Rows, rng: np.random.Generator, separators: Sequence[int], number: int = 1
) -> Rows:
    """The words of the rows in another order, `number` of them at a time.

    A word is a run of tokens up to and with its separator. ValueError for a text without any.
    """
    stream = rows.ravel()
    ends = np.flatnonzero(np.isin(stream, separators))[number - 1 :: number] + 1
    if not len(ends):
        raise ValueError("The rows hold no words: none of the separators is in them.")
    pieces = np.split(stream, ends)
    order = rng.permutation(len(pieces))
    return np.concatenate([pieces[i] for i in order]).reshape(rows.shape)


def pasted(rows: Rows, rng: np.random.Generator, size: int = PIECE) -> Rows:
    """Pieces of `size` tokens of the rows in another order."""
    stream = rows.ravel()
    pieces = np.split(stream, np.arange(size, len(stream), size))
    order = rng.permutation(len(pieces))
    return np.concatenate([pieces[i] for i in order]).reshape(rows.shape)


def samplers(separators: Sequence[int]) -> dict[str, Nonsense]:
    """All of them by name; pieces are of whole words where the text has words."""
    result = {"independent characters": independent, f"counts of order {ORDER}": counts}
    if not len(separators):
        return {**result, "pasted pieces": pasted}
    return {
        **result,
        "shuffled words": lambda rows, rng: shuffled_words(rows, rng, separators),
        "pasted pieces": lambda rows, rng: shuffled_words(rows, rng, separators, WORDS),
    }


def filled(
    rows: Rows,
    hidden: Bool[np.ndarray, "N L"],
    stream: Stream,
    rng: np.random.Generator,
    before: Context | None = None,
) -> Rows:
    """Rows whose gaps are filled by counts of a text, given what is left of each gap.

    What is `before` a row are the `ORDER` last tokens of another row, unless given.
    """
    if before is None:
        before = np.roll(rows, 1, axis=0)[:, -ORDER:]
    result = np.concatenate([before, rows], axis=1)
    first, sizes = hidden.argmax(axis=1), hidden.sum(axis=1)
    places = first[:, None] + np.arange(ORDER)
    drawn = continued(stream, np.take_along_axis(result, places, axis=1), sizes.max(), rng)
    for i, (start, size) in enumerate(zip(first + ORDER, sizes, strict=True)):
        result[i, start : start + size] = drawn[i, :size]
    return result[:, ORDER:]
