"""Laws, fillings, bits and draws given cells, against a law of rows that is known."""

import functools
import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.evaluation.tables import conditional
from amd_jax.facts import Column, TableFacts, table_conditions
from amd_jax.models.bounds import DrawnTimes
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops.columns import Columns
from tests import zoo
from tests.variants import quick

FACTS = TableFacts.of(
    (
        Column("colour", "categorical", values=("red", "green", "blue")),
        Column("age", "integer", first=20, count=7, bases=(2, 4)),  # 7 of 8 codes, in two fields
        Column("country", "categorical", values=("here",)),  # no field
        Column("paid", "categorical", values=("yes", "no"), missing="?"),
    ),
    "people",
)
EVERY = np.array(list(itertools.product(range(3), range(2), range(4), range(3))), np.int32)
EVERY = EVERY[FACTS.possible(EVERY)]
P = np.random.default_rng(0).dirichlet(np.full(len(EVERY), 0.7))
RNG = np.random.default_rng(5)
K = FACTS.num_classes


class Knows(nn.Module):
    """The exact law of every field, given those that are no masks."""

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        scale = self.param("scale", nn.initializers.ones, ())  # 1: models have parameters
        rows = jnp.asarray(EVERY)
        laws = []
        for place in range(rows.shape[1]):
            fits = (x_t[:, None] == rows) | (x_t[:, None] == K)
            fits = fits.at[:, :, place].set(True).all(axis=-1)  # the own token does not count
            joint = jnp.where(fits, jnp.asarray(P, jnp.float32), 0.0)
            laws.append(joint @ jax.nn.one_hot(rows[:, place], K + 1))
        return jnp.log(jnp.maximum(jnp.stack(laws, axis=1), 1e-30)) * scale


@pytest.fixture(scope="module")
def model():
    columns = Columns(FACTS.sizes, FACTS.owners, FACTS.limits)
    kernel = kernels.absorbing(schedules.linear, K)
    result = models.Diffusion(kernel, Knows(), None, support=columns)
    return result, result.init(jax.random.key(0), jnp.zeros((2, 4), jnp.int32))


def given(row):
    """Which of EVERY agree with what is known of a row, and the law of those."""
    fits = ((EVERY == row) | (np.asarray(row) < 0)).all(axis=1)
    p = np.where(fits, P, 0)
    return p / p.sum()


def hidden(x, share=0.5):
    return np.where(RNG.random(x.shape) < share, -1, x)


def shares(x):
    """How often each of EVERY is among x; all of x are some of them."""
    places = {tuple(row): n for n, row in enumerate(EVERY.tolist())}
    return np.bincount([places[tuple(row)] for row in x.tolist()], minlength=len(EVERY)) / len(x)


def assert_near(x, p):
    """The total variation is what sampling leaves: at most twice its mean, which is small."""
    expected = np.sqrt(2 * p * (1 - p) / (np.pi * len(x))).sum() / 2
    assert expected < 0.035
    assert abs(shares(x) - p).sum() / 2 < 2 * expected
    assert (shares(x)[p == 0] == 0).all()


def test_laws_are_those_given_what_is_known(model):
    x = hidden(EVERY)
    result = np.exp(conditional.laws(*model, x))
    assert result.shape == (len(x), 4, K + 1)
    for row, laws in zip(x, result, strict=True):
        p = given(row)
        for place in range(4):
            expected = np.bincount(EVERY[:, place], p, minlength=K + 1)
            np.testing.assert_allclose(laws[place], expected, atol=1e-5)
    known = x >= 0
    np.testing.assert_allclose(result[known, x[known]], 1, rtol=1e-5)


def test_bits_of_a_cell_are_those_given_all_others(model):
    result = conditional.cell_bits(*model, FACTS, EVERY)
    assert result.shape == (len(EVERY), 4)
    for row, bits in zip(EVERY, result, strict=True):
        for column, fields in enumerate(FACTS.places):
            seen = row.copy()
            seen[fields] = -1
            p = given(seen)[(EVERY == row).all(axis=1)].sum()
            assert bits[column] == pytest.approx(-np.log2(p), abs=1e-4)
    assert (result[:, 2] == 0).all()


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("block", quick([1, 4, 1024], 4))
def test_numbers_of_a_row_do_not_depend_on_the_block(model, monkeypatch, block):
    x = hidden(EVERY[:11])
    laws, bits = conditional.laws(*model, x), conditional.cell_bits(*model, FACTS, EVERY[:11])
    monkeypatch.setattr(conditional, "BLOCK", block)
    np.testing.assert_allclose(conditional.laws(*model, x), laws, atol=1e-5)
    np.testing.assert_allclose(conditional.cell_bits(*model, FACTS, EVERY[:11]), bits, atol=1e-5)
    y = conditional.filled(*model, x, seed=1)
    assert y.shape == x.shape
    np.testing.assert_array_equal(y[x >= 0], x[x >= 0])
    assert FACTS.possible(y).all()


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("row", [(-1, 1, -1, 0), (-1, -1, -1, -1), (2, -1, 0, -1)])
def test_what_is_filled_in_has_the_law_given_the_rest(model, row):
    x = np.tile(np.array(row, np.int32), (8000, 1))
    y = conditional.filled(*model, x, seed=3)
    assert y.dtype == np.int32
    assert_near(y, given(row))
    np.testing.assert_array_equal(y[:1000], conditional.filled(*model, x, seed=3)[:1000])
    assert (y[:1000] != conditional.filled(*model, x, seed=4)[:1000]).any()


