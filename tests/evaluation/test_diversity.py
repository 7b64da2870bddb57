import numpy as np

from amd_jax.evaluation import diversity


def test_distinct_pieces_are_counted_within_rows():
    rows = np.array([[0, 1, 2, 0, 1], [2, 0, 1, 2, 0]])
    # 01, 12, 20, 01 and 20, 01, 12, 20: three kinds of eight; none across the border
    assert diversity.share_of_distinct(rows, 2) == 3 / 8
    assert diversity.share_of_distinct(rows[:, None], 2) == 3 / 8


def test_all_alike_all_different_and_too_short():
    assert diversity.share_of_distinct(np.zeros((10, 5), int), 2) == 1 / 40
    assert diversity.share_of_distinct(np.arange(12).reshape(2, 6)) == 1.0
    assert diversity.share_of_distinct(np.zeros((3, 2), int)) == 0.0
