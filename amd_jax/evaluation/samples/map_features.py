"""Features of maps for a two-sample test: how patches look to counts, and the shapes in a map.

The shares of categories themselves tell the maps of one region from those of another: so a map is
described by the bits that counts of other maps give its pixels, near and far, and by the number,
the size and the boundaries of its components.
"""

import numpy as np
from jaxtyping import Float, Integer

from amd_jax.evaluation import count_models
from amd_jax.evaluation.samples import map_shapes
from amd_jax.evaluation.samples.map_shapes import Maps
from amd_jax.ops import integers

STRIDES = (1, 2, 4, 8)  # pixels from one to its neighbours


def of(
    maps: Maps, fitted: Integer[np.ndarray, "T H W"], num_classes: int
) -> Float[np.ndarray, "N F"]:
    """Features of maps (N, H, W), with counts of maps that are not among them.

    At each stride the mean bits of a pixel given the one left of it and the one above; the length
    of boundaries; and the logarithms of the number of components and of the sum of their squared
    sizes. `integers.UNUSED` counts as one more category.
    """
    x, y = (a.astype(int) - integers.UNUSED for a in (fitted, maps))
    result = [map_shapes.boundaries(maps)]
    for stride in (s for s in STRIDES if s == 1 or 2 * s <= min(maps.shape[1:])):
        part = np.s_[:, ::stride, ::stride]
        bits = count_models.bits_of_maps(x[part], y[part], num_classes + 1)
        result.append(bits.sums / bits.counts)
    numbers = map_shapes.components(maps).reshape(len(maps), -1)
    sizes, owners = np.bincount(numbers.ravel()), np.zeros(numbers.max() + 1, int)
    owners[numbers] = np.arange(len(maps))[:, None]
    squares = np.bincount(owners, sizes.astype(float) ** 2)
    return np.stack([*result, np.log(np.bincount(owners)), np.log(squares)], axis=1)
