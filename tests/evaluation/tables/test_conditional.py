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
from amd_jax.diffusion.exact import certificates
from amd_jax.evaluation.tables import conditional
from amd_jax.facts import Column, TableFacts, table_conditions
from amd_jax.models.bounds import DrawnTimes
from amd_jax.ops.columns import Columns
from tests import enumeration, zoo
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


@functools.cache
def perfect():
    """A model that knows the law, and its parameters."""
    kernel = kernels.absorbing(schedules.linear, K)
    model = models.Diffusion(kernel, Knows(), None, support=Columns.of(FACTS))
    return model, model.init(jax.random.key(0), jnp.zeros((2, 4), jnp.int32))


def given(row):
    """Which of EVERY agree with what is known of a row, and the law of those."""
    fits = ((EVERY == row) | (np.asarray(row) < 0)).all(axis=1)
    p = np.where(fits, P, 0)
    return p / p.sum()


def hidden(x, share=0.5):
    return np.where(RNG.random(x.shape) < share, -1, x)


def numbers(x):
    """The place of each row of x in EVERY."""
    every = EVERY.tolist()
    return np.array([every.index(row) for row in x.tolist()])


def assert_near(x, p):
    enumeration.assert_drawn_from(numbers(x), p)


def test_laws_are_those_given_what_is_known():
    x = hidden(EVERY)
    result = np.exp(conditional.laws(*perfect(), x))
    expected = [[np.bincount(EVERY[:, i], given(row), K + 1) for i in range(4)] for row in x]
    np.testing.assert_allclose(result, expected, atol=1e-5)
    np.testing.assert_allclose(result[x >= 0, x[x >= 0]], 1, rtol=1e-5)


def test_bits_of_a_cell_are_those_given_all_others():
    result = conditional.cell_bits(*perfect(), FACTS, EVERY)
    expected = np.zeros((len(EVERY), 4))  # that of one value alone is none
    for n, row in enumerate(EVERY):
        for column, fields in enumerate(FACTS.places):
            seen = row.copy()
            seen[fields] = -1
            expected[n, column] = -np.log2(given(seen)[n])
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("block", quick([1, 4, 1024], 4))
def test_numbers_of_a_row_do_not_depend_on_the_block(monkeypatch, block):
    x = hidden(EVERY[:11])
    laws, bits = (
        conditional.laws(*perfect(), x),
        conditional.cell_bits(*perfect(), FACTS, EVERY[:11]),
    )
    monkeypatch.setattr(conditional, "BLOCK", block)
    np.testing.assert_allclose(conditional.laws(*perfect(), x), laws, atol=1e-5)
    np.testing.assert_allclose(
        conditional.cell_bits(*perfect(), FACTS, EVERY[:11]), bits, atol=1e-5
    )
    y = conditional.filled(*perfect(), x, seed=1)
    assert y.shape == x.shape
    np.testing.assert_array_equal(y[x >= 0], x[x >= 0])
    assert FACTS.possible(y).all()


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("row", [(-1, 1, -1, 0), (-1, -1, -1, -1), (2, -1, 0, -1)])
def test_what_is_filled_in_has_the_law_given_the_rest(row):
    x = np.tile(np.array(row, np.int32), (8000, 1))
    y = conditional.filled(*perfect(), x, seed=3)
    assert y.dtype == np.int32
    assert_near(y, given(row))
    np.testing.assert_array_equal(y[:1000], conditional.filled(*perfect(), x, seed=3)[:1000])
    assert (y[:1000] != conditional.filled(*perfect(), x, seed=4)[:1000]).any()


