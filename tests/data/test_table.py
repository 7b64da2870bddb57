"""Your own table: read, split, encoded, and back as it was written."""

import csv
import datetime
import re

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from amd_jax import tables
from amd_jax.data import table
from amd_jax.data.reading import csv_files, tallies
from amd_jax.facts.table_csv import write_csv

CITIES = ["Bonn", "", "Kiel"]
PEOPLE = [
    ["name", "age", "city", "height", "born"],
    *(
        [f"p{n % 5}", str(20 + n % 30), CITIES[n % 3], f"1.{n:02}", f"2001-02-{1 + n % 28:02}"]
        for n in range(60)
    ),
]


@pytest.fixture
def write(tmp_path):
    """Write rows to a file and return its path."""

    def to_file(rows, name="people.csv"):
        with (tmp_path / name).open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)
        return str(tmp_path / name)

    return to_file


def put(path, text):
    path.write_text(text)
    return str(path)


def decoded(data):
    """The cells of all rows, sorted."""
    x = np.concatenate([data.rows(split) for split in data.splits])
    return sorted(zip(*data.facts.decode(x).values(), strict=True))


def test_a_table_of_mixed_columns(write):
    data = table.load(write(PEOPLE))
    kinds = {column.name: column.kind for column in data.facts.columns}
    assert kinds == dict(
        name="categorical", age="integer", city="categorical", height="real", born="date"
    )
    assert data.facts.column("city").missing == ""
    assert [len(data.rows(split)) for split in data.splits] == [54, 3, 3]
    assert decoded(data) == sorted(map(tuple, PEOPLE[1:]))
    train = [*zip(*data.facts.decode(data.rows("train")).values(), strict=True)]
    assert train != [*map(tuple, PEOPLE[1:])][: len(train)]  # in an order of its own
    wide = table.load(write(PEOPLE), columns="height:real(5)", max_classes=1 << 16)
    assert data.rows("train").dtype == wide.rows("train").dtype == np.uint8  # as few as will do


WRITERS = {  # a column of n cells, exactly as they are to come back
    "categories": lambda rng, n: rng.choice(["a", "b c", 'q"x', "é,☃", "=cmd", "'a", "<=50K"], n),
    "half missing": lambda rng, n: rng.choice(["", "a", "b"], n),
    "words": lambda rng, n: rng.choice(["NA", "None", "null", "some"], n),
    "zip codes": lambda rng, n: [f"{k:05}" for k in rng.integers(0, 300, n)],
    "many": lambda rng, n: [f"city {k}" for k in rng.integers(0, 200, n)],
    "small integers": lambda rng, n: rng.integers(-9, 9, n),
    "integers": lambda rng, n: rng.integers(-(10**8), 10**8, n) * 10,
    "gaps": lambda rng, n: rng.choice(["?"] * 999 + [*map(str, range(2000))], n),
    "fixed": lambda rng, n: [f"{v / 1000:.3f}" for v in rng.integers(-4000, 4000, n)],
    "trimmed": lambda rng, n: [f"{v:g}" for v in rng.integers(-900, 900, n) / 100],
    "python": lambda rng, n: [repr(v) for v in (rng.integers(-9000, 9000, n) / 100).tolist()],
    "commas": lambda rng, n: [f"{v},{w:02}" for v, w in rng.integers(1, 90, (n, 2))],
    "few commas": lambda rng, n: rng.choice(["1,5", "-0,25", "7"], n),
    "few reals": lambda rng, n: [f"{v:.2f}" for v in rng.integers(0, 30, n) / 4],
    "days": lambda rng, n: np.datetime64("1999-12-01") + rng.integers(0, 5000, n),
    "few days": lambda rng, n: np.datetime64("1999-12-01") + rng.integers(0, 50, n),
    "moments": lambda rng, n: np.datetime64("2001-01-01T00:00:00") + rng.integers(9**9, size=n),
    "German days": lambda rng, n: [
        f"{d:02}.{m:02}.2001" for d, m in rng.integers(1, [29, 13], (n, 2))
    ],
    "American days": lambda rng, n: [
        f"{m}/{d}/2001" for m, d in rng.integers(1, [13, 29], (n, 2))
    ],
    "constant": lambda rng, n: ["7"] * n,
    "nothing": lambda rng, n: ["NA"] * n,
}


