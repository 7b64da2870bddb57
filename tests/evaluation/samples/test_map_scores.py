"""Scores of maps on drawn scenes: nonsense never ranks above the data."""

import collections
import functools

import numpy as np
import pytest

from amd_jax.data import labelled_maps, scenes
from amd_jax.evaluation import pictures
from amd_jax.evaluation.samples import (
    map_features,
    map_nonsense,
    map_shapes,
    score_kinds,
    score_table,
)
from amd_jax.evaluation.samples.map_scores import MapScores
from amd_jax.evaluation.samples.real_rows import RealRows
from amd_jax.facts import MapFacts

SAFE = ("neighbour_distance", "component_sizes", "boundaries", "two_sample_auc")
NONSENSE = ("independent pixels", "pixels by place", "counts of neighbours", "pasted pieces")
FACTS = MapFacts(3, (4, 6), palette=((0, 0, 0), (9, 9, 9), (99, 99, 99)), name="grey")


def assert_safe(table, names, rows, nonsense, apart, within):
    """Real rows are before all nonsense by each score, and not told from others by a classifier.

    Nonsense that is named `apart` is.
    """
    data = (f"training {rows}", f"held-out {rows}")
    kinds = {**dict.fromkeys(data, "data"), **dict.fromkeys(nonsense, "nonsense")}
    assert {label: row.kind for label, row in table.items()} == kinds
    for name in names:
        best = min(table[label].scores[name].value for label in nonsense)
        for label in data:
            assert table[label].scores[name].value < best, (label, name)
    auc = table[data[0]].scores["two_sample_auc"]
    assert abs(auc.value - 0.5) < 3 * max(auc.error, within)
    assert table[apart].scores["two_sample_auc"].value > 0.95


@functools.cache
def scored(scene, number, repeats):
    """The scores of a built-in scene, and the rows beside samples by their labels."""
    data = getattr(scenes, scene)(32, 32)
    scores = score_kinds.of(data, number=number, repeats=repeats)
    return scores, {row.label: row for row in scores.beside()}


@pytest.mark.parametrize("scene", ["squares", pytest.param("streets", marks=pytest.mark.slow)])
def test_no_nonsense_is_above_the_data(scene):
    scores, table = scored(scene, 60, 3)
    assert_safe(table, SAFE, "maps", NONSENSE, apart="independent pixels", within=0.05)
    assert score_table.remarks([*table.values()], scores.columns) == []


def test_scores_are_distances_of_each_draw_to_the_test_maps():
    rng = np.random.default_rng(0)
    train, test = (rng.integers(0, 3, (n, 4, 6)) for n in (200, 30))
    scores = MapScores(FACTS, RealRows.of(train, test, None, number=40, repeats=2))
    drawn = np.zeros((2, 20, 4, 6), int)
    found = scores.of(drawn)
    distance = pictures.neighbour_distance(drawn[0], test, 3)
    assert found["neighbour_distance"] == (pytest.approx(distance), 0)
    # all is one component of 24 pixels, without a boundary
    octaves = np.log2(24) - np.log2(map_shapes.component_sizes(test))
    assert found["component_sizes"].value == pytest.approx(octaves.mean())
    assert found["boundaries"].value == pytest.approx(map_shapes.boundaries(test).mean())
    same = scores.of(np.stack([test, test]))
    assert [same[name].value for name in SAFE[:3]] == [0, 0, 0]


def pairs(maps):
    """How often each pair of a pixel and the one right of it, or below, is in maps."""
    across = zip(maps[:, :, :-1].ravel().tolist(), maps[:, :, 1:].ravel().tolist(), strict=True)
    down = zip(maps[:, :-1].ravel().tolist(), maps[:, 1:].ravel().tolist(), strict=True)
    return collections.Counter([*across, *down])


