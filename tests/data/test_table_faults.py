"""Tables that cannot be learnt: one line each, with the rule, what was found and a way out."""

import gzip
import os
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest

from amd_jax.data import table
from amd_jax.data.reading import arrow, csv_files, packed, tallies
from amd_jax.host import memory

GOOD = "age,city\n" + "".join(f"{20 + n % 9},{'Bonn' if n % 3 else 'Kiel'}\n" for n in range(60))
LONG = "".join(f"{n},{n % 7}\n" for n in range(300))


def rows(line: str, number: int = 60) -> str:
    return (line + "\n") * number


def texts(prefix: str = "t") -> str:
    return "".join(f"{prefix}{n},{n % 7}\n" for n in range(300))


GREAT = "".join(f"{n}e306,1\n-{n}e306,1\n" for n in range(1, 170))
FAULTS = {  # content -> what is said, and arguments of load
    "a short row": (GOOD + "30\n", "line 62 (row 61) of t.csv has 1. Put quotes"),
    "a long row": (
        GOOD.replace("20,Kiel", "20,Kiel,7", 1),
        "the 2 columns of the first line; line 2 (row 1)",
    ),
    "no such delimiter": (GOOD, "begins with 'age,city', without ';'", dict(delimiter=";")),
    "two characters between": (GOOD, "is one ASCII character; got '::'", dict(delimiter="::")),
    "a delimiter beyond ASCII": (GOOD, "one ASCII character; got 'é'", dict(delimiter="é")),
    "a line end in the names given": (GOOD, "header= is the names of", dict(header="a\rb,c")),
    "a name too long to read": (GOOD, "field limit", dict(header="a" * 140_000 + ",b")),
    "a long name": (
        "a" * (1 << 17) + ",b\n" + rows("1,2"),
        "one line of at most 4,096 characters",
    ),
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
    "no such encoding": (GOOD, "A CSV is klingon; t.csv is not.", dict(encoding="klingon")),
    "zero bytes": (b"a,b\n" + bytes(400), "holds zero bytes, as no text does"),
    "no header": (GOOD[9:], "begins with 20, Kiel, which are values. Give names: h"),
    "too few names given": (GOOD, "it has 1 names, and t.csv 2 columns", dict(header="age")),
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
    "no such column": (GOOD, "no column 'wage'. There are age, city.", dict(columns="wage:real")),
    "no such kind": (GOOD, "date(%d/%m/%Y) and drop; got 'age:n'", dict(columns="age:n")),
    "a column twice": (GOOD, "'age' is given twice", dict(columns="age:drop,age:real")),
    "an ordinal without order": (GOOD, "got 'city:ordinal'", dict(columns="city:ordinal")),
    "a value beside the order": (
        GOOD,
        "column 'city' has 'Kiel', too. Put it where it belongs: city:ordinal(Bonn<Trier<...)",
        dict(columns="city:ordinal(Bonn<Trier)"),
    ),
    "integers that are none": (
        GOOD,
        "A column of numbers holds numbers; column 'city' has 'Kiel'. Use city:categorical",
        dict(columns="city:integer"),
    ),
    "numbers at both ends": (
        "a,b\n" + rows("1.7e308,1\n-1.7e308,2"),
        "'a' goes from -1.7e+308 to 1.7e+308, which are more. Use another unit",
        dict(columns="a:real(2)"),
    ),
    "many at both ends": ("a,b\n" + GREAT, "from -1.69e+308 to 1.69e+308", dict(columns="a:real")),
    "more decimals than fit": (GOOD + "1e308,Bonn\n", "to 1e+308", dict(columns="age:real(5)")),
    "dates that are none": (GOOD, "'city' has 'Kiel'. Give the form", dict(columns="city:date")),
    "no form of dates": (GOOD, "each once; got '%q'", dict(columns="age:date(%q)")),
    "everything dropped": (GOOD, "all of t.csv are left", dict(columns="age:drop,city:drop")),
    "one class in a field": (GOOD, "2 to 65,536 classes; got max_classes=1", dict(max_classes=1)),
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


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda path: None, "found nothing at"),
        (os.mkdir, "found a folder at"),
        (os.mkfifo, "found a pipe or device at"),
    ],
)
def test_what_is_no_file(make, expected):
    make("t.csv")
    refused(f"A table must be a file; {expected} t.csv", "t.csv")


