"""Rows of a table as a data frame of pandas, which is imported when it is needed."""

import importlib
import importlib.util
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.facts import dates
from amd_jax.facts.column import Column

NO_PANDAS = (
    "Data frames are made by pandas, which is not installed. Install it: "
    "pip install 'amd_jax[tables]', or in a checkout pip install -e '.[tables]'."
)


def series(column: Column, codes: Integer[np.ndarray, "N"]) -> Any:
    """The values of codes (N,) as pandas holds them, in the dtype the column came with.

    Without one integers are int64, or Int64 where cells are missing, reals float64, dates
    datetime64[s], ordinal values an ordered category, and categories texts.

    Raises:
        ValueError: without pandas, and for a code that the column does not have.
    """
    pandas = _pandas()
    texts = column.decode(codes)  # also checks the codes
    numbers, absent = column.numbers(codes), codes == column.num_values
    if column.is_number:
        kind = column.dtype or _number_kind(column)
        return pandas.Series(_numbers(numbers, absent, kind), name=column.name, dtype=kind)
    if column.kind == "date":
        unit = "s" if dates.in_seconds(column.form) else "D"
        moments = np.where(absent, 0, numbers).astype(np.int64).astype(f"M8[{unit}]")
        moments = moments.astype("M8[s]")
        moments[absent] = np.datetime64("NaT", "s")
        kind = column.dtype if column.dtype.startswith("datetime64[") else "datetime64[s]"
        naive = pandas.Series(moments, name=column.name)
        return (naive.dt.tz_localize("UTC") if "," in kind else naive).astype(kind)
    values = [None if no else text for text, no in zip(texts, absent, strict=True)]
    if column.dtype in ("bool", "boolean"):
        kind = "boolean" if absent.any() else column.dtype
        truths = [None if value is None else value.lower() == "true" for value in values]
        return pandas.Series(truths, name=column.name, dtype=kind)
    if column.dtype == "category" or column.kind == "ordinal":
        ordered = column.kind == "ordinal"
        whole = pandas.Categorical(values, categories=list(column.values), ordered=ordered)
        return pandas.Series(whole, name=column.name)
    return pandas.Series(values, name=column.name, dtype=column.dtype or "str")


def joined(columns: Sequence[Any]) -> Any:
    """The data frame of some columns."""
    return _pandas().concat(columns, axis=1)


def _pandas() -> ModuleType:
    """The module. ValueError if it is not installed."""
    if importlib.util.find_spec("pandas") is None:
        raise ValueError(NO_PANDAS)
    return importlib.import_module("pandas")


def _number_kind(column: Column) -> str:
    """The dtype of numbers that came with none."""
    if column.kind == "real":
        return "float64"
    return "int64" if column.missing is None else "Int64"


def _numbers(numbers: Float[np.ndarray, "N"], absent: np.ndarray, kind: str) -> Any:
    """Numbers for an array of pandas: integers as such, a missing one as None."""
    if "int" not in kind.lower():
        return numbers
    whole = np.where(absent, 0, numbers).astype(np.int64)
    if not absent.any():
        return whole
    return [None if no else int(number) for number, no in zip(whole, absent, strict=True)]
