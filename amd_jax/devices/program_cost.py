"""Costs of a program before it runs: operations of its products, and its largest array."""

import math
from collections.abc import Iterable, Iterator

from jax.core import ShapedArray
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Var


def flops(program: ClosedJaxpr | Jaxpr) -> float:
    """Floating-point operations of all products and convolutions, on all devices together.

    Of a `scan` those of every turn; of a loop whose turns nobody knows those of one, and of
    alternatives those of the longest. What is elementwise is not counted.
    """
    return sum(_flops(step) for part in _programs([program]) for step in part.eqns)


def largest(program: ClosedJaxpr | Jaxpr) -> int:
    """Bytes of the largest array in a program, whatever the compiler makes of it."""
    (program,) = _programs([program])
    own = [*program.invars, *program.constvars, *(v for e in program.eqns for v in e.outvars)]
    inside = (largest(p) for step in program.eqns for p in _programs(step.params.values()))
    return max([0, *map(_bytes, own), *inside])


def _bytes(variable: Var) -> int:
    """Of one array; 0 for what is none, as a token."""
    aval = variable.aval
    return aval.size * aval.dtype.itemsize if isinstance(aval, ShapedArray) else 0


def _flops(step: JaxprEqn) -> float:
    """Of one line of a program."""
    numbers, kind = step.params, step.primitive.name
    variables = (*step.outvars, *step.invars)
    arrays = [v.aval for v in variables if isinstance(v.aval, ShapedArray)]
    if kind == "dot_general":
        out, left, _ = arrays
        (contracted, _), _ = numbers["dimension_numbers"]
        return 2.0 * out.size * math.prod(left.shape[axis] for axis in contracted)
    if kind == "conv_general_dilated":
        out, _, kernel = arrays
        features = kernel.shape[numbers["dimension_numbers"].rhs_spec[0]]
        return 2.0 * out.size * kernel.size / features
    parts = [flops(part) for part in _programs(numbers.values())]
    if kind == "cond":
        return max(parts, default=0.0)
    return _times(step) * sum(parts)


def _times(step: JaxprEqn) -> int:
    """How often what a line holds is done: turns of a loop, or devices that each do it."""
    numbers, kind = step.params, step.primitive.name
    if kind == "scan":
        return numbers["length"]
    if kind == "shard_map":
        return numbers["mesh"].size
    return numbers.get("global_axis_size", 1)  # of pmap


def _programs(values: Iterable[object]) -> Iterator[Jaxpr]:
    """The programs among some values, such as those that a line holds."""
    for value in values:
        if isinstance(value, tuple | list):
            yield from _programs(value)
        elif isinstance(value, ClosedJaxpr | Jaxpr):
            yield value.jaxpr if isinstance(value, ClosedJaxpr) else value