def test_bits_of_a_row_are_those_of_the_law():
    """The exact guess gives one likelihood in every order."""
    bound, bits = conditional.row_bits(*perfect(), FACTS, EVERY)
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
def test_cells_that_are_filled_with_values_have_the_law_given_that_none_is_missing(row):
    """Also those of columns without gaps, and of a row whose cell is known to be missing."""
    x = np.tile(np.array(row, np.int32), (8000, 1))
    result = conditional.filled_with_values(*perfect(), FACTS, x, seed=3)
    assert_near(result.rows, with_values(row))
    assert result.weighted == 0
    assert row[3] == 2 or certificates.distance(given(row), with_values(row)) > 0.1, "they differ"


def test_a_row_without_an_accepted_draw_is_chosen_by_weight(monkeypatch):
    """Where one draw is accepted too seldom; that it is of few draws is said."""
    monkeypatch.setattr(conditional, "TRIES", 2)
    x = np.full((8000, 4), -1, np.int32)
    result = conditional.filled_with_values(*perfect(), FACTS, x, seed=3)
    assert 0 < result.weighted < 4000
    assert 1 <= result.effective <= 2
    says = f"chosen by weight among 2 draws ({result.effective:.1f} effective)"
    assert says in result.describe()
    law = np.bincount(numbers(result.rows), minlength=len(P)) / 8000
    assert certificates.distance(law, with_values(x[0])) < certificates.distance(law, P)


def test_the_law_of_a_missing_cell_leaves_out_the_code_of_a_gap():
    x = hidden(EVERY)
    p = np.exp(conditional.laws(*perfect(), x, FACTS))
    laws = [with_values([*row[:3], -1]) if row[3] < 0 else given(row) for row in x]
    expected = [np.bincount(EVERY[:, 3], law, K + 1) for law in laws]
    np.testing.assert_allclose(p[:, 3], expected, atol=1e-5)


def test_the_law_of_a_first_digit_leaves_out_the_code_of_a_gap():
    """Though that shares its first digit with values."""
    codes = jnp.asarray(np.random.default_rng(1).dirichlet(np.ones(8)), jnp.float32).reshape(2, 4)

    class Digits(nn.Module):
        @nn.compact
        def __call__(self, x_t, t, *, train=False):
            first = jnp.pad(codes.sum(axis=1), (0, 3))
            second = jnp.pad(codes[jnp.minimum(x_t[:, 0], 1)], ((0, 0), (0, 1)))
            laws = jnp.stack([jnp.broadcast_to(first, second.shape), second], axis=1)
            return jnp.log(jnp.maximum(laws, 1e-30))

    age = Column("age", "integer", first=20, count=7, bases=(2, 4), missing="?")
    kernel, facts = kernels.absorbing(schedules.linear, 4), TableFacts.of((age,), "few")
    diffusion = models.Diffusion(kernel, Digits(), None, support=Columns.of(facts))
    p = np.exp(conditional.laws(diffusion, {}, np.full((1, 2), -1), facts))[0, 0, :2]
    values = np.asarray(codes).ravel()[:7]
    expected = np.array([values[:4].sum(), values[4:].sum()]) / values.sum()
    np.testing.assert_allclose(p, expected, atol=1e-5)


LATER, WHERE = "paid=no, age=21|26", "age=20..23"
CONDITIONS = {  # which rows meet them, and which of those are kept
    "": (lambda rows: True, None),
    "age=22..25": (lambda rows: np.isin(FACTS.codes(rows)[:, 1], [2, 3, 4, 5]), None),
    LATER: (lambda rows: (rows[:, 3] == 1) & np.isin(FACTS.codes(rows)[:, 1], [1, 6]), None),
    "colour=red|blue, paid=yes, country=here": (
        *(lambda rows: (rows[:, 0] != 1) & (rows[:, 3] == 0), None),
    ),
    WHERE: (lambda rows: FACTS.codes(rows)[:, 1] <= 3, lambda rows: rows[:, 0] <= rows[:, 3]),
}