def test_bits_of_a_row_are_those_of_the_law(model):
    """The exact guess gives one likelihood in every order."""
    bound, bits = conditional.row_bits(*model, FACTS, EVERY)
    assert bound.name == "code_length"
    np.testing.assert_allclose(bits.sums / bits.counts, -np.log2(P), atol=2e-3)


def with_values(row):
    """The law given what is known of a row, and that none of its unknown cells is missing."""
    p = np.where((np.asarray(row)[3] >= 0) | (EVERY[:, 3] < 2), given(row), 0)
    return p / p.sum()


@pytest.mark.parametrize(
    "row",
    quick([(-1, 1, -1, -1), (-1, -1, -1, -1), (2, -1, -1, -1), (-1, 1, -1, 2)], (-1, 1, -1, -1)),
)
def test_cells_that_are_filled_with_values_have_the_law_given_that_none_is_missing(model, row):
    """Also those of columns without gaps, and of a row whose cell is known to be missing."""
    x = np.tile(np.array(row, np.int32), (8000, 1))
    result = conditional.filled_with_values(*model, FACTS, x, seed=3)
    assert_near(result.rows, with_values(row))
    assert result.weighted == 0
    other = given(row)
    assert row[3] == 2 or abs(other - with_values(row)).sum() / 2 > 0.1, "the two differ"


def test_a_row_without_an_accepted_draw_is_chosen_by_weight(model, monkeypatch):
    """Where one draw is accepted too seldom; that it is of few draws is said."""
    monkeypatch.setattr(conditional, "TRIES", 2)
    x = np.full((8000, 4), -1, np.int32)
    result = conditional.filled_with_values(*model, FACTS, x, seed=3)
    assert 0 < result.weighted < 4000
    assert 1 <= result.effective <= 2
    assert (
        f"chosen by weight among 2 draws ({result.effective:.1f} effective)" in result.describe()
    )
    p = with_values((-1, -1, -1, -1))
    assert abs(shares(result.rows) - p).sum() < abs(shares(result.rows) - given(x[0])).sum()


AGES = TableFacts.of(
    (Column("age", "integer", first=20, count=7, bases=(2, 4), missing="?"),), "few"
)


def test_the_law_of_a_missing_cell_leaves_out_the_code_of_a_gap(model):
    """Also where that shares its first digit with values."""
    x = hidden(EVERY)
    p = np.exp(conditional.laws(*model, x, FACTS))
    for row, law in zip(x, p, strict=True):
        expected = np.bincount(
            EVERY[:, 3], with_values([*row[:3], -1]) if row[3] < 0 else given(row)
        )
        np.testing.assert_allclose(law[3, :3], np.pad(expected, (0, 3 - len(expected))), atol=1e-5)


def test_the_law_of_a_first_digit_leaves_out_the_code_of_a_gap():
    codes = jnp.asarray(np.random.default_rng(1).dirichlet(np.ones(8)), jnp.float32).reshape(2, 4)

    class Digits(nn.Module):
        @nn.compact
        def __call__(self, x_t, t, *, train=False):
            first = jnp.pad(codes.sum(axis=1), (0, 3))
            second = jnp.pad(codes[jnp.minimum(x_t[:, 0], 1)], ((0, 0), (0, 1)))
            laws = jnp.stack([jnp.broadcast_to(first, second.shape), second], axis=1)
            return jnp.log(jnp.maximum(laws, 1e-30))

    kernel, columns = kernels.absorbing(schedules.linear, 4), Columns.of(AGES)
    diffusion = models.Diffusion(kernel, Digits(), None, support=columns)
    p = np.exp(conditional.laws(diffusion, {}, np.full((1, 2), -1), AGES))[0, 0, :2]
    values = np.asarray(codes).ravel()[:7]
    expected = np.array([values[:4].sum(), values[4:].sum()]) / values.sum()
    np.testing.assert_allclose(p, expected, atol=1e-5)


LATER = "paid=no, age=21|26"
CONDITIONS = {
    "": lambda rows: np.ones(len(rows), bool),
    "age=22..25": lambda rows: np.isin(FACTS.codes(rows)[:, 1], [2, 3, 4, 5]),
    LATER: lambda rows: (rows[:, 3] == 1) & np.isin(FACTS.codes(rows)[:, 1], [1, 6]),
    "colour=red|blue, paid=yes, country=here": lambda rows: (rows[:, 0] != 1) & (rows[:, 3] == 0),
}


