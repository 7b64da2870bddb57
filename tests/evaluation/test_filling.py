import numpy as np
import pytest

from amd_jax.evaluation import count_models, filling, groups
from tests import enumeration
from tests.models import test_infilling

MODEL = test_infilling.MODEL  # its guess is exact
DATA = test_infilling.DATA  # (3, 3, 3)


def rows_of(number):
    """Rows of the data's law: (N, 3)."""
    flat = np.random.default_rng(0).choice(27, number, p=DATA.ravel())
    return np.stack(np.unravel_index(flat, DATA.shape), axis=1).astype(np.int32)


@pytest.mark.slow
def test_the_truth_is_weighed_exactly_and_found_as_often_as_it_is_likely():
    rows, size = rows_of(2000), 2
    result = filling.trial(MODEL, {}, rows, size, np.ones(rows.shape, bool))
    assert (result.hidden.sum(axis=1) == size).all()
    left = result.hidden[:, 0]  # the gap is at places 0 and 1, or at 1 and 2
    assert 0.4 < left.mean() < 0.6
    joint = DATA[tuple(rows.T)]
    given = np.where(left, DATA.sum(axis=(0, 1))[rows[:, 2]], DATA.sum(axis=(1, 2))[rows[:, 0]])
    np.testing.assert_allclose(result.bits, -np.log2(joint / given) / size, rtol=1e-4)
    np.testing.assert_array_equal(result.drawn[~result.hidden], rows[~result.hidden])
    whole = (result.drawn == rows).all(axis=1)
    error = np.sqrt((joint / given * (1 - joint / given)).mean() / len(rows))
    assert abs(whole.mean() - (joint / given).mean()) < 5 * error
    assert result.restored == (result.drawn == rows)[result.hidden].mean()
    assert result.restored_of_rows(rows).mean()[0] == pytest.approx(result.restored)
    assert result.bits_of_rows.mean()[0] == pytest.approx(result.bits.mean())


def test_rows_of_many_classes_are_filled_a_few_at_a_time(monkeypatch):
    rows, inside, sizes = rows_of(5), np.ones((5, 3), bool), []

    def both(model, sampler, params, rng, x, hidden):
        sizes.append(len(x))
        return np.where(hidden, 0, x), -x @ [1.0, 3.0, 9.0]

    monkeypatch.setattr(filling, "_both", both)
    whole = filling.trial(MODEL, {}, rows, 2, inside)
    monkeypatch.setattr(groups, "PROBABILITIES", 2 * 3 * groups.classes(MODEL))
    parts = filling.trial(MODEL, {}, rows, 2, inside)
    assert sizes == [5, 2, 2, 1]
    np.testing.assert_allclose(parts.bits, whole.bits, rtol=1e-5)
    np.testing.assert_array_equal(parts.drawn, np.where(parts.hidden, 0, rows))


@pytest.mark.parametrize("size", [0, 4])
def test_a_gap_fits_in_a_row(size):
    with pytest.raises(ValueError, match=f"A gap has 1 to 3 tokens, those of a row; got {size}"):
        filling.trial(MODEL, {}, rows_of(2), size, np.ones((2, 3), bool))


def test_every_place_of_a_gap_is_as_likely():
    hidden = filling.gaps(np.ones((4000, 6), bool), 4, 0)
    assert (hidden.sum(axis=1) == 4).all()
    starts = hidden.argmax(axis=1)
    assert (hidden[np.arange(4000), starts + 3]).all()  # without a hole
    enumeration.assert_drawn_from(starts, np.full(3, 1 / 3))
    assert filling.gaps(np.ones((2, 4), bool), 4, 0).all()


def test_gaps_lie_inside_rows():
    inside = np.zeros((3000, 8), bool)
    inside[:1000, 2:7] = inside[1000:2000, 1:3] = inside[2000:, 4] = True
    hidden = filling.gaps(inside, 3, 0)
    assert not (hidden & ~inside).any()
    assert [set(hidden[n : n + 1000].sum(axis=1)) for n in (0, 1000, 2000)] == [{3}, {2}, {1}]
    starts = hidden[:1000].argmax(axis=1) - 2
    enumeration.assert_drawn_from(starts, np.full(3, 1 / 3))


def test_words_are_restored_whole():
    text, hidden = "the cat sat on", np.zeros(14, bool)
    hidden[5:10] = True  # "at sa"
    for other, right in (
        ("the cat sat on", 2),
        ("the cut sat on", 1),
        ("the ca  sat on", 1),
        ("the catssat on", 0),
    ):
        share, _ = filling.words_restored([text], [other], hidden[None])
        assert share == right / 2, other


def test_the_count_model_sees_the_left_side_only():
    rng = np.random.default_rng(0)
    train, rows = rng.integers(0, 3, 500), rng.integers(0, 3, (4, 10))
    hidden = filling.gaps(np.ones(rows.shape, bool), 3, 0)
    result = filling.bits_by_counts(train, rows, hidden, 3, 2)
    p = count_models.probabilities(train, rows.ravel(), 3, 2).reshape(rows.shape)
    np.testing.assert_allclose(result.sums, -(np.log2(p) * hidden).sum(axis=1))
    np.testing.assert_array_equal(result.counts, np.full(4, 3))
    changed = rows.copy()
    changed[-1, hidden[-1].nonzero()[0][-1] + 1 :] = 0
    again = filling.bits_by_counts(train, changed, hidden, 3, 2)
    np.testing.assert_allclose(again.sums, result.sums)