@pytest.mark.parametrize("text", quick(CONDITIONS, LATER, WHERE))
def test_draws_have_the_exact_law_given_all_conditions(text):
    conditions = table_conditions.parse(FACTS, text) if text else {}
    meets, where = CONDITIONS[text]
    x, tried = conditional.draws(*perfect(), FACTS, conditions, 8000, seed=1, where=where)
    assert len(x) == 8000 <= tried
    p = np.where(meets(EVERY) & (where(EVERY) if where else True), P, 0)
    assert_near(x, p / p.sum())
    assert tried <= 9000 or text, "without a condition no draw is refused"
    if text == LATER:  # the first column is drawn of what is allowed: kept is the other's chance
        chance = p.sum() / P[EVERY[:, 3] == 1].sum()
        assert len(x) / tried == pytest.approx(chance, rel=0.15)


@pytest.mark.parametrize("text", ["", "paid=no"])
def test_another_seed_gives_other_rows(text):
    """Those of seed 1 are none of seed 0, whatever number of blocks either takes."""
    conditions = table_conditions.parse(FACTS, text) if text else {}
    where = lambda rows: np.random.default_rng(0).random(len(rows)) < 0.9  # noqa: E731
    first, second = (
        conditional.draws(*perfect(), FACTS, conditions, 1800, seed=seed, where=where)[0]
        for seed in (0, 1)
    )
    same = [(first[i : i + 900] == second[:900]).all(axis=1).mean() for i in range(901)]
    assert max(same) < 0.5


def test_conditions_that_no_row_meets_are_refused(monkeypatch):
    monkeypatch.setattr(conditional, "ROUNDS", 3)
    conditions = table_conditions.parse(FACTS, "paid=no")
    for given_, where, says in (
        (
            conditions,
            lambda rows: rows[:, 3] == 0,
            "0 of 3,072 draws .* 5 are asked for. Loosen o",
        ),
        ({"paid": np.zeros((0, 2), int)}, None, "paid has probability 0 there"),
    ):
        with pytest.raises(ValueError, match=says):
            conditional.draws(*perfect(), FACTS, given_, 5, where=where)


@pytest.mark.parametrize(
    "other",
    [
        lambda: zoo.diffusion("uniform-cosine", "table", 4),
        lambda: zoo.diffusion("masks_and_uniform", "table", 4),
        lambda: models.Autoregressive(zoo.CausalTable(3)),
    ],
)
def test_models_without_masks_are_refused(other):
    says = r"for masked diffusion.*this is a (Diffusion|Auto).* Train own_table"
    with pytest.raises(ValueError, match=says):
        conditional.check(other())
    for call in (
        functools.partial(conditional.laws, x=EVERY),
        functools.partial(conditional.filled, x=EVERY),
        functools.partial(conditional.cell_bits, facts=FACTS, x=EVERY),
        functools.partial(conditional.draws, facts=FACTS, conditions={}, number=1),
    ):
        with pytest.raises(ValueError, match=says):
            call(other(), {})


@pytest.mark.parametrize("token", [3, 4, 9])  # of another field, the mask, of nothing
def test_tokens_that_a_field_does_not_have_are_refused(token):
    x = np.array([[0, 1, 2, -1], [0, token, -1, 1]], np.int32)
    for call in (
        functools.partial(conditional.laws, x=x),
        functools.partial(conditional.filled, x=x),
        functools.partial(conditional.filled_with_values, facts=FACTS, x=x),
        functools.partial(conditional.cell_bits, facts=FACTS, x=np.maximum(x, 0)),
    ):
        with pytest.raises(ValueError, match=rf"(field 1 of row 1 holds|got) {token}"):
            call(*perfect())


def test_a_code_beyond_its_column_has_no_probability():
    diffusion, params = perfect()
    x = np.array([[0, 1, 2, 1], [0, 1, 3, 1]])  # the second code is the 8th of 7
    nats = jax.jit(DrawnTimes(), static_argnums=0)(diffusion, params, jax.random.key(0), x)
    assert np.isfinite(nats[0])
    assert np.isneginf(nats[1])
