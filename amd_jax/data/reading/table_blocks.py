"""Tables as blocks of cells, whatever they are stored as. Needs pyarrow.

A block holds some hundred thousand rows at most, so no table has to fit into memory as text.
"""

import collections
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Integer

from amd_jax.data.reading import files

LONGEST_NAME = 1 << 12  # characters


class Cells(NamedTuple):
    """The cells of one column in a block: few texts, perhaps, and which of them each row has."""

    texts: Any  # of Arrow, string (K,), without spaces at the ends
    places: Integer[np.ndarray, "rows"]  # the text of each row


Block = Mapping[str, Cells]  # all columns, of one length


class Source(NamedTuple):
    """A table that can be read from its start, more than once."""

    name: str  # for messages
    names: tuple[str, ...]  # of the columns, in their order
    blocks: Callable[[Sequence[str]], Iterator[Block]]  # of some columns, by their names
    dtypes: Mapping[str, str] = {}  # of a data frame
    orders: Mapping[str, tuple[str, ...]] = {}  # of ordered categories, ascending


def check_names(
    names: Sequence[str], where: str, twice: str = "Rename one of them.", odd: str = "Rename it."
) -> None:
    """Raise ValueError unless the names of columns differ, and are a line each.

    `twice` and `odd` say the way out of two columns of one name, and of a name that is no line.
    """
    counts = collections.Counter(names)
    for name in names:
        shown = files.printable(name, 60)
        if counts[name] > 1:
            raise ValueError(f"Columns differ by name; {where} has {shown!r} twice. {twice}")
        if not name.isprintable() or not name.strip() or len(name) > LONGEST_NAME:
            most = f" of at most {LONGEST_NAME:,} characters" if len(name) > LONGEST_NAME else ""
            raise ValueError(f"A name of a column is one line{most}; {where} has {shown!r}. {odd}")


def cells(array: Any) -> Cells:
    """The cells of an Arrow array, or a chunked one: a null is the empty text.

    Raises:
        ValueError: for values that are no text, number, date or truth, as lists are.
    """
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_fixed_size_binary(kind):
        raise ValueError(f"its cells are {kind}")
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    places = array.indices.fill_null(len(array.dictionary)).to_numpy(zero_copy_only=False)
    texts = _texts(array.dictionary)
    if array.null_count or texts.null_count:
        texts = pa.concat_arrays([texts.fill_null(""), pa.array([""], pa.string())])
    return Cells(texts, places)


def _texts(values: Any) -> Any:
    """Values of Arrow as trimmed texts."""
    if pa.types.is_timestamp(values.type):
        values = _seconds(values)
    if pa.types.is_boolean(values.type):
        return pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())
    texts = values.cast(pa.string())
    return pc.utf8_trim_whitespace(texts)


def _seconds(values: Any) -> Any:
    """Timestamps without a time zone, in seconds; in their own unit if they have fractions."""
    naive = values.cast(pa.timestamp(values.type.unit))
    try:
        return naive.cast(pa.timestamp("s"))
    except pa.ArrowInvalid:
        return naive


def of_batches(batches: Iterator[Any], names: Sequence[str], name: str) -> Iterator[Block]:
    """Blocks of Arrow record batches. ValueError for a column of another kind of values."""
    for batch in batches:
        block = {}
        for column in names:
            try:
                block[column] = cells(batch.column(column))
            except (ValueError, pa.ArrowException) as error:
                shown = files.printable(column, 60)
                raise ValueError(
                    f"Cells are texts, numbers, dates or truths; column {shown!r} of {name} is "
                    f'not ({files.reason(error)}). Leave it out: columns="{shown}:drop".'
                ) from error
        yield block
