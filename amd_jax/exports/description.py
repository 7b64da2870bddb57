"""A model as JSON and arrays, and back: data that only name parts of this library.

A model is a frozen dataclass of parts, and so is each of its parts. Described, it is

    {"part": "amd_jax.models.Diffusion", "fields": {"kernel": {...}, "steps": 1000, ...}}

with {"name": ...} for a function or a constant of the library, {"array": key} for an array of JAX
and {"table": key} for one of numpy, which are kept apart, and {"items": {...}} for a mapping;
numbers, strings, truth values and null are themselves, tuples are lists. Composing looks names up
in the rooms that models are made of, and nowhere else: a description can ask for no other code.
"""

import dataclasses
import importlib
import itertools
import math
import sys
import types
from collections.abc import Mapping
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.facts import Json, field_types
from amd_jax.moved import MOVED

ROOMS = ("diffusion", "models", "networks", "ops", "transforms")
PREFIXES = tuple(f"amd_jax.{room}." for room in ROOMS)
Value: TypeAlias = Json | list | str | float | None  # of JSON
KEYS = ("part", "name", "array", "table", "items")
IGNORED = {"parent", "name"}  # fields that linen gives every module
PARTS, DEPTH = 1 << 13, 100  # dictionaries of a description, and how deep they lie
LARGEST = 2**24  # integers, beyond which float32 does not tell them all apart
CODES = 10**12  # of a column of a table: `ops.columns.Columns.limits`, never a float