def test_nonsense_is_made_of_the_pixels_of_maps():
    maps, rng = scenes.squares(32, 32).rows("train")[:40], np.random.default_rng(0)
    for name, make in map_nonsense.SAMPLERS.items():
        x = make(maps, rng)
        assert (x.shape, x.dtype) == (maps.shape, maps.dtype), name
        assert not np.array_equal(x, maps), name
        assert {*np.unique(x)} <= {*np.unique(maps)}, name
    by_place = map_nonsense.by_place(maps, rng)
    np.testing.assert_array_equal(np.sort(by_place, axis=0), np.sort(maps, axis=0))


def test_pasted_pieces_are_whole_and_at_their_places():
    maps, rng = scenes.squares(32, 32).rows("train")[:40], np.random.default_rng(0)
    x = map_nonsense.pasted(maps, rng, 8)
    for piece in (np.s_[:, :8, :8], np.s_[:, 8:16, 24:]):
        own, real = (sorted(map(bytes, a[piece])) for a in (x, maps))
        assert own == real
    small = np.arange(2 * 2 * 6).reshape(2, 2, 6)  # pieces of one pixel
    assert {*map_nonsense.pasted(small, rng)[:, 0, 0]} == {0, 12}


def test_counts_draw_what_follows_the_neighbours():
    """A board of checks has one pixel after each left and upper one."""
    board = (np.arange(4)[:, None] + np.arange(6)) % 2
    maps = np.stack([board] * 5)
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(map_nonsense.counts(maps, rng), maps)
    maps = np.stack([board, 1 - board] * 300)
    x = map_nonsense.counts(maps, rng)
    # the first pixel is drawn; the next ones follow from it
    assert {tuple(one.ravel()) for one in x} == {tuple(b.ravel()) for b in (board, 1 - board)}
    assert abs(x[:, 0, 0].mean() - 0.5) < 0.1


def test_counts_keep_the_law_of_a_row_of_pixels():
    """Of maps one pixel high the counts are of the pixel before: pairs keep their shares."""
    rng = np.random.default_rng(1)
    maps = np.repeat(rng.integers(0, 3, (4000, 1, 2)), 2, axis=2)
    found, real = (pairs(x) for x in (map_nonsense.counts(maps, rng), maps))
    for pair in real:
        assert abs(found[pair] - real[pair]) / real.total() < 0.02


def test_features_are_of_each_map_alone_and_of_unused_codes_as_well():
    rng = np.random.default_rng(0)
    fitted, maps = rng.integers(0, 3, (2, 30, 8, 16))
    whole = map_features.of(maps, fitted, 3)
    assert whole.shape == (30, 1 + 3 + 2)  # strides 1, 2 and 4
    np.testing.assert_allclose(map_features.of(maps[7:9], fitted, 3), whole[7:9])
    numbers = [len(map_shapes.component_sizes(x[None])) for x in maps]
    np.testing.assert_allclose(np.exp(whole[:, -2]), numbers)
    squares = [(map_shapes.component_sizes(x[None]) ** 2).sum() for x in maps]
    np.testing.assert_allclose(np.exp(whole[:, -1]), squares)
    maps[0, 0, 0] = -1
    assert map_features.of(maps, fitted, 3)[0, 1] > whole[0, 1]


def test_a_label_is_left_out():
    data = labelled_maps.by_rule(scenes.squares(32, 32), "1>=20")
    plain, labelled = (score_kinds.of(x, number=40, repeats=2, seed=3) for x in (data.maps, data))
    drawn = np.stack([data.rows("train")[:20], data.rows("train")[20:40]])
    maps = np.stack([data.maps.rows("train")[:20], data.maps.rows("train")[20:40]])
    assert labelled.of(drawn) == plain.of(maps)
    rows, rng = drawn[0], np.random.default_rng(0)
    x = labelled.samplers["pasted pieces"](rows, rng)
    np.testing.assert_array_equal(x[:, 0], rows[:, 0])
    assert x.shape == rows.shape


def test_too_few_maps_are_refused():
    with pytest.raises(ValueError, match="1800 rows of the second half of the training maps, and"):
        score_kinds.of(scenes.squares(32, 32), number=900, repeats=2)
