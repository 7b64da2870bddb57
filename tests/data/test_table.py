"""Your own table: read, split, encoded, and back as it was written."""

import csv

import numpy as np
import pytest

from amd_jax.data import table

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
    """Write rows, or text, to a file and return its path."""

    def to_file(rows, name="people.csv"):
        path = tmp_path / name
        if isinstance(rows, bytes):
            path.write_bytes(rows)
        else:
            with path.open("w", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
        return str(path)

    return to_file


def test_a_table_of_mixed_columns(write):
    data = table.load(write(PEOPLE))
    facts = data.facts
    kinds = {column.name: column.kind for column in facts.columns}
    assert kinds == dict(
        name="categorical", age="integer", city="categorical", height="real", born="date"
    )
    assert [len(data.rows(split)) for split in data.splits] == [54, 3, 3]
    rows = np.concatenate([data.rows(split) for split in data.splits])
    cells = facts.decode(rows)
    assert sorted(zip(*cells.values(), strict=True)) == sorted(map(tuple, PEOPLE[1:]))
    np.testing.assert_array_equal(facts.encode(cells), rows)
    assert facts.column("city").missing == ""
    assert facts.possible(rows).all()