def describe(value: object, arrays: dict[str, np.ndarray], place: str = "model") -> Value:
    """The description of a model, or of a part of it; its arrays are put into `arrays`.

    `place` is where the value stands, for keys and messages. Raises ValueError, with the place,
    for what is no part of the library, such as a class of an experiment file.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, float, str)):
        _check_number(value, place)
        return value
    if isinstance(value, tuple) and type(value) is tuple:
        return [describe(item, arrays, f"{place}.{i}") for i, item in enumerate(value)]
    if isinstance(value, (np.ndarray, jax.Array)):
        arrays[place] = np.asarray(value)
        return {"array" if isinstance(value, jax.Array) else "table": place}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        items = {k: describe(item, arrays, f"{place}.{k}") for k, item in value.items()}
        return {"items": items}
    if name := _name(value):
        return {"name": name}
    if dataclasses.is_dataclass(value) and (name := _name(type(value))):
        names = [f.name for f in dataclasses.fields(value) if f.init and f.name not in IGNORED]
        values = {name: getattr(value, name) for name in names}
        described = {k: describe(v, arrays, f"{place}.{k}") for k, v in values.items()}
        field_types.check(type(value), values, place)  # as on the way back
        return {"part": name, "fields": described}
    owner = type(value) if not isinstance(value, (type, types.FunctionType)) else value
    raise ValueError(
        f"An export is made of parts of amd_jax, and holds no code; {place} is "
        f"{owner.__module__}.{owner.__qualname__}. Read the run itself with load_run, which "
        "executes its experiment file, or compose the model of parts of the library."
    )


def compose(description: Value, arrays: Mapping[str, np.ndarray], path: str = "model") -> object:
    """What a description is of; ValueError for one that this library does not know.

    Fields have to be of the kinds that their parts are annotated with, and integers at most
    `LARGEST` from zero. `path` is where it stands, for messages.
    """
    if description is None or isinstance(description, (bool, int, float, str)):
        _check_number(description, path)
        return description
    if isinstance(description, list):
        return tuple(compose(x, arrays, f"{path}.{i}") for i, x in enumerate(description))
    match {key: description[key] for key in KEYS if description.get(key) is not None}:
        case {"items": dict(items)}:
            return {key: compose(item, arrays, f"{path}.{key}") for key, item in items.items()}
        case {"array": str(key)} if key in arrays:
            return jnp.asarray(arrays[key])
        case {"table": str(key)} if key in arrays:
            return arrays[key]
        case {"name": str(name)}:
            return _value(name)
        case {"part": str(name)} if isinstance(description.get("fields"), dict):
            return _part(name, description["fields"], arrays, path)
    raise ValueError(f"A description has one of {', '.join(KEYS)}; got {description!r:.80}.")


def check_size(description: Json) -> None:
    """Raises ValueError for a description of too many parts, or too deep in each other."""
    level: list[Json | list] = [description]
    parts = 0
    for _ in range(DEPTH):
        parts += sum(isinstance(value, dict) for value in level)
        if parts > PARTS:
            raise ValueError(f"A model is made of {PARTS:,} parts at most.")
        children = (v.values() if isinstance(v, dict) else v for v in level)
        level = [item for items in children for item in items if isinstance(item, dict | list)]
        if not level:
            return
    raise ValueError(f"Parts of a model lie in each other at most {DEPTH} deep.")


def referred(description: Value) -> set[str]:
    """The keys of the arrays that a description names."""
    if isinstance(description, list):
        return set().union(*map(referred, description))
    if not isinstance(description, dict):
        return set()
    own = [description.get(key) for key in ("array", "table")]
    return {key for key in own if isinstance(key, str)} | referred([*description.values()])


def _part(name: str, described: Json, arrays: Mapping[str, np.ndarray], path: str) -> object:
    """The part of the library of that name, with some fields."""
    kind = _named(name)
    if not isinstance(kind, type):
        raise ValueError(f"{name} is no kind of part.")
    if ignored := IGNORED & described.keys():
        raise ValueError(f"{path}: {name} has no field {', '.join(sorted(ignored))}.")
    fields = {k: compose(v, arrays, f"{path}.{k}") for k, v in described.items()}
    field_types.check(kind, fields, path)
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(f"{path}: {name} of this version differs: {error}.") from error


def _value(name: str) -> object:
    """The function or constant of that name."""
    value = _named(name)
    if isinstance(value, type):
        raise ValueError(f"{name} is a kind of part, and none.")
    return value


def _check_number(value: object, path: str) -> None:
    """Raises ValueError for an integer that no part has a use for, and for NaN or infinity."""
    largest = CODES if path.rpartition(".")[0].endswith(".support.limits") else LARGEST
    if isinstance(value, int) and abs(value) > largest:
        raise ValueError(
            f"Integers of a model are at most {largest:,} from zero; {path} has "
            f"{value.bit_length()} bits."
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"Numbers of a model are finite; {path} is {value}.")


def _name(value: object) -> str | None:
    """Where in the library a class, a function or a constant stands; None if nowhere."""
    if isinstance(value, (type, types.FunctionType)):
        module, name = value.__module__ or "", value.__name__
    else:
        module = type(value).__module__
        known = vars(sys.modules[module]) if module in sys.modules else {}
        name = next((k for k, v in known.items() if v is value and k.isupper()), "")
    for public in itertools.accumulate(module.split("."), "{}.{}".format):  # a room, then inside
        try:
            if name and _named(f"{public}.{name}") is value:
                return f"{public}.{name}"
        except ValueError:
            continue
    return None


def _named(full: str) -> object:
    """The class, function or constant of that name; ValueError unless it is the library's own."""
    module, _, name = full.rpartition(".")
    if full.startswith(PREFIXES) and not name.startswith("_"):
        try:
            result = vars(importlib.import_module(module)).get(name)
        except ImportError:
            result = None
        is_part = isinstance(result, type) and dataclasses.is_dataclass(result)
        owner = result if is_part or isinstance(result, types.FunctionType) else type(result)
        if dataclasses.is_dataclass(result) or owner is result:
            if f"{owner.__module__}.".startswith(f"{MOVED.get(module, module)}."):
                return result
    raise ValueError(
        f"A model is made of dataclasses, functions and constants in {', '.join(PREFIXES)}; this "
        f"version has none called {full:.80}."
    )
