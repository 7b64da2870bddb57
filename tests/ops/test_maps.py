"""Maps with a label: which rows are possible, by enumeration of every row."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.facts import MapFacts
from amd_jax.ops.maps import LabelledMaps
from amd_jax.types import Support
from tests import enumeration

K, C, P = 2, 3, 2
MAPS = LabelledMaps(K, C, P)
GREY = ((0, 0, 0), (9, 9, 9))


def is_row(row):
    label, *pixels = row
    return K <= label < K + C and all(k < K for k in pixels)


def test_a_row_is_a_label_and_pixels_and_nothing_else():
    assert isinstance(MAPS, Support)
    assert (MAPS.length, MAPS.num_classes) == (1 + P, K + C)
    x = enumeration.sequences(MAPS.num_classes, MAPS.length)
    states = MAPS.num_classes + 1  # a mask
    for possible in (
        MAPS.possible(x, jnp.zeros(x.shape, bool), states),
        MAPS.possible_next(x, states),
    ):
        own = np.take_along_axis(np.asarray(possible), x[..., None], axis=-1)[..., 0]
        np.testing.assert_array_equal(own.all(axis=1), [is_row(row) for row in x.tolist()])
        assert possible.any(axis=-1).all()
        assert not possible[..., MAPS.num_classes :].any()


def test_numbers_decode_to_every_row():
    z = jax.random.normal(jax.random.key(0), (300, MAPS.length, MAPS.num_classes))
    x = np.unique(MAPS.decode(z), axis=0).tolist()
    rows = itertools.product(range(K, K + C), *[range(K)] * P)
    assert x == [list(row) for row in rows]


def test_nothing_of_a_row_is_drawn_first():
    x = enumeration.sequences(MAPS.num_classes, MAPS.length)
    assert not MAPS.known(x).any()
    assert not MAPS.ended(x).any()
    assert (MAPS.log_prob(x) == 0).all()
    assert (MAPS.draw(jax.random.key(0), x.shape) == -1).all()


def test_it_is_made_of_facts_that_have_labels():
    facts = MapFacts(5, (3,), palette=GREY, labels=("a", "b", "c"), size=(1, 2))
    assert LabelledMaps.of(facts) == MAPS
    assert LabelledMaps.of(MapFacts(2, (1, 2), palette=GREY)) is None
    with pytest.raises(ValueError, match="1 category, label and pixel or more.*num_labels=0"):
        LabelledMaps(2, 0, 3)
