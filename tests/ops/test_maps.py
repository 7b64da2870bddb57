"""Maps with a label: which rows are possible, by enumeration of every row."""

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
X = enumeration.sequences(K + C, 1 + P)  # every row of any tokens
ARE_ROWS = (X[:, 0] >= K) & (X[:, 1:] < K).all(axis=1)


def test_a_row_is_a_label_and_pixels_and_nothing_else():
    assert isinstance(MAPS, Support)
    assert (MAPS.length, MAPS.num_classes) == (1 + P, K + C)
    states = MAPS.num_classes + 1  # a mask
    for possible in (
        MAPS.possible(X, jnp.zeros(X.shape, bool), states),
        MAPS.possible_next(X, states),
    ):
        own = np.take_along_axis(np.asarray(possible), X[..., None], axis=-1)[..., 0]
        np.testing.assert_array_equal(own.all(axis=1), ARE_ROWS)
        assert possible.any(axis=-1).all()
        assert not possible[..., MAPS.num_classes :].any()


def test_numbers_decode_to_every_row():
    z = jax.random.normal(jax.random.key(0), (300, MAPS.length, MAPS.num_classes))
    np.testing.assert_array_equal(np.unique(MAPS.decode(z), axis=0), X[ARE_ROWS])


def test_nothing_of_a_row_is_drawn_first():
    assert not MAPS.known(X).any()
    assert not MAPS.ended(X).any()
    assert (MAPS.log_prob(X) == 0).all()
    assert (MAPS.draw(jax.random.key(0), X.shape) == -1).all()


def test_it_is_made_of_facts_that_have_labels():
    grey = ((0, 0, 0), (9, 9, 9))
    facts = MapFacts(5, (3,), palette=grey, labels=("a", "b", "c"), size=(1, 2))
    assert LabelledMaps.of(facts) == MAPS
    assert LabelledMaps.of(MapFacts(2, (1, 2), palette=grey)) is None
    with pytest.raises(ValueError, match="1 category, label and pixel or more.*num_labels=0"):
        LabelledMaps(2, 0, 3)
