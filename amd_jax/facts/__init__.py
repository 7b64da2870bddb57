"""Facts: what a model, its samples and its reports need to know of data, as values.

A run keeps the facts of its data, so that it can be sampled from, and its samples be shown,
without them. `Facts` will do for rows of any shape; text, lines, tokens, maps, points of a
plane and tables have more.
"""

from typing import Any

from amd_jax.facts import field_types
from amd_jax.facts.field_types import Json
from amd_jax.facts.lines import LineFacts
from amd_jax.facts.maps import MapFacts
from amd_jax.facts.rows import NOISE_SIGN, UNUSED_SIGN, Facts, PlaneFacts
from amd_jax.facts.table import Column, TableFacts
from amd_jax.facts.text import UNKNOWN_SIGN, TextFacts
from amd_jax.facts.tokens import TokenFacts

__all__ = [
    "NOISE_SIGN",
    "UNKNOWN_SIGN",
    "UNUSED_SIGN",
    "Column",
    "Facts",
    "Json",
    "LineFacts",
    "MapFacts",
    "PlaneFacts",
    "TableFacts",
    "TextFacts",
    "TokenFacts",
    "from_json",
    "tuples",
]


DEPTH = 100  # of what is read


def from_json(fields: Json) -> Facts:
    """The facts that `Facts.to_json` gave; ValueError if this program has no such kind."""
    known = {kind.kind: kind for kind in _kinds(Facts)}
    fields = {name: tuples(value) for name, value in fields.items()}
    kind = fields.pop("kind", None)
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(f"Facts are of the kind {', '.join(sorted(known))}; got {kind!r:.60}.")
    try:
        fields = known[kind].parsed(fields)
        field_types.check(known[kind], fields, "facts")
        return known[kind](**fields)
    except (TypeError, ArithmeticError) as error:
        raise ValueError(f"These are not the facts of {kind}: {error}.") from error


def _kinds(kind: type[Facts]) -> list[type[Facts]]:
    """A class and all below it; of two with one kind the later one counts."""
    return [kind, *(below for direct in kind.__subclasses__() for below in _kinds(direct))]


def tuples(value: object, depth: int = DEPTH) -> Any:
    """JSON's lists as tuples; ValueError for lists and objects in each other beyond a depth."""
    if not isinstance(value, dict | list):
        return value
    if not depth:
        raise ValueError(f"Lists and objects lie in each other at most {DEPTH} deep.")
    if isinstance(value, dict):
        return {name: tuples(item, depth - 1) for name, item in value.items()}
    return tuple(tuples(item, depth - 1) for item in value)
