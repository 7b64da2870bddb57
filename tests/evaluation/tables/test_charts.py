import numpy as np
import pytest

from amd_jax.evaluation.tables import charts
from amd_jax.facts import Column


def test_a_panel_for_each_column_that_varies(facts, draw):
    panels = charts.marginals(facts, draw(300, 0), draw(200, 1))
    assert list(panels) == ["1 colour", "2 age", "3 weight", "4 born", "5 grade"]
    pixels = np.asarray(panels["1 colour"])
    assert pixels.shape == (charts.HEIGHT, charts.WIDTH, 3)
    assert (pixels == charts.DRAWN).all(axis=2).any()
    assert (pixels == charts.REAL).all(axis=2).mean() > 0.3


def test_shares_are_those_of_bars(facts, draw):
    age = facts.columns[1]
    codes = facts.codes(draw(500, 0))[:, 1]
    first, second = charts.shares(age, codes, codes[:100])
    assert len(first) == charts.BARS + 1
    assert first.sum() == pytest.approx(1)
    assert first[-1] == (codes == 20).mean()
    assert second[-1] == (codes[:100] == 20).mean()
    colour = Column("colour", "categorical", values=("a", "b", "c"))
    np.testing.assert_allclose(
        charts.shares(colour, np.array([1, 1, 0, 2]), np.array([2])),
        [[0.5, 0.25, 0.25], [0, 1, 0]],
    )
    gaps = charts.shares(age, np.full(4, 20), np.full(4, 20))
    assert gaps[0].tolist() == [0.0] * charts.BARS + [1.0]


def test_a_map_of_pairs_is_white_where_trends_agree():
    trend = np.array([[np.nan, 1.0, 0.5], [1.0, np.nan, 0.9], [0.5, 0.9, np.nan]])
    pixels = np.asarray(charts.pairs(trend))
    cell = charts.SIDE // 3
    centres = pixels[cell // 2 :: cell, cell // 2 :: cell, 0]
    np.testing.assert_array_equal(centres, [[255, 255, 0], [255, 255, 128], [0, 128, 255]])


def test_titles_are_what_the_font_has():
    assert charts.title("Größe\n東京" + "x" * 40).startswith("Größe")
    assert len(charts.title("x" * 40)) == charts.TITLE
