"""Reads what a user says of columns: "age:integer,size:ordinal(small<medium<large),id:drop"."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from amd_jax.data.reading.files import printable
from amd_jax.facts import dates
from amd_jax.facts.column import KINDS

DROP = "drop"
FORM = (
    "Columns are given as name:kind with commas between, of the kinds categorical, "
    "ordinal(low<middle<high), integer, real, real(decimals), date, date(%d/%m/%Y) and drop"
)
_CHOICE = re.compile(rf"\s*(.+?)\s*:\s*({'|'.join((*KINDS, DROP))})\s*(?:\((.*)\))?\s*", re.DOTALL)


class Choice(NamedTuple):
    """What is said of one column."""

    kind: str  # of KINDS, or "drop"
    values: tuple[str, ...] = ()  # ordinal: ascending
    decimals: int | None = None  # real: round to so many
    form: str = ""  # date


def parse(text: str, names: Sequence[str]) -> dict[str, Choice]:
    """Column -> choice. ValueError for a column that is not there, or another form."""
    result: dict[str, Choice] = {}
    for part in _parts(text):
        match = _CHOICE.fullmatch(part)
        if not match:
            raise ValueError(f"{FORM}; got {printable(part.strip(), 60)!r}.")
        name, kind, inside = match.groups()
        if name not in names:
            known = ", ".join(printable(known, 40) for known in names[:10])
            more = f" and {len(names) - 10} more" if len(names) > 10 else ""
            raise ValueError(
                f"{FORM}; there is no column {printable(name, 60)!r}. There are {known}{more}."
            )
        if name in result:
            raise ValueError(f"{FORM}; {printable(name, 60)!r} is given twice.")
        result[name] = _choice(kind, inside, part)
    return result


def _choice(kind: str, inside: str | None, part: str) -> Choice:
    """The choice of a kind and what stands in brackets after it."""
    if kind == "ordinal":
        values = tuple(value.strip() for value in (inside or "").split("<"))
        if len(set(values)) == len(values) > 1:
            return Choice(kind, values)
    elif inside is None:
        return Choice(kind)
    elif kind == "date":
        dates.check(inside)
        return Choice(kind, form=inside)
    elif kind == "real" and re.fullmatch(r"[0-9]|1[0-9]|2[0-2]", inside):
        return Choice(kind, decimals=int(inside))
    raise ValueError(f"{FORM}; got {printable(part.strip(), 60)!r}.")


def _parts(text: str) -> list[str]:
    """The text between commas, each part up to a kind: a name may hold commas, too."""
    parts, rest = [], ""
    for piece in text.split(","):
        rest = f"{rest},{piece}" if rest else piece
        if _CHOICE.fullmatch(rest):
            parts.append(rest)
            rest = ""
    return [*parts, rest] if rest.strip() else parts
