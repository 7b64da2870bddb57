import numpy as np
import pytest

from amd_jax.evaluation.means import PerRow
from amd_jax.evaluation.tables import copying


def test_copies_are_counted_beside_held_out_rows(monkeypatch):
    monkeypatch.setattr(copying, "BLOCK", 3)
    train = np.array([[0, 1], [1, 0], [2, 2], [0, 1], [5, 5]], np.int32)
    drawn = np.array([[0, 1], [5, 5], [1, 1], [2, 0]], np.uint8)  # other integers, same rows
    held_out = np.array([[2, 2], [3, 3], [3, 3], [3, 3]], np.int64)
    np.testing.assert_array_equal(copying.are_among(drawn, train), [True, True, False, False])
    result = copying.copies(drawn, train, held_out)
    assert (result.drawn[0], result.held_out[0]) == (0.5, 0.25)
    value, error = result.excess
    assert value == 0.25
    assert error == pytest.approx(np.hypot(result.drawn[1], result.held_out[1]))


def test_memorised_bits_are_those_that_held_out_rows_take_more():
    rng = np.random.default_rng(0)
    train = PerRow(rng.normal(10, 1, 900), np.ones(900))
    held_out = PerRow(rng.normal(12, 1, 400), np.ones(400))
    value, error = copying.memorised(train, held_out)
    assert value == pytest.approx(2, abs=4 * error)
    assert 0.03 < error < 0.1
