"""A model as JSON and arrays, and back: data that only name parts of this library.

A model is a frozen dataclass of parts, and so is each of its parts. Described, it is

    {"part": "amd_jax.models.diffusion.Diffusion", "fields": {"kernel": {...}, "steps": 1000, ...}}

with {"name": ...} for a function or a constant of the library, {"array": key} for an array of JAX
and {"table": key} for one of numpy, which are kept apart, and {"items": {...}} for a mapping;
numbers, strings, truth values and null are themselves, tuples are lists. Composing looks names up
in the rooms that models are made of, and nowhere else: a description can ask for no other code.
"""

import dataclasses
import importlib
import math
import sys
import types
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

ROOMS = ("diffusion", "models", "networks", "ops", "transforms")
PREFIXES = tuple(f"amd_jax.{room}." for room in ROOMS)
KEYS = ("part", "name", "array", "table", "items")
IGNORED = {"parent", "name"}  # fields that linen gives every module


def describe(value: Any, arrays: dict[str, np.ndarray], place: str = "model") -> Any:
    """The description of a model, or of a part of it; its arrays are put into `arrays`.

    `place` is where the value stands, for keys and messages. Raises ValueError, with the place,
    for what is no part of the library, such as a class of an experiment file.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, tuple) and type(value) is tuple:
        return [describe(item, arrays, f"{place}.{i}") for i, item in enumerate(value)]
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        arrays[place] = np.asarray(value)
        return {"array" if isinstance(value, jax.Array) else "table": place}
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        items = {k: describe(item, arrays, f"{place}.{k}") for k, item in value.items()}
        return {"items": items}
    if name := _name(value):
        return {"name": name}
    if dataclasses.is_dataclass(value) and (name := _name(type(value))):
        found = {
            field.name: describe(getattr(value, field.name), arrays, f"{place}.{field.name}")
            for field in dataclasses.fields(value)
            if field.init and field.name not in IGNORED
        }
        return {"part": name, "fields": found}
    owner = type(value) if not isinstance(value, (type, types.FunctionType)) else value
    raise ValueError(
        f"An export is made of parts of amd_jax, and holds no code; {place} is "
        f"{owner.__module__}.{owner.__qualname__}. Read the run itself with load_run, which "
        "executes its experiment file, or compose the model of parts of the library."
    )


def compose(description: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """What a description is of; ValueError for one that this library does not know."""
    if description is None or isinstance(description, (bool, int, float, str)):
        return description
    if isinstance(description, list):
        return tuple(compose(item, arrays) for item in description)
    found = {key: description.get(key) for key in KEYS}
    match {key: value for key, value in found.items() if value is not None}:
        case {"items": dict(items)}:
            return {key: compose(item, arrays) for key, item in items.items()}
        case {"array": str(key)} if key in arrays:
            return jnp.asarray(arrays[key])
        case {"table": str(key)} if key in arrays:
            return arrays[key]
        case {"name": str(name)}:
            return _named(name)
        case {"part": str(name)} if isinstance(description.get("fields"), dict):
            kind = _named(name)
            fields = {k: compose(v, arrays) for k, v in description["fields"].items()}
            if not isinstance(kind, type):
                raise ValueError(f"{name} is no kind of part.")
            try:
                return kind(**fields)
            except TypeError as error:
                raise ValueError(f"{name} of this version differs: {error}.") from error
    raise ValueError(f"A description has one of {', '.join(KEYS)}; got {description!r:.80}.")


def _name(value: Any) -> str | None:
    """Where in the library a class, a function or a constant stands; None if nowhere."""
    module = getattr(value, "__module__", None) or ""
    if isinstance(value, (type, types.FunctionType)):
        name = value.__name__
    else:
        module = type(value).__module__
        known = vars(sys.modules[module]) if module in sys.modules else {}
        name = next((k for k, v in known.items() if v is value and k.isupper()), "")
    full = f"{module}.{name}"
    try:
        return full if name and _named(full) is value else None
    except ValueError:
        return None


def _named(full: str) -> Any:
    """The class, function or constant of that name; ValueError unless it is the library's own."""
    module, _, name = full.rpartition(".")
    if full.startswith(PREFIXES) and not name.startswith("_"):
        try:
            found = vars(importlib.import_module(module)).get(name)
        except ImportError:
            found = None
        is_part = isinstance(found, type) and dataclasses.is_dataclass(found)
        if is_part or isinstance(found, types.FunctionType):
            if found.__module__ == module:
                return found
        elif dataclasses.is_dataclass(found) and type(found).__module__ == module:
            return found
    raise ValueError(
        f"A model is made of dataclasses, functions and constants in {', '.join(PREFIXES)}; this "
        f"version has none called {full:.80}."
    )
