"""What the compiler plans with."""

from collections.abc import Callable
from typing import Any

import jax


def scratch(f: Callable, *arguments: Any) -> int:
    """Bytes of temporary arrays of a function of arrays, or of their shapes, compiled as it is."""
    return jax.jit(f).lower(*arguments).compile().memory_analysis().temp_size_in_bytes
