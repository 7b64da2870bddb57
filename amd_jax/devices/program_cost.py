"""Costs of a program before it runs: operations of its products, and its largest array."""

import math
from collections.abc import Iterator
from typing import Any

from jax.extend.core import ClosedJaxpr, Jaxpr


def flops(program: ClosedJaxpr | Jaxpr) -> float:
    """Floating-point operations of all products and convolutions, on all devices together.

    Of a `scan` those of every turn; of a loop whose turns nobody knows those of one, and of
    alternatives those of the longest. What is elementwise is not counted.
    """
    return sum(map(_flops, getattr(program, "jaxpr", program).eqns))


def largest(program: ClosedJaxpr | Jaxpr) -> int:
    """Bytes of the largest array in a program, whatever the compiler makes of it."""
    program = getattr(program, "jaxpr", program)
    own = [*program.invars, *program.constvars, *(v for e in program.eqns for v in e.outvars)]
    inside = (largest(p) for step in program.eqns for p in _programs(step.params.values()))
    return max([0, *map(_bytes, own), *inside])


def _bytes(variable: Any) -> int:
    """Of one array; 0 for what is none, as a token."""
    aval = variable.aval
    return aval.size * aval.dtype.itemsize if hasattr(aval, "dtype") else 0


def _flops(step: Any) -> float:
    """Of one line of a program."""
    numbers, kind = step.params, step.primitive.name
    if kind == "dot_general":
        (contracted, _), _ = numbers["dimension_numbers"]
        shape = step.invars[0].aval.shape
        return 2.0 * step.outvars[0].aval.size * math.prod(shape[axis] for axis in contracted)
    if kind == "conv_general_dilated":
        kernel = step.invars[1].aval
        features = kernel.shape[numbers["dimension_numbers"].rhs_spec[0]]
        return 2.0 * step.outvars[0].aval.size * kernel.size / features
    parts = [flops(part) for part in _programs(numbers.values())]
    if kind == "cond":
        return max(parts, default=0.0)
    return _times(kind, numbers) * sum(parts)


def _times(kind: str, numbers: dict[str, Any]) -> int:
    """How often what a line holds is done: turns of a loop, or devices that each do it."""
    if kind == "scan":
        return numbers["length"]
    if kind == "shard_map":
        return numbers["mesh"].size
    return numbers.get("global_axis_size", 1)  # of pmap


def _programs(values: Any) -> Iterator[ClosedJaxpr | Jaxpr]:
    """The programs that a line holds."""
    for value in values:
        if isinstance(value, tuple | list):
            yield from _programs(value)
        elif isinstance(value, ClosedJaxpr | Jaxpr):
            yield value
