"""Tables that cannot be learnt: one line each, with the rule, what was found and a way out."""

import gzip
import os
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from amd_jax.data import table
from amd_jax.data.reading import arrow, csv_files, packed, tallies
from amd_jax.host import memory

GOOD = "age,city\n" + "".join(f"{20 + n % 9},{'Bonn' if n % 3 else 'Kiel'}\n" for n in range(60))
LONG = "".join(f"{n},{n % 7}\n" for n in range(300))


def rows(line: str, number: int = 60) -> str:
    return (line + "\n") * number


def texts(prefix: str = "t", number: int = 300) -> str:
    return "".join(f"{prefix}{n},{n % 7}\n" for n in range(number))


FAULTS = {  # content -> what is said, and arguments of load
    "a short row": (GOOD + "30\n", "line 62 (row 61) of t.csv has 1. Put quotes"),
    "a long row": (
        GOOD.replace("20,Kiel", "20,Kiel,7", 1),
        "the 2 columns of the first line; line 2 (row 1)",
    ),
    "another delimiter than given": (
        GOOD,
        "begins with 'age,city', without ';'",
        {"delimiter": ";"},
    ),
    "two characters between": (
        GOOD,
        "A delimiter is one ASCII character; got '::'",
        {"delimiter": "::"},
    ),
    "a delimiter beyond ASCII": (GOOD, "one ASCII character; got 'é'", {"delimiter": "é"}),
    "a line end in the names given": (GOOD, "header= is the names of", {"header": "a\rb,c"}),
    "a name too long to read": (GOOD, "field limit", {"header": "a" * 140_000 + ",b"}),
    "a long name": ("a" * 131_072 + ",b\n" + rows("1,2"), "one line of at most 4,096 characters"),
    "a header too long": (
        "a" * (1 << 20) + ",b\n" + rows("1,2"),
        "at most 1,048,576 bytes; t.csv",
    ),
    "an unusual delimiter": (
        rows("a^b^c"),
        "none of them, and '^' equally often in each line. Give delimiter=^, or",
    ),
    "words": (rows("a b c d"), "4 words in each line. Give delimiter=' '"),
    "latin-1": ((GOOD + "31,Köln\n").encode("latin-1"), "A CSV is utf-8; t.csv is not. Save it"),
    "latin-1, far behind": (
        ("a,b\n" + rows("1,2", 300_000) + "3,é\n").encode("latin-1"),
        "A CSV is utf-8; t.csv is not",
    ),
    "no such encoding": (GOOD, "A CSV is klingon; t.csv is not.", {"encoding": "klingon"}),
    "zero bytes": (b"a,b\n" + bytes(400), "holds zero bytes, as no text does"),
    "no header": (
        GOOD.partition("\n")[2],
        "begins with 20, Kiel, which are values. Give names: h",
    ),
    "too few names given": (GOOD, "it has 1 names, and t.csv 2 columns", {"header": "age"}),
    "a name twice": ("a,b,a\n" + rows("1,2,3"), "t.csv has 'a' twice. Rename one of them"),
    "a name of two lines": ('"a\nb",c\n' + rows("1,2"), "A name of a column is one line; t.csv"),
    "different texts": (
        "id,n\n" + texts(),
        '(300 texts in 300 cells). Leave them out: columns="id:drop". To keep one all the same, '
        "say id:categorical",
    ),
    "constant columns": ("a,b\n" + rows("1,x"), "A table has a column of two values or more; t.c"),
    "missing cells alone": ("a,b\n" + rows(",?"), "has none among 2. With one value"),
    "mixed": (
        "n,k\n" + LONG + "unknown,1\n",
        "column 'n' has 300 different numbers and 1 texts, such as 'unknown'. If that means "
        'missing, say so: missing="unknown". Else keep texts: columns="n:categorical"',
    ),
    "empty": ("", "t.csv is empty. Use another file"),
    "blank lines alone": ("\n\n\n", "t.csv is empty"),
    "a header alone": ("a,b\n", "A table has rows after its header; t.csv has none"),
    "few rows": ("a,b\n" + rows("1,2", 9) + "2,3\n", "it needs 20 rows; t.csv has 10"),
    "an open quote": ('a,b\n1,"2\n' + rows("1,2"), "the last one of t.csv is open"),
    "a zip": (b"PK\x03\x04" + bytes(40), "t.csv is a zip archive, as .xlsx is. Save the table"),
    "gz cut short": (gzip.compress(GOOD.encode() * 99)[:-90], "t.csv cannot be read"),
    "a damaged Parquet": (b"PAR1" + bytes(40) + b"PAR1", "t.csv cannot be read"),
    "a damaged Arrow": (b"ARROW1\0\0" + bytes(40), "t.csv cannot be read"),
    "no such column": (
        GOOD,
        "there is no column 'wage'. There are age, city.",
        {"columns": "wage:integer"},
    ),
    "no such kind": (GOOD, "date(%d/%m/%Y) and drop; got 'age:number'", {"columns": "age:number"}),
    "a column twice": (GOOD, "'age' is given twice", {"columns": "age:drop,age:real"}),
    "an ordinal without order": (GOOD, "got 'city:ordinal'", {"columns": "city:ordinal"}),
    "a value beside the order": (
        GOOD,
        "column 'city' has 'Kiel', too. Put it where it belongs: city:ordinal(Bonn<Trier<...)",
        {"columns": "city:ordinal(Bonn<Trier)"},
    ),
    "integers that are none": (
        GOOD,
        "A column of numbers holds numbers; column 'city' has 'Kiel'. Use city:categorical",
        {"columns": "city:integer"},
    ),
    "numbers at both ends": (
        "a,b\n" + rows("1.7e308,1\n-1.7e308,2"),
        "'a' goes from -1.7e+308 to 1.7e+308, which are more. Use another unit",
        {"columns": "a:real(2)"},
    ),
    "many numbers at both ends": (
        "a,b\n" + "".join(f"{n}e306,1\n-{n}e306,1\n" for n in range(1, 170)),
        "'a' goes from -1.69e+308 to 1.69e+308, which are more. Use another unit",
        {"columns": "a:real"},
    ),
    "more decimals than fit": (GOOD + "1e308,Bonn\n", "to 1e+308", {"columns": "age:real(5)"}),
    "dates that are none": (
        GOOD,
        "column 'city' has 'Kiel'. Give the form",
        {"columns": "city:date"},
    ),
    "no form of dates": (GOOD, "each once; got '%q'", {"columns": "age:date(%q)"}),
    "everything dropped": (GOOD, "all of t.csv are left out", {"columns": "age:drop,city:drop"}),
    "one class in a field": (GOOD, "2 to 65,536 classes; got max_classes=1", {"max_classes": 1}),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def put(content, name="t.csv"):
    with open(name, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    return name


def refused(expected, path, **arguments):
    with pytest.raises(ValueError, match=re.escape(expected)) as caught:
        table.load(path, **arguments)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("fault", FAULTS)
def test_a_table(fault):
    content, expected, *arguments = FAULTS[fault]
    refused(expected, put(content), **(arguments[0] if arguments else {}))


PLACES = {
    "nothing": (lambda path: None, "found nothing at"),
    "a folder": (os.mkdir, "found a folder at"),
    "a pipe": (os.mkfifo, "found a pipe or device at"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_file(place):
    make, expected = PLACES[place]
    make("t.csv")
    refused(f"A table must be a file; {expected} t.csv", "t.csv")


def test_another_test_table():
    put(GOOD)
    other = put(GOOD.replace("city", "town"), "other.csv")
    refused("other.csv has no 'city'", "t.csv", test_path=other)
    refused("other.csv is empty", "t.csv", test_path=put("", "other.csv"))


@pytest.mark.parametrize(
    ("cell", "columns", "found"),
    [
        ("x,1", "", "row 2 of o.csv has 'x' in column 'n', whose kind is integer"),
        ("1.5,1", "", "row 2 of o.csv has '1.5' in column 'n', whose kind is integer"),
        ("1,x", "k:real", "row 2 of o.csv has 'x' in column 'k', whose kind is real"),
        ("1,2020-13-01", "", "row 2 of o.csv has '2020-13-01' in column 'k', whose kind is date"),
    ],
)
def test_a_cell_of_a_test_table_that_is_of_another_kind(cell, columns, found):
    second = "1.5" if columns else "2020-01-05" if "-" in cell else "7"
    first = second if second != "2020-01-05" else "2020-02-05"
    put("n,k\n" + f"1,{first}\n2,{second}\n" * 40)
    other = put(f"k,n\n{second},2\n{','.join(cell.split(',')[::-1])}\n", "o.csv")
    refused(found, "t.csv", test_path=other, columns=columns)


def test_a_delimiter_of_a_file_that_has_none():
    pyarrow.parquet.write_table(pa.table({"a": [1, 2] * 20}), "t.parquet")
    refused("Leave them out", "t.parquet", delimiter=";")
    pyarrow.parquet.write_table(pa.table({"a\nb": [1, 2] * 20}), "t.parquet")
    refused("A name of a column is one line; t.parquet has", "t.parquet")


def test_no_pyarrow(monkeypatch):
    monkeypatch.setattr(arrow.importlib.util, "find_spec", lambda name: None)
    refused("not installed. Install it: pip install 'amd_jax[tables]'", put(GOOD))


def test_a_bomb_is_not_inflated(monkeypatch):
    monkeypatch.setattr(packed, "ALWAYS", 1 << 20)
    refused(
        "at most 200 times its size; t.csv holds more. If it is sound, unpack it first",
        put(gzip.compress(b"a,b\n" + b"1,2\n" * (1 << 22))),
    )


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_program_may_end_on_a_fault_in_a_large_file(encoding):
    """Threads that read ahead are at work then; in Python they would abort the program."""
    path = put("a,b,c\n1,2\n" + "1,2,x\n" * 6_000_000, "large.csv")
    program = (
        "from amd_jax.data import table\n"
        f"try: table.load({str(path)!r}, encoding={encoding!r})\n"
        "except ValueError as error: kept = error\n"
        "print(str(kept)[:25])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "Every row has a cell in e\n", "")


def test_a_row_without_an_end(monkeypatch):
    monkeypatch.setattr(csv_files, "BLOCK", 1 << 16)
    refused(
        "A row has at most 65,536 bytes; t.csv has a longer one", put("a,b\n1," + "0" * 200_000)
    )


def test_more_rows_than_fit(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 100)
    refused("must fit into memory", put(GOOD))


def test_too_many_texts(monkeypatch):
    monkeypatch.setattr(tallies, "MOST_TEXTS", 250)
    refused("has more in 300 rows", put("id,n\n" + texts()))


def test_texts_after_many_numbers(monkeypatch):
    monkeypatch.setattr(tallies, "COUNTED", 250)
    monkeypatch.setattr(csv_files, "BLOCK", 1 << 10)
    refused(
        "over 250 numbers or dates and the text 'x0'", put("id,n\n" + LONG + LONG + texts("x"))
    )


def test_many_texts_that_may_be_two_things(monkeypatch):
    monkeypatch.setattr(tallies, "COUNTED", 100)
    monkeypatch.setattr(csv_files, "BLOCK", 1 << 10)
    zeros = "".join(f"{n:03},{n % 7}\n" for n in reversed(range(600)))
    refused("column 'zip' has numbers with leading zeros. Say what it is", put("zip,n\n" + zeros))
    days = "".join(f"{1 + n % 9:02}/{1 + n % 8:02}/{1900 + n},{n % 3}\n" for n in range(300))
    refused("'day' may be %d/%m/%Y or %m/%d/%Y", put("day,k\n" + days))


def test_cells_that_are_lists():
    pyarrow.parquet.write_table(pa.table({"a": [[1], [2]] * 20, "b": [1, 2] * 20}), "t.parquet")
    refused("column 'a' of t.parquet is not (its cells are list", "t.parquet")


def test_rows_of_another_table():
    facts = table.load(put(GOOD)).facts
    for content, expected in [
        ("age,city\n21,Bonn\n22,Rome\n", "column 'city' are its values; row 2 has 'Rome'. Known"),
        ("age,city\n21,\n", "row 1 has ''. Known are Bonn, Kiel"),
        ("age,city\n99,Bonn\n", "row 1 has '99'. Known are 20, 21, 22"),
        ("age\n21\n", "t.csv has no 'city'. Give it these names"),
        ("age,town\n21,Bonn\n", "o.csv has no 'city'; it has town"),
        ("age,city\n", "has none"),
    ]:
        path = put(content, "o.csv")
        with pytest.raises(ValueError, match=re.escape(expected.replace("t.csv", "o.csv"))):
            table.read(path, facts)
