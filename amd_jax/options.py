"""Options: frozen dataclasses whose fields are numbers that a user may choose.

A way to sample, a bound, a correction: each is a value with a `name`, a docstring and such fields.
Whoever shows them to a user (a command line, a page) reads here what there is to choose.
"""

import dataclasses
import difflib
import math
import numbers as number_types
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


@runtime_checkable
class Named(Protocol):
    """An option that a user may ask for."""

    @property
    def name(self) -> str:
        """What the user calls it."""


N = TypeVar("N", bound=Named)


class Number(NamedTuple):
    """One field of an option."""

    name: str
    default: Any  # of that kind, or None
    kind: type  # int, float, bool or str
    help: str
    least: float | None  # the smallest value that is allowed
    most: float | None  # the largest
    among: tuple[str, ...] | None  # the values that there are
    also: type | None  # of further values, which the option itself checks


def number(
    default: T,
    help: str,
    *,
    kind: type | None = None,
    least: float | None = None,
    most: float | None = None,
    among: tuple[str, ...] | None = None,
    also: type | None = None,
) -> T:
    """A field of an option; its `kind` is needed where the default is None."""
    kind = type(default) if kind is None else kind
    help = help if among is None else f"{help}: {', '.join(among)}"
    metadata = {"kind": kind, "help": help, "least": least, "most": most}
    metadata |= {"among": among, "also": also}
    return dataclasses.field(default=default, metadata=metadata)


def numbers(option: object) -> list[Number]:
    """The fields of an option that a user may choose, its own values as their defaults."""
    return [
        Number(field.name, getattr(option, field.name), **field.metadata)
        for field in _fields(option)
        if "kind" in field.metadata
    ]


def values(option: object) -> dict[str, Any]:
    """The same by their names."""
    return {number.name: number.default for number in numbers(option)}


def replaced(option: T, numbers: Mapping[str, object]) -> T:
    """The option with other numbers."""
    return dataclasses.replace(option, **numbers)  # type: ignore[type-var]  # a Protocol says no fields


def chosen(option: object) -> dict[str, object]:
    """The numbers of an option that are not its class's own."""
    own = {field.name: field.default for field in _fields(option)}
    return {n.name: n.default for n in numbers(option) if n.default != own[n.name]}


def settings(option: object) -> list[str]:
    """The same in words, such as "steps 64"; a tuple of values is said to be given."""
    return [
        f"{name} {'given' if isinstance(value, tuple) else value}"
        for name, value in chosen(option).items()
    ]


def admitted(options: Iterable[T], kernel: object) -> tuple[T, ...]:
    """Those that are for a kernel; one that has no `admits` is for all."""
    return tuple(o for o in options if not hasattr(o, "admits") or o.admits(kernel))


def check(option: object) -> None:
    """Raises ValueError for a number beyond its bounds, or not among those that there are.

    A float is finite, and an integer a whole number in int32.
    """
    for name, value, kind, _, least, most, among, also in numbers(option):
        further = also is not None and isinstance(value, also)
        whole = value is None or further or isinstance(value, number_types.Integral)
        if kind is int and not whole:
            raise ValueError(f"{name} must be a whole number; got {name}={value!r:.40}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{name} must be finite; got {name}={value}.")
        if isinstance(value, int) and abs(value) >= 2**31:
            raise ValueError(f"{name} must be below 2 ** 31; got {name}={value:.12g}.")
        if least is not None and value is not None and value < least:
            raise ValueError(f"{name} must be at least {least}; got {name}={value}.")
        if most is not None and value is not None and value > most:
            raise ValueError(f"{name} must be at most {most}; got {name}={value}.")
        if among is not None and value not in among and not further:
            raise ValueError(f"{name} is one of {', '.join(among)}; got {name}={value}.")


def named(options: Iterable[N], name: str, what: str) -> N:
    """The option of that name; ValueError, naming those that there are, for any other."""
    known = {option.name: option for option in options}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"The {what} must be one of {', '.join(known)}; got {name!r}.{hint}")
    return known[name]


def _fields(option: object) -> tuple[dataclasses.Field, ...]:
    return dataclasses.fields(option) if dataclasses.is_dataclass(option) else ()
