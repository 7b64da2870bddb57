"""Maps with a label each: by a rule, by a table beside the pictures, or by arrays of a .npz.

`load(path, label)` makes such a data set of your own maps.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Integer

from amd_jax.data import maps
from amd_jax.data.dataset import epoch_rows, frequencies
from amd_jax.data.maps import Maps
from amd_jax.data.reading import files, map_labels
from amd_jax.facts import MapFacts, map_rules
from amd_jax.host.printable import cut, in_one_line

MOST_LABELS = 128

Given = Integer[np.ndarray, "N"]  # labels in [0, C)


@dataclasses.dataclass(frozen=True, eq=False)
class LabelledMaps:
    """Maps as rows of 1 + H W tokens, the label first: see `MapFacts`.

    Labels are given for the maps of each split, or a rule computes them: of an augmented map from
    what has become of it.
    """

    maps: Maps
    labels: tuple[str, ...]  # (C,)
    label_rule: str = ""  # that computes them, if one does
    given: Mapping[str, Given] = dataclasses.field(default_factory=dict)  # else, by split

    def __post_init__(self):
        """Raises ValueError for what can be known without the data."""
        _ = self.bare_facts

    @functools.cached_property
    def facts(self) -> MapFacts:
        """What a model needs to know of the maps; the frequencies are read off the rows."""
        shares = frequencies(self.rows("train"), self._num_classes)
        return dataclasses.replace(self.bare_facts, frequencies=shares)

    @property
    def bare_facts(self) -> MapFacts:
        """The facts without frequencies, which the data are not needed for."""
        shape = tuple(self.maps.event_shape)
        return dataclasses.replace(
            self.maps.bare_facts,
            num_classes=self._num_classes,
            event_shape=(1 + math.prod(shape),),
            size=shape,
            labels=self.labels,
            label_rule=self.label_rule,
        )

    @property
    def _num_classes(self) -> int:
        return self.maps.num_classes + len(self.labels)

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return self.maps.splits

    def rows(self, split: str) -> np.ndarray:
        """Every row of a split, in order and never augmented: (N, 1 + H W).

        Raises:
            ValueError: the first time, unless the split holds maps, and each has a label.
        """
        if split not in self._rows:
            x = self.maps.rows(split)
            self._rows[split] = self._joined(x, self._given(split))
        return self._rows[split]

    def batch(
        self, seed: int, step: int, batch_size: int, part: slice = slice(None)
    ) -> np.ndarray:
        """Training rows (B, 1 + H W): see `Dataset`."""
        x, given = self.maps.batch(seed, step, batch_size, part), self._given("train")
        if given is not None:
            given = given[epoch_rows(seed, step, batch_size, len(given), part)]
        return self._joined(x, given)

    def _given(self, split: str) -> Given | None:
        """The labels of the maps of a split; None if a rule computes them."""
        if self.label_rule:
            return None
        result, number = np.asarray(self.given.get(split, ())), len(self.maps.rows(split))
        if result.shape != (number,) or not {*result.tolist()} <= {*range(len(self.labels))}:
            raise ValueError(
                f"Each map of {split} of {self.maps.name} has one of {len(self.labels)} labels; "
                f"got labels of shape {result.shape} for {number:,} maps."
            )
        return result.astype(int)

    def _joined(self, x: np.ndarray, given: Given | None) -> np.ndarray:
        """Rows of maps with the labels that are given, or that the rule computes."""
        if given is None:
            given = self._rule.holds(x)
        kind = np.uint8 if self._num_classes <= 256 else np.uint16
        first = (self.maps.num_classes + given).astype(kind)
        return np.concatenate([first[:, None], x.reshape(len(x), -1).astype(kind)], axis=1)

    @functools.cached_property
    def _rule(self) -> map_rules.Rule:
        return self.bare_facts.rule

    @functools.cached_property
    def _rows(self) -> dict[str, np.ndarray]:
        """Rows by split, as they are asked for."""
        return {}


def load(path: str | Path, label: str = "", **kwargs: Any) -> Maps | LabelledMaps:
    """Your own maps as `maps.load` reads them, with a label unless it is empty.

    A `label` is a column of labels.csv beside the PNGs, or an array of the `.npz`, such as
    `train_label`; else a rule: see `by_rule`.

    Raises:
        ValueError: as `maps.load`, and for maps without a label, or an unknown rule.
    """
    if not label:
        return maps.load(path, **kwargs)
    file = files.expanded(path).absolute()
    own = map_labels.names(file)
    is_array = label in own and not file.is_dir()
    arrays = map_labels.arrays_of(file, label).values() if is_array else ()
    data = maps.load(file, **kwargs, without=tuple(arrays))
    if label in own:
        return with_labels(data, map_labels.read(file, label))
    try:
        return by_rule(data, label)
    except ValueError as error:
        listed = cut(in_one_line(", ".join(own)), 100)
        raise ValueError(f"{error} Labels of {data.name} are {listed or 'none'}.") from error


def by_rule(data: Maps, label: str) -> LabelledMaps:
    """The same maps with a label that a rule computes: "with" a category, or "without".

    Raises:
        ValueError: for an unknown category, or if all training maps have one label.
    """
    result = LabelledMaps(data, map_rules.LABELS, label)
    holds = result._rule.holds(data.rows("train"))
    if holds.all() or not holds.any():
        raise ValueError(
            f"A label differs from map to map; all training maps of {data.name} are "
            f"{map_rules.LABELS[int(holds.all())]!r} by the rule {in_one_line(label)!r:.60}. Give "
            "another category, or a number of pixels, as human>=20."
        )
    return result


def with_labels(data: Maps, texts: Mapping[str, Sequence[str]]) -> LabelledMaps:
    """The same maps, each with the label that is given for its split and place.

    Raises:
        ValueError: unless each map has one, and there are 2 to 128.
    """
    found = {text for split in texts.values() for text in split}
    is_number = all(text.isdecimal() for text in found)
    names = sorted(found, key=lambda text: (len(text) if is_number else 0, text))
    if not 2 <= len(names) <= MOST_LABELS:
        raise ValueError(
            f"Maps have 2 to {MOST_LABELS} labels; {data.name} has {len(names):,}. Use others, or "
            "join some."
        )
    places = {name: n for n, name in enumerate(names)}
    given = {split: np.array([places[text] for text in texts[split]], int) for split in texts}
    result = LabelledMaps(data, tuple(names), given=given)
    for split in result.splits:
        result.rows(split)  # or ValueError
    return result
