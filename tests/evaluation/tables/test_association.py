import numpy as np
import pytest

from amd_jax.evaluation.tables import association
from amd_jax.facts import Column, TableFacts


def test_pairs_that_depend_are_told_from_independent_ones(facts, draw):
    real, drawn = draw(2000, 0), draw(2000, 1, independent=True)
    first, second = association.of_pairs(facts, real, drawn)
    age, weight = facts.place("age"), facts.place("weight")
    assert first[age, weight] > 0.5 > 0.1 > second[age, weight]
    for found in (first, second):
        np.testing.assert_array_equal(found, found.T)
        assert (np.diag(found) == 1).all()
        assert (found >= 0).all()
        assert (found <= 1).all()
    country = facts.place("country")  # which has one value
    assert first[country, age] == 0


def test_what_follows_is_1_and_small_tables_are_not_biased():
    x = np.arange(1000) % 5
    assert association.cramers_v(x, (2 * x) % 5) == pytest.approx(1, abs=1e-6)
    rng = np.random.default_rng(0)
    values = [association.cramers_v(*rng.integers(0, 8, (2, 60))) for _ in range(200)]
    assert np.mean(values) < 0.15  # uncorrected it is 0.34
    assert association.cramers_v(x[:1], x[:1]) == 0


def test_a_number_that_is_mostly_0_has_two_bins():
    amount = Column("amount", "integer", values=("0", "5", "9"))
    flag = Column("flag", "categorical", values=("no", "yes"))
    rng = np.random.default_rng(0)
    codes = np.where(rng.random(500) < 0.04, 2, 0)
    facts = TableFacts.of([amount, flag])
    x = facts.fields(np.stack([codes, codes > 0], axis=1))
    assert association.of_pairs(facts, x, x)[0][0, 1] == pytest.approx(1, abs=0.01)
