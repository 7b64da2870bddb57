"""Lines as a page shows them: the laws of properties of samples and of real lines."""

import numpy as np
import pytest

from amd_jax.facts import LineFacts
from amd_jax.pages import line_shows

FACTS = LineFacts.of("1CNO", (1 / 8,) * 8, validity="smiles")


def rows(*lines):
    return np.stack([FACTS.row(line) for line in lines])


def test_whole_numbers_have_a_bar_each():
    real, drawn = np.array([0.0, 1, 1, 3]), np.array([1.0, 1, 9, -2])
    first, second = line_shows.shares(real, drawn)
    assert first.tolist() == [0.25, 0.5, 0, 0.25]
    assert second.tolist() == [0.25, 0.5, 0, 0.25]  # the ends have what lies beyond
    wide = np.arange(0.0, 50)
    assert len(line_shows.shares(wide, wide)[0]) == 17  # of three numbers each
    assert line_shows.shares(np.array([2.0]), np.array([5.0]))[1].tolist() == [1.0]


def test_other_numbers_have_equal_parts_of_the_real_range():
    real = np.array([0.25, 0.5, 1.25])
    first, second = line_shows.shares(real, np.array([0.2, 9.0]))
    assert len(first) == line_shows.BARS
    assert first.sum() == pytest.approx(1)
    assert (second[0], second[-1]) == (0.5, 0.5)


def test_panels_have_means_distances_and_words():
    train = rows("C1CC1", "CO", "CCO", "C1CN1")
    panels = line_shows.panels(FACTS, rows("CO", "C1", "CC"), train, train[:2], "test")
    assert [panel.name for panel in panels][:2] == ["characters", "rings"]
    rings = panels[1]
    assert rings.caption.startswith("0 to 1; mean 0, of training lines 0.5; distance 0.5 ± ")
    assert "(test lines: 0 ± " in rings.caption
    assert [(bar.real, bar.drawn) for bar in rings.bars] == [(40, 80), (40, 0)]
    assert "bars are shares of training lines" in rings.words


def test_without_a_valid_line_there_is_no_panel():
    train = rows("C1CC1", "CO")
    assert line_shows.panels(FACTS, rows("C1", "1"), train, train, "test") == []