@pytest.mark.parametrize("seed", range(4))
def test_random_tables_come_back_as_they_were_written(write, seed):
    rng = np.random.default_rng(seed)
    names = rng.permutation([*WRITERS])[: 5 + 4 * seed].tolist()
    cells = [[str(cell).replace("T", " ") for cell in WRITERS[name](rng, 300)] for name in names]
    rows = [names, *map(list, zip(*cells, strict=True))]
    max_classes = [128, 16, 300, 2][seed]
    data = table.load(write(rows), max_classes=max_classes)
    assert decoded(data) == sorted(map(tuple, rows[1:]))
    facts = data.facts
    assert max(facts.sizes) <= max_classes
    for split in data.splits:
        x = data.rows(split)
        assert facts.possible(x).all()
        np.testing.assert_array_equal(facts.encode(facts.decode(x)), x)
    for shares, tokens in zip(facts.marginals, data.rows("train").T, strict=True):
        want = np.bincount(tokens, minlength=len(shares)) + 1
        np.testing.assert_allclose(shares, want / want.sum())


def cycle(*cells):
    return [str(cells[n % len(cells)]) for n in range(600)]


def column(cells, write, columns="", **arguments):
    """The column that a table of these cells has."""
    rows = [["c", "k", "l"], *([cell, str(n % 2), str(n % 3)] for n, cell in enumerate(cells))]
    return table.load(write(rows), columns, **arguments).facts.column("c")


KINDS = {  # cells -> kind, and words of the reason
    "numbers": (cycle(1, 2), "integer", "2 distinct integers"),
    "many numbers": (map(str, range(0, 3000, 5)), "integer", "600 .*, 0 to 2995 in steps of 5"),
    "row numbers": (map(str, range(2000)), "integer", r"a row number\? c:drop leaves it out"),
    "zip codes": (cycle("01234", "99999"), "categorical", "leading zeros: codes"),
    "several forms": (cycle("1.5", "1.50", "2"), "real", "in several ways, each number in its"),
    "many in several forms": (
        [f"{n // 2}{'.50' * (n % 2)}" for n in range(600)],
        *("real", "written in several ways, from now on as 0.00"),
    ),
    "exponents": (cycle("1e-3", "2"), "real", "2 distinct reals"),
    "long reals": ([repr(1 / (3 + n)) for n in range(600)], "real", "rounded to 0.000001"),
    "card numbers": (cycle(4 * 10**15, 4 * 10**15 + 1), "categorical", "over 15 digi"),
    "fine reals": (cycle("0.1", f"0.1{'0' * 18}1"), "categorical", "more digits than float64"),
    "thousands": (cycle("1,000", "2,000"), "categorical", "thousands or decimals after the comma"),
    "decimal commas": (cycle("1,5", "2"), "real", "2 distinct reals"),
    "points and commas": (cycle("1,5", "2.5"), "categorical", "2 texts"),
    "infinity": (cycle("1", "inf"), "categorical", "numbers mixed with texts such as 'inf'"),
    "days": (cycle("2001-02-03"), "date", "one value: no bits"),
    "no such days": (cycle("2001-02-30", "2001-02-03"), "categorical", "2 texts"),
    "day or month": (cycle("01/02/2001", "03/04/2001"), "categorical", "c:date.%d/%m/%Y"),
    "month first": (cycle("01/02/2001", "03/14/2001"), "date", "2 distinct days"),
    "mixed dates": (cycle("2001-02-03", "03/14/2001"), "categorical", "2 texts"),
    "missing in two ways": (cycle("1", "", "", "NA"), "integer", "'NA' are written as ''"),
    "a word": (cycle("None", "half", "full"), "categorical", "'None' is a category"),
    "a country": (cycle("NA", "DE", ""), "categorical", "'NA' is a category"),
    "nothing": (cycle(""), "categorical", "only missing cells: no bits"),
}


