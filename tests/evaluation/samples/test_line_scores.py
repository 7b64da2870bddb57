"""Scores of lines on a language of their own: nonsense never ranks above the data."""

import collections

import numpy as np
import pytest

from amd_jax.evaluation.lines import line_counts
from amd_jax.evaluation.samples import (
    line_features,
    line_nonsense,
    score_table,
    text_features,
    text_scores,
)
from amd_jax.evaluation.samples.line_scores import LineScores
from amd_jax.evaluation.samples.real_rows import RealRows
from amd_jax.facts import LineFacts
from tests.evaluation.samples.test_map_scores import assert_safe
from tests.variants import quick

SYMBOLS, LONGEST = "abcdefgh", 24
FACTS = LineFacts.of(SYMBOLS, (1 / LONGEST,) * LONGEST)
LABELLED = LineFacts.of(SYMBOLS, (1 / LONGEST,) * LONGEST, labels=("short", "long"))
SAFE = ("reverse_bits", "two_sample_auc")
SCORED = {"plain": FACTS, "labelled": LABELLED}
NONSENSE = ("independent chars", "counts of order 3", "shuffled chars", "pasted pieces")


def language(number, seed, facts=FACTS):
    """Lines of 2 to 6 syllables, each of which tells the next; a label says if they are many."""
    law = np.random.default_rng(0)
    syllables = ["".join(law.choice([*SYMBOLS], 4)) for _ in range(12)]
    after = law.dirichlet(np.full(12, 0.2), size=12)
    rng, result = np.random.default_rng(seed), []
    for _ in range(number):
        state, line = rng.integers(12), ""
        count = rng.integers(2, 7)
        for _ in range(count):
            line, state = line + syllables[state], rng.choice(12, p=after[state])
        label = ("short", "long")[int(count > 4)] if facts.labels else ""
        result.append(facts.row(line, label))
    return np.stack(result)


def scores_of(facts):
    made = (language(number, seed, facts) for seed, number in enumerate((800, 120, 150), 1))
    return LineScores(facts, RealRows.of(*made, number=120, repeats=3))


@pytest.fixture(scope="module", params=quick(SCORED, "labelled"))
def scores(request):
    return scores_of(SCORED[request.param])


@pytest.fixture(scope="module")
def table(scores):
    return {row.label: row for row in scores.beside()}


def test_no_nonsense_is_above_the_data(scores, table):
    assert_safe(table, SAFE, "lines", NONSENSE, apart="shuffled chars", within=0.03)
    safe = {name: scores.columns[name] for name in SAFE}
    assert score_table.remarks([*table.values()], safe) == []


def test_training_lines_are_known_whatever_their_label_and_what_follows_their_end(scores):
    facts = scores.facts
    rows = np.stack([facts.row(line, facts.labels[-1] if facts.labels else "") for line in "ab"])
    known = scores.rows.training[:20].astype(np.int32)
    assert scores.measures["known_lines"](known) == 1
    assert scores.measures["known_lines"](rows) == 0
    if facts.labels:
        known[:, 0] = 2 * facts.first_label + 1 - known[:, 0]  # the other one
    known[:, -1] = np.where(known[:, -1] == facts.padding, 0, known[:, -1])
    assert scores.measures["known_lines"](np.concatenate([known, rows[:1]])) == 20 / 21


def test_reverse_bits_respect_the_ends_of_lines(scores):
    """As the count models beside bits do: the order of the lines is no matter."""
    x = scores.rows.train[0]
    found = scores.measures["reverse_bits"](x)
    bits = line_counts.bits_of_rows(scores.facts, x, scores.test, 6)
    assert found == pytest.approx(bits.sums.sum() / scores.facts.lengths(scores.test).sum())
    assert scores.measures["reverse_bits"](x[::-1]) == pytest.approx(found)


@pytest.mark.parametrize("facts", [FACTS, LABELLED], ids=["plain", "labelled"])
def test_nonsense_is_lines_made_of_real_ones(facts):
    rows, rng = language(300, 5, facts).astype(np.uint8), np.random.default_rng(0)
    inside, tokens = facts.inside(rows), collections.Counter(rows[facts.inside(rows)].tolist())
    for name, make in line_nonsense.samplers(facts).items():
        x = make(rows, rng)
        assert (x.shape, x.dtype) == (rows.shape, rows.dtype), name
        assert not np.array_equal(x, rows), name
        assert (x[:, facts.start :] <= facts.padding).all(), name
        assert (facts.sizes(x) > 1).all(), name
        after = ~facts.inside(x)[:, facts.start :]
        assert (x[:, facts.start :][after] == facts.padding).all(), name
        if name.startswith("counts"):
            continue
        np.testing.assert_array_equal(facts.inside(x), inside, name)
        if facts.labels:
            np.testing.assert_array_equal(x[:, 0], rows[:, 0], name)
        if not name.startswith("independent"):
            assert collections.Counter(x[inside].tolist()) == tokens, name
    x = line_nonsense.shuffled(facts, rows, rng)
    np.testing.assert_array_equal(np.sort(x, axis=1), np.sort(rows, axis=1))
    assert not (np.sort(x[:, :4], axis=1) == np.sort(rows[:, :4], axis=1)).all()


