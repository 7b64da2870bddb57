"""A model with its parameters, and what it takes to use it."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path

from ml_collections import ConfigDict

from amd_jax.facts import Facts
from amd_jax.runs import saved_grids
from amd_jax.types import Dataset, Model, Params


@dataclasses.dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model with its parameters: of a run (`Run.loaded`), or of exported weights."""

    model: Model
    params: Params
    facts: Facts
    config: ConfigDict
    digests: dict[str, str]  # of the data that it was trained on, by split
    folder: str | Path  # for what is measured and made of it
    step: int
    open_data: Callable[[ConfigDict], Dataset]  # ValueError for other data than it is of
    held: Dataset | None = None  # the data, if they were read already

    @functools.cached_property
    def data(self) -> Dataset:
        """The data."""
        return self.open_data(self.config) if self.held is None else self.held

    def grid(self, steps: int) -> tuple[float, ...]:
        """The best grid with this number of steps that is kept: see `Run.grid`."""
        return saved_grids.find(self.folder, steps, self.step)
