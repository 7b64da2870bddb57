"""Sets: each valid row is as likely as any other, and their number gives the entropy."""

import itertools
import math

import numpy as np
import pytest

from amd_jax.data import sets
from amd_jax.evaluation.reports import run_report
from tests import enumeration

CASES = {"shuffling": lambda: sets.shuffling(4), "summation": lambda: sets.summation(3, 6)}


@pytest.mark.parametrize("name", CASES)
def test_rows_are_drawn_from_the_law_which_sums_to_one(name):
    data = CASES[name]()
    (size,) = data.facts.event_shape
    law = np.exp(data.log_prob(enumeration.sequences(size, size)))
    assert law.sum() == pytest.approx(1, abs=1e-12)
    x = data.batch(0, 3, 10_000)
    enumeration.assert_drawn_from(enumeration.number(x.astype(int), size), law)


def test_entropies_are_those_of_the_paper():
    result = [
        round(data.facts.statistics["entropy_bits"], 4)
        for data in (sets.shuffling(5), sets.shuffling(16), sets.summation(16, 42))
    ]
    assert result == [1.3814, 2.7656, 2.2427]
    number = sum(sum(x) == 15 for x in itertools.product(range(1, 7), repeat=6))
    assert sets.summation(6, 15).entropy == pytest.approx(math.log(number))


@pytest.mark.usefixtures("any_types")
def test_rows_that_are_no_such_sets_are_refused():
    data, x = sets.shuffling(3), np.array([[0, 1, 2], [0, 2, 2]])
    data.check(data.rows("validation"))
    with pytest.raises(ValueError, match=r"permutations of 3.*; got \[0, 2, 2\] in row 1"):
        data.check(x)
    wrong = sets.summation(3, 6).log_prob(np.array([[-1, 2, 2], [3, 0, 0], [0, 0, 0]]))
    assert np.isneginf(wrong).all()
    assert run_report.of(data.facts).measures(x, data)["valid"][0] == 0.5
    lines = run_report.of(data.facts).compared(x, None, None, None, data)
    assert lines == (["samples that are valid: 50.0%"], [])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sets.shuffling(1), "2 to 256 elements; got size=1"),
        (lambda: sets.summation(4, 17), "4 at least and 16 at most; got total=17"),
    ],
)
def test_sets_that_make_no_sense_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
