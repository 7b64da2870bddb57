"""A row of a table as a form: a field for each column, and the rest of the row drawn."""

from collections.abc import Mapping

import numpy as np

from amd_jax.evaluation.tables import conditional
from amd_jax.evaluation.tables.conditional import Rows
from amd_jax.facts import Column, Json, TableFacts
from amd_jax.pages import table_shows, texts
from amd_jax.types import Model, Params

COLUMNS = 60  # that have a field, at most; the others are drawn
CHOICES = 60  # of a field that is a list, at most
CELL = 200  # characters of what is typed, at most


def fields(facts: TableFacts) -> list[Json]:
    """A field for each column that varies: its name, its values if they are few, and a help."""
    several = [column for column in facts.columns if column.size > 1]
    return [_field(column) for column in several[:COLUMNS]]


def _field(column: Column) -> Json:
    listed = column.values if column.kind in ("categorical", "ordinal") else ()
    named = [value for value in listed if value.strip()]
    if 0 < len(named) <= CHOICES:
        return {"name": column.name, "choices": named, "help": ""}
    return {"name": column.name, "choices": [], "help": _range(column)}


def _range(column: Column) -> str:
    """What may be typed, in a few words."""
    if column.kind == "categorical":
        return f"One of {column.num_values:,} values, such as {column.text(0)[:40]}."
    last = column.text(column.num_values - 1)
    return f"{column.text(0)} to {last}."


def row_of(facts: TableFacts, request: Json) -> Rows:
    """The row of a request, (1, L), -1 in columns without a text; ValueError for another."""
    given = request.get("row")
    if not isinstance(given, Mapping) or not all(
        isinstance(cell, str) and len(cell) <= CELL for cell in given.values()
    ):
        raise ValueError(f"A row is a text of at most {CELL} characters for each column.")
    known = {name: [cell] for name, cell in given.items() if cell.strip()}
    for name in known:
        facts.column(name)  # or ValueError
    x = np.full((1, len(facts.sizes)), -1, np.int32)
    if known:
        x = facts.encode(known, gaps=True)
    if (x >= 0).all():
        raise ValueError("The row has no gap. Leave a field empty.")
    return x


def filled(
    model: Model, params: Params, facts: TableFacts, x: Rows, number: int, seed: int
) -> Json:
    """A row (1, L) with its gaps drawn, several times, and the likeliest values of each gap."""
    drawn = conditional.filled_with_values(model, params, facts, x.repeat(number, axis=0), seed)
    log_p, cells = conditional.laws(model, params, x, facts)[0], facts.decode(drawn.rows)
    lines = []
    for column, place in zip(facts.columns, facts.places, strict=True):
        gap = place.start < place.stop and bool(x[0, place.start] < 0)
        likely = table_shows.likeliest(column, log_p[place.start]) if gap else []
        shown = cells[column.name] if gap else cells[column.name][:1]
        line = {"column": column.name, "gap": gap, "draws": shown, "likely": likely}
        lines.append(texts_of(line))
    return {"kind": "filled", "lines": lines, "note": f"Rows {drawn.describe()}."}


def texts_of(line: Json) -> Json:
    """A line with its texts as a page can hold them."""
    draws, likely = ([texts.in_one_line(t) for t in line[name]] for name in ("draws", "likely"))
    return {**line, "column": texts.in_one_line(line["column"]), "draws": draws, "likely": likely}
