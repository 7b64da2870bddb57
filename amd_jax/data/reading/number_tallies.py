"""What a column holds as numbers, seen once: ends, decimals, steps, and how they are written."""

import dataclasses
import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Integer

from amd_jax.facts import numerals
from amd_jax.facts.numerals import COMMA

PLAIN = r"^-?[0-9]+(\.[0-9]+)?$"
WITH_COMMA = "^-?[0-9]+,[0-9]+$"
THOUSANDS = "^-?[1-9][0-9]{0,2},[0-9]{3}$"  # may also be a number with three decimals
ANY_NUMBER = f"^(?:{numerals.NUMBER})$".replace(r"\d", "[0-9]")


@dataclasses.dataclass
class Spread:
    """Ends of points, and the greatest step that they are all on: they come in any order."""

    low: float = math.inf
    high: float = -math.inf
    step: int = 0  # 0: all are one point

    def add(self, points: Float[np.ndarray, "N"]) -> None:
        """Adds whole numbers."""
        anchor = self.low if self.low < math.inf else float(points[0])
        self.low, self.high = min(self.low, points.min()), max(self.high, points.max())
        if max(abs(self.low), abs(self.high)) <= numerals.MOST and self.step != 1:
            apart = np.abs(points - anchor).astype(np.int64)
            self.step = math.gcd(self.step, int(np.gcd.reduce(apart)))

    @property
    def grid(self) -> tuple[int, int, int]:
        """The coarsest grid that all points are on: first point, step, and number of points."""
        step = max(self.step, 1)
        return int(self.low), step, int(self.high - self.low) // step + 1

    def scaled(self, factor: int) -> None:
        """Counts in finer units from now on."""
        self.low, self.high, self.step = (
            self.low * factor,
            self.high * factor,
            self.step * factor,
        )


class Numbers:
    """A column as numbers, as long as all its cells are: `alive`."""

    def __init__(self) -> None:
        self.alive = True
        self.bad = ""  # the first cell that is no number
        self.decimals, self.least_decimals = 0, 1 << 30
        self.low, self.high = math.inf, -math.inf
        self.spread = Spread()
        self.leading_zeros = self.other_forms = False  # 007; +5, .5, 1e3, -0
        self.comma = self.surely_comma = False  # 1,25; some that is not 1,250
        self.zeros_at_end = self.long_zeros_at_end = False  # 1.50; the same but for 1.0

    def add(self, texts: Any) -> None:
        """Adds texts, an Arrow array without missing marks."""
        if not len(texts) or not self.alive:
            return
        if self.comma or pc.any(pc.match_substring(texts, COMMA)).as_py():
            texts = self._with_points(texts)
        if not self.alive:
            return
        plain = pc.match_substring_regex(texts, PLAIN)
        if not pc.all(plain).as_py():
            odd = texts.filter(pc.invert(plain))
            numbers = pc.match_substring_regex(odd, ANY_NUMBER)
            if not pc.all(numbers).as_py():
                self.alive, self.bad = False, odd.filter(pc.invert(numbers))[0].as_py()
                return
            self.other_forms = True
            self._count_decimals(np.array([_decimals(t) for t in odd.to_pylist()]))
        values = pc.cast(texts, pa.float64()).to_numpy()
        if not np.isfinite(values).all():  # 1e999
            self.alive, self.bad = False, texts[int(np.argmin(np.isfinite(values)))].as_py()
            return
        self._forms(texts.filter(plain))
        self._spread(values)

    def _with_points(self, texts: Any) -> Any:
        """Numbers such as 1,25 as 1.25; they are none if they have points, too."""
        commas = pc.match_substring_regex(texts, WITH_COMMA)
        fits = pc.and_(
            pc.or_(commas, pc.invert(pc.match_substring(texts, COMMA))),
            pc.invert(pc.match_substring(texts, ".")),
        )
        if not pc.all(fits).as_py() or (self.decimals and not self.comma):
            self.alive = False
            self.bad = texts.filter(commas if pc.all(fits).as_py() else pc.invert(fits))[0].as_py()
            return texts
        self.comma = True
        thousands = pc.match_substring_regex(texts.filter(commas), THOUSANDS)
        self.surely_comma |= not pc.all(thousands).as_py()
        return pc.replace_substring(texts, COMMA, ".")

    def _count_decimals(self, decimals: Integer[np.ndarray, "N"]) -> None:
        before = self.decimals
        self.decimals = max(before, int(decimals.max()))
        self.least_decimals = min(self.least_decimals, int(decimals.min()))
        if before < self.decimals <= numerals.MOST_DECIMALS:
            self.spread.scaled(10 ** (self.decimals - before))

    def _forms(self, texts: Any) -> None:
        """Notes how plain numbers are written."""
        if not len(texts):
            return
        self.leading_zeros |= pc.any(pc.match_substring_regex(texts, "^-?0[0-9]")).as_py()
        self.other_forms |= pc.any(pc.match_substring_regex(texts, r"^-0+(\.0*)?$")).as_py()
        dots = pc.find_substring(texts, ".").to_numpy()
        lengths = pc.binary_length(texts).to_numpy()
        decimals = np.where(dots < 0, 0, lengths - dots - 1)
        self._count_decimals(decimals)
        zeros = pc.ends_with(texts, "0").to_numpy(zero_copy_only=False) & (decimals > 0)
        self.zeros_at_end |= bool(zeros.any())
        self.long_zeros_at_end |= bool((zeros & (decimals > 1)).any())

    def _spread(self, values: Float[np.ndarray, "N"]) -> None:
        self.low, self.high = min(self.low, values.min()), max(self.high, values.max())
        if self.decimals <= numerals.MOST_DECIMALS:
            self.spread.add(numerals.points(values, self.decimals))

    @property
    def fits(self) -> bool:
        """Whether there are cells, and all are numbers."""
        return self.alive and self.low <= self.high

    @property
    def is_long(self) -> bool:
        """Whether some have so many digits that float64 takes two of them for one."""
        return max(abs(self.low), abs(self.high)) > numerals.MOST

    @property
    def form(self) -> str | None:
        """One of `numerals.FORMS`; None if the cells are written in several."""
        if self.other_forms or self.leading_zeros:
            return None
        sign = COMMA if self.comma else ""
        if self.least_decimals == self.decimals:
            return sign
        if not self.zeros_at_end:
            return f"trimmed{sign}"
        pointed = self.least_decimals == 1 and not self.long_zeros_at_end
        return f"point{sign}" if pointed else None


def _decimals(text: str) -> int:
    """How many decimals a number has, as in 2.5e-3: 4."""
    exponent = Decimal(text).as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0