@pytest.mark.parametrize("name", KINDS)
def test_the_kind_of_a_column(name, write):
    cells, kind, reason = KINDS[name]
    result = column(cells, write)
    assert result.kind == kind
    assert re.search(reason, result.reason)


def test_words_are_missing_where_numbers_have_them_too(write):
    cells = zip(cycle("NA", "DE"), cycle("NA", "1", "2"), strict=True)
    facts = table.load(write([["country", "n"], *cells])).facts
    assert [column.missing for column in facts.columns] == ["NA", "NA"]
    assert facts.column("n").missing_share == pytest.approx(1 / 3)
    assert column(cycle("x", "-"), write, missing="-").missing == "-"
    assert column(cycle("x", "?"), write, missing="-").missing is None
    both = column(cycle("1", "-", "none known"), write, missing="-|none known")
    assert (both.missing, both.marks, both.kind) == ("-", ("none known",), "integer")


CHOICES = {  # cells, what is said -> fields of the column
    "integer": (cycle("01", "2"), "c:integer", dict(kind="integer", values=("01", "2"))),
    "categorical": (cycle("1", "2", "2"), "c:categorical", dict(values=("2", "1"))),
    "ordinal": (cycle("b", "a"), "k:drop,c:ordinal(b<a<c)", dict(values=("b", "a", "c"))),
    "decimals": (cycle("1.26", "3.1"), "c:real(1)", dict(first=13, count=19, decimals=1)),
    "rounded": (cycle("1.6", "3.1"), "c:integer", dict(first=2, count=2, rounded=True)),
    "large numbers": (
        [str(n**6) for n in range(600)],
        *("c:integer", dict(kind="integer", decimals=-11, count=461_915, rounded=True)),
    ),
    "date": (cycle("01/02/2001"), "c:date(%m/%d/%Y)", dict(form="%m/%d/%Y")),
    "two columns": (cycle("1", "2"), "c:real,k:drop", dict(kind="real")),
    "a compact date": (cycle("20010203"), "c:date(%Y%m%d)", dict(form="%Y%m%d")),
}


@pytest.mark.parametrize("name", CHOICES)
def test_what_is_said_of_a_column(name, write):
    cells, columns, expected = CHOICES[name]
    result = column(cells, write, columns)
    assert {field: getattr(result, field) for field in expected} == expected
    assert result.reason.startswith("as said; ")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("packed", ["", "gz", "zst", "bom", "crlf", "utf-16"])
def test_any_delimiter_and_packing(delimiter, packed, tmp_path):
    text = "\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in PEOPLE)
    content = text.encode({"bom": "utf-8-sig", "utf-16": "utf-16"}.get(packed, "utf-8"))
    if packed == "crlf":
        content = content.replace(b"\n", b"\r\n")
    elif packed in ("gz", "zst"):
        kind = {"gz": "gzip", "zst": "zstd"}[packed]
        content = pa.Codec(kind).compress(content, asbytes=True)
    path = tmp_path / "people"
    path.write_bytes(content)
    data = table.load(str(path), encoding="utf-16" if packed == "utf-16" else "")
    assert decoded(data) == sorted(map(tuple, PEOPLE[1:]))


def test_parquet_and_arrow(tmp_path, write):
    columns = dict(zip(PEOPLE[0], zip(*PEOPLE[1:], strict=True), strict=True))
    arrays = {
        **columns,
        "age": pa.array([*map(int, columns["age"])]),
        "city": pa.array([city or None for city in columns["city"]]).dictionary_encode(),
        "born": pa.array([*map(datetime.date.fromisoformat, columns["born"])]),
    }
    whole = pa.table(arrays)
    pyarrow.parquet.write_table(whole, tmp_path / "t.parquet", row_group_size=25)
    pyarrow.feather.write_feather(whole, tmp_path / "t.feather", chunksize=17)
    with pa.ipc.new_stream(tmp_path / "t.arrows", whole.schema) as stream:
        stream.write_table(whole)
    want = table.load(write(PEOPLE))
    for name in ("t.parquet", "t.feather", "t.arrows"):
        data = table.load(str(tmp_path / name))
        assert data.facts.columns == want.facts.columns
        np.testing.assert_array_equal(data.rows("train"), want.rows("train"))


