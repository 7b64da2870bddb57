"""Which tokens of a line became which of its noisy version: counts over all alignments.

A line x and a state x_t are rows (B, L) that start with their tokens; padding K fills them up, and
K + 1 is a mask. An alignment maps the tokens of x_t to tokens of x, in their order: a clean token
to an equal one, a mask to any. Tokens of x that nothing is mapped to were dropped.

All alignments of one x with one x_t are equally likely: their numbers of dropped, masked and clean
tokens are the same. So posterior expectations given (x, x_t) are ratios of counts, and counts come
from a forward and a backward pass over x, O(|x| |x_t|), as in hidden Markov models.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.ops import categorical
from amd_jax.types import Array, Nats

Rows = Integer[Array, "B L"]
Gaps = Float[Array, "B G"]  # a number for each gap: before, between and after tokens, G = L + 1


class Alignments(NamedTuple):
    """What x and x_t say of the tokens to come, as the mean over all alignments."""

    log_count: Nats  # of alignments; about `categorical.NEVER` if there is none
    gaps: Gaps  # tokens dropped after the first i of x_t; 0 for i > |x_t|
    tokens: Float[Array, "B L K"]  # the law of each mask's token; 0 where there is no mask


def align(x: Rows, x_t: Rows, padding: int) -> Alignments:
    """The expectations of lines x given x_t, with K = padding.

    With F[i, j] the log-number of alignments of the first i tokens of x_t with the first j of x,
    and B[i, j] that of the others with the others, an alignment maps token i to token j in
    exp(F[i - 1, j - 1] + B[i, j]) of exp(B[0, 0]) cases where these match, and leaves token j out
    between i and i + 1 in exp(F[i, j - 1] + B[i, j]).
    """
    real, size = x < padding, (x_t != padding).sum(axis=1)
    is_mask = x_t == padding + 1
    match = real[:, :, None] & (is_mask[:, None] | (x[:, :, None] == x_t[:, None]))
    log_match = jnp.where(match, 0.0, categorical.NEVER).swapaxes(0, 1)  # (L of x, B, L of x_t)
    ends = categorical.one_hot(jnp.stack([jnp.zeros_like(size), size]), x.shape[1] + 1)
    forward = _counts(ends[0], log_match)
    backward = _counts(ends[1, :, ::-1], log_match[::-1, :, ::-1])[::-1, :, ::-1]
    total = backward[0, :, 0]
    mapped = jnp.exp(forward[:-1, :, :-1] + log_match + backward[1:, :, 1:] - total[:, None])
    left_out = jnp.exp(forward[:-1] + backward[1:] - total[:, None]) * real.T[..., None]
    tokens = jnp.einsum("jbi,bjk->bik", mapped, categorical.one_hot(x, padding))
    # Rounding of large counts scales a law, which would cost as much in its KL divergence.
    laws = categorical.normalize(tokens * is_mask[..., None])
    return Alignments(total, left_out.sum(axis=0), laws)


def _counts(first: Float[Array, "B G"], log_match: Float[Array, "L B L"]) -> Float[Array, "G B G"]:
    """Log-counts by how many tokens of x_t are mapped: before each token of x, and at the end.

    Each token of x is left out, or the next one of x_t is mapped to it.
    """

    def step(counts: Array, match: Array) -> tuple[Array, Array]:
        moved = counts[:, :-1] + match
        more = jnp.concatenate([counts[:, :1], jnp.logaddexp(counts[:, 1:], moved)], axis=1)
        return more, counts

    last, before = jax.lax.scan(step, categorical.log_or_never(first), log_match)
    return jnp.concatenate([before, last[None]])
