"""The exact guess about lines that lose tokens, and the law of what samplers draw with it.

At few tokens and short lengths, by enumeration.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, Int32

from amd_jax.diffusion import insertion
from amd_jax.diffusion.insertion.alignments import Rows
from amd_jax.ops import categorical
from amd_jax.types import Array, Key, Times


def lines(num_tokens: int, longest: int) -> Int32[np.ndarray, "N {longest}"]:
    """Every line of up to so many tokens, the empty one first; `num_tokens` is the padding."""
    rows = [
        (*line, *(num_tokens,) * (longest - size))
        for size in range(longest + 1)
        for line in itertools.product(range(num_tokens), repeat=size)
    ]
    return np.array(rows, np.int32)


def exact(law: Float[np.ndarray, "N"], num_tokens: int, longest: int) -> insertion.Process:
    """The process of a perfect network for a law of `lines`.

    Its guesses are means over the posterior of the line, p(x | x_t) ∝ p(x) d^|x| times the number
    of alignments of x with x_t. Raises ValueError unless the numbers are a law.
    """
    every, law = lines(num_tokens, longest), np.asarray(law)
    if law.shape != (len(every),) or law.min() < 0 or abs(law.sum() - 1) > 1e-5:
        raise ValueError(
            f"The {len(every)} lines of up to {longest} of {num_tokens} tokens have as many "
            f"probabilities, whose sum is 1; got shape {law.shape}, sum {law.sum():.3g}."
        )
    log_law, size = categorical.log_or_never(jnp.asarray(law)), (every < num_tokens).sum(axis=1)

    def network(x_t: Rows, t: Times, rng: Key | None = None) -> insertion.Guess:
        batch, number = len(x_t), len(every)
        x, x_t = jnp.tile(every, (batch, 1)), jnp.repeat(x_t, number, axis=0)
        log_count, *means = (
            a.reshape(batch, number, *a.shape[1:]) for a in insertion.align(x, x_t, num_tokens)
        )
        log_weight = log_law + log_count + 2 * size * jnp.log(t)[:, None]
        posterior = jax.nn.softmax(log_weight)
        gaps, tokens = (jnp.einsum("bn,bn...->b...", posterior, a) for a in means)
        return insertion.Guess(categorical.log_or_never(gaps), categorical.log(tokens))

    return insertion.Process(num_tokens, network)


class _Moves(NamedTuple):
    """All that can become of rows in a step: M of them."""

    source: Int[np.ndarray, "M"]  # indices of rows
    target: Int[np.ndarray, "M"]
    number: Int[np.ndarray, "M G"]  # of masks that are inserted in each gap
    token: Int[np.ndarray, "M L"]  # which a mask becomes; K where it stays, K + 1 where none is


def law(
    sampler: insertion.samplers.TauLeaping, process: insertion.Process, longest: int
) -> Float[np.ndarray, "N"]:
    """The law of what a sampler draws, over `lines`; nothing is drawn.

    Every row of tokens and masks is written out, with all that can become of it in a step.
    """
    padding, times = process.padding, np.asarray(sampler.times(None))
    every = lines(padding + 1, longest)  # in which K is a mask, and K + 1 padding
    rows = np.where(every < padding, every, 2 * padding + 1 - every)
    moves = _moves(rows, padding)

    @jax.jit
    def laws(t: Array, share: Array) -> tuple[Array, Array]:
        guess = process.guess(jnp.asarray(rows), jnp.full(len(rows), t))
        number = insertion.samplers.arrivals(share * jnp.exp(guess.log_gaps))
        reveals = share * sampler.sharper(jnp.exp(guess.log_law))
        stays = jnp.broadcast_to(1 - share, (*rows.shape, 1))
        token = jnp.concatenate([reveals, stays, jnp.ones_like(stays)], axis=-1)
        return categorical.normalize(number), token

    now = np.eye(len(rows))[0]
    for t, s in itertools.pairwise(times):
        now = _moved(now, moves, *laws(t, insertion.samplers.moving(s, t)))
    number, token = laws(times[-2], 1.0)
    nothing = np.zeros_like(number)
    nothing[..., 0] = 1
    now = _moved(now, moves, nothing, token)
    return now[(rows <= padding).all(axis=1)]


def _moved(
    now: Float[np.ndarray, "R"], moves: _Moves, number: Array, token: Array
) -> Float[np.ndarray, "R"]:
    """The law of rows after a step, from independent laws of its insertions and tokens."""
    source = moves.source[:, None]
    chances = [
        np.asarray(a, np.float64)[source, np.arange(b.shape[1]), b].prod(axis=1)
        for a, b in ((number, moves.number), (token, moves.token))
    ]
    weights = now[moves.source] * chances[0] * chances[1]
    return np.bincount(moves.target, weights, minlength=len(now))


def _moves(rows: Int[np.ndarray, "R L"], padding: int) -> _Moves:
    """All that can become of every row of tokens and masks."""
    length, mask = rows.shape[1], padding + 1
    index = {tuple(row): i for i, row in enumerate(rows.tolist())}
    result = []
    for row, source in index.items():
        size = sum(token != padding for token in row)
        gaps = [range(length + 1) if i <= size < length else (0,) for i in range(length + 1)]
        behind = [range(mask) if token == mask else (mask,) for token in row]
        for move in itertools.product(*gaps, *behind):
            number, token = move[: length + 1], move[length + 1 :]
            after = [k if k < mask else old for k, old in zip(token, row, strict=True)]
            after = [mask if k == padding else k for k in after[:size]]
            filled = _filled(after, number, length, padding)
            result.append((source, index[filled], number, token))
    return _Moves(*map(np.array, zip(*result, strict=True)))


def _filled(
    tokens: Sequence[int], number: Sequence[int], length: int, padding: int
) -> tuple[int, ...]:
    """A row with so many masks before, between and after its tokens, as far as there is room."""
    room, result = length - len(tokens), []
    for i, count in enumerate(number[: len(tokens) + 1]):
        result += [padding + 1] * min(count, room) + list(tokens[i : i + 1])
        room -= min(count, room)
    return (*result, *(padding,) * (length - len(result)))
