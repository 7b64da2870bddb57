"""Scores of samples of maps.

Distances are between the maps of a draw and the test maps, of what single maps are made of: their
pairs of neighbours, their components, their boundaries. Lower is better. None is 0 for real maps
either, so the same of as many real maps stands beside it. A label of maps is left out.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from amd_jax.evaluation import pictures
from amd_jax.evaluation.lines import line_measures
from amd_jax.evaluation.means import Rows
from amd_jax.evaluation.samples import map_features, map_nonsense, map_shapes
from amd_jax.evaluation.samples.data_scores import Scores
from amd_jax.evaluation.samples.map_shapes import Maps
from amd_jax.evaluation.samples.real_rows import Nonsense
from amd_jax.evaluation.samples.score_table import Column
from amd_jax.facts import MapFacts

FITTED = 500  # training maps that counts of the two-sample test are fitted to, at most
COLUMNS = {
    "neighbour_distance": Column("neighbour distance"),
    "component_sizes": Column("component sizes"),
    "boundaries": Column("boundary lengths", form=".4f"),
    "two_sample_auc": Column("two-sample AUC"),
}


@dataclasses.dataclass(frozen=True, eq=False)
class MapScores(Scores):
    """What samples of maps are scored against, all from the data."""

    facts: MapFacts

    columns = COLUMNS

    @property
    def samplers(self) -> dict[str, Nonsense]:
        """Nonsense by name, of the maps; labels of rows stay as they are."""
        return {name: self._of_rows(make) for name, make in map_nonsense.SAMPLERS.items()}

    @property
    def measures(self) -> dict[str, Callable[[Rows], float]]:
        """Distances to the test maps, of draws (N, *event).

        `pictures.neighbour_distance`, and Wasserstein distances: of the sizes of components in
        octaves, log₂ of their pixels, and of the boundaries as a share of all neighbours.
        """
        maps, k = self.facts.maps, self.facts.categories
        real, (sizes, lengths) = maps(self.test), self._test_shapes
        distance = line_measures.wasserstein
        return {
            "neighbour_distance": lambda x: pictures.neighbour_distance(maps(x), real, k),
            "component_sizes": lambda x: distance(_octaves(maps(x)), sizes)[0],
            "boundaries": lambda x: distance(map_shapes.boundaries(maps(x)), lengths)[0],
        }

    def features(self, rows: Rows) -> Float[np.ndarray, "N F"]:
        """`map_features`, by counts of training maps that are not compared."""
        fitted = self.rows.fitted[:: -(-len(self.rows.fitted) // FITTED)]
        maps, others = (self.facts.maps(x) for x in (rows, fitted))
        return map_features.of(maps, others, self.facts.categories)

    def _of_rows(self, make: Callable[[Maps, np.random.Generator], Maps]) -> Nonsense:
        """Nonsense of rows by that of their maps."""

        def rows_of(rows: Rows, rng: np.random.Generator) -> Rows:
            first = rows.reshape(len(rows), -1)[:, 0]
            return self.facts.joined(first, make(self.facts.maps(rows), rng))

        return rows_of

    @functools.cached_property
    def _test_shapes(self) -> tuple[Float[np.ndarray, "C"], Float[np.ndarray, "M"]]:
        maps = self.facts.maps(self.test)
        return _octaves(maps), map_shapes.boundaries(maps)


def _octaves(maps: Maps) -> Float[np.ndarray, "C"]:
    """The sizes of all components, in powers of two."""
    return np.log2(map_shapes.component_sizes(maps))
