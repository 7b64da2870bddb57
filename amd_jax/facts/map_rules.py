"""Rules that compute the label of a map: whether it has some pixels of a category."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Integer

from amd_jax.host.printable import cut, in_one_line

LABELS = ("without", "with")  # the two that a rule computes
AT_LEAST = ">="


class Rule(NamedTuple):
    """A map is "with" a category if at least so many of its pixels are of it."""

    category: int
    pixels: int = 1

    def holds(self, maps: Integer[np.ndarray, "N H W"]) -> Bool[np.ndarray, "N"]:
        """Which maps are "with" the category."""
        return (np.asarray(maps) == self.category).sum(axis=(1, 2)) >= self.pixels


def parse(text: str, num_classes: int, names: Sequence[str] = ()) -> Rule:
    """The rule that a text says: a category, by its name or number, and perhaps a count.

    "human" is of maps with a pixel of that category or more, "human>=20" of those with 20.

    Raises:
        ValueError: for an unknown category, or a count that is no whole number above zero.
    """
    name, _, count = (text, "", "1") if text in names else text.partition(AT_LEAST)
    name, count = name.strip(), count.strip() or "1"
    if name in names:
        category = names.index(name)
    elif name.isdecimal() and int(name) < num_classes:
        category = int(name)
    else:
        known = f"{', '.join(map(in_one_line, names))}, or " if names else ""
        raise ValueError(
            f"A label by rule is of a category: {cut(known, 200)}a number from 0 to "
            f"{num_classes - 1}; got {cut(in_one_line(name), 60)!r}."
        )
    if not (count.isdecimal() and int(count) > 0):
        raise ValueError(
            f"A label by rule counts pixels, as human>=20; got {cut(in_one_line(text), 60)!r}. "
            "Give a whole number above 0, or the category alone."
        )
    return Rule(category, int(count))