def test_another_test_table():
    put(GOOD)
    other = put(GOOD.replace("city", "town"), "other.csv")
    refused("other.csv has no 'city'", "t.csv", test_path=other)
    refused("other.csv is empty", "t.csv", test_path=put("", "other.csv"))


@pytest.mark.parametrize(
    ("trained", "cell", "columns", "found"),
    [
        ("1,7\n2,7", "x,1", "", "'x' in column 'n', whose kind is integer"),
        ("1,7\n2,7", "1.5,1", "", "'1.5' in column 'n', whose kind is integer"),
        ("1,1.5\n2,1.5", "1,x", "k:real", "'x' in column 'k', whose kind is real"),
        ("1,2020-02-05\n2,2020-01-05", "1,2020-13-01", "", "'2020-13-01' in column 'k', whose"),
    ],
)
def test_a_cell_of_a_test_table_that_is_of_another_kind(trained, cell, columns, found):
    put("n,k\n" + rows(trained))
    other = put(f"n,k\n{trained.split()[1]}\n{cell}\n", "o.csv")
    refused(f"row 2 of o.csv has {found}", "t.csv", test_path=other, columns=columns)


def test_a_parquet_file():
    def written(**columns):
        pyarrow.parquet.write_table(pa.table({**columns, "b": [1, 2] * 20}), "t.parquet")
        return "t.parquet"

    refused("Leave them out", written(), delimiter=";")
    refused("is one line; t.parquet has", written(**{"a\nb": [1, 2] * 20}))
    refused("'a' of t.parquet is not (its cells are list", written(a=[[1], [2]] * 20))


def test_no_pyarrow(monkeypatch):
    monkeypatch.setattr(arrow.importlib.util, "find_spec", lambda name: None)
    refused("not installed. Install it: pip install 'amd_jax[tables]'", put(GOOD))


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


ZEROS = "zip,n\n" + "".join(f"{n:03},{n % 7}\n" for n in reversed(range(600)))
DAYS = [f"{1 + n % 9:02}/{1 + n % 8:02}/{1900 + n},{n % 3}\n" for n in range(300)]
LIMITS = {  # what is made small -> content, what is said
    "a file that inflates": (
        [(packed, "ALWAYS", 1 << 20)],
        gzip.compress(b"a,b\n" + b"1,2\n" * (1 << 22)),
        "at most 200 times its size; t.csv holds more. If it is sound, unpack it first",
    ),
    "a row without an end": (
        [(csv_files, "BLOCK", 1 << 16)],
        "a,b\n1," + "0" * 200_000,
        "A row has at most 65,536 bytes; t.csv has a longer one",
    ),
    "memory": ([(memory, "free_bytes", lambda: 100)], GOOD, "must fit into memory"),
    "texts": ([(tallies, "MOST_TEXTS", 250)], "id,n\n" + texts(), "has more in 300 rows"),
    "texts after many numbers": (
        [(tallies, "COUNTED", 250), (csv_files, "BLOCK", 1 << 10)],
        "id,n\n" + LONG + LONG + texts("x"),
        "over 250 numbers or dates and the text 'x0'",
    ),
    "many leading zeros": (
        [(tallies, "COUNTED", 100), (csv_files, "BLOCK", 1 << 10)],
        ZEROS,
        "column 'zip' has numbers with leading zeros. Say what it is",
    ),
    "many days or months": (
        [(tallies, "COUNTED", 100), (csv_files, "BLOCK", 1 << 10)],
        "day,k\n" + "".join(DAYS),
        "'day' may be %d/%m/%Y or %m/%d/%Y",
    ),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_more_than_is_read(limit, monkeypatch):
    small, content, expected = LIMITS[limit]
    for of, name, value in small:
        monkeypatch.setattr(of, name, value)
    refused(expected, put(content))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("age,city\n21,Bonn\n22,Rome\n", "column 'city' are its values; row 2 has 'Rome'. Known"),
        ("age,city\n21,\n", "row 1 has ''. Known are Bonn, Kiel"),
        ("age,city\n99,Bonn\n", "row 1 has '99'. Known are 20, 21, 22"),
        ("age\n21\n", "o.csv has no 'city'. Give it these names"),
        ("age,town\n21,Bonn\n", "o.csv has no 'city'; it has town"),
        ("age,city\n", "has none"),
    ],
)
def test_rows_of_another_table(content, expected):
    facts = table.load(put(GOOD)).facts
    with pytest.raises(ValueError, match=re.escape(expected)):
        table.read(put(content, "o.csv"), facts)
