"""Measurements: a figure with its error, and what it takes to measure it again."""

import dataclasses
import typing
from typing import Any

from amd_jax.evaluation.means import PerRow
from amd_jax.facts import Json, field_types, tuples

EARLIER = {"how": "method", "rows": "examples", "samples": "examples"}  # names in older files
NUMBERS = ("value", "error")  # null where they are not finite
ANSWER = (*NUMBERS, "failure", "command")  # what is not part of the question
LARGEST = 1e300


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measurement:
    """One measured figure: an entry of results.json, without the fields that are None.

    Two are of the same question if all fields agree but value, error, failure and command.
    """

    what: str  # "bits", "baseline", "restored", ...; of two figures "bits_difference", ...
    value: float | None  # None where it is not finite, or was not measured
    error: float | None = None  # one standard error
    failure: str | None = None  # why it was not measured
    of: str | None = None  # of a difference: the first of the two,
    to: str | None = None  # and the one that is subtracted
    bound: str | None = None  # its name
    method: str | None = None  # how it was measured, in words: "all 1000 steps"
    exact: bool | None = None  # whether a bound is log p(x) itself
    unit: str | None = None  # what one token is called
    order: int | None = None  # of a count model
    error_rate: float | None = None  # of the tokens that were to be corrected
    split: str | None = None
    examples: int | None = None  # rows, or samples
    step: int | None = None  # of the run
    seed: int | None = None
    command: tuple[str, ...] | None = None  # sys.argv
    per_row: PerRow | None = dataclasses.field(default=None, repr=False, compare=False)

    @classmethod
    def mean(cls, what: str, per_row: PerRow, **question: Any) -> "Measurement":
        """A mean over rows."""
        value, error = per_row.mean()
        return cls(what=what, value=value, error=error, per_row=per_row, **question)

    @classmethod
    def from_json(cls, entry: object) -> "Measurement":
        """An entry of a file; ValueError, with what is wrong, for one that is no figure."""
        if not isinstance(entry, dict):
            raise ValueError(f"a figure is an object, not {type(entry).__name__}")
        fields = {str(EARLIER.get(name, name)): tuples(value) for name, value in entry.items()}
        fields |= {"what": fields.get("what"), "value": fields.get("value")}
        for name, value in fields.items():
            if name not in KINDS:
                raise ValueError(f"a figure has no {name!r}")
            if name in NUMBERS and isinstance(value, float | int) and not isinstance(value, bool):
                fields[name] = finite(value)
            if not field_types.fits(fields[name], KINDS[name]):
                raise ValueError(f"{name} of a figure is not {value!r}")
        return cls(**fields)

    def to_json(self) -> Json:
        """The entry of a file."""
        fields = {n: value for n, value in vars(self).items() if n in KINDS and value is not None}
        return {**fields, "value": finite(self.value), "error": finite(self.error)}

    @property
    def rows(self) -> PerRow:
        """What it was in each row; ValueError where that is not known."""
        if self.per_row is None:
            raise ValueError(f"What {self.what} was in each row is not known. Measure it again.")
        return self.per_row

    def question(self) -> Json:
        """What was measured: the entry without what came out, and by which command."""
        return {n: value for n, value in self.to_json().items() if n not in ANSWER}


def finite(value: object) -> int | float | None:
    """A number that JSON has and a page shows; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -LARGEST <= value <= LARGEST else None  # of NaN neither is true


KINDS = typing.get_type_hints(Measurement)
del KINDS["per_row"]  # which no file has
