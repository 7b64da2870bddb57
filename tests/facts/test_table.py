"""Rows of a table: tokens of every field, cells as they were written, and a schema."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from amd_jax import facts
from amd_jax.facts import TableFacts, table_frames
from amd_jax.facts.table_csv import write_csv
from tests.facts.columns import TABLE


def rows(number=200, seed=0):
    rng = np.random.default_rng(seed)
    codes = [rng.integers(column.size, size=number) for column in TABLE.columns]
    return TABLE.fields(np.stack(codes, axis=1))


def test_tokens_and_cells_come_back():
    x = rows()
    assert x.dtype == np.int32
    assert TABLE.event_shape == (x.shape[1],) == (len(TABLE.sizes),)
    assert (x < np.array(TABLE.sizes)).all()
    assert TABLE.possible(x).all()
    np.testing.assert_array_equal(TABLE.fields(TABLE.codes(x)), x)
    cells = TABLE.decode(x)
    assert [*cells] == [column.name for column in TABLE.columns]
    np.testing.assert_array_equal(TABLE.encode(cells), x)
    assert TABLE.lengths(x).tolist() == [1] * len(x)


def test_fields_belong_to_columns():
    assert TABLE.sizes == (4, 26, 28, 28, 2, 17, 18, 20, 20, 3)
    assert TABLE.owners == (0, 1, 1, 1, 3, 4, 4, 5, 5, 6)
    assert TABLE.limits == (4, *[20_001] * 3, 2, *[300] * 2, *[400] * 2, 3)
    assert TABLE.places[1:3] == (slice(1, 4), slice(4, 4))
    assert TABLE.num_classes == 28
    assert (TABLE.unit, TABLE.kind, TABLE.rows, TABLE.num_samples) == (
        "row",
        "table",
        "rows",
        1000,
    )


def test_codes_beyond_a_column_are_impossible():
    x = rows(4)
    x[1, 1:4] = 25, 27, 27  # code 20,383 of 20,001
    x[2, 0] = 4
    x[3, 0] = -1
    assert TABLE.possible(x).tolist() == [True, False, False, False]
    with pytest.raises(ValueError, match="column 'wage' are 0 to 20000; row 2 has 20"):
        TABLE.decode(x[:2])
    with pytest.raises(ValueError, match="Token 0 of a row is 0 to 3; row 1 has 4"):
        TABLE.decode(x[2:])
    assert TABLE.show(x[1]).split(", ")[1] == "wage=\ufffd"
    assert TABLE.show(x[2]).startswith("city=░, wage=")
    assert TABLE.show(x[3]).startswith("city=\ufffd, wage=")


def test_facts_come_back_from_json():
    shares = [[1 / size] * size for size in TABLE.sizes]
    whole = TableFacts.of(TABLE.columns, "people", shares)
    result = facts.from_json(json.loads(json.dumps(whole.to_json())))
    assert result == whole
    assert hash(result) == hash(whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(columns=[1]), "The columns of a table are objects"),
        (dict(columns=None), "The columns of a table are objects"),
        (dict(num_classes=3), "10 of up to 28 classes; got the shape"),
        (dict(event_shape=[9]), "10 of up to 28 classes; got the shape"),
        (dict(marginals=[[1.0]]), "Marginals are a share of every token"),
        (dict(city=dict(values=["a", 3])), "columns.values must be of the kind tuple"),
        (dict(city=dict(name="k")), "Columns differ by name; 'k' is twice"),
        (dict(city=dict(bases=[2, 0])), "has 4 codes in fields of"),
        (dict(city=dict(colour=3)), "'colour'"),
    ],
)
@pytest.mark.usefixtures("any_types")
def test_facts_that_cannot_be(change, message):
    fields = json.loads(json.dumps(TABLE.to_json()))
    fields["columns"][0] |= change.pop("city", {})
    with pytest.raises(ValueError, match=message):
        facts.from_json(fields | change)


def test_gaps_and_columns_that_are_not_there():
    x = TABLE.encode({"city": ["Bonn", ""], "size": ["?", "m"]}, gaps=True)
    assert x.tolist() == [[0, *[-1] * 9], [-1, *[-1] * 8, 1]]
    with pytest.raises(ValueError, match="in each of 7 columns; got 1 of 1 cells, without wage"):
        TABLE.encode({"city": ["Bonn"]})
    with pytest.raises(ValueError, match="A column is one of city, wage, k, .*; got 'town'"):
        TABLE.encode({"town": ["Bonn"]}, gaps=True)


def test_the_summary_is_a_table():
    lines = TABLE.summary({"train": 1000, "test": 10}).splitlines()
    assert lines[0] == "people: train 1,000, test 10 rows of 7 columns in 10 fields"
    assert lines[1].split() == ["column", "kind", "classes", "fields", "missing", "why"]
    assert lines[2].split() == ["city", "categorical", "4", "0.0%", "3", "texts"]
    assert lines[3].split() == ["wage", "integer", "20,001", *"26 x 28 x 28".split(), "25.0%"]
    many = [dataclasses.replace(TABLE.columns[0], name=f"c{n}") for n in range(200)]
    lines = TableFacts.of(many).summary({"train": 1}).splitlines()
    assert len(lines) == 61
    assert lines[-1] == "... 142 more"


def test_rows_are_written_as_they_are_read(tmp_path):
    x, path = rows(), tmp_path / "out.csv"
    changed = write_csv(path, TABLE, x)
    with path.open(newline="", encoding="utf-8") as file:
        names, *lines = csv.reader(file)
    assert names == [column.name for column in TABLE.columns]
    cells = dict(zip(names, zip(*lines, strict=True), strict=True))
    assert changed == sum(text == "'=cmd" for text in cells["city"]) == (x[:, 0] == 1).sum()
    np.testing.assert_array_equal(TABLE.encode(cells), x)
    assert write_csv(path, TABLE, x, escape_formulas=False) == 0
    assert "'=cmd" not in path.read_text()
    assert write_csv(path, TABLE, x[:0]) == 0
    assert path.read_text() == 'city,wage,k,"age, in years",height,born,size\n'


def test_rows_as_a_data_frame():
    pandas = pytest.importorskip("pandas")
    x = rows()
    frame = TABLE.to_pandas(x)
    assert [*map(str, frame.dtypes)] == [
        *("str", "Int64", "str", "int64", "float64", "datetime64[s]", "category")
    ]
    cells = TABLE.decode(x)
    assert (frame["height"] == np.array(cells["height"], float)).all()
    assert frame["city"].isna().tolist() == [text == "" for text in cells["city"]]
    assert frame["wage"].isna().tolist() == [text == "NA" for text in cells["wage"]]
    assert frame["born"].dt.strftime("%d/%m/%Y").tolist() == cells["born"]
    assert frame["size"].cat.ordered
    assert isinstance(frame, pandas.DataFrame)


def test_no_pandas(monkeypatch):
    monkeypatch.setattr(table_frames.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install 'amd_jax\[tables\]'"):
        TABLE.to_pandas(rows(1))
