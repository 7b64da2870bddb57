"""Count models of lines: normalised over all lines, and each line by itself."""

import itertools

import numpy as np
import pytest

from amd_jax.evaluation import count_models
from amd_jax.evaluation.lines import line_counts
from amd_jax.facts import LineFacts

PLAIN = LineFacts.of("ab", (1 / 12,) * 12)
TRAIN = ["a", "ab", "abb", "ab", "ba", "abab"]


def rows(facts, lines, labels=None):
    pairs = zip(lines, labels or [""] * len(lines), strict=True)
    return np.stack([facts.row(*pair) for pair in pairs])


def test_order_zero_is_by_hand():
    """Of 20 characters and ends 7 are a, 7 are b, 6 are ends: Witten-Bell with 3 kinds."""
    found = line_counts.bits_of_rows(PLAIN, rows(PLAIN, TRAIN), rows(PLAIN, ["ab", "b"]), 0)
    a, b, end = ((n + 1) / (20 + 3) for n in (7, 7, 6))
    np.testing.assert_allclose(found.sums, [-np.log2(a * b * end), -np.log2(b * end)])
    assert found.counts.tolist() == [3, 2]


def test_a_line_knows_nothing_of_the_one_before():
    train, order = rows(PLAIN, TRAIN), 3
    both = line_counts.bits_of_rows(PLAIN, train, rows(PLAIN, ["bb", "ab"]), order)
    other = line_counts.bits_of_rows(PLAIN, train, rows(PLAIN, ["ab", "bb"]), order)
    np.testing.assert_allclose(both.sums, other.sums[::-1])
    again = line_counts.bits_of_rows(PLAIN, train[::-1], rows(PLAIN, ["bb", "ab"]), order)
    np.testing.assert_allclose(both.sums, again.sums)


def test_the_beginning_of_a_line_is_a_context():
    """All lines begin with a, and a is seldom else: order 1 has learnt that."""
    train = rows(PLAIN, ["abbb", "abb", "abbbb"] * 30)
    found = line_counts.bits_of_rows(PLAIN, train, rows(PLAIN, ["abbb"]), 1)
    frequencies = line_counts.bits_of_rows(PLAIN, train, rows(PLAIN, ["abbb"]), 0)
    assert found.sums[0] < 0.7 * frequencies.sums[0]


@pytest.mark.parametrize("order", [0, 1, 3])
def test_probabilities_of_all_lines_sum_to_one(order):
    """Of 0 to 12 characters; few are longer, which is what is missing."""
    train, empty = rows(PLAIN, TRAIN), np.full((1, 12), PLAIN.padding)
    total = float(np.exp2(-line_counts.bits_of_rows(PLAIN, train, empty, order).sums[0]))
    for n in range(1, 13):
        lines = ["".join(letters) for letters in itertools.product("ab", repeat=n)]
        bits = line_counts.bits_of_rows(PLAIN, train, rows(PLAIN, lines), order).sums
        total += float(np.exp2(-bits).sum())
    assert 0.97 < total < 1


def test_labels_are_counted_and_are_contexts():
    facts = LineFacts.of("ab", (0.25,) * 4, ("x", "y"))
    lines, labels = ["aa", "aaa", "bb", "bbb"] * 20, ["x", "x", "y", "y"] * 20
    train = rows(facts, lines, labels)
    one = line_counts.bits_of_rows(facts, train, rows(facts, ["aa", "aa"], ["x", "y"]), 1)
    assert one.sums[1] > one.sums[0] + 3  # y never begins with a
    assert one.counts.tolist() == [3, 3]


def test_a_part_of_the_lines_is_fitted():
    train = rows(PLAIN, TRAIN)
    assert len(line_counts.fitted(PLAIN, train)) == 6
    assert len(line_counts.fitted(PLAIN, train, 9)) == 3  # of 2, 3 and 4


def test_tokens_that_are_no_outcomes_change_no_count():
    """A stream with foreign tokens between is as the streams apart, at order 0."""
    stream = np.array([0, 1, 3, 3, 0, 0])
    counted = np.array([True, True, False, False, True, True])
    got = count_models.probabilities(stream, np.array([0, 1, 3]), 4, 0, counted)
    np.testing.assert_allclose(got, [3.5 / 6, 1.5 / 6, 0.5 / 6])
