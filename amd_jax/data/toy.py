"""Toys whose law is known: eight Gaussians on a circle, quantised to a grid."""

import dataclasses
import functools
import math

import numpy as np

from amd_jax.data.dataset import SPLITS, frequencies, generator
from amd_jax.facts import PlaneFacts

RADIUS, SCALE, LIMIT = 2.0, 0.2, 3.0  # of the circle, of each Gaussian, of the square
ROWS = {"train": 100_000, "validation": 2_000, "test": 4_000}


@dataclasses.dataclass(frozen=True)
class EightGaussians:
    """Pairs of classes: the cell (row, column) of a point in a K x K grid over [-3, 3]².

    The points outside count to the cells at the rim. Tran et al., 2019.
    """

    num_classes: int = 91  # K

    def __post_init__(self):
        """Raises ValueError for a grid of less than two cells a side, or tokens beyond uint8."""
        if not 2 <= self.num_classes <= 256:
            raise ValueError(f"A grid has 2 to 256 cells a side; got {self.num_classes}.")

    splits = SPLITS

    @functools.cached_property
    def facts(self) -> PlaneFacts:
        """What a model needs to know of the points, and the entropy that none can beat."""
        p = self.law[self.law > 0]
        bits = float(-(p * np.log2(p)).sum() / 2)
        return PlaneFacts(
            num_classes=self.num_classes,
            event_shape=(2,),
            name=f"eight Gaussians, entropy {bits:.3f} bits/coordinate",
            frequencies=frequencies(self.rows("train"), self.num_classes),
            statistics={"entropy_bits": bits},
        )

    @functools.cached_property
    def law(self) -> np.ndarray:
        """The probability of every cell, float64 (K, K)."""
        angles = np.arange(8) * math.pi / 4
        return (self._marginals(np.sin(angles)).T @ self._marginals(np.cos(angles))) / 8

    def batch(self, seed: int, step: int, batch_size: int) -> np.ndarray:
        """Fresh draws, uint8 (B, 2): a pure function of (seed, step)."""
        rng = generator(seed, step)
        cells = rng.choice(self.law.size, size=batch_size, p=self.law.ravel())
        return np.stack(np.divmod(cells, self.num_classes), axis=1).astype(np.uint8)

    def rows(self, split: str) -> np.ndarray:
        """Draws that stay the same: uint8 (N, 2)."""
        if split not in SPLITS:
            raise ValueError(f"The toy has no split {split!r}; it has {', '.join(SPLITS)}.")
        return self.batch(2**32 + SPLITS.index(split), 0, ROWS[split])

    def _marginals(self, centres: np.ndarray) -> np.ndarray:
        """The mass of each Gaussian's coordinate in each of K cells: (8, K)."""
        edges = np.linspace(-LIMIT, LIMIT, self.num_classes + 1)[1:-1]
        z = (edges - RADIUS * centres[:, None]) / (SCALE * math.sqrt(2))
        cdf = 0.5 * (1 + np.vectorize(math.erf)(z))
        cdf = np.pad(cdf, ((0, 0), (1, 1)), constant_values=((0, 0), (0, 1)))
        return np.diff(cdf, axis=1)


def load(num_classes: int = 91) -> EightGaussians:
    """The quantised eight Gaussians."""
    return EightGaussians(num_classes)
