"""A small table with categories, numbers, dates, gaps and a number of three fields."""

import numpy as np
import pytest

from amd_jax.facts import Column, TableFacts

COLUMNS = (
    Column("colour", "categorical", values=("red", "green", "blue")),
    Column("age", "integer", values=tuple(str(k) for k in range(20, 40)), missing="?"),
    Column("weight", "real", first=0, count=1000, decimals=1, bases=(10, 10, 10)),
    Column("born", "date", first=0, count=100, form="%Y-%m-%d"),
    Column("grade", "ordinal", values=("low", "middle", "high")),
    Column("country", "categorical", values=("here",)),  # one value alone: no field
)


@pytest.fixture(scope="session")
def facts():
    return TableFacts.of(COLUMNS, "people")


@pytest.fixture(scope="session")
def draw(facts):
    """Rows in which weight and grade follow from age and colour; or all are independent."""

    def rows(n, seed, independent=False):
        rng = np.random.default_rng(seed)
        colour, age = rng.choice(3, n, p=[0.5, 0.3, 0.2]), rng.integers(0, 20, n)
        weight = (300 + 20 * age + 30 * colour + rng.normal(0, 20, n)).astype(int)
        grade = np.minimum(2, (age + rng.integers(0, 8, n)) // 9)
        age = np.where(rng.random(n) < 0.05, 20, age)
        born = rng.integers(0, 100, n)
        codes = np.stack([colour, age, weight, born, grade, np.zeros(n, int)], axis=1)
        if independent:
            codes = np.stack([rng.permutation(column) for column in codes.T], axis=1)
        return facts.fields(codes)

    return rows
