"""Codes of a column: every text comes back, unknown texts are errors."""

import dataclasses
import datetime
import math
import re

import numpy as np
import pytest

from amd_jax.facts import Column, dates, field_types, numerals
from amd_jax.facts.column import fields_for
from tests.facts.columns import COLUMNS


@pytest.mark.parametrize("name", COLUMNS)
def test_every_code_comes_back_from_its_text(name):
    column = COLUMNS[name]
    ends = np.array([0, column.size - 1])
    codes = np.concatenate([ends, np.random.default_rng(0).integers(column.size, size=500)])
    texts = column.decode(codes)
    np.testing.assert_array_equal(column.encode(texts), codes)
    np.testing.assert_array_equal(column.encode([f" {text} " for text in texts]), codes)
    numbers = column.numbers(codes)
    assert np.isnan(numbers).tolist() == (codes == column.num_values).tolist()
    order = np.argsort(codes)
    assert (np.diff(numbers[order][~np.isnan(numbers[order])]) >= 0).all()
    digits = column.digits(codes)
    assert digits.shape == (len(codes), len(column.bases))
    assert (digits < np.array(column.bases, np.int64)).all()
    np.testing.assert_array_equal(digits @ np.array(column.weights, np.int64), codes)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_from_its_fields(name):
    fields = dataclasses.asdict(COLUMNS[name])
    field_types.check(Column, fields, "column")
    assert Column(**fields) == COLUMNS[name]


@pytest.mark.parametrize(
    ("size", "bases"),
    [(0, ()), (1, ()), (2, (2,)), (128, (128,)), (129, (11, 12)), (50_000, (37, 37, 37))],
)
def test_fields_of_some_codes(size, bases):
    result = fields_for(size)
    assert len(result) == len(bases)
    assert math.prod(result) >= size
    assert max(result, default=1) <= 128


def test_fields_hold_every_size():
    for size in range(2, 3000):
        bases = fields_for(size, 7)
        rest = math.prod(bases[1:])
        assert max(bases) <= 7
        assert (bases[0] - 1) * rest < size <= bases[0] * rest


def test_numbers_are_read_however_they_are_written():
    assert COLUMNS["integers"].encode(["17.0", "+20", "-3", "0e5"]).tolist() == [2, 3, 0, 1]
    assert COLUMNS["a grid of reals"].encode(["1.5", "1.50", "-.5", "150e-2"]).tolist() == [
        *(300, 300, 100, 300)
    ]
    assert COLUMNS["reals"].encode(["1.500", "2.0"]).tolist() == [0, 2]
    assert COLUMNS["rounded"].encode(["0.12349", "0.1235"]).tolist() == [823, 824]
    assert COLUMNS["sizes"].numbers(np.array([2, 0])).tolist() == [2, 0]


@pytest.mark.parametrize(
    ("name", "cell", "message"),
    [
        ("categories", "Rome", "row 2 has 'Rome'. Known are Bonn, =cmd, NA, or missing"),
        ("sizes", "", "row 2 has ''. Known are small, medium, large."),
        ("integers", "18", "row 2 has '18'. Known are -3, 0, 17, 20, or missing"),
        ("a grid", "3", "They go from -5000 to 94995 in steps of 5, or missing"),
        ("a grid", "10000000000000000000", "They go from -5000"),
        ("a grid", "inf", "row 2 has 'inf'"),
        ("a grid of reals", "0.005", "They go from -1.50 to 7.49"),
        ("a grid of reals", "nan", "row 2 has 'nan'"),
        ("days", "2001-02-29", "They go from 1967-10-24 to "),
        ("days", "2001-2-3", "row 2 has '2001-2-3'"),
        ("days", "2001-02-03 04:05:06", "row 2 has '2001-02-03 04:05:06'"),
        ("moments", "1/2/2020 24:00", "in steps of 60 seconds"),
        ("listed days", "03/01/2000", "Known are 01/02/1999, 02/01/2000"),
    ],
)
def test_an_unknown_cell(name, cell, message):
    column = COLUMNS[name]
    with pytest.raises(ValueError, match="cells of column") as caught:
        column.encode([column.text(0), cell])
    assert message in str(caught.value)


