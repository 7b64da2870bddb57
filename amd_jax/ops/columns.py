"""Columns of a table, each of its own number of codes, as fields that hold their digits."""

import dataclasses
import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool

from amd_jax.facts import TableFacts
from amd_jax.ops.nothing_first import NothingFirst
from amd_jax.types import Array, Flags, Latents, Tokens


@dataclasses.dataclass(frozen=True)
class Columns(NothingFirst):
    """Which rows of tokens (L,) are rows of a table: its support.

    Field l has tokens in [0, sizes[l]) and is of column owners[l]. The fields of one column follow
    each other, the most significant first: they are the digits of a code in [0, limits[l]).
    """

    sizes: tuple[int, ...]
    owners: tuple[int, ...]
    limits: tuple[int, ...]  # of the field's column

    def __post_init__(self):
        """Raises ValueError unless the fields of each column hold its codes."""
        if not len(self.sizes) == len(self.owners) == len(self.limits) > 0:
            raise ValueError(
                "Each field has a size, a column and a limit; got "
                f"{len(self.sizes)}, {len(self.owners)} and {len(self.limits)} of them."
            )
        if min(self.sizes) < 1:
            raise ValueError(f"A field has 1 token or more; got sizes={self.sizes}.")
        for fields in self.of_columns():
            limits, most = (
                {self.limits[i] for i in fields},
                math.prod(self.sizes[i] for i in fields),
            )
            if len(limits) > 1 or not 1 <= min(limits) <= most:
                raise ValueError(
                    f"The fields of a column hold its codes; column {self.owners[fields[0]]} has "
                    f"fields for {most:,} codes, and the limit {min(limits):,}."
                )

    @classmethod
    def of(cls, facts: TableFacts) -> "Columns":
        """The columns of a table."""
        return cls(facts.sizes, facts.owners, facts.limits)

    def of_columns(self) -> list[list[int]]:
        """The fields of each column."""
        fields = range(len(self.owners))
        return [list(group) for _, group in itertools.groupby(fields, key=self.owners.__getitem__)]

    @property
    def length(self) -> int:
        """The number of fields."""
        return len(self.sizes)

    @property
    def num_classes(self) -> int:
        """The most tokens that a field has."""
        return max(self.sizes)

    @property
    def depth(self) -> int:
        """The most fields that a column has."""
        return max(map(len, self.of_columns()))

    def each(self, num_classes: int) -> Bool[np.ndarray, "L K"]:
        """Which tokens each field can be, where nothing is known of the others."""
        with jax.ensure_compile_time_eval():
            nothing = jnp.zeros((1, len(self.sizes)), jnp.int32)
            return np.asarray(self.possible(nothing, nothing == 1, num_classes)[0])

    def possible(self, x: Tokens, known: Flags, num_classes: int) -> Bool[Array, "B *event K"]:
        """Which of K tokens each field of x (B, L) can be, given the others that are known.

        A token is possible if some code below the limit has it and the known digits.
        """
        digits = jnp.where(known, x, 0)  # of the smallest such code
        return self._within(digits, digits, num_classes)

    def possible_next(self, x: Tokens, num_classes: int) -> Bool[Array, "B *event K"]:
        """Which of K tokens each field of x (B, L) can be, given those before it."""
        return self._within(x, jnp.zeros_like(x), num_classes)

    def decode(self, z: Latents) -> Tokens:
        """The row of z (B, L, K): the argmax of what each field can be, given those before."""
        x = jnp.argmax(z, axis=-1)
        for _ in range(self.depth):  # digit after digit
            possible = self.possible_next(x, z.shape[-1])
            x = jnp.argmax(jnp.where(possible, z, -jnp.inf), axis=-1)
        return x

    def _within(
        self, before: Tokens, after: Tokens, num_classes: int
    ) -> Bool[Array, "B *event K"]:
        """Whether a token makes a code below the limit, with these digits before and after it."""
        tokens, result = jnp.arange(num_classes), []
        for fields in self.of_columns():
            last = self._digits(self.limits[fields[0]] - 1, fields)
            for i in fields:
                within = jnp.ones((len(before), 1), bool)  # digits so far are at most the last's
                for j, most in reversed(list(zip(fields, last, strict=True))):
                    digit = tokens if i == j else (before if j < i else after)[:, j, None]
                    within = (digit < most) | ((digit == most) & within)
                shape = (len(before), num_classes)
                result.append(jnp.broadcast_to(within & (tokens < self.sizes[i]), shape))
        return jnp.stack(result, axis=1)

    def _digits(self, code: int, fields: list[int]) -> list[int]:
        """The digits of a code, the most significant first."""
        result = []
        for i in reversed(fields):
            code, digit = divmod(code, self.sizes[i])
            result.append(digit)
        return result[::-1]
