"""Rows of a table: columns of mixed kinds, each on codes of its own."""

import collections
import dataclasses
import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Bool, Integer
from numpy.typing import ArrayLike

from amd_jax.facts import field_types, table_frames, table_schema
from amd_jax.facts.column import Column
from amd_jax.facts.field_types import Json
from amd_jax.facts.rows import NOISE_SIGN, UNUSED_SIGN, Facts, listed
from amd_jax.host.printable import in_one_line

__all__ = ["Column", "TableFacts"]

Rows = Integer[np.ndarray, "N L"]  # a token for each field
Cells = Mapping[str, Sequence[str]]  # column -> its cells, as they are written


@dataclasses.dataclass(frozen=True)
class TableFacts(Facts):
    """Rows of a table: one token for each field, of one field or more for each column.

    Token l is in [0, sizes[l]). A column of one value alone has no field: it costs no bits, and
    `decode` restores it. `TableFacts.of` fills in what follows from the columns.
    """

    unit: str = "row"
    columns: tuple[Column, ...] = ()
    marginals: tuple[tuple[float, ...], ...] = ()  # share of every token of every field, or ()

    kind: ClassVar[str] = "table"
    rows: ClassVar[str] = "rows"
    num_samples: ClassVar[int] = 1000

    def __post_init__(self):
        """Raises ValueError unless the columns differ by name and make up the tokens."""
        super().__post_init__()
        counts = collections.Counter(column.name for column in self.columns)
        for name, number in counts.most_common(1):
            if number > 1:
                raise ValueError(f"Columns differ by name; {in_one_line(name)!r:.60} is twice.")
        if self.event_shape != (len(self.sizes),) or self.num_classes != max(self.sizes):
            raise ValueError(
                f"The fields of {self.name} are tokens: {len(self.sizes)} of up to "
                f"{max(self.sizes, default=0)} classes; got the shape {self.event_shape} and "
                f"{self.num_classes} classes."
            )
        if self.marginals and tuple(map(len, self.marginals)) != self.sizes:
            raise ValueError(f"Marginals are a share of every token; {self.name} has others.")

    @classmethod
    def of(
        cls,
        columns: Sequence[Column],
        name: str = "table",
        marginals: Sequence[Sequence[float]] = (),
    ) -> "TableFacts":
        """The facts of a table with these columns. ValueError if each has one value alone."""
        sizes = [base for column in columns for base in column.bases]
        if not sizes:
            raise ValueError(
                f"A table has a column of two values or more; {name} has none among "
                f"{len(columns)}. With one value there is nothing to learn."
            )
        return cls(
            num_classes=max(sizes),
            event_shape=(len(sizes),),
            name=name,
            columns=tuple(columns),
            marginals=tuple(map(tuple, marginals)),
        )

    @classmethod
    def parsed(cls, fields: Json) -> Json:
        """The columns as values of their class."""
        columns = fields.get("columns", ())
        if not isinstance(columns, tuple) or not all(isinstance(c, dict) for c in columns):
            raise ValueError(f"The columns of a table are objects; got {columns!r:.60}.")
        for column in columns:
            field_types.check(Column, column, "columns")
        return {**fields, "columns": tuple(Column(**column) for column in columns)}

    @functools.cached_property
    def sizes(self) -> tuple[int, ...]:
        """How many tokens each field has: (L,)."""
        return tuple(base for column in self.columns for base in column.bases)

    @property
    def classes(self) -> tuple[int, ...]:
        """How many classes each token can be: (L,)."""
        return self.sizes

    @property
    def uniform_bits(self) -> float:
        """Bits of a row, if all rows of possible values are alike."""
        return sum(math.log2(column.size) for column in self.columns)

    @property
    def token(self) -> str:
        """A row is what bits are counted per; its tokens are fields."""
        return "field"

    @functools.cached_property
    def owners(self) -> tuple[int, ...]:
        """The column of each field: (L,)."""
        return tuple(c for c, column in enumerate(self.columns) for _ in column.bases)

    @functools.cached_property
    def limits(self) -> tuple[int, ...]:
        """How many codes the column of each field has: (L,)."""
        return tuple(self.columns[owner].size for owner in self.owners)

    @functools.cached_property
    def places(self) -> tuple[slice, ...]:
        """Which tokens of a row are the fields of each column."""
        ends = [*itertools.accumulate((len(column.bases) for column in self.columns), initial=0)]
        return tuple(slice(start, end) for start, end in itertools.pairwise(ends))

    def column(self, name: str) -> Column:
        """The column of that name. ValueError, with the names there are, for another one."""
        return self.columns[self.place(name)]

    def place(self, name: str) -> int:
        """The number of the column of that name. ValueError for another name."""
        for place, column in enumerate(self.columns):
            if column.name == name:
                return place
        names = ", ".join(in_one_line(column.name)[:40] for column in self.columns[:10])
        more = len(self.columns) - 10
        raise ValueError(
            f"A column is one of {names}{f' and {more} more' if more > 0 else ''}; got "
            f"{in_one_line(name)!r:.60}."
        )

    def fields(self, codes: Integer[np.ndarray, "N C"]) -> Rows:
        """Tokens of the codes of all columns: (N, C) -> int32 (N, L)."""
        digits = [column.digits(codes[:, c]) for c, column in enumerate(self.columns)]
        return np.concatenate(digits, axis=1).astype(np.int32)

    def codes(self, x: Rows) -> Integer[np.ndarray, "N C"]:
        """Codes of all columns, int64 (N, C), of tokens (N, L), impossible ones included."""
        result = np.zeros((len(x), len(self.columns)), np.int64)
        for c, (column, place) in enumerate(zip(self.columns, self.places, strict=True)):
            result[:, c] = np.asarray(x[:, place], np.int64) @ np.array(column.weights, np.int64)
        return result

    def possible(self, x: Rows) -> Bool[np.ndarray, "N"]:
        """Whether every token is one of its field, and every code one of its column: (N,)."""
        inside = np.all((x >= 0) & (x < np.array(self.sizes)), axis=1)
        sizes = np.array([column.size for column in self.columns])
        return np.logical_and(inside, np.all(self.codes(x) < sizes, axis=1))

    def encode(self, cells: Cells, gaps: bool = False) -> Integer[np.ndarray, "N L"]:
        """Tokens of rows, int32 (N, L), by the cells of every column as they are written.

        With `gaps` the tokens of a missing cell, and of a column that is not there, are -1.

        Raises:
            ValueError: for a column that is missing or unknown, and for a value that is unknown.
        """
        for name in cells:
            self.place(name)
        lengths = {len(column) for column in cells.values()}
        absent = [column.name for column in self.columns if column.name not in cells]
        if len(lengths) != 1 or (absent and not gaps):
            without = f", without {in_one_line(', '.join(absent))[:80]}" if absent else ""
            raise ValueError(
                f"Rows have a cell in each of {len(self.columns)} columns; got {len(cells)} of "
                f"{' or '.join(map(str, sorted(lengths)))} cells{without}."
            )
        (number,) = lengths
        x = np.full((number, len(self.sizes)), -1, np.int32)
        for column, place in zip(self.columns, self.places, strict=True):
            if column.name in cells:
                codes = column.encode(cells[column.name], gaps)
                x[:, place] = np.where(codes[:, None] < 0, -1, column.digits(codes))
        return x

    def decode(self, x: Rows) -> dict[str, list[str]]:
        """The cells of tokens (N, L), column by column, as the table writes them.

        Raises:
            ValueError: for a code that a column does not have.
        """
        x = np.asarray(x)
        beyond = np.argwhere((x < 0) | (x >= np.array(self.sizes)))
        if len(beyond):
            row, field = beyond[0]
            raise ValueError(
                f"Token {field} of a row is 0 to {self.sizes[field] - 1}; row {row + 1} has "
                f"{x[row, field]}."
            )
        codes = self.codes(x)
        return {column.name: column.decode(codes[:, c]) for c, column in enumerate(self.columns)}

    def to_pandas(self, x: Rows) -> Any:
        """Tokens (N, L) as a data frame of pandas: see `table_frames.series`."""
        frames = [
            table_frames.series(column, codes)
            for column, codes in zip(self.columns, self.codes(x).T, strict=True)
        ]
        return table_frames.joined(frames)

    def show(self, x: ArrayLike) -> str:
        """One row (L,) as "age=39, workclass=State-gov", whatever states it holds."""
        return "".join(self.pieces(x)).removesuffix(", ")

    def pieces(self, x: ArrayLike) -> list[str]:
        """What each cell of a row (L,) shows, such as "age=39, "."""
        tokens = np.asarray(x, np.int64).reshape(1, -1)
        shown = []
        for column, place in zip(self.columns, self.places, strict=True):
            digits = tokens[0, place]
            if (digits >= np.array(column.bases, np.int64)).any():
                text = NOISE_SIGN
            else:
                code = int(digits @ np.array(column.weights, np.int64))
                known = (digits >= 0).all() and code < column.size
                text = in_one_line(column.text(code)) if known else UNUSED_SIGN
            shown.append(f"{in_one_line(column.name)}={text}, ")
        return shown

    def lengths(self, x: np.ndarray) -> Integer[np.ndarray, "N"]:
        """One for each row (N, L): bits are counted per row."""
        return np.ones(len(x), np.int64)

    def summary(self, sizes: Mapping[str, int]) -> str:
        """The name, the sizes of the splits, and the schema: a line for each column."""
        columns = f"{len(self.columns)} columns in {len(self.sizes)} fields"
        first = f"{self.name}: {listed(sizes)} rows of {columns}"
        return "\n".join([first, *table_schema.lines(self.columns)])
