"""Maps that are nonsense by construction, made from real maps: as `text_nonsense`."""

import numpy as np
from jaxtyping import Integer

from amd_jax.evaluation import count_models
from amd_jax.evaluation.samples.real_rows import Nonsense

PIECE = 8  # pixels of the side of a pasted piece, at most

Maps = Integer[np.ndarray, "N H W"]  # of categories


def independent(maps: Maps, rng: np.random.Generator) -> Maps:
    """Pixels of the maps, each drawn alone."""
    return rng.choice(maps.ravel(), maps.shape)


def by_place(maps: Maps, rng: np.random.Generator) -> Maps:
    """At each place the pixels that are there in the maps, in another order."""
    return rng.permuted(maps, axis=0)


def counts(maps: Maps, rng: np.random.Generator) -> Maps:
    """Draws from the counts of maps: each pixel as after its left and its upper neighbour.

    After two neighbours that no pixel of the maps has, it is as any pixel.
    """
    k = int(maps.max()) + 1  # stands for what is beyond the border
    law = np.zeros((k + 1, k + 1, k), np.int64)
    np.add.at(law, count_models.with_neighbours(maps, k), 1)
    law[law.sum(axis=-1) == 0] = law.sum(axis=(0, 1))
    below = law.cumsum(axis=-1)
    result = np.full((len(maps), maps.shape[1] + 1, maps.shape[2] + 1), k)
    for i in range(1, result.shape[1]):
        for j in range(1, result.shape[2]):
            after = below[result[:, i, j - 1], result[:, i - 1, j]]
            u = rng.integers(after[:, -1])
            result[:, i, j] = (u[:, None] >= after).sum(axis=-1)
    return result[:, 1:, 1:].astype(maps.dtype)


def pasted(maps: Maps, rng: np.random.Generator, size: int = PIECE) -> Maps:
    """Square pieces of the maps, each at its place, put together from different maps.

    A piece has a side of `size` pixels, or of half of the shorter side of a map.
    """
    size, result = max(1, min(size, min(maps.shape[1:]) // 2)), maps.copy()
    for i in range(0, maps.shape[1], size):
        for j in range(0, maps.shape[2], size):
            piece = np.s_[:, i : i + size, j : j + size]
            result[piece] = maps[rng.permutation(len(maps))][piece]
    return result


SAMPLERS: dict[str, Nonsense] = {
    "independent pixels": independent,
    "pixels by place": by_place,
    "counts of neighbours": counts,
    "pasted pieces": pasted,
}
