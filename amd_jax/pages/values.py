"""Reads values of untrusted run files as numbers or text."""

from typing import Any

LARGEST = 1e300


def number(value: Any) -> int | float | None:
    """A finite number; None for whatever else stands there."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -LARGEST <= value <= LARGEST else None  # of NaN neither is true
