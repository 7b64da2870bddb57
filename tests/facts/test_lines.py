"""Lines of any length: rows of tokens, shown and counted without what fills them up."""

import dataclasses

import numpy as np
import pytest

from amd_jax.facts import LineFacts
from amd_jax.facts import lines as facts_of_lines
from amd_jax.facts.lines import smoothed, usual

PLAIN = LineFacts.of("CNO", (0.25, 0.25, 0.25, 0.25), name="m")
LABELLED = LineFacts.of("CNO", (0.5, 0.5), ("no", "yes"), name="m")


def test_classes_are_characters_padding_and_labels():
    assert (PLAIN.num_classes, PLAIN.padding, PLAIN.event_shape) == (4, 3, (4,))
    assert (LABELLED.num_classes, LABELLED.padding, LABELLED.event_shape) == (6, 3, (3,))
    assert len({*LABELLED.alphabet}) == 6
    assert PLAIN.symbols == LABELLED.symbols == "CNO"
    assert (PLAIN.longest, LABELLED.longest) == (4, 2)


def test_lines_become_rows_and_come_back():
    assert PLAIN.row("CON").tolist() == [0, 2, 1, 3]
    assert PLAIN.row("CONN").tolist() == [0, 2, 1, 1]
    assert PLAIN.decode(PLAIN.row("CON")) == PLAIN.show(PLAIN.row("CON")) == "CON"
    row = LABELLED.row("O", "yes")
    assert row.tolist() == [5, 2, 3]
    assert (LABELLED.decode(row), LABELLED.label(row)) == ("O", "yes")
    assert LABELLED.show(row) == "yes: O"
    assert LABELLED.pieces(row) == ["yes: ", "O", ""]
    np.testing.assert_array_equal(PLAIN.filled_up(PLAIN.encode("CO")), PLAIN.row("CO"))
    assert LABELLED.filled_up(np.array([4, 1])).tolist() == [4, 1, 3]
    for label in ("no", "yes"):  # a text is read as it is shown
        assert LABELLED.read(LABELLED.show(LABELLED.row("CO", label))) == (label, "CO")
    assert LABELLED.read("CO") == ("", "CO")
    assert PLAIN.read("no: CO") == ("", "no: CO")


def test_the_share_of_a_label_is_that_of_training_lines():
    facts = dataclasses.replace(LABELLED, frequencies=(0.3, 0.2, 0.1, 0.1, 0.25, 0.05))
    assert facts.label_share("no") == pytest.approx(5 / 6)
    assert np.isnan(LABELLED.label_share("no"))


def test_noise_is_shown_and_padding_is_not():
    assert PLAIN.show([0, 4, -1, 3]) == "C░\ufffd"
    assert LABELLED.show([6, 0, 6]) == "░C░"
    assert LABELLED.label([6, 0, 6]) == LABELLED.label([-1, 0, 6]) == ""


def test_the_end_of_a_line_counts_once_and_its_label_does_not():
    x = np.stack([PLAIN.row(line) for line in ("C", "CC", "CCCC")])
    assert PLAIN.lengths(x).tolist() == [2, 3, 5]
    assert PLAIN.inside(x).sum(axis=1).tolist() == [1, 2, 4]
    x = np.stack([LABELLED.row("C", "no"), LABELLED.row("CO", "yes")])
    assert LABELLED.lengths(x).tolist() == [2, 3]
    assert LABELLED.inside(x).tolist() == [[False, True, False], [False, True, True]]
    assert PLAIN.classes == LABELLED.classes == 3  # of what is inside


