"""Count models of lines: normalised over all lines, and each line by itself."""

import itertools

import numpy as np
import pytest

from amd_jax.evaluation import count_models
from amd_jax.evaluation.lines import line_counts
from amd_jax.facts import LineFacts

PLAIN = LineFacts.of("ab", (1 / 12,) * 12)
TRAIN = ["a", "ab", "abb", "ab", "ba", "abab"]


def counted(order, train, lines):
    """Bits of plain lines by a count model of others."""
    train, rows = (np.stack([*map(PLAIN.row, each)]) for each in (train, lines))
    return line_counts.bits_of_rows(PLAIN, train, rows, order)


def test_order_zero_is_by_hand():
    """Of 20 characters and ends 7 are a, 7 are b, 6 are ends: Witten-Bell with 3 kinds."""
    found = counted(0, TRAIN, ["ab", "b"])
    a, b, end = ((n + 1) / (20 + 3) for n in (7, 7, 6))
    np.testing.assert_allclose(found.sums, [-np.log2(a * b * end), -np.log2(b * end)])
    assert found.counts.tolist() == [3, 2]


def test_a_line_knows_nothing_of_the_one_before():
    both = counted(3, TRAIN, ["bb", "ab"]).sums
    np.testing.assert_allclose(both, counted(3, TRAIN, ["ab", "bb"]).sums[::-1])
    np.testing.assert_allclose(both, counted(3, TRAIN[::-1], ["bb", "ab"]).sums)


def test_the_beginning_of_a_line_is_a_context():
    """All lines begin with a, and a is seldom else: order 1 has learnt that."""
    frequencies, pairs = (counted(n, ["abbb", "abb", "abbbb"] * 30, ["abbb"]) for n in (0, 1))
    assert pairs.sums[0] < 0.7 * frequencies.sums[0]


@pytest.mark.parametrize("order", [0, 1, 3])
def test_probabilities_of_all_lines_sum_to_one(order):
    """Of 0 to 12 characters; few are longer, which is what is missing."""
    train, empty = np.stack([*map(PLAIN.row, TRAIN)]), np.full((1, 12), PLAIN.padding)
    total = float(np.exp2(-line_counts.bits_of_rows(PLAIN, train, empty, order).sums[0]))
    for n in range(1, 13):
        lines = ["".join(letters) for letters in itertools.product("ab", repeat=n)]
        total += float(np.exp2(-counted(order, TRAIN, lines).sums).sum())
    assert 0.97 < total < 1


def test_labels_are_counted_and_are_contexts():
    facts = LineFacts.of("ab", (0.25,) * 4, ("x", "y"))
    known = [("aa", "x"), ("aaa", "x"), ("bb", "y"), ("bbb", "y")] * 20
    asked = [("aa", "x"), ("aa", "y")]
    train, rows = (np.stack([facts.row(*pair) for pair in pairs]) for pairs in (known, asked))
    one = line_counts.bits_of_rows(facts, train, rows, 1)
    assert one.sums[1] > one.sums[0] + 3  # y never begins with a
    assert one.counts.tolist() == [3, 3]


def test_a_part_of_the_lines_is_fitted():
    train = np.stack([*map(PLAIN.row, TRAIN)])
    assert len(line_counts.fitted(PLAIN, train)) == 6
    assert len(line_counts.fitted(PLAIN, train, 9)) == 3  # of 2, 3 and 4


def test_tokens_that_are_no_outcomes_change_no_count():
    """A stream with foreign tokens between is as the streams apart, at order 0."""
    stream = np.array([0, 1, 3, 3, 0, 0])
    counted = np.array([True, True, False, False, True, True])
    got = count_models.probabilities(stream, np.array([0, 1, 3]), 4, 0, counted)
    np.testing.assert_allclose(got, [3.5 / 6, 1.5 / 6, 0.5 / 6])
