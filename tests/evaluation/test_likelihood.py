import dataclasses
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.evaluation import groups, likelihood, means
from amd_jax.evaluation.reports import run_report
from amd_jax.facts import Facts, TextFacts
from amd_jax.models.bounds import Elbo, ImportanceWeighted
from amd_jax.models.step_bounds import AllSteps, DrawnSteps
from tests import enumeration, zoo
from tests.variants import quick


@dataclasses.dataclass(frozen=True)
class FirstToken:
    """An estimate without noise: -(token + 1) nats."""

    draws = 3

    def __call__(self, model, params, rng, x):
        return -(x[:, 0] + 1.0) * params


@dataclasses.dataclass(frozen=True)
class Noise:
    """Noise alone."""

    draws = 1

    def __call__(self, model, params, rng, x):
        return jax.random.uniform(rng, x.shape[:1])


FACTS = Facts(10, (2,))


def estimated(bound, rows, params=1.0, facts=FACTS):
    return likelihood.bits(bound, None, jnp.asarray(params), jax.random.key(0), rows, facts)


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("size", [1, 2, 128])
def test_every_row_counts_once(n, size, monkeypatch):
    monkeypatch.setattr(groups, "TOKENS", 3 * 2 * size)  # 3 draws of rows of 2
    rows = np.stack([np.arange(n), np.zeros(n, int)], axis=1).astype(np.uint8)
    result = estimated(FirstToken(), rows)
    bits = (np.arange(n) + 1) / (2 * np.log(2))
    assert result.examples == n
    assert result.bits == pytest.approx(bits.mean(), rel=1e-6)
    if n == 1:
        assert np.isnan(result.error)
        assert str(result) == f"{result.bits:.3f}"
    else:
        assert result.error == pytest.approx(means.of(bits)[1], rel=1e-6)  # by blocks
    np.testing.assert_allclose(result.per_row.sums, 2 * bits, rtol=1e-6)
    np.testing.assert_array_equal(result.per_row.counts, np.full(n, 2))


@pytest.mark.usefixtures("any_types")
def test_every_row_has_its_own_noise_whatever_the_devices(monkeypatch):
    monkeypatch.setattr(groups, "TOKENS", 4)
    rows = np.zeros((9, 2), np.uint8)
    nats = likelihood.nats_of_rows(Noise(), None, jnp.ones(()), jax.random.key(0), rows, 3)
    assert len(np.unique(nats)) == 9
    keys = [groups._key(jax.random.key(0), row) for row in range(0, 9, 2)]
    alone = np.concatenate([jax.random.uniform(key, (2,)) for key in keys])
    np.testing.assert_array_equal(nats, alone[:9].astype(np.float64))


@pytest.mark.usefixtures("any_types")
def test_rows_of_different_lengths_count_by_their_tokens():
    """As of a text of 2 characters and its end, and one of 4: 7 in all."""
    facts = TextFacts(3, (4,), alphabet="\nab", padding=0)
    rows = np.array([[1, 2, 0, 0], [2, 1, 2, 1]])
    np.testing.assert_array_equal(facts.lengths(rows), [3, 4])
    result = estimated(FirstToken(), rows, facts=facts)
    assert result.bits == pytest.approx((2 + 3) / np.log(2) / 7)
    np.testing.assert_array_equal(result.per_row.counts, [3, 4])


@pytest.mark.usefixtures("any_types")
def test_tokens_outside_are_refused():
    with pytest.raises(ValueError, match="got 10 at index"):
        estimated(FirstToken(), np.full((2, 2), 10))


@pytest.fixture(scope="module")
def trained():
    model = zoo.diffusion("uniform-cosine", "table", 4)
    params = zoo.parameters(model)
    rows = zoo.Pairs(num_rows=301).rows("test")
    exact = -enumeration.bound(model, params, rows.astype(np.int32)) / (2 * np.log(2))
    return model, params, rows, exact


