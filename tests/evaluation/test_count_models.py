"""The vectorised model against the definition, with dictionaries."""

import collections

import numpy as np
import pytest

from amd_jax.evaluation import count_models


def followers(train, order):
    """Context (a tuple) -> counts of the next symbol, for every order up to `order`."""
    table = collections.defaultdict(collections.Counter)
    for n in range(order + 1):
        for i in range(n, len(train)):
            table[tuple(train[i - n : i])][train[i]] += 1
    return table


def definition(table, context, symbol, num_classes):
    """Witten-Bell by recursion on the context."""
    shorter = context[1:]
    lower = definition(table, shorter, symbol, num_classes) if context else 1 / num_classes
    counts = table.get(context)
    if counts is None:
        return lower
    return (counts[symbol] + len(counts) * lower) / (counts.total() + len(counts))


@pytest.fixture
def text():
    """Markov text over 3 of 4 symbols, so that some contexts and one symbol are never seen."""
    rng = np.random.default_rng(0)
    steps = rng.choice([0, 1, 2], size=300, p=[0.7, 0.2, 0.1])
    return (np.cumsum(steps) % 3).astype(np.uint8)


@pytest.mark.parametrize("order", range(5))
def test_probabilities_follow_the_definition(text, order):
    train = text[:200]
    test = np.concatenate([text[200:], np.array([3, 3, 0, 1, 2, 3], dtype=np.uint8)])
    got = count_models.probabilities(train, test, 4, order)

    table = followers(train.tolist(), order)
    past = [tuple(test[max(0, i - order) : i].tolist()) for i in range(len(test))]
    want = [definition(table, h, x, 4) for h, x in zip(past, test.tolist(), strict=True)]
    np.testing.assert_allclose(got, want, rtol=1e-12)


@pytest.mark.parametrize("order", range(5))
def test_probabilities_sum_to_one(text, order):
    """Over the next symbol, after every kind of past: known, unknown, and at the end of train."""
    pasts = [text[200:240], np.array([3, 3, 3], dtype=np.uint8), text[190:200]]
    for past in pasts:
        total = sum(
            count_models.probabilities(text[:200], np.append(past, symbol), 4, order)[-1]
            for symbol in range(4)
        )
        assert total == pytest.approx(1, abs=1e-12)


def test_bits_are_averaged_over_rows_with_an_error_by_blocks_of_them(text):
    rows = text[200:296].reshape(12, 8)
    bits, error = count_models.bits_per_char(text[:200], rows, 4, 2)
    each = -np.log2(count_models.probabilities(text[:200], rows.ravel(), 4, 2)).reshape(12, 8)
    assert bits == pytest.approx(each.mean())
    blocks = each.reshape(4, 3 * 8).mean(axis=1)
    assert error == pytest.approx(blocks.std(ddof=1) / 4**0.5)
    of_rows = count_models.bits_of_rows(text[:200], rows, 4, 2)
    np.testing.assert_allclose(of_rows.sums, each.sum(axis=1))
    np.testing.assert_array_equal(of_rows.counts, np.full(12, 8))


def test_long_contexts_do_not_overflow():
    """256 ** 41 has 328 bits; on a repeated text the model is nearly certain."""
    once = np.random.default_rng(1).integers(256, size=200).astype(np.uint8)
    p = count_models.probabilities(np.tile(once, 20), np.tile(once, 2), 256, 40)
    assert p[200:].min() > 0.99
    assert p.max() <= 1


@pytest.mark.parametrize(("order", "size"), [(-1, 10), (2, 0)])
def test_bad_input_is_named(order, size):
    with pytest.raises(ValueError, match=f"got {order}, {size} tokens"):
        count_models.probabilities(np.zeros(size, np.uint8), np.zeros(4, np.uint8), 2, order)


def test_a_correction_is_the_most_probable_token_by_counts_and_noise(text):
    train, rows, order, rate, k = text[:200], text[200:230].reshape(2, 15).copy(), 2, 0.1, 4
    rows[0, 3] = rows[1, 9] = 3
    table, x = followers(train.tolist(), order), rows.ravel().tolist()
    expected = []
    for n in range(len(x)):
        scores = []
        for symbol in range(k):
            y = [*x[:n], symbol, *x[n + 1 :]]
            score = np.log(1 - rate if symbol == x[n] else rate / (k - 1))
            for j in range(n, n + order + 1):
                context = tuple(y[(j + i) % len(y)] for i in range(-order, 0))
                score += np.log(definition(table, context, y[j % len(y)], k))
            scores.append(score)
        expected.append(int(np.argmax(scores)))
    corrected = count_models.corrected(train, rows, k, order, rate)
    assert corrected.ravel().tolist() == expected
    assert (corrected != rows).any()


def test_a_pixel_is_counted_after_its_left_and_upper_neighbour():
    maps = np.array([[[0, 1], [0, 1]], [[0, 1], [1, 1]]])
    bits = count_models.bits_of_maps(maps, maps[:1], 2)
    # after (border, border) 0 twice; (0, border) 1 twice; (border, 0) each once; (0, 1) 1 once
    expected = -np.log2([3 / 4, 3 / 4, 2 / 4, 2 / 3]).sum()
    np.testing.assert_allclose(bits.sums, [expected])
    assert bits.counts.tolist() == [4]
