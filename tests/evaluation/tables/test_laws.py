"""Every baseline over all rows of small tables: total mass, samples, and what it finds."""

import itertools

import numpy as np
import pytest
import scipy.stats

from amd_jax.evaluation.tables import chow_liu, independent, laws, mixture

SIZES = (2, 3, 4)
EVERY = np.array(list(itertools.product(*map(range, SIZES))), np.int32)  # (24, 3)


@pytest.fixture(scope="module")
def rows():
    """300 rows of a law without structure, in which some cells are rare and one token never is."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(len(EVERY), 0.5))
    p[EVERY[:, 2] == 3] = 0
    return EVERY[rng.choice(len(EVERY), 300, p=p / p.sum())]


FITS = {
    "independent": independent.fit,
    "chow_liu": chow_liu.fit,
    "mixture": lambda x, sizes: mixture.fit(x, sizes, components=4, steps=20),
    "mixture of one prior": lambda x, sizes: mixture.fit(x, sizes, components=3, prior=0.5),
}


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_mass_of_all_rows_is_one(fit, rows):
    log_p = fit(rows, SIZES).log_prob(EVERY)
    assert log_p.dtype == np.float64
    assert np.exp(log_p).sum() == pytest.approx(1, abs=1e-12)
    assert np.isfinite(log_p).all()  # what was never seen is possible


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_samples_are_of_the_law(fit, rows):
    law = fit(rows, SIZES)
    drawn = law.sample(np.random.default_rng(1), 20_000)
    assert drawn.dtype == np.int32
    counts = np.bincount(np.ravel_multi_index(drawn.T, SIZES), minlength=len(EVERY))
    expected = 20_000 * np.exp(law.log_prob(EVERY))
    common = expected > 5
    few = [counts[~common].sum()], [expected[~common].sum()]
    seen, wanted = (np.append(a[common], b) for a, b in zip((counts, expected), few, strict=True))
    assert scipy.stats.chisquare(seen, wanted * seen.sum() / wanted.sum()).pvalue > 1e-4
    again = law.sample(np.random.default_rng(1), 20_000)
    np.testing.assert_array_equal(drawn, again)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_one_row_and_one_field_do(fit):
    law = fit(np.array([[1]], np.uint8), (3,))
    p = np.exp(law.log_prob(np.arange(3)[:, None]))
    assert p.sum() == pytest.approx(1)
    assert p.argmax() == 1


def test_a_tree_is_found_again():
    """Fields 0 - 1 - 2 - 3 and 1 - 4, and two that depend on nothing: 6 of 128 classes."""
    rng, n = np.random.default_rng(2), 5000
    noisy = [lambda x: np.where(rng.random(n) < 0.3, rng.integers(0, 4, n), x) for _ in range(4)]
    x = np.empty((n, 7), np.int64)
    x[:, 1] = rng.integers(0, 4, n)
    x[:, 0], x[:, 2], x[:, 4] = (change(x[:, 1]) for change in noisy[:3])
    x[:, 3] = noisy[3](x[:, 2])
    x[:, 5], x[:, 6] = rng.integers(0, 3, n), rng.integers(0, 128, n)
    tree = chow_liu.fit(x, (4, 4, 4, 4, 4, 3, 128))
    edges = {frozenset((i, p)) for i, p in enumerate(tree.parents[:5]) if p >= 0}
    assert edges == {frozenset(pair) for pair in ((0, 1), (1, 2), (2, 3), (1, 4))}
    places = [tree.order.index(i) for i in range(7)]
    assert all(p < 0 or places[p] < places[i] for i, p in enumerate(tree.parents))
    entropy = np.log(4) + 4 * scipy.stats.entropy([0.775, 0.075, 0.075, 0.075]) + np.log(3 * 128)
    assert -tree.log_prob(x).mean() == pytest.approx(entropy, abs=0.03)


def test_information_is_about_zero_of_independent_fields():
    """Without its bias subtracted it would be 0.11 nats."""
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 50, (2, 10_000))
    counts = chow_liu.pair_counts(a, b, 50, 50)
    assert abs(chow_liu.information(counts)) < 0.01
    joint = np.diag([500.0, 500.0])
    assert chow_liu.information(joint) == pytest.approx(np.log(2), abs=0.001)
    assert chow_liu.information(np.zeros((2, 2))) == 0


def two_kinds(n, seed):
    """Six fields of three classes, and two of twenty that say nothing, of two kinds of rows."""
    rng = np.random.default_rng(seed)
    kind = rng.random((n, 1)) < 0.4
    x = np.where(rng.random((n, 6)) < 0.2, rng.integers(0, 3, (n, 6)), np.where(kind, 0, 2))
    return np.concatenate([x, rng.integers(0, 20, (n, 2))], axis=1), (3,) * 6 + (20,) * 2


def test_the_objective_of_em_never_falls_while_the_prior_is_fixed():
    x, sizes = two_kinds(500, 0)
    law = mixture.fit(x, sizes, components=5, prior=0.7, steps=60)
    assert np.diff(law.objective).min() > -1e-12
    law = mixture.fit(x, sizes, components=5, steps=100)
    assert np.diff(law.objective[mixture.SETTLED :]).min(initial=0) > -1e-12


def test_the_objective_is_likelihood_and_prior():
    x, sizes = two_kinds(200, 1)
    climb = mixture._Climb(x, sizes, 3, 0.7, np.random.default_rng(0))
    law = climb.law()
    prior = 0.7 * (climb.marginals * law.log_shares).sum() + law.log_weights.sum()
    expected = law.log_prob(x).mean() + prior / len(x)
    assert climb.step(choose=False) == pytest.approx(expected, abs=1e-12)


def test_components_are_chosen_by_validation_and_near_the_entropy():
    (x, sizes), (other, _) = two_kinds(2000, 2), two_kinds(4000, 3)
    law = mixture.fit(x, sizes, components=(1, 2), validation=other)
    assert len(law.log_weights) == 2
    assert max(law.validation) == pytest.approx(law.log_prob(other).mean())
    same, rest = 1 - 0.2 * 2 / 3, 0.2 / 3  # of a token, given the kind
    hits = (other[:, :6, None] == [0, 2]).sum(axis=1)
    log_p = hits * np.log(same) + (6 - hits) * np.log(rest) + np.log([0.4, 0.6])
    exact = np.logaddexp(*log_p.T) - 2 * np.log(20)
    assert exact.mean() - law.log_prob(other).mean() < 0.02
    assert exact.mean() - independent.fit(x, sizes).log_prob(other).mean() > 1


def test_blocks_change_nothing(monkeypatch, rows):
    before = mixture.fit(rows, SIZES, components=3, steps=5)
    monkeypatch.setattr(laws, "CELLS", 30)
    after = mixture.fit(rows, SIZES, components=3, steps=5)
    np.testing.assert_allclose(before.log_prob(EVERY), after.log_prob(EVERY), rtol=1e-9)


def test_samples_of_a_tree_are_drawn_in_blocks(monkeypatch, rows):
    tree = chow_liu.fit(rows, SIZES)
    before = tree.sample(np.random.default_rng(0), 100)
    monkeypatch.setattr(laws, "CELLS", 30)
    np.testing.assert_array_equal(tree.sample(np.random.default_rng(0), 100), before)
    assert tree.sample(np.random.default_rng(0), 0).shape == (0, 3)


def test_fields_of_too_many_classes_together_have_no_edge(monkeypatch):
    x = np.arange(300)[:, None] % [4, 4]
    assert max(chow_liu.fit(x, (4, 4)).parents) >= 0
    monkeypatch.setattr(chow_liu, "MOST_CELLS", 15)
    assert chow_liu.fit(x, (4, 4)).parents == (-1, -1)


def test_time_ends_a_fit(rows):
    law = mixture.fit(rows, SIZES, components=4, seconds=0.0)
    assert len(law.objective) == 1


@pytest.mark.parametrize("n", [0, 1, 40])
def test_smoothing_leaves_shares(n):
    counts = np.random.default_rng(n).multinomial(n, [0.7, 0.3, 0.0], size=4).astype(float)
    p = laws.smoothed(counts, np.array([0.5, 0.25, 0.25]))
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (p > 0).all()


def test_impossible_rows_are_drawn_anew(rows):
    law = independent.fit(rows, SIZES)
    rng = np.random.default_rng(0)
    drawn = laws.sample_possible(law, lambda x: x[:, 2] < 3, rng, 500)
    assert drawn.shape == (500, 3)
    assert drawn[:, 2].max() == 2
    with pytest.raises(ValueError, match="5 of 5 rows are impossible after 100"):
        laws.sample_possible(law, lambda x: np.zeros(len(x), bool), rng, 5)


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_tokens_of_no_class_are_named(fit, rows):
    wrong = rows.copy()
    wrong[7, 1] = 3
    with pytest.raises(ValueError, match=r"Field 1 has the tokens 0 to 2; got 3 in row 7\."):
        fit(wrong, SIZES)
    with pytest.raises(ValueError, match=r"Rows have 3 fields, \(N, 3\); got \(300, 2\)"):
        fit(rows, SIZES).log_prob(rows[:, :2])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 0}, "1 component or more"),
        ({"components": ()}, "1 component or more"),
        ({"prior": 0.0}, "prior above 0"),
        ({"components": (1, 2)}, "needs validation rows"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(options, message, rows):
    with pytest.raises(ValueError, match=message):
        mixture.fit(rows, SIZES, **options)
