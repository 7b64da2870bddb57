"""Form controls for what a model declares, and the values read back from them.

Samplers and editors are values with numbers (`amd_jax.options`): whatever they are, they become
fields with their kind, default and help, and what is sent is checked against these.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from amd_jax import options
from amd_jax.models.declared import Corrector
from amd_jax.options import N, Named, Number

MOST = 1_000_000  # of a number that counts: more than that would not end
SEEDS = 2**32 - 1
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def template_fields(option: Named) -> dict[str, Any]:
    """An option with its numbers, as a template takes it; given times stay as they are."""
    fields = [number for number in options.numbers(option) if type(number.default) is not tuple]
    numbers = [number._asdict() | {"kind": number.kind.__name__} for number in fields]
    about = (type(option).__doc__ or "").strip().split("\n")[0]
    about = re.sub("`(.*?)`", r"“\1”", about)  # as a page shows a name
    kwargs = {"about": about, "corrects": isinstance(option, Corrector)}
    return {"name": option.name, "numbers": numbers, **kwargs}


def chosen(declared: Sequence[N], request: Mapping[str, Any], what: str) -> N:
    """The option that a request names, or the first, with the numbers that it gives."""
    name = request.get("option")
    option = declared[0] if name is None else options.named(declared, str(name), what)
    given = request.get("numbers") or {}
    if not isinstance(given, Mapping):
        raise ValueError(f"numbers are a number for each name; got {given!r:.60}.")
    known = {number.name: number for number in options.numbers(option)}
    if unknown := [name for name in given if name not in known]:
        names = ", ".join(known) or "none"
        raise ValueError(f"Numbers of {option.name}: {names}; got {unknown[0]!r:.60}.")
    values = {name: value_of(known[name], value) for name, value in given.items()}
    return options.replaced(option, values) if values else option


def value_of(number: Number, value: Any) -> Any:
    """A value as one of a number's kind; ValueError if it is of another, or cannot be computed."""
    if value is None:
        return number.default
    if number.kind is int:
        return whole(number.name, value, -MOST)
    fits = isinstance(value, int | float if number.kind is float else number.kind)
    if not fits or (number.kind is float and (isinstance(value, bool) or not is_finite(value))):
        raise ValueError(f"{number.name} is {KINDS[number.kind]}; got {value!r:.60}.")
    return value


def whole(name: str, value: Any, least: int, most: int = MOST, default: int | None = None) -> int:
    """An integer within bounds, the default for None; ValueError for anything else."""
    if value is None and default is not None:
        return default
    integral = isinstance(value, int | float) and is_finite(value) and value == int(value)
    if not integral or isinstance(value, bool):
        raise ValueError(f"{name} is a whole number; got {value!r:.60}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least:,} here; got {value:.12g}.")
    if value > most:
        raise ValueError(f"{name} must be at most {most:,} here; got {value:.12g}.")
    return int(value)


def is_finite(value: float) -> bool:
    """Whether a number is one that can be computed with, and not too large for that."""
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False
