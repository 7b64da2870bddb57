"""Checks values from a file against the annotations of the dataclass they are for."""

import collections.abc
import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Json = dict[str, Any]  # an object of JSON, as files and messages hold it


def check(kind: type, fields: Mapping[str, object], name: str) -> None:
    """Raises ValueError for a field of a dataclass whose value is not of the kind it says.

    `name` is that of the whole, for the message. Names are left to the dataclass.
    """
    known = _annotations(kind)
    for field, value in fields.items():
        if not fits(value, known.get(field, object)):
            raise ValueError(
                f"{name}.{field} must be of the kind {named(known[field])}; got {_shown(value)}."
            )


def fits(value: object, kind: object) -> bool:
    """Whether a value is what an annotation says; numbers have to be finite."""
    origin, parts = typing.get_origin(kind) or kind, typing.get_args(kind)
    if kind is Any:  # as JSON's values are
        return True
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin in (tuple, list, Sequence):  # JSON's lists are read as tuples
        return isinstance(value, tuple) and _items_fit(value, parts, each=origin is not tuple)
    if origin in (dict, Mapping):
        inner = parts[1] if parts else object
        return isinstance(value, Mapping) and all(fits(item, inner) for item in value.values())
    if origin is collections.abc.Callable:
        return callable(value) and not isinstance(value, type)
    return _is(value, origin)


def _is(value: object, kind: object) -> bool:
    """Whether a value is of a class; of a Protocol, whether it has all the members."""
    if kind is float:
        return type(value) is float and math.isfinite(value) or type(value) is int
    if kind in (bool, int, str):
        return type(value) is kind
    if not isinstance(kind, type):  # such as a variable: nothing is known
        return kind is not None or value is None
    if _is_array(kind):  # those of numpy and of JAX are read alike
        return _is_array(type(value))
    if getattr(kind, "_is_protocol", False):
        return not isinstance(value, type) and all(hasattr(value, m) for m in _members(kind))
    return isinstance(value, kind)


def _items_fit(value: tuple, parts: tuple, *, each: bool) -> bool:
    """Whether items are what an annotation says: `each` the same, or one kind for every item."""
    if not parts or each or parts[-1] is Ellipsis:
        return all(fits(item, parts[0]) for item in value) if parts else True
    pairs = zip(value, parts, strict=False)
    return len(value) == len(parts) and all(fits(item, part) for item, part in pairs)


def _is_array(kind: type) -> bool:
    """Whether a class is that of arrays, of numpy or of JAX, which facts do not import."""
    names = {base.__name__.rpartition(".")[2] for base in kind.__mro__}
    return kind is np.ndarray or not names.isdisjoint({"Array", "AbstractArray"})


@functools.cache
def _annotations(kind: type) -> dict[str, object]:
    """The annotation of every field of a dataclass; object where it cannot be resolved."""
    names = [field.name for field in dataclasses.fields(kind) if field.init]
    try:
        known = typing.get_type_hints(kind)
    except (NameError, TypeError, AttributeError):  # as of a class within a function
        known = {}
    return {name: known.get(name, object) for name in names}


@functools.cache
def _members(protocol: type) -> frozenset[str]:
    """The public names that a Protocol asks for, and `__call__`."""
    names = {name for name in vars(protocol) if not name.startswith("_") or name == "__call__"}
    return frozenset(names | {n for n in protocol.__annotations__ if not n.startswith("_")})


def named(kind: object) -> str:
    """An annotation as one reads it in the source."""
    shown = kind.__name__ if isinstance(kind, type) else str(kind)
    return shown.replace("typing.", "").replace("collections.abc.", "")


def _shown(value: object) -> str:
    """The begin of a value, or its class where it is long."""
    plain = isinstance(value, (bool, int, float, str)) or value is None
    return f"{value!r:.60}" if plain else f"a {type(value).__name__}"
