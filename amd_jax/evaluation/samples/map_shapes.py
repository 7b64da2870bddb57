"""Shapes in maps of categories: components and boundaries.

A component is a set of pixels of one category that hang together by their sides.
"""

import numpy as np
import scipy.sparse
from jaxtyping import Float, Integer
from scipy.sparse import csgraph

Maps = Integer[np.ndarray, "N H W"]  # of categories


def components(maps: Maps) -> Maps:
    """The number of each pixel's component, from 0 over all maps."""
    places = np.arange(maps.size).reshape(maps.shape)
    right, below = (maps[:, :, 1:] == maps[:, :, :-1], maps[:, 1:] == maps[:, :-1])
    here = np.concatenate([places[:, :, :-1][right], places[:, :-1][below]])
    there = np.concatenate([places[:, :, 1:][right], places[:, 1:][below]])
    alike = scipy.sparse.coo_array((np.ones(len(here), bool), (here, there)), (maps.size,) * 2)
    return csgraph.connected_components(alike, directed=False)[1].reshape(maps.shape)


def component_sizes(maps: Maps) -> Integer[np.ndarray, "C"]:
    """The numbers of pixels of all components of all maps."""
    return np.bincount(components(maps).ravel())


def boundaries(maps: Maps) -> Float[np.ndarray, "N"]:
    """The length of the boundaries in each map: the share of neighbours that differ."""
    right, below = maps[:, :, 1:] != maps[:, :, :-1], maps[:, 1:] != maps[:, :-1]
    pairs = right[0].size + below[0].size
    return (right.sum(axis=(1, 2)) + below.sum(axis=(1, 2))) / max(1, pairs)
