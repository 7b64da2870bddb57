"""Sets: each valid row is as likely as any other, and their number gives the entropy."""

import itertools
import math

import numpy as np
import pytest

from amd_jax.data import sets
from tests import enumeration

CASES = {"shuffling": sets.Shuffling(4), "summation": sets.Summation(3, 6)}


@pytest.mark.parametrize("name", CASES)
def test_rows_are_uniform_over_all_that_are_valid(name):
    data = CASES[name]
    size = data.size
    every = enumeration.sequences(size, size)
    valid = data.valid(every)
    assert valid.sum() == data.number
    x = data.batch(0, 3, 10_000)
    assert (x.shape, x.dtype) == ((10_000, size), np.uint8)
    enumeration.assert_drawn_from(enumeration.number(x.astype(int), size), valid)
    np.testing.assert_array_equal(x, data.batch(0, 3, 10_000))
    assert (x != data.batch(0, 4, 10_000)).any()


def test_entropies_are_those_of_the_paper():
    found = {
        round(data.facts.statistics["entropy_bits"], 4)
        for data in (sets.Shuffling(5), sets.Shuffling(16), sets.Summation(16, 42))
    }
    assert found == {1.3814, 2.7656, 2.2427}
    assert sets.Summation(6, 15).number == sum(
        sum(x) == 15 for x in itertools.product(range(1, 7), repeat=6)
    )
    assert sets.Shuffling(5).number == math.factorial(5)
    assert (
        sets.Shuffling(5)
        .facts.summary({"test": 3})
        .startswith("permutations of 5, entropy 1.3814 bits/element: test 3 rows of 5, 5 classes")
    )


def test_rows_that_are_no_such_sets_are_refused():
    data = sets.Shuffling(3)
    data.check(data.rows("validation"))
    with pytest.raises(ValueError, match=r"one of permutations of 3; got \[0, 2, 2\] in row 1"):
        data.check(np.array([[0, 1, 2], [0, 2, 2]]))
    assert not sets.Summation(3, 6).valid(np.array([[-1, 2, 2], [3, 0, 0], [0, 0, 0]])).any()


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: sets.Shuffling(1), "2 to 256 elements; got size=1"),
        (lambda: sets.Summation(4, 17), "4 at least and 16 at most; got total=17"),
        (lambda: sets.Shuffling(3).rows("dev"), "no split 'dev'"),
    ],
)
def test_sets_that_make_no_sense_are_refused(build, message):
    with pytest.raises(ValueError, match=message):
        build()