@pytest.mark.parametrize(
    "facts",
    [PLAIN, LABELLED, *(LineFacts.of(of, (0.5, 0.5), ("a",)) for of in ("\u2603é\0", "\ue000C"))],
)
def test_many_lines_are_decoded_as_each_is(facts, monkeypatch):
    monkeypatch.setattr(facts_of_lines, "BLOCK", 7)
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, len(facts.symbols), (40, facts.longest))
    tokens[:5] = np.where(rng.random((5, facts.longest)) < 0.5, facts.num_classes, tokens[:5])
    tokens[5:9] = np.where(rng.random((4, facts.longest)) < 0.5, -1, tokens[5:9])
    lengths = rng.integers(1, facts.longest + 1, (40, 1))
    x = np.where(np.arange(facts.longest) < lengths, tokens, facts.padding)
    if facts.labels:
        x = np.concatenate([np.full((40, 1), facts.num_classes - 1), x], axis=1)
    want = [facts.decode(row) for row in x]
    assert [*facts.lines(x)] == [line.rstrip("\0") for line in want]
    assert [*facts.lines(x[:0])] == []


def test_fewer_long_lines_are_drawn():
    sizes = {1: 1000, 65: 1000, 256: 256, 100_000: 16}
    for longest, number in sizes.items():
        assert LineFacts.of("ab", (1 / longest,) * longest).num_samples == number


def test_what_is_no_line_is_refused():
    for line in ("", "CCCCC"):
        with pytest.raises(ValueError, match=f"1 to 4 characters; got {len(line)}"):
            PLAIN.row(line)
    with pytest.raises(ValueError, match="in the alphabet 'CNO'; got 'F' at position 1"):
        PLAIN.row("CF")
    with pytest.raises(ValueError, match="is one of no, yes; got 'maybe'"):
        LABELLED.row("C", "maybe")
    assert PLAIN.known("C\nF") == [True, False, False]  # padding is no character


def test_characters_and_labels_differ():
    with pytest.raises(ValueError, match="holds no line feed"):
        LineFacts.of("C\n", (1.0,))
    with pytest.raises(ValueError, match="Labels differ"):
        LineFacts.of("C", (1.0,), ("a", "a"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 5, "alphabet": "CNO\nx"}, "3 characters, padding and 0 labels"),
        ({"event_shape": (5,)}, "in rows of 4; got 4 classes and the shape"),
        ({"length_frequencies": (0.5, 0.5, 0.5, 0.5)}, "sum to one; those of m sum to 2"),
        ({"length_frequencies": (0.5, 0.5, 0.0, 0.0)}, "are positive"),
        ({"validity": "grammar"}, "one of smiles, rdkit, protein, or empty; got 'grammar'"),
        ({"label_rule": "size"}, "label_rule is one of rings, .*got 'size'"),
    ],
)
def test_facts_that_do_not_fit_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(PLAIN, **changes)


def test_lengths_are_tallied():
    """The usual one is that of all but a few lines, and shares are smoothed."""
    lengths = np.array([5] * 998 + [7, 900])
    assert (usual(lengths), usual(lengths[:2]), usual(lengths[-1:])) == (7, 5, 900)
    np.testing.assert_allclose(smoothed(np.array([3, 0, 1])), np.array([7, 1, 3]) / 11)


def test_a_summary_says_what_was_left_out_and_when_rows_are_mostly_padding():
    long = LineFacts.of(
        "ab", smoothed(np.array([10**5, 10**5, 0, 0, 0, 0, 1])), ("x", "y"),
        statistics={
            "left_out": {"empty": 0, "duplicates": 1200, "longer than 7": 3}, "usual_length": 2
        },
    )  # fmt: skip
    assert long.summary({"train": 2000, "test": 1}).splitlines() == [
        "lines: train 2,000, test 1 lines of 1 to 7 chars; 99.9% have at most 2: "
        "length=2 is much faster",
        "left out: 1,200 duplicates, 3 longer than 7",
        "alphabet of 2: 'ab'",
        "2 labels: x, y",
    ]
    assert PLAIN.summary({"train": 2}).splitlines() == [
        "m: train 2 lines of 1 to 4 chars",
        "alphabet of 3: 'CNO'",
    ]