def test_headers_that_are_given_or_say_the_delimiter(tmp_path):
    rows = "".join(f"{n % 9}, a{n % 2}\n" for n in range(40))
    data = table.load(put(tmp_path / "t.data", rows), header="n,k")
    assert [column.name for column in data.facts.columns] == ["n", "k"]
    assert data.facts.column("k").values == ("a0", "a1")
    assert sum(len(data.rows(split)) for split in data.splits) == 40
    rows = "".join(f"{n % 5};{n % 4},5\n" for n in range(40))
    data = table.load(put(tmp_path / "t.csv", f"sep=;\nn;x\n{rows}"))
    assert data.facts.column("x").values == ("0,5", "1,5", "2,5", "3,5")
    rows = "".join(f"{n % 5}\n" for n in range(40))
    assert table.load(put(tmp_path / "t.csv", f"n\n{rows}")).facts.sizes == (5,)


def test_a_utf_16_table_says_so_itself(tmp_path, write):
    facts = table.load(write([["a", "b"], *[["1", "x"], ["2", "y"]] * 30])).facts
    (tmp_path / "wide.csv").write_bytes("a,b\n2,x\n".encode("utf-16"))
    assert facts.decode(table.read(str(tmp_path / "wide.csv"), facts)) == {"a": ["2"], "b": ["x"]}


@pytest.mark.parametrize("names", [("=x", "b"), ("'=x", "+y"), ("=x", "'=x"), ("@b", "-z")])
def test_a_run_reads_the_names_that_it_writes(names, tmp_path, write):
    facts = table.load(write([names, *[["1", "x"], ["2", "y"]] * 30])).facts
    x = np.array([[0, 1], [1, 0]], np.int32)
    for escape in (True, False):
        write_csv(tmp_path / "samples.csv", facts, x, escape)
        np.testing.assert_array_equal(table.read(str(tmp_path / "samples.csv"), facts), x)


def test_kinds_are_those_of_training_rows(write):
    rows = [
        ["n", "zip", "day", "x"],
        *[["1", "01", "2020-02-05", "1,5"], ["2", "x", "", "2,25"]] * 30,
    ]
    test = [["n", "zip", "day", "x"], ["007", "2.5", "2021-12-31", "-3,125"], ["", "3", "", "4"]]
    data = table.load(write(rows), test_path=write(test, "test.csv"))
    assert [c.kind for c in data.columns] == ["integer", "categorical", "date", "real"]
    cells = data.facts.decode(np.asarray(data.rows("test")))
    assert cells["zip"] == ["2.5", "3"]
    assert cells["day"] == ["2021-12-31", ""]
    assert data.columns[1].values[-1] == "3"


def test_a_test_table_may_hold_other_values(write):
    test = [["city", "age", "name", "height", "born"]]  # in another order
    test += [["Rome", "99", "p1", "1.00", "2001-03-01"]]
    data = table.load(write(PEOPLE), test_path=write(test, "test.csv"))
    assert [len(data.rows(split)) for split in data.splits] == [57, 3, 1]
    assert data.facts.decode(data.rows("test"))["city"] == ["Rome"]
    assert data.facts.column("age").values[-1] == "99"


def test_large_files_are_read_in_blocks(write, monkeypatch):
    path = write(PEOPLE)
    whole = table.load(path)
    monkeypatch.setattr(csv_files, "BLOCK", 200)
    monkeypatch.setattr(tallies, "COUNTED", 20)
    pieces = table.load(path)
    assert decoded(pieces) == decoded(whole)
    grids = [column.name for column in pieces.facts.columns if not column.values]
    assert grids == ["age", "height", "born"]  # which were not counted one by one