def test_counts_draw_labels_and_ends_as_the_lines_have_them():
    """Every three tokens tell the next of these lines, so that they are drawn as they are."""
    lines = [("abcd", "short"), ("abcdabce", "long"), ("hgf", "short")]
    rows = np.stack([LABELLED.row(*pair) for pair in lines] * 200)
    x = line_nonsense.counts(LABELLED, rows, np.random.default_rng(0))
    shares = collections.Counter(map(LABELLED.show, x))
    # abc goes on with d two of three times, and dabc with e alone is no context of three tokens
    assert {*shares} >= {"short: abcd", "short: hgf", "long: abcd"}
    starts = collections.Counter(LABELLED.show(one).split(": ")[0] for one in x)
    assert abs(starts["short"] / 600 - 2 / 3) < 0.08
    assert abs(shares["short: hgf"] / starts["short"] - 1 / 2) < 0.1
    assert all(line.endswith(("d", "e", "hgf")) or len(line) > 30 for line in shares)


def test_fillings_keep_what_is_known_and_hold_tokens(scores):
    facts, rows = scores.facts, scores.test[:40].astype(np.int32)
    hidden = text_scores.gaps(facts, rows, 0)
    assert hidden.sum(axis=1).max() == 4  # a quarter of the mean length
    assert not (hidden & ~facts.inside(rows)).any()
    for name, make in scores.samplers.items():
        x = scores._filled(name, make, rows, hidden, np.random.default_rng(0))
        np.testing.assert_array_equal(x[~hidden], rows[~hidden])
        if not name.startswith("counts"):
            assert (x[hidden] < facts.padding).all(), name
    found = scores.fillings(rows, hidden)
    assert {*found} == {*NONSENSE}
    assert found["counts of order 3"].value > found["independent chars"].value


def test_a_gap_holds_a_run_of_other_lines_from_a_place_at_random():
    rows, source = (np.stack([FACTS.row(line)]) for line in ("aaaaaa", "bcdefgh"))
    hidden = np.zeros(rows.shape, bool)
    hidden[0, 2:5] = True
    found = {
        FACTS.decode(line_nonsense.filled(FACTS, rows, hidden, source, rng)[0])
        for rng in map(np.random.default_rng, range(100))
    }
    runs = ("bcdefghbcdefgh"[i : i + 3] for i in range(7))
    assert found == {f"aa{run}a" for run in runs}


def test_features_are_of_each_line_alone(scores):
    facts, rows, fitted = scores.facts, scores.test[:30], scores.rows.fitted
    whole = line_features.of(facts, rows, fitted)
    np.testing.assert_allclose(line_features.of(facts, rows[5:7], fitted), whole[5:7])
    np.testing.assert_allclose(np.exp(whole[:, 0]), facts.sizes(rows))
    bits = line_counts.bits_of_rows(facts, fitted, rows, 0)
    counts = facts.sizes(rows) + facts.start
    np.testing.assert_allclose(whole[:, 1], bits.sums / counts)
    longest = line_features.of(
        facts, np.array([facts.row("a" * LONGEST, *facts.labels[:1])]), rows
    )
    np.testing.assert_allclose(longest[0, -3:], [1 / 24, 1 / 23, 1 / 22])


def test_distinct_pieces_of_what_is_inside():
    rows = np.array([[0, 1, 0, 1, 9, 9], [0, 1, 2, 9, 9, 9], [0, 9, 9, 9, 9, 9]])
    inside = rows < 9
    np.testing.assert_allclose(text_features.distinct(rows, 1, inside), [1 / 2, 1, 1])
    np.testing.assert_allclose(text_features.distinct(rows, 2, inside), [2 / 3, 1, 1])
    np.testing.assert_allclose(text_features.distinct(rows, 3, inside), [1, 1, 1])


def test_codes_of_no_class_are_refused_in_a_line(scores):
    drawn = scores.rows.train.astype(np.int32)
    drawn[0, 0, 3] = -1
    with pytest.raises(ValueError, match="are codes of no class. Draw them anew: --redraws=20"):
        scores.of(drawn)
