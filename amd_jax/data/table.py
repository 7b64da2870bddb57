"""Your own table as a data set: rows of tokens, one for each field of each column.

`load(path)` reads a CSV (also packed), a Parquet or an Arrow file, and finds the kinds of columns.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Integer

from amd_jax.data.dataset import Source, SplitRows, shuffled
from amd_jax.data.reading import arrow
from amd_jax.facts.column import MAX_CLASSES, Column
from amd_jax.facts.table import TableFacts
from amd_jax.host.printable import in_one_line

FEWEST = 20  # rows: one of each split, 90/5/5
MOST_CLASSES = 1 << 16  # of one field


@dataclasses.dataclass(frozen=True, eq=False)
class Table(SplitRows):
    """Rows of a table as tokens (L,), those of `facts.columns` in order."""

    columns: tuple[Column, ...]
    tokens: Mapping[str, Source]  # split -> (N, L), or a function that reads them
    name: str = "table"

    def __post_init__(self):
        """Raises ValueError if every column has one value alone."""
        TableFacts.of(self.columns, self.name)

    @functools.cached_property
    def facts(self) -> TableFacts:
        """What a model needs to know of the table; the marginals are those of training rows."""
        bare = TableFacts.of(self.columns, self.name)
        x = self.rows("train")
        shares = [_shares(x[:, n], size) for n, size in enumerate(bare.sizes)]
        return TableFacts.of(self.columns, self.name, shares)

    def check(self, split: str, x: np.ndarray) -> None:
        """Raises ValueError for rows of another width than that of the columns."""
        width = sum(len(column.bases) for column in self.columns)
        if x.ndim != 2 or x.shape[1] != width or not len(x):
            raise ValueError(
                f"A split is rows of {width} tokens; {split} of {self.name} is {x.shape}."
            )


def load(
    path: str,
    columns: str = "",
    test_path: str = "",
    max_classes: int = MAX_CLASSES,
    missing: str = "",
    header: str = "",
    delimiter: str = "",
    encoding: str = "",
) -> Table:
    """Your own table, split 90/5/5 after a permutation; the file `test_path` is the test split.

    Training rows alone say of what kind a column is; test rows may have further values of it.
    The kind of every column is found, and `facts.summary` says why; `columns` overrides it:
    "age:integer,zip:categorical,size:ordinal(small<medium<large),when:date(%d/%m/%Y),id:drop".
    Spaces at the ends of cells do not count. Columns of more than `max_classes` codes become
    several fields. `missing` lists the texts of missing cells, with | between; by default an
    empty cell, ?, NaN, N/A and the like, and NA, None and null where numbers have them, too.
    `header` names the columns of a CSV without a header.

    Raises:
        ValueError: in one line, for a file that is no table, or a column that cannot be learnt.
    """
    table_files = arrow.reader("table_files")
    sources = [table_files.opened(path, delimiter, header, encoding)]
    if test_path:
        sources.append(table_files.opened(test_path, delimiter, header, encoding))
    return of_sources(sources, columns, max_classes, missing)


def from_pandas(
    frame: Any,
    columns: str = "",
    test: Any = None,
    max_classes: int = MAX_CLASSES,
    missing: str = "",
    name: str = "frame",
) -> Table:
    """The same of a data frame of pandas, whose index does not count.

    Categories that have an order are ordinal, and rows come back with its dtypes.
    """
    table_files = arrow.reader("table_files")
    sources = [table_files.of_frame(frame, name)]
    if test is not None:
        sources.append(table_files.of_frame(test, f"test of {name}"))
    return of_sources(sources, columns, max_classes, missing)


def read(
    path: str, facts: TableFacts, gaps: bool = False, delimiter: str = "", encoding: str = ""
) -> Integer[np.ndarray, "N L"]:
    """Rows of a file as tokens of a known table, int32 (N, L), in the order of the file.

    Further columns do not count. With `gaps` the tokens of missing cells are -1, and those of
    columns that are not there.

    Raises:
        ValueError: for a missing column, and for an unknown value, naming its row.
    """
    source = arrow.reader("table_files").opened(path, delimiter, "", encoding)
    return arrow.reader("table_rows").given(source, facts, gaps)


def encode_pandas(frame: Any, facts: TableFacts, gaps: bool = False) -> Integer[np.ndarray, "N L"]:
    """The same of a data frame of pandas."""
    source = arrow.reader("table_files").of_frame(frame)
    return arrow.reader("table_rows").given(source, facts, gaps)


def of_sources(
    sources: Sequence[Any], columns: str = "", max_classes: int = MAX_CLASSES, missing: str = ""
) -> Table:
    """The data set of a table, or of one and its test split: see `load`."""
    if not 2 <= max_classes <= MOST_CLASSES:
        raise ValueError(
            f"A field has 2 to {MOST_CLASSES:,} classes; got max_classes={max_classes}."
        )
    table_rows = arrow.reader("table_rows")
    schema, numbers = table_rows.schema(sources, columns, max_classes, missing)
    tokens = [table_rows.tokens(s, schema, n) for s, n in zip(sources, numbers, strict=True)]
    name = in_one_line(sources[0].name)
    return Table(tuple(schema), _split(tokens, name), name)


def _split(tokens: Sequence[np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The rows of each split; the permutation is the same for every table of that many rows."""
    x = tokens[0]
    if len(x) < FEWEST:
        raise ValueError(
            f"A table is split 90/5/5, so it needs {FEWEST} rows; {name} has {len(x)}. Use more."
        )
    x = x[shuffled(len(x))]
    if len(tokens) > 1:
        train = len(x) * 95 // 100
        return {"train": x[:train], "validation": x[train:], "test": tokens[1]}
    train, validation = len(x) * 90 // 100, len(x) * 95 // 100
    return {"train": x[:train], "validation": x[train:validation], "test": x[validation:]}


def _shares(tokens: Integer[np.ndarray, "N"], size: int) -> list[float]:
    """Share of every token of a field, add-one smoothed: (size,)."""
    counts = np.bincount(tokens, minlength=size) + 1.0
    return (counts / counts.sum()).tolist()
