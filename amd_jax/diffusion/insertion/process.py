"""A process that drops tokens, and its reversal, which inserts them.

Each token of a line is dropped, masked or clean at time t in [0, 1], independently of the others,
with the probabilities

    d = t²,    m = -t² log t²,    c = 1 - d - m.

A row x_t (B, L) is what is left, with padding K behind it and K + 1 for a mask: at t = 1 nothing,
at t = 0 the line. In u = -log t², which grows from 0 to ∞ as t falls, d = exp(-u) and
m = u exp(-u): seen backwards a dropped token becomes a mask at rate 1, and a mask clean at rate 1.
So two numbers are all that there is to learn: how many tokens are still to come in each gap of
x_t, and what is behind each mask (Kim et al., 2025, FlexMDM; the schedule is ours).
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Bool, Float

from amd_jax.diffusion.insertion.alignments import Gaps, Rows
from amd_jax.ops import categorical
from amd_jax.types import Array, Floats, Key, Times

MOST = 20.0  # of the log of the tokens to come in a gap; more is no line's, nor float32's


class Guess(NamedTuple):
    """What is guessed at x_t."""

    log_gaps: Gaps  # log of the mean number of tokens still to come after the first i of x_t
    log_law: Float[Array, "B L K"]  # of the token behind each mask


@dataclasses.dataclass(frozen=True, eq=False)
class Process:
    """What bounds and samplers are functions of: parameters are in place."""

    padding: int  # K
    network: Callable[..., Guess]  # of (x_t: Rows, t: Times, rng=None), with logits for log_law

    @property
    def mask(self) -> int:
        """K + 1."""
        return self.padding + 1

    def corrupted(self, rng: Key, x: Rows, t: Times) -> Rows:
        """A draw of x_t ~ q(x_t | x)."""
        u = jax.random.uniform(rng, x.shape)
        dropped, masked = (categorical.expand(share, 2) for share in shares(t))
        y = jnp.where(u < dropped + masked, self.mask, x)
        return compacted(y, (u >= dropped) & (x != self.padding), self.padding)

    def guess(self, x_t: Rows, t: Times, rng: Key | None = None) -> Guess:
        """The network's guess, with nothing to come after the end or where x_t fills the row."""
        log_gaps, logits = self.network(x_t, t, rng)
        size, length = (x_t != self.padding).sum(axis=1)[:, None], x_t.shape[1]
        exists = (jnp.arange(length + 1) <= size) & (size < length)
        log_gaps = jnp.where(exists, jnp.minimum(log_gaps, MOST), categorical.NEVER)
        return Guess(log_gaps, jax.nn.log_softmax(logits))


def shares(t: Floats) -> tuple[Floats, Floats]:
    """The probabilities that a token is dropped, d = t², and masked, m = -t² log t²."""
    dropped = jnp.square(t)
    return dropped, -dropped * categorical.log(dropped)


def compacted(x: Rows, kept: Bool[Array, "B L"], padding: int) -> Rows:
    """The tokens that are kept, in their order, from the left; then padding."""
    place = jnp.where(kept, jnp.cumsum(kept, axis=1) - 1, x.shape[1])
    row = jnp.arange(len(x))[:, None]
    return jnp.full_like(x, padding).at[row, place].set(x, mode="drop")