def test_a_column_of_50_000_categories(tmp_path):
    lines = "".join(f"c{n % 50_000},{n % 3}\n" for n in range(55_000))
    facts = table.load(put(tmp_path / "t.csv", "city,k\n" + lines)).facts
    assert facts.sizes == (37, 37, 37, 3)
    assert facts.column("city").reason == "50,000 texts, 45,000 of them once"


def test_given_rows_and_gaps(write):
    facts = table.load(write(PEOPLE)).facts
    x = table.read(write(PEOPLE, "again.csv"), facts)
    assert [*zip(*facts.decode(x).values(), strict=True)] == [*map(tuple, PEOPLE[1:])]
    gaps = [["age", "city"], ["21", ""], ["", "Bonn"]]
    x = table.read(write(gaps, "gaps.csv"), facts, gaps=True)
    known = {name.name: x[:, at] for name, at in zip(facts.columns, facts.places, strict=True)}
    assert known["age"].tolist() == [[1], [-1]]
    assert (known["city"] >= 0).all(axis=1).tolist() == [False, True]
    assert (known["name"] < 0).all()


def test_frames_come_back_with_their_dtypes():
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    number, start = 300, pandas.Timestamp("2020-01-01")
    frame = pandas.DataFrame(
        {
            "int32": rng.integers(0, 999, number).astype("int32"),
            "float": rng.integers(0, 9999, number) / 100,
            "float32": (rng.integers(0, 9999, number) / 100).astype("float32"),
            "holes": np.where(rng.random(number) < 0.2, np.nan, rng.integers(0, 9, number)),
            "Int64": pandas.array([None, 1, 200] * 100, dtype="Int64"),
            "bool": rng.random(number) < 0.5,
            "boolean": pandas.array([True, None, False] * 100, dtype="boolean"),
            "category": pandas.Categorical(rng.choice(["a", "b"], number)),
            "ordered": pandas.Categorical(["lo", "hi"] * 150, ["lo", "mid", "hi"], ordered=True),
            "text": rng.choice(["x", "=cmd", None], number),
            "day": start + pandas.to_timedelta(rng.integers(0, 300, number), "D"),
            "moment": start + pandas.to_timedelta(rng.integers(0, 10**6, number), "s"),
            "zone": start.tz_localize("Europe/Berlin") + pandas.to_timedelta([1, 2, 3] * 100, "D"),
        }
    )
    frame.loc[3, "day"] = pandas.NaT
    data = tables.from_pandas(frame, name="sales")
    assert data.name == "sales"
    assert data.facts.column("ordered").values == ("lo", "mid", "hi")
    assert data.facts.column("day").form == "%Y-%m-%d"
    back = data.facts.to_pandas(tables.encode_pandas(frame, data.facts))
    pandas.testing.assert_frame_equal(back, frame, check_categorical=False)
    midnights = frame.head(5).assign(moment=start + pandas.Timedelta(days=1))
    again = data.facts.to_pandas(tables.encode_pandas(midnights, data.facts))
    assert (again["moment"] == midnights["moment"]).all()


def test_a_frame_of_odd_columns():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({0: [1, "a", 2.5, None] * 10, "k": [0, 1] * 20})
    data = tables.from_pandas(frame, test=frame[:4])
    assert data.facts.column("0").values == ("1", "2.5", "a")
    assert len(data.rows("test")) == 4
    twice = frame.set_axis(["k", "k"], axis=1)
    with pytest.raises(ValueError, match="frame has 'k' twice"):
        tables.from_pandas(twice)


def test_names_with_signs_of_choices(write):
    cells = ([str(n % 9), str(n % 3), str(n % 2)] for n in range(40))
    said = "age, in years:real, a:b:categorical,k:drop"
    facts = table.load(write([["age, in years", "a:b", "k"], *cells]), said).facts
    kinds = {column.name: column.kind for column in facts.columns}
    assert kinds == {"age, in years": "real", "a:b": "categorical"}


def test_cells_of_two_lines(write):
    rows = [["a", "b"], *([f"x\n{n % 2}", str(n % 3)] for n in range(40))]
    for turned in (rows, [row[::-1] for row in rows]):
        assert decoded(table.load(write(turned))) == sorted(map(tuple, turned[1:]))
