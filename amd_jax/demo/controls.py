"""Form controls for what a model declares, and the values read back from them.

Samplers and editors are values with numbers (`amd_jax.options`): whatever they are, they become
fields with their kind, default and help, and what is sent is checked against these.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import TypeGuard, TypeVar

from amd_jax import options
from amd_jax.demo import plain_words
from amd_jax.facts import Json
from amd_jax.models.declared import Corrector
from amd_jax.options import N, Named, Number

MOST = 1_000_000  # of a number that counts: more than that would not end
SEEDS = 2**32 - 1
F = TypeVar("F", int, float)
KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def template_fields(option: Named, steps: int | None = None) -> Json:
    """An option with its numbers, as a template takes it; given times stay as they are.

    `steps` are those of the model, which no option exceeds.
    """
    fields = [number for number in options.numbers(option) if type(number.default) is not tuple]
    about = (type(option).__doc__ or "").strip().split("\n")[0]
    about = re.sub("`(.*?)`", r"“\1”", about)  # as a page shows a name
    return {
        "name": option.name,
        "about": plain_words.about_option(option.name, about),
        "numbers": [_template_field(number, steps) for number in fields],
        "corrects": isinstance(option, Corrector),
    }


def _template_field(number: Number, steps: int | None) -> Json:
    """A number: its label, help, limits and step."""
    words = plain_words.about_number(number.name, number.help)
    least, most = limits(number)
    if number.name == "steps" and steps is not None:
        most = steps
    step = 1 if number.kind is int else words.step or "any"
    help = words.help if number.default is not None else f"{words.help} Empty: the usual number."
    shown = {"label": words.label, "help": help, "least": least, "most": most, "step": step}
    return number._asdict() | shown | {"kind": number.kind.__name__}


def limits(number: Number) -> tuple[float | None, float | None]:
    """The smallest and the largest value on the page: those declared, or else usual ones."""
    words = plain_words.about_number(number.name, number.help)
    most = MOST if number.kind is int else None
    return _first(number.least, words.least), _first(number.most, words.most, most)


def _first(*values: float | None) -> float | None:
    """The first that is there; None if none is."""
    return next((value for value in values if value is not None), None)


def chosen(declared: Sequence[N], request: Json, what: str) -> N:
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


def value_of(number: Number, value: object) -> object:
    """A value as one of a number's kind; ValueError if it is of another, or cannot be computed."""
    if value is None:
        return number.default
    label, (least, most) = plain_words.about_number(number.name, number.help).label, limits(number)
    if number.kind is int:
        return within(label, whole(label, value, -MOST), least, most)
    if number.kind is float and is_finite(value):
        return within(label, value, least, most)
    if number.kind is float or not isinstance(value, number.kind):
        raise ValueError(f"{label} is {KINDS[number.kind]}; got {value!r:.60}.")
    return value


def whole(name: str, value: object, least: int, most: int = MOST, usual: int | None = None) -> int:
    """An integer within bounds, the usual one for None; ValueError for anything else."""
    if value is None and usual is not None:
        return usual
    if not is_finite(value) or value != int(value):
        raise ValueError(f"{name} is a whole number; got {value!r:.60}.")
    return within(name, int(value), least, most)


def within(name: str, value: F, least: float | None, most: float | None) -> F:
    """A number; ValueError if it is below the smallest or above the largest that is allowed."""
    if least is not None and value < least:
        raise ValueError(f"{name} must be at least {least:,} here; got {value:.12g}.")
    if most is not None and value > most:
        raise ValueError(f"{name} must be at most {most:,} here; got {value:.12g}.")
    return value


def is_finite(value: object) -> TypeGuard[int | float]:
    """Whether it is a number that can be computed with, and not too large for that."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False
