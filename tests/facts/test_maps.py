"""Facts of maps with labels: rows, labels and rules."""

import dataclasses

import numpy as np
import pytest

from amd_jax.facts import MapFacts, map_rules

GREY = ((0, 0, 0), (9, 9, 9), (99, 99, 99))
NAMES = ("sky", "sea", "a>=b")
FACTS = MapFacts(
    num_classes=5,
    event_shape=(7,),
    frequencies=(0.1, 0.2, 0.5, 0.05, 0.15),
    palette=GREY,
    names=NAMES,
    labels=map_rules.LABELS,
    label_rule="sea>=2",
    size=(2, 3),
)
PLAIN = MapFacts(3, (2, 3), palette=GREY, names=NAMES)
MAP = np.array([[0, 1, 2], [1, 0, 2]])


def test_a_row_is_the_label_and_then_the_pixels():
    row = FACTS.row(MAP, "with")
    assert row.tolist() == [4, 0, 1, 2, 1, 0, 2]
    assert FACTS.label(row) == "with"
    np.testing.assert_array_equal(FACTS.maps(row[None]), MAP[None])
    assert FACTS.inside(row[None]).tolist() == [[False] + 6 * [True]]
    assert (FACTS.map_shape, FACTS.categories, FACTS.lengths(row[None])) == ((2, 3), 3, [6])
    assert FACTS.label([5, *row[1:]]) == ""  # a mask
    assert FACTS.label_share("with") == pytest.approx(0.75)


def test_without_labels_rows_are_maps():
    np.testing.assert_array_equal(PLAIN.row(MAP), MAP)
    np.testing.assert_array_equal(PLAIN.maps(MAP[None]), MAP[None])
    assert PLAIN.inside(MAP[None]).shape == (1, 2, 3)
    assert (PLAIN.map_shape, PLAIN.categories, PLAIN.label(MAP)) == ((2, 3), 3, "")


def test_the_rule_says_which_rows_have_their_label():
    less = np.array([[0, 1, 2], [0, 0, 2]])
    rows = [FACTS.row(x, label) for x in (MAP, less) for label in FACTS.labels]
    assert FACTS.have_label(np.array(rows)).tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("sea", (1, 1)),
        ("2", (2, 1)),
        ("sea>=20", (1, 20)),
        (" 0 >= 3", (0, 3)),
        ("a>=b", (2, 1)),
        ("a>=b>=4", "got 'a'"),
    ],
)
def test_a_rule_is_a_category_and_perhaps_a_count(text, rule):
    if isinstance(rule, str):
        with pytest.raises(ValueError, match=rule):
            map_rules.parse(text, 3, NAMES)
    else:
        assert map_rules.parse(text, 3, NAMES) == rule


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lake", "a category: sky, sea, a>=b, or a number from 0 to 2; got 'lake'"),
        ("3", "a number from 0 to 2; got '3'"),
        ("sea>=0", "counts pixels, as human>=20; got 'sea>=0'"),
        ("sea>=few", "counts pixels"),
    ],
)
def test_what_is_no_rule(text, says):
    with pytest.raises(ValueError, match=says) as error:
        map_rules.parse(text, 3, NAMES)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"labels": ("a", "a"), "label_rule": ""}, "Labels differ"),
        ({"labels": ("a", "b")}, "computes the labels without, with"),
        ({"size": ()}, "have a size"),
        ({"size": (2, 2)}, "has 5 tokens"),
        ({"label_rule": "lake"}, "got 'lake'"),
        ({"num_classes": 6}, "for each of 4 categories"),
    ],
)
def test_facts_that_fit_no_labels(changes, says):
    with pytest.raises(ValueError, match=says):
        dataclasses.replace(FACTS, frequencies=(), **changes)


def test_an_unknown_label_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="one of without, with; got 'maybe'"):
        FACTS.label_token("maybe")


def test_the_summary_says_shares_of_labels():
    *_, categories, labels = FACTS.summary({"train": 9}).splitlines()
    assert categories == "3 categories: sky 12.50%, sea 25.00%, a>=b 62.50%"
    assert labels == "2 labels, sea>=2 by rule: without 25.0%, with 75.0%"