def test_missing_cells_are_a_class_or_gaps():
    column = COLUMNS["categories"]
    assert column.encode(["Bonn", "", "NA", "?"]).tolist() == [0, 3, 2, 3]
    assert column.encode(["Bonn", "", "NA", "nan"], gaps=True).tolist() == [0, -1, 2, -1]
    assert COLUMNS["sizes"].encode(["", "large", "NA"], gaps=True).tolist() == [-1, 2, -1]
    with pytest.raises(ValueError, match="row 1 has 'huge'"):
        COLUMNS["sizes"].encode(["huge"], gaps=True)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(kind="number", values=("1",)), "A column is categorical, ordinal"),
        (dict(kind="integer"), "has none"),
        (dict(kind="categorical", count=3), "Only numbers and dates are a grid"),
        (dict(kind="integer", count=-1), "Only numbers and dates are a grid"),
        (dict(kind="integer", count=10**13), "cannot be: 10000000000000 points"),
        (dict(kind="integer", count=3, step=0), "cannot be: 3 points"),
        (dict(kind="integer", count=3, first=10**16), "has more"),
        (dict(kind="integer", count=3, form="%d"), "in the form"),
        (dict(kind="integer", count=3, bases=(2,)), "has 3 codes in fields of (2,)"),
        (dict(kind="integer", count=3, bases=(3, 1)), "has 3 codes in fields of (3, 1)"),
        (dict(kind="categorical", values=("a", "a")), "has one twice"),
        (dict(kind="categorical", values=("a", ""), missing=""), "has one twice"),
        (dict(kind="date", count=3, form="%Y-%m"), "A form of dates has"),
        (dict(kind="date", count=3, form="%Y-%m-%d %d"), "A form of dates has"),
        (dict(kind="date", count=10**9, form="%Y-%m-%d"), "Dates end with the year 9999"),
        (dict(kind="date", values=("a",), form="%Y-%m-%d"), "'a' is none"),
        (dict(kind="real", values=("1", "x")), "'x' is none"),
        (dict(kind="real", values=("2", "1")), "those of column 'c' are not"),
    ],
)
def test_columns_that_cannot_be(fields, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Column("c", **fields)


def test_points_and_their_texts():
    rng = np.random.default_rng(1)
    for decimals in (0, 1, 2, 9, 15):
        points = rng.integers(-(10**15), 10**15, 300)
        texts = [numerals.written(int(point), decimals) for point in points]
        got = numerals.points(numerals.parse(texts), decimals)
        np.testing.assert_array_equal(got, points)
        np.testing.assert_array_equal(numerals.exact(points, decimals), numerals.parse(texts))
    assert [numerals.written(n, 2, "trimmed") for n in (150, 100, 0, -5)] == [
        *("1.5", "1", "0", "-0.05")
    ]
    assert [numerals.written(n, 2, "point") for n in (150, 100, 125)] == ["1.5", "1.0", "1.25"]
    assert np.isnan(numerals.parse(["", "nan", "inf", "1_0", "0x1", "٣", "1e5000"])).tolist() == [
        *(True, True, True, True, True, True, True)
    ]


@pytest.mark.parametrize("form", dates.FORMS)
def test_dates_are_those_of_the_calendar(form):
    rng = np.random.default_rng(2)
    unit = "seconds" if dates.in_seconds(form) else "days"
    start = datetime.datetime(1970, 1, 1)
    numbers = rng.integers(-20_000, 20_000, 40) * (86_400 if unit == "seconds" else 1)
    if unit == "seconds":
        numbers += rng.integers(86_400, size=40) // 60 * 60
    texts = [dates.written(int(number), form) for number in numbers]
    plain = form.replace("%-", "%")
    if plain == form:
        moments = [start + datetime.timedelta(**{unit: int(number)}) for number in numbers]
        assert texts == [moment.strftime(form) for moment in moments]
    got, fits = dates.parse(texts, form)
    assert fits.all()
    assert got.tolist() == numbers.tolist()
    bad = [texts[0] + "0", "x", "", texts[0].replace("1", "x").replace("2", "x")]
    assert not dates.parse([*bad, "0000-00-00"], form)[1].any()


@pytest.mark.parametrize("dtype", ["os.system", "int65", "datetime64[", "os.system[pyarrow]"])
def test_a_dtype_that_is_none_of_pandas_is_refused(dtype):
    with pytest.raises(ValueError, match="dtype of a column is one of pandas; column 'a' has"):
        Column("a", "categorical", ("x", "y"), dtype=dtype)