@pytest.mark.few(1)
@pytest.mark.parametrize("bound", [DrawnSteps(), AllSteps()], ids=lambda bound: bound.name)
def test_both_estimates_are_the_exact_bound(trained, bound):
    model, params, rows, exact = trained
    result = likelihood.bits(bound, model, params, jax.random.key(0), rows, zoo.Pairs.facts)
    assert result.examples == 301
    spread = exact.std(ddof=1) / 301**0.5
    assert spread < result.error < 0.1  # it holds the noise of the draws as well
    assert abs(result.bits - exact.mean()) < 4 * result.error
    assert str(result) == f"{result.bits:.3f} ± {result.error:.3f}"


@pytest.mark.slow
def test_many_draws_of_a_row_are_of_that_row(trained):
    """Each row has its own exact bound, and rows do not mix."""
    model, params, rows, exact = trained
    several = jnp.asarray(rows[np.argsort(exact)[::60]], jnp.int32)  # from likely to unlikely
    nats = DrawnSteps(draws=20_000)(model, params, jax.random.key(0), several)
    result = np.asarray(nats) / (-2 * np.log(2))
    np.testing.assert_allclose(result, np.sort(exact)[::60], atol=0.1)
    assert np.ptp(exact) > 1


@pytest.mark.slow
def test_a_bound_on_a_coarser_grid_is_that_of_the_coarser_model(trained):
    model, params, rows, _ = trained
    coarse = dataclasses.replace(model, steps=2)
    given = params, jax.random.key(0), jnp.asarray(rows[:8], jnp.int32)
    for bound in (DrawnSteps(grid=2), AllSteps(grid=2)):
        other = dataclasses.replace(bound, grid=None)
        np.testing.assert_array_equal(bound(model, *given), other(coarse, *given))
        assert "2 steps" in bound.describe(model)
    with pytest.raises(ValueError, match=r"grid must be in \[1, 4\].*got 5"):
        AllSteps(grid=5).describe(model)


@pytest.mark.slow
def test_an_evaluation_compiles_once(trained):
    model, params, rows, _ = trained
    traced = []

    @dataclasses.dataclass(frozen=True)
    class Counted(Elbo):
        def __call__(self, *arguments):
            traced.append(1)
            return super().__call__(*arguments)

    for _ in range(3):
        likelihood.bits(Counted(), model, params, jax.random.key(0), rows, zoo.Pairs.facts)
    assert len(traced) == 1


@pytest.mark.slow
def test_importance_weighting_lowers_the_bits_towards_the_truth():
    """The truth is that of very many samples; one sample of a flow is the elbo."""
    model = zoo.flow("gumbel", 3, 3)
    params = zoo.parameters(model, scale=0.1)
    rows = np.tile(enumeration.sequences(3, zoo.LENGTH), (50, 1))
    given = model, params, jax.random.key(0), rows, zoo.Pairs.facts
    result = [likelihood.bits(ImportanceWeighted(k), *given) for k in (1, 10, 1000)]
    bits = [estimate.bits for estimate in result]
    assert bits[0] > bits[1] > bits[2]
    elbo = likelihood.bits(Elbo(), *given)
    assert abs(elbo.bits - bits[0]) < 5 * (elbo.error + result[0].error)
    log_p = likelihood.nats_of_rows(ImportanceWeighted(10_000), *given[:3], rows[:9], 3)
    p = np.exp(log_p)
    assert p.sum() == pytest.approx(1, abs=0.02)
    assert bits[2] == pytest.approx(-np.log2(p).mean() / zoo.LENGTH, abs=0.01)


