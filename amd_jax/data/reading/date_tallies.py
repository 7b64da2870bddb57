"""What a column holds as dates, seen once: the forms that all its cells have, and their ends."""

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Integer

from amd_jax.data.reading.number_tallies import Spread
from amd_jax.facts import dates

TRIED = 100  # texts that all forms of dates are tried on
_DAY, _TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}", "[0-9]{2}:[0-9]{2}:[0-9]{2}"
ISO = {
    "%Y-%m-%d": (f"^{_DAY}$", pa.date32()),
    "%Y-%m-%d %H:%M:%S": (f"^{_DAY} {_TIME}$", pa.timestamp("s")),
    "%Y-%m-%dT%H:%M:%S": (f"^{_DAY}T{_TIME}$", pa.timestamp("s")),
}


class Dates:
    """A column as dates, as long as all its cells are of one form: `forms` holds those left."""

    def __init__(self, form: str = "") -> None:
        self.forms: dict[str, Spread] | None = {form: Spread()} if form else None
        self.bad = ""

    @property
    def alive(self) -> bool:
        """Whether all cells so far are dates."""
        return self.forms is None or bool(self.forms)

    def add(self, texts: Any) -> None:
        """Adds texts, an Arrow array without missing marks."""
        if not len(texts) or not self.alive:
            return
        if self.forms is None:
            likely, tried = dates.likely(texts[0].as_py()), texts[:TRIED]
            self.forms = {form: Spread() for form in likely if moments(tried, form)[1].all()}
        for form, spread in [*self.forms.items()]:
            points, fits = moments(texts, form)
            if fits.all():
                spread.add(points.astype(np.float64))
            else:
                self.bad = texts[int(np.argmin(fits))].as_py()
                del self.forms[form]


def moments(texts: Any, form: str) -> tuple[Integer[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """The same as `dates.parse`, of an Arrow array: at once where Arrow knows the form."""
    if form in ISO and pc.all(pc.match_substring_regex(texts, ISO[form][0])).as_py():
        kind = ISO[form][1]
        with contextlib.suppress(pa.ArrowInvalid):  # such as the 30th of February
            points = texts.cast(kind).cast(pa.int64() if kind.bit_width == 64 else pa.int32())
            return points.to_numpy().astype(np.int64), np.ones(len(texts), bool)
    return dates.parse(texts.to_pylist(), form)
