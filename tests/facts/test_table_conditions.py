"""Conditions on columns are ranges of codes; those that cannot be are errors."""

import datetime

import numpy as np
import pytest

from amd_jax.facts import Column, TableFacts
from amd_jax.facts.table_conditions import allowed, next_digits, parse
from tests.facts.columns import COLUMNS, TABLE


def test_conditions_on_columns():
    got = parse(TABLE, "city=Bonn|missing, wage=-4000..,age, in years=20,born=05/01/1970")
    assert {name: ranges.tolist() for name, ranges in got.items()} == {
        "city": [[0, 0], [3, 3]],
        "wage": [[1000, 19_999]],
        "age, in years": [[1, 1]],
        "born": [[4, 4]],
    }
    assert parse(TABLE, 'city=a,"b')["city"].tolist() == [[2, 2]]


ODD = Column("k", "categorical", values=("a|b", "1..2", "missing", "a, c=d"), missing="")
RATED = Column("rated", "categorical", values=("5.0", "true", "05", "7"))
RANKED = Column("ranked", "ordinal", values=("1.0", "2.0", "3.0"))


@pytest.mark.parametrize(
    ("name", "condition", "ranges"),
    [
        ("categories", "Bonn", [[0, 0]]),
        ("categories", "NA | missing|Bonn", [[0, 0], [2, 3]]),
        ("sizes", "medium..", [[1, 2]]),
        ("sizes", "..medium", [[0, 1]]),
        ("integers", "0..18", [[1, 2]]),
        ("integers", "-3..-3|20|missing", [[0, 0], [3, 4]]),
        ("a grid", "0..12", [[1000, 1002]]),
        ("a grid", "-1e9..1e9", [[0, 19_999]]),
        ("a grid of reals", "0.1..0.3", [[160, 180]]),
        ("a grid of reals", "0.105..0.3", [[161, 180]]),
        ("few commas", "0..2,5", [[1, 2]]),
        ("listed days", "01/01/2000..", [[1, 1]]),
        ("listed days", "1999-02-01", [[0, 0]]),
        ("days", "1970-01-01 00:00:00", [[800, 800]]),
        ("moments", "2001-09-09 02:46:00..2001-09-09T02:48:00", [[60, 62]]),
        ("moments", "2001-09-10..2001-09-10", [[1334, 1334]]),
        ("days", "1970-01-01..1970-01-31", [[800, 830]]),
        ("days", "missing", [[40_000, 40_000]]),
        ("odd", "a|b", [[0, 0]]),  # values with signs of conditions
        ("odd", "1..2", [[1, 1]]),
        ("odd", "missing", [[2, 2]]),
    ],
)
def test_conditions_on_a_column(name, condition, ranges):
    assert allowed((COLUMNS | {"odd": ODD})[name], condition).tolist() == ranges


@pytest.mark.parametrize(
    ("name", "condition", "message"),
    [
        ("categories", "Rome", "the condition has 'Rome'. Known are Bonn"),
        ("categories", "Bonn..NA", "the condition has 'Bonn..NA'"),
        ("sizes", "missing", "the condition has 'missing'"),
        ("sizes", "tiny..large", "a range has 'tiny'"),
        ("sizes", "large..small", "none of column 'size' lies in large..small"),
        ("integers", "1..16", "none of column 'age' lies in 1..16. Known are -3"),
        ("integers", "a..b", "a range has 'a'"),
        ("days", "1970..", "a range has '1970'"),
    ],
)
def test_conditions_on_a_column_that_cannot_be(name, condition, message):
    with pytest.raises(ValueError, match="column") as caught:
        allowed(COLUMNS[name], condition)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "ranges"),
    [
        (ODD, "a|b", [[0, 0]]),
        (ODD, ["1..2", "a, c=d", None], [[1, 1], [3, 4]]),
        (ODD, "missing", [[2, 2]]),
        (ODD, float("nan"), [[4, 4]]),
        (RATED, 5, [[0, 0], [2, 2]]),
        (RATED, 7.0, [[3, 3]]),
        (RATED, True, [[1, 1]]),
        (RANKED, (2, None), [[1, 2]]),
        (COLUMNS["integers"], 17.0, [[2, 2]]),
        (COLUMNS["integers"], [np.int64(-3), (17, 20), None], [[0, 0], [2, 4]]),
        (COLUMNS["integers"], False, [[1, 1]]),
        (COLUMNS["reals"], 2, [[2, 2]]),
        (COLUMNS["few commas"], 2.25, [[2, 2]]),
        (COLUMNS["few commas"], (-1.5, 0), [[0, 1]]),
        (COLUMNS["a grid of reals"], np.float32(0.1), [[160, 160]]),
        (COLUMNS["a grid of reals"], (0.105, "0.3"), [[161, 180]]),
        (COLUMNS["sizes"], ("medium", None), [[1, 2]]),
        (COLUMNS["days"], datetime.date(1970, 1, 1), [[800, 800]]),
        (COLUMNS["days"], (np.datetime64("1970-01-01"), "1970-01-31"), [[800, 830]]),
    ],
)
def test_a_mapping_has_values_of_python(column, value, ranges):
    facts = TableFacts.of((column, COLUMNS["categories"]))
    found = parse(facts, {column.name: value, "city": "=cmd"})
    assert {name: found.tolist() for name, found in found.items()} == {
        column.name: ranges,
        "city": [[1, 1]],
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("town=Bonn", "A column is one of city, wage, .*; got 'town'"),
        ("city=Bonn,town=3", "got 'town'"),
        ("city=Rome", "the condition has 'Rome'. Known are Bonn"),
        ("city", "A condition is such as column=value; got 'city'"),
        ("", "A column is one of"),
        ("city=Bonn,city=Kiel", "'city' has two"),
        ({"town": "Bonn"}, "A column is one of city, wage, .*; got 'town'"),
        ({"city": 5}, "the condition has '5'. Known are Bonn"),
        ({"city": ("Bonn", "=cmd")}, r"A tuple is a range .* has \('Bonn', .* in a list"),
        ({"wage": (1, 2, 3)}, r"A tuple is a range .* 'wage' has \(1, 2, 3\)"),
        ({"wage": (99_999, None)}, "none of column 'wage' lies in 99999"),
        ({"wage": 10**400}, "the condition has '1000"),
        ({"wage": ("a", 3)}, "a range has 'a'"),
        ({"size": (1, None)}, "a range has '1'"),
        ({"size": None}, "the condition has 'missing'"),
        ({"size": []}, "A condition allows a value or more; column 'size' has none"),
        ({"size": np.zeros((3, 3))}, "Known are s, m, l"),
    ],
)
def test_conditions_that_cannot_be(given, message):
    with pytest.raises(ValueError, match=message) as caught:
        parse(TABLE, given)
    assert "\n" not in str(caught.value)


def test_digits_after_a_prefix():
    column = Column("n", "integer", count=50, bases=(5, 11))
    ranges = allowed(column, "12..23|49")
    codes = {code for low, high in ranges for code in range(low, high + 1)}
    for top in range(5):
        below = {code - top * 11 for code in codes if code // 11 == top}
        assert next_digits(column, ranges, [])[top] == bool(below)
        got = np.flatnonzero(next_digits(column, ranges, [top])).tolist()
        assert got == sorted(below)
    every = np.array([[0, column.size - 1]])
    assert np.flatnonzero(next_digits(column, every, [4])).tolist() == [0, 1, 2, 3, 4, 5]