def test_no_importance_samples_are_refused():
    with pytest.raises(ValueError, match="importance_samples must be at least 1; got"):
        ImportanceWeighted(0)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize(
    "kernel",
    quick(["uniform-cosine", "absorbing-linear", "birth_death-linear"], "absorbing-linear"),
)
def test_outside_jit_a_token_beyond_the_classes_is_refused_inside_it_is_nan(kernel):
    model = zoo.diffusion(kernel, "table", 3)
    params, classes = zoo.parameters(model), model.kernel.num_classes
    x = jnp.array([[0, 1], [0, classes]])
    for verb in (model.elbo, model.log_weight):
        with pytest.raises(ValueError, match=f"got {classes} at index"):
            verb(params, jax.random.key(0), x)
        nats = jax.jit(verb)(params, jax.random.key(0), x)
        assert np.isfinite(nats[0])
        assert np.isnan(nats[1])


@pytest.mark.parametrize("lift", quick(zoo.LIFTS, "uniform"))
def test_so_it_is_for_flows(lift):
    """Also for a code that the digits have, and no class."""
    model = zoo.flow(lift, 2 if lift == "binary" else 3, 3)
    params = zoo.parameters(model)
    for token in (-1, 3):
        x = jnp.array([[0, 1], [2, token]])
        with pytest.raises(ValueError, match=f"got {token} at index"):
            model.elbo(params, jax.random.key(0), x)
        nats = jax.jit(model.elbo)(params, jax.random.key(0), x)
        assert np.isfinite(nats[0])
        assert np.isnan(nats[1])


@pytest.mark.usefixtures("any_types")
def test_the_estimates_of_a_model_that_says_nothing():
    assert [bound.name for bound in models.bounds.of(object())] == ["elbo", "iwbo"]


@pytest.mark.usefixtures("any_types")
def test_neighbours_that_are_alike_make_the_error_larger():
    """Ten rows that cost 1 nat, then ten that cost 2, and so on: no twenty of them are apart."""
    rows = np.stack([np.repeat(np.arange(10), 10), np.zeros(100, int)], axis=1)
    in_order = estimated(FirstToken(), rows)
    mixed = estimated(FirstToken(), np.random.default_rng(0).permutation(rows))
    assert in_order.bits == pytest.approx(mixed.bits)
    assert in_order.error > 2 * mixed.error


def test_bits_per_token():
    nats = np.log(2) * np.array([-6.0, -3.0])
    assert likelihood.mean_bits(nats, np.array([3, 3])).bits == pytest.approx(1.5)


@dataclasses.dataclass(frozen=True)
class Interval:
    """A bound from both sides: -(token + 1) nats from below, one more from above."""

    effective: float
    name = "both"
    exact = False
    draws = 1

    def describe(self, model):
        return "of a test"

    def __call__(self, model, params, rng, x):
        return self.weighted(model, params, rng, x)[:, 0]

    def weighted(self, model, params, rng, x):
        nats = -(x[:, 0] + 1.0) * params
        more = jnp.array([self.effective, 0.01])
        return jnp.concatenate(
            [nats[:, None], nats[:, None] + 1, jnp.tile(more, (len(x), 1))], axis=1
        )


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize("effective", [12.0, 2.0])
def test_the_other_side_is_not_printed_for_few_effective_draws(effective):
    rows = np.arange(6)[:, None].repeat(2, axis=1)
    data = types.SimpleNamespace(facts=FACTS, rows=lambda split: rows)
    result, line = run_report.bits(None, 1.0, data, split="test", bound=Interval(effective))
    expected = np.mean(np.arange(6) + 1) / np.log(2) / 2
    assert result.bits == pytest.approx(expected)
    first, second, *third = line.splitlines()
    assert first.startswith(f"test: {expected:.3f} ± ")
    assert f"with {effective} effective draws of each" in second
    if effective > 8:
        least = expected - 1 / np.log(2) / 2
        assert result.other_side.per_row.mean()[0] == pytest.approx(least)
        assert f": at least {least:.3f} ± " in second
        beyond = 2 * 0.01**0.5 * 6**0.5 / np.log(2) / 12  # of six rows of two tokens
        assert (
            f"so these rows have {least - beyond:.3f} to {expected + beyond:.3f} bits/" in third[0]
        )
    else:
        assert result.other_side is None
        assert "no figure, as that needs 8" in second
