"""Lines: rows of any length up to a longest one, filled up with padding."""

import dataclasses
import math
from types import ModuleType

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from amd_jax.facts import LineFacts
from amd_jax.ops import categorical
from amd_jax.types import Array, Flags, Key, Latents, Nats, Tokens


@dataclasses.dataclass(frozen=True)
class Lines:
    """Which rows of tokens are lines: their support, and the law of their length.

    A line is n tokens in [0, K), 1 <= n <= N, and then the padding K up to N positions. With C
    labels a row has one more position at its front, the label c as the token K + 1 + c.

    The length is drawn first, n ~ lengths. Its padding is then known: noise never takes it, and it
    costs nothing beyond log p(n). A model from left to right needs no law of the length, for there
    the first padding is the symbol that ends a line.
    """

    num_tokens: int  # K
    lengths: tuple[float, ...]  # p(n) of n = 1, ..., N
    num_labels: int = 0  # C

    def __post_init__(self):
        """Raises ValueError for no tokens, or lengths that have no law."""
        if self.num_tokens < 1 or self.num_labels < 0:
            raise ValueError(
                "Lines have 1 token or more, and 0 labels or more; got "
                f"num_tokens={self.num_tokens} and num_labels={self.num_labels}."
            )
        total = math.fsum(self.lengths)
        if not (self.lengths and min(self.lengths) >= 0 and abs(total - 1) < 1e-4):
            raise ValueError(
                "The law of the length has a probability for each of 1, ..., N tokens, and sums "
                f"to 1; got {len(self.lengths)} numbers, sum {total:.6g}."
            )

    @classmethod
    def of(cls, facts: LineFacts) -> "Lines":
        """The lines of some data, with the law of length of those to train on."""
        return cls(len(facts.symbols), facts.length_frequencies, len(facts.labels))

    @property
    def padding(self) -> int:
        """The token that ends a line, and fills its row up."""
        return self.num_tokens

    @property
    def start(self) -> int:
        """Where a line begins in its row: 1 if there are labels."""
        return int(self.num_labels > 0)

    @property
    def length(self) -> int:
        """The positions of a row."""
        return self.start + len(self.lengths)

    @property
    def num_classes(self) -> int:
        """K + 1 + C."""
        return self.num_tokens + 1 + self.num_labels

    def each(self, num_classes: int) -> Bool[np.ndarray, "L K"]:
        """Which of K tokens each position can be, of those that are not padding."""
        return np.asarray(self._each(num_classes, np))

    def _each(self, num_classes: int, xp: ModuleType) -> Bool[Array | np.ndarray, "L K"]:
        """The same by numpy, or by jax.numpy, where it is computed on the device."""
        tokens, positions = xp.arange(num_classes), xp.arange(self.length)[:, None]
        is_label = (tokens > self.padding) & (tokens < self.num_classes)
        return xp.where(positions < self.start, is_label, tokens < self.num_tokens)

    def possible(self, x: Tokens, known: Flags, num_classes: int) -> Bool[Array, "B *event K"]:
        """Which of K tokens each position of x (B, L) can be: padding where x has it, only."""
        padding = jnp.arange(num_classes) == self.padding
        return jnp.where((x == self.padding)[..., None], padding, self._each(num_classes, jnp))

    def possible_next(self, x: Tokens, num_classes: int) -> Bool[Array, "B *event K"]:
        """Which of K tokens each position of x (B, L) can be, given those before it.

        A line has a token, then each position may be its end, after which there is only padding.
        """
        padding = jnp.arange(num_classes) == self.padding
        may_end = (jnp.arange(self.length) > self.start)[:, None]
        unended = self._each(num_classes, jnp) | (may_end & padding)
        return jnp.where(self.ended(x)[..., None], padding, unended)

    def decode(self, z: Latents) -> Tokens:
        """The line of z (B, L, K): the argmax of what each position can be, up to its end."""
        x = jnp.zeros(z.shape[:-1], jnp.int32)  # without an end
        x = jnp.argmax(jnp.where(self.possible_next(x, z.shape[-1]), z, -jnp.inf), axis=-1)
        ended = jnp.cumsum(x == self.padding, axis=1) > 0
        return jnp.where(ended, self.padding, x)

    def ended(self, x: Tokens) -> Flags:
        """Which positions of x (B, L) follow padding."""
        return jnp.pad(x[:, :-1] == self.padding, ((0, 0), (1, 0)))

    def known(self, x: Tokens) -> Flags:
        """Which tokens of x are padding."""
        return x == self.padding

    def log_prob(self, x: Tokens) -> Nats:
        """Log p(n) of rows (B, L); `NEVER` for no line, and for padding before a token."""
        size = (x != self.padding).sum(axis=1)  # of a line and its label
        in_front = (jnp.arange(self.length) < size[:, None]) == (x != self.padding)
        log_p = jnp.pad(
            categorical.log_or_never(jnp.array(self.lengths)),
            (self.start + 1, 0),
            constant_values=categorical.NEVER,
        )
        return jnp.where(in_front.all(axis=1), categorical.gather(log_p, size), categorical.NEVER)

    def draw(self, rng: Key, shape: tuple[int, ...]) -> Tokens:
        """The padding of rows (B, L) whose lengths are drawn; -1 elsewhere."""
        cdf = jnp.cumsum(jnp.array(self.lengths))  # one for all rows
        u = jax.random.uniform(rng, (shape[0], 1)) * cdf[-1]
        size = self.start + 1 + (cdf <= u).sum(axis=1).clip(0, len(self.lengths) - 1)
        return jnp.where(jnp.arange(self.length) < size[:, None], -1, self.padding)
