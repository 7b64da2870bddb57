"""Guided rows of a table of known law: what they hold, their law, and how far it may be off."""

import numpy as np
import pytest

from amd_jax.diffusion.exact import certificates
from amd_jax.diffusion.samplers import Guided
from amd_jax.evaluation import guided_rows
from amd_jax.evaluation.tables import guidance
from amd_jax.facts import table_conditions
from tests.evaluation.tables.test_conditional import EVERY, FACTS, P, assert_near, perfect

CONDITION = "age=26, country=here"  # of two fields, and of none


def drawn(number, sampler, text=CONDITION):
    conditions = table_conditions.parse(FACTS, text)
    return guidance.draws(*perfect(), FACTS, conditions, number, sampler, seed=3)


def target(strength):
    """p(rest) p(age | rest)^γ / Z over EVERY."""
    fits = FACTS.codes(EVERY)[:, 1] == 6
    rest = [((EVERY[:, [0, 3]] == row[[0, 3]]).all(axis=1) * P).sum() for row in EVERY]
    law = np.where(fits, rest * (P / rest) ** strength, 0)
    return law / law.sum()


@pytest.mark.slow
def test_rows_have_the_guided_law():
    result = drawn(1500, Guided(2.0, 32))
    assert result.rows.shape == (1500, 4)
    assert (FACTS.codes(result.rows)[:, 1] == 6).all()
    assert_near(result.rows, target(2.0))
    assert certificates.distance(target(2.0), target(1.0)) > 0.1, "nothing is told apart"
    assert 16 < result.effective < 32
    again = [drawn(7, Guided(2.0, 32)).rows for _ in range(2)]
    np.testing.assert_array_equal(*again)


def spread_of_one_particle(strength):
    """E|∏ Z_i / Z - 1| / 2 of plain guidance, over both orders of colour and paid."""
    fits = FACTS.codes(EVERY)[:, 1] == 6

    def step(field, known):
        """The law of a field given another one, and its normaliser."""
        agree = np.ones(len(EVERY), bool) if known is None else EVERY[:, known[0]] == known[1]
        both = [np.bincount(EVERY[:, field], P * agree * given) for given in (fits, 1)]
        conditional, free = (p / p.sum() for p in both)
        a = free * (conditional / free) ** strength
        return a / a.sum(), a.sum()

    chances, weights = [], []
    for first, second in ((0, 3), (3, 0)):
        p, z = step(first, None)
        for token, chance in enumerate(p):
            chances.append(chance / 2)
            weights.append(z * step(second, (first, token))[1])
    chances, weights = np.array(chances), np.array(weights)
    return chances @ abs(weights / (chances @ weights) - 1) / 2


@pytest.mark.slow
def test_how_far_the_law_may_be_off():
    """Not at all for the conditional law; with particles less; unknown of one row."""
    plain, some = (drawn(n, Guided(4.0, count)).off for n, count in ((2000, 1), (500, 64)))
    assert plain == pytest.approx(spread_of_one_particle(4.0), rel=0.1)
    assert plain > 0.05
    assert some < plain / 3
    assert drawn(50, Guided(1.0, 4)).off < 1e-5
    assert np.isnan(drawn(1, Guided(2.0, 4)).off)


@pytest.mark.parametrize("text", ["age=22..23", "colour=red|blue"])
def test_guidance_is_towards_one_value(text):
    with pytest.raises(ValueError, match="one value of a column; the condition on (age|colour)"):
        drawn(5, Guided(2.0), text)


@pytest.mark.parametrize(("largest", "effective"), [(0.5, 40.0), (20.0, 2.0)])
def test_no_bound_where_the_normalisers_of_few_rows_outweigh_all(largest, effective):
    """Of an extreme reward the largest normalisers are not among those drawn."""
    log_z = np.array([largest] * 2 + [0.0] * 38)
    draw = lambda rng: (np.zeros((40, 3), np.int32), np.full(40, 4.0), log_z)  # noqa: E731
    result = guided_rows.collect(draw, 40, Guided(2.0, 1), 0)
    (_, line) = guided_rows.describe(result, Guided(2.0, 8), "rows")
    if effective < 8:
        assert result.worth == pytest.approx(effective)
        assert np.isnan(result.off)
        assert "no bound on the total variation" in line
        assert "are worth 2.0, and that needs 8" in line
    else:
        z = np.exp(log_z)
        assert result.off == pytest.approx(abs(z / z.mean() - 1).mean() / 2)
        assert f"total variation of these rows to that law: about {result.off:.2g} or less" in line
