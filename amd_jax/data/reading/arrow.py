"""Readers that need pyarrow, an extra of the package."""

import importlib.util
from typing import Any

from amd_jax.data import reading

MISSING = (
    "Tables are read by pyarrow, which is not installed. Install it: "
    "pip install 'amd_jax[tables]', or in a checkout pip install -e '.[tables]'."
)


def reader(name: str) -> Any:
    """A module of `reading` that needs pyarrow. ValueError if that is not installed."""
    check()
    return getattr(reading, name)


def check() -> None:
    """Raises ValueError unless pyarrow is installed."""
    if importlib.util.find_spec("pyarrow") is None:
        raise ValueError(MISSING)
