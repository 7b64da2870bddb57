import itertools

import numpy as np
import pytest

from amd_jax.evaluation.samples import brier

K, SIZE = 3, 2
GAPS = np.array(list(itertools.product(range(K), repeat=SIZE)))  # every filling, (K ** SIZE, SIZE)


def expected(p, q):
    """E of the score of fillings of law p where truths have law q, by enumeration."""
    triples = np.array(list(itertools.product(range(len(GAPS)), repeat=3)))
    truth, first, second = (GAPS[triples[:, i]] for i in range(3))
    hidden = np.ones(truth.shape, bool)
    score = brier.of_rows(truth, first, second, hidden, gram=SIZE)
    assert (score.counts == 1).all()
    return (q[triples[:, 0]] * p[triples[:, 1]] * p[triples[:, 2]] * score.sums).sum()


def law(rng):
    return rng.dirichlet(np.ones(len(GAPS)))


@pytest.mark.parametrize("seed", range(5))
def test_the_truth_scores_best_by_as_much_as_another_law_is_off(seed):
    rng = np.random.default_rng(seed)
    q, p = law(rng), law(rng)
    assert expected(q, q) == pytest.approx((q**2).sum())
    assert expected(p, q) == pytest.approx((q**2).sum() - ((p - q) ** 2).sum())


def test_right_tokens_that_are_wrong_together_score_less():
    """The product of the marginals of a law that is correlated."""
    q = np.where((GAPS[:, 0] == GAPS[:, 1]), 1 / K, 0.0)
    product = np.full(len(GAPS), 1 / len(GAPS))
    assert expected(product, q) < expected(q, q) - 0.1


def test_pieces_lie_inside_gaps():
    truth = np.array([[0, 1, 2, 0, 1], [2, 2, 1, 0, 0]])
    hidden = np.array([[False, True, True, True, False], [False, False, True, True, False]])
    first = np.array([[0, 1, 2, 1, 1], [2, 2, 1, 1, 0]])
    second = np.array([[0, 1, 2, 0, 1], [2, 2, 1, 1, 0]])
    score = brier.of_rows(truth, first, second, hidden, gram=2)
    np.testing.assert_array_equal(score.counts, [2, 1])
    # both right and alike; then the second alone right, not alike; then alike and wrong
    np.testing.assert_array_equal(score.sums, [1 + 1, -1])


@pytest.mark.parametrize("gram", [3, 9])
def test_a_gap_is_as_long_as_a_piece(gram):
    x, hidden = np.zeros((2, 4), int), np.array([[False, True, True, False]] * 2)
    with pytest.raises(ValueError, match=f"A piece of {gram} tokens needs a gap of as many"):
        brier.of_rows(x, x, x, hidden, gram)
