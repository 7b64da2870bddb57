"""Scores of texts on a synthetic corpus: nonsense never ranks above the data."""

import itertools

import numpy as np
import pytest

from amd_jax.evaluation import count_models
from amd_jax.evaluation.samples import (
    draws,
    reverse_bits,
    score_kinds,
    score_table,
    text_features,
    text_nonsense,
    text_scores,
    two_sample,
)
from amd_jax.evaluation.samples.real_rows import RealRows
from amd_jax.facts import TextFacts
from tests.evaluation.samples.test_map_scores import assert_safe

ALPHABET = " abcdefgh"
K, L = len(ALPHABET), 48
NONSENSE = ("independent characters", "counts of order 3", "shuffled words", "pasted pieces")
FACTS = TextFacts(K, (L,), "toy", alphabet=ALPHABET)


def corpus(number, seed):
    """Rows of words, each of which tells the next ones; one in 20 is new."""
    law = np.random.default_rng(0)
    words = ["".join(law.choice([*ALPHABET[1:]], law.integers(2, 7))) for _ in range(30)]
    after = law.dirichlet(np.full(30, 0.05), size=30)
    rng, state, text = np.random.default_rng(seed), 0, []
    for _ in range(number * L // 3):
        state = rng.choice(30, p=after[state])
        new = rng.random() < 0.05
        text.append("".join(rng.choice([*ALPHABET[1:]], 5)) if new else words[state])
    stream = FACTS.encode(" ".join(text))[: number * L]
    return stream.reshape(number, L)


@pytest.fixture(scope="module")
def scores():
    numbers = {"number": 120, "repeats": 3}
    rows = RealRows.of(corpus(800, 1), corpus(100, 2), corpus(160, 3), **numbers)
    return text_scores.TextScores(FACTS, rows)


@pytest.fixture(scope="module")
def table(scores):
    return {row.label: row for row in scores.beside()}


def test_no_nonsense_is_above_the_data(table):
    safe = ("reverse_bits", "two_sample_auc")
    assert_safe(table, safe, "texts", NONSENSE, apart="independent characters", within=0.03)
    assert table["training texts"].scores["two_sample_auc"].error < 0.1


def test_the_share_of_known_words_prefers_pasted_pieces_to_the_data(table):
    pasted, real = (table[n].scores["known_words"] for n in ("pasted pieces", "held-out texts"))
    assert pasted.value > real.value + 5 * real.error
    columns = {name: text_scores.COLUMNS[name] for name in ("known_words", "reverse_bits")}
    remarks = score_table.remarks([*table.values()], columns)
    assert any("pasted pieces above held-out texts: no score of quality" in r for r in remarks)
    assert not any(r.startswith("reverse bits") for r in remarks)


def test_reverse_bits_of_the_law_itself_are_lower_than_of_any_nonsense(scores):
    """In every draw, since nonsense is made from its rows."""
    for name, drawn in scores.rows.nonsense(scores.samplers).items():
        for real, other in zip(scores.rows.train, drawn, strict=True):
            mine, theirs = (reverse_bits.of(x, scores.test, K) for x in (real, other))
            assert mine < theirs, name


def test_reverse_bits_fit_to_samples_and_score_test_rows():
    samples, test = corpus(20, 4), corpus(10, 5)
    p = count_models.probabilities(samples.ravel(), test.ravel(), K, 2)
    assert reverse_bits.of(samples, test, K, 2) == pytest.approx(-np.log2(p).mean())


def test_nonsense_has_the_tokens_that_it_is_made_of(scores):
    rows, rng = scores.rows.train[0], np.random.default_rng(0)
    counted = np.bincount(rows.ravel(), minlength=K)
    for name in ("shuffled words", "pasted pieces"):
        x = scores.samplers[name](rows, rng)
        np.testing.assert_array_equal(np.bincount(x.ravel(), minlength=K), counted)
    x = text_nonsense.pasted(rows, rng)
    np.testing.assert_array_equal(np.bincount(x.ravel(), minlength=K), counted)
    assert x.shape == rows.shape
    assert [*text_nonsense.samplers([])][-1] == "pasted pieces"


def test_counts_go_on_as_the_text_does():
    rows = np.array([[0, 1, 2, 3] * 4] * 3)  # one way on after each token
    x = text_nonsense.counts(rows, np.random.default_rng(0))
    assert x.shape == rows.shape
    assert (np.diff(x, axis=1) % 4 == 1).all()
    on = text_nonsense.continued(rows.ravel(), np.array([[3, 0, 1]]), 3, np.random.default_rng(0))
    np.testing.assert_array_equal(on, [[2, 3, 0]])


def test_fillings_keep_what_is_known(scores):
    rows = scores.test[:30]
    hidden = text_scores.gaps(FACTS, rows, 0)
    hidden[0], hidden[0, :3] = False, True  # a gap at the begin
    filled = text_nonsense.filled(rows, hidden, scores.fitted, np.random.default_rng(0))
    np.testing.assert_array_equal(filled[~hidden], rows[~hidden])
    figures = scores.fillings(rows, hidden)
    assert figures["counts of order 3"].value > figures["independent characters"].value
    assert set(figures) == set(scores.samplers)


def test_distinct_pieces_of_a_row():
    rows = np.array([[0, 1, 0, 1, 0], [0, 1, 2, 3, 4]])
    np.testing.assert_allclose(text_features.distinct(rows, 2), [2 / 4, 1])
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 2, (5, 30))
    for gram in (1, 3, 5):
        pieces = [{tuple(r[i : i + gram]) for i in range(31 - gram)} for r in rows]
        shares = [len(p) / (31 - gram) for p in pieces]
        np.testing.assert_allclose(text_features.distinct(rows, gram), shares)


def test_a_two_sample_test_finds_a_shift_and_no_more():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 400, 3))
    assert abs(two_sample.auc(a, b) - 0.5) < 0.1
    # normal laws a standard deviation apart: AUC Φ(1 / √2)
    assert two_sample.auc(a, b + [1, 0, 0]) == pytest.approx(0.760, abs=0.05)
    with pytest.raises(ValueError, match="needs 10 rows of either kind; got 9 real and 400 drawn"):
        two_sample.auc(a[:9], b)


def test_errors_are_those_of_repeated_draws():
    rng = np.random.default_rng(0)
    figures = [draws.over(rng.integers(0, 9, (8, 5, 4)), np.mean) for _ in range(400)]
    assert np.mean([f.error**2 for f in figures]) == pytest.approx(
        np.var([f.value for f in figures]), rel=0.2
    )
    with pytest.raises(ValueError, match="An error needs 2 draws or more; got 1"):
        draws.of([0.5])


@pytest.mark.parametrize(
    ("number", "repeats", "says"),
    [
        (59, 3, "Each of 3 repeats needs 20 samples or more; got 59 in all. Draw 60"),
        (60, 1, "An error needs 2 repeats or more; got 1"),
        (
            420,
            3,
            "420 samples are .* 840 rows of .*, and there are 400. Draw 200 or fewer",
        ),
    ],
)
def test_too_few_rows_are_refused(number, repeats, says):
    rows = itertools.repeat(np.zeros((800, L), int), 3)
    with pytest.raises(ValueError, match=says):
        RealRows.of(*rows, number=number, repeats=repeats)


def test_padded_texts_are_refused():
    padded = TextFacts(K, (L,), "toy", alphabet=ALPHABET, padding=0)
    with pytest.raises(ValueError, match="is for texts whose rows are full; these are padded"):
        score_kinds.check(padded)
