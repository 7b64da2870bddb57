"""Which tokens are possible, against every code of every column."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.ops.columns import Columns
from tests import zoo


def codes(columns, fields):
    """The digits of every code of one column, (limit, its fields)."""
    sizes = [columns.sizes[i] for i in fields]
    every = np.array(list(itertools.product(*map(range, sizes))))
    return every[: columns.limits[fields[0]]]


def exactly(columns, x, known, num_classes):
    """Which tokens of one row some code has, beside the digits that are known: (L, K)."""
    result = np.zeros((len(x), num_classes), bool)
    for fields in columns.of_columns():
        every = codes(columns, fields)
        for place, i in enumerate(fields):
            others = [n for n, j in enumerate(fields) if known[j] and j != i]
            fit = (every[:, others] == x[fields][others]).all(axis=1)
            result[i, np.unique(every[fit, place])] = True
    return result


def random_layout(rng):
    """One to four columns, each of one to three fields of one to four tokens."""
    sizes, owners, limits = [], [], []
    for column in range(rng.integers(1, 5)):
        own = rng.integers(1, 5, rng.integers(1, 4)).tolist()
        sizes += own
        owners += [column] * len(own)
        limits += [int(rng.integers(1, math.prod(own) + 1))] * len(own)
    return Columns(tuple(sizes), tuple(owners), tuple(limits))


LAYOUTS = [*zoo.COLUMNS.values(), *map(random_layout, map(np.random.default_rng, range(4)))]


@pytest.mark.few(4)
@pytest.mark.parametrize("columns", LAYOUTS, ids=str)
def test_a_token_is_possible_if_some_code_has_it_and_what_is_known(columns):
    """So every partial row has just the completions that there are; and from left to right."""
    rng, places = np.random.default_rng(0), np.arange(len(columns.sizes))
    parts = [codes(columns, fields) for fields in columns.of_columns()]
    x = np.concatenate([part[rng.integers(len(part), size=40)] for part in parts], axis=1)
    known = rng.random(x.shape) < 0.5
    hidden = np.where(known, x, rng.integers(0, 9, x.shape))  # of no account
    possible = jax.jit(columns.possible, static_argnums=2)(hidden, known, 5)
    possible_next = jax.jit(columns.possible_next, static_argnums=1)(x, 5)
    for row, flags, one, following in zip(x, known, possible, possible_next, strict=True):
        np.testing.assert_array_equal(one, exactly(columns, row, flags, 5))
        expected = [exactly(columns, row, places < i, 5)[i] for i in places]
        np.testing.assert_array_equal(following, expected)
    each = exactly(columns, x[0], places < 0, 5)  # nothing is known
    np.testing.assert_array_equal(columns.each(5), each)
    traced = jax.jit(lambda x: x + columns.each(5))(jnp.zeros((), jnp.int32))  # no tracer within
    np.testing.assert_array_equal(traced, each)


def test_codes_beyond_int32():
    """10^12 - 5 codes in four fields of a thousand: digits are compared, never codes."""
    columns = Columns((1000,) * 4, (0,) * 4, (10**12 - 5,) * 4)
    x = np.array([[999, 999, 999, 0], [999, 999, 999, 995], [999, 999, 999, 0]])
    known = np.array([[1, 1, 1, 0], [1, 1, 0, 1], [0, 0, 0, 0]], bool)
    last, other, free = np.asarray(jax.jit(columns.possible, static_argnums=2)(x, known, 1000))
    after = np.asarray(jax.jit(columns.possible_next, static_argnums=1)(x[:1], 1000))[0]
    for result, count in ((last[3], 995), (after[3], 995), (other[2], 999)):
        np.testing.assert_array_equal(result, np.arange(1000) < count)
    assert free.all()


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        (((), (), ()), "Each field has a size, a column and a limit; got 0, 0 and 0"),
        (((2, 2), (0,), (2, 2)), "got 2, 1 and 2 of them"),
        (((2, 0), (0, 1), (2, 1)), r"1 token or more; got sizes=\(2, 0\)"),
        (((2, 2), (0, 0), (5, 5)), "column 0 has fields for 4 codes, and the limit 5"),
        (((2, 3), (0, 1), (2, 0)), "column 1 has fields for 3 codes, and the limit 0"),
        (((2, 2), (0, 0), (4, 3)), "column 0 has fields for 4 codes"),
    ],
)
def test_fields_that_do_not_hold_their_codes_are_refused(numbers, said):
    with pytest.raises(ValueError, match=said):
        Columns(*numbers)