@pytest.mark.parametrize("text", quick(CONDITIONS, LATER))
def test_draws_have_the_exact_law_given_all_conditions(model, text):
    conditions = table_conditions.parse(FACTS, text) if text else {}
    x, tried = conditional.draws(*model, FACTS, conditions, 8000, seed=1)
    assert len(x) == 8000 <= tried
    p = np.where(CONDITIONS[text](EVERY), P, 0)
    assert_near(x, p / p.sum())
    assert tried <= 9000 or text, "without a condition no draw is refused"
    if text == LATER:  # the first column is drawn of what is allowed: kept is the other's chance
        chance = p.sum() / P[EVERY[:, 3] == 1].sum()
        assert len(x) / tried == pytest.approx(chance, rel=0.15)


@pytest.mark.parametrize("text", ["", "paid=no"])
def test_another_seed_gives_other_rows(model, text):
    """Those of seed 1 are none of seed 0, whatever number of blocks either takes."""
    conditions = table_conditions.parse(FACTS, text) if text else {}
    where = lambda rows: np.random.default_rng(0).random(len(rows)) < 0.9  # noqa: E731
    first, second = (
        conditional.draws(*model, FACTS, conditions, 1800, seed=seed, where=where)[0]
        for seed in (0, 1)
    )
    assert not (first[900:1800] == second[:900]).all()
    same = [(first[i : i + 900] == second[:900]).all(axis=1).mean() for i in range(0, 900, 1)]
    assert max(same) < 0.5


def test_where_keeps_the_rows_that_it_says(model):
    def where(rows):
        return rows[:, 0] <= rows[:, 3]

    conditions = table_conditions.parse(FACTS, "age=20..23")
    x, tried = conditional.draws(*model, FACTS, conditions, 6000, where=where)
    p = np.where(where(EVERY) & (FACTS.codes(EVERY)[:, 1] <= 3), P, 0)
    assert_near(x, p / p.sum())
    assert tried > 6000


def test_conditions_that_no_row_meets_are_refused(model, monkeypatch):
    monkeypatch.setattr(conditional, "ROUNDS", 3)
    conditions = table_conditions.parse(FACTS, "paid=no")
    with pytest.raises(
        ValueError, match=r"0 of 3,072 draws meet them, and 5 are asked for. Loosen one"
    ):
        conditional.draws(*model, FACTS, conditions, 5, where=lambda rows: rows[:, 3] == 0)
    with pytest.raises(ValueError, match="paid has probability 0 there"):
        conditional.draws(*model, FACTS, {"paid": np.zeros((0, 2), int)}, 5)


@pytest.mark.parametrize(
    "other",
    [
        lambda: zoo.diffusion("uniform-cosine", "table", 4),
        lambda: zoo.diffusion("masks_and_uniform", "table", 4),
        lambda: models.Autoregressive(zoo.CausalTable(3)),
    ],
)
def test_models_without_masks_are_refused(other):
    with pytest.raises(ValueError, match=r"for masked diffusion.*this is a (Diffusion|Auto)"):
        conditional.check(other())
    for call in (
        functools.partial(conditional.laws, x=EVERY),
        functools.partial(conditional.filled, x=EVERY),
        functools.partial(conditional.cell_bits, facts=FACTS, x=EVERY),
        functools.partial(conditional.draws, facts=FACTS, conditions={}, number=1),
    ):
        with pytest.raises(ValueError, match="Train own_table"):
            call(other(), {})


@pytest.mark.parametrize("token", [3, 4, 9])  # of another field, the mask, of nothing
def test_tokens_that_a_field_does_not_have_are_refused(model, token):
    x = np.array([[0, 1, 2, -1], [0, token, -1, 1]], np.int32)
    whole = np.maximum(x, 0)
    for call in (
        functools.partial(conditional.laws, x=x),
        functools.partial(conditional.filled, x=x),
        functools.partial(conditional.filled_with_values, facts=FACTS, x=x),
        functools.partial(conditional.cell_bits, facts=FACTS, x=whole),
    ):
        with pytest.raises(ValueError, match=rf"(field 1 of row 1 holds|got) {token}"):
            call(*model)


BOUNDS = (CodeLength(order="left"), CodeLength(), DrawnTimes())


@pytest.mark.parametrize("bound", quick(BOUNDS, BOUNDS[0]))
def test_a_code_beyond_its_column_has_no_probability(model, bound):
    diffusion, params = model
    x = np.array([[0, 1, 2, 1], [0, 1, 3, 1]])  # the second code is the 8th of 7
    nats = jax.jit(bound, static_argnums=0)(diffusion, params, jax.random.key(0), x)
    assert np.isfinite(nats).tolist() == [True, False]
    assert np.isneginf(nats[1])
