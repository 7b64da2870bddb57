import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.evaluation import likelihood
from tests import enumeration, zoo


def first_token(params, rng, x):
    """An estimate without noise: -(token + 1) nats."""
    return -(x[:, 0] + 1.0) * params


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9])
@pytest.mark.parametrize("batch_size", [1, 2, 128])
def test_every_row_counts_once(n, batch_size, monkeypatch):
    monkeypatch.setattr(likelihood, "TOKENS", 3 * 2 * batch_size)  # 3 draws of rows of 2
    rows = np.stack([np.arange(n), np.zeros(n, int)], axis=1).astype(np.uint8)
    nats = likelihood.nats_of_rows(first_token, jnp.ones(()), jax.random.key(0), rows, 10, 3)
    found = likelihood.mean_bits(nats, rows)
    bits = (np.arange(n) + 1) / (2 * np.log(2))
    assert found.examples == n
    assert found.bits == pytest.approx(bits.mean(), rel=1e-6)
    if n == 1:
        assert np.isnan(found.error)
    else:
        assert found.error == pytest.approx(bits.std(ddof=1) / n**0.5, rel=1e-6)


def test_every_row_has_its_own_noise(monkeypatch):
    monkeypatch.setattr(likelihood, "TOKENS", 4)

    def noise(params, rng, x):
        return jax.random.uniform(rng, x.shape[:1])

    rows = np.zeros((9, 2), np.uint8)
    nats = likelihood.nats_of_rows(noise, jnp.ones(()), jax.random.key(0), rows, 3)
    found = likelihood.mean_bits(nats, rows)
    draws = 1 / (2 * np.log(2) * 12**0.5)  # of the standard deviation of one row
    assert 0.4 * draws < found.error * 3 < 2 * draws


def test_tokens_outside_are_refused():
    with pytest.raises(ValueError, match="got 3 at index"):
        likelihood.nats_of_rows(first_token, 1.0, jax.random.key(0), np.full((2, 2), 3), 3)


@pytest.fixture(scope="module")
def trained():
    model = zoo.diffusion("uniform-cosine", "table", 4)
    params = zoo.parameters(model)
    rows = zoo.Pairs(num_rows=301).rows("test")
    exact = -enumeration.bound(model, params, rows.astype(np.int32)) / (2 * np.log(2))
    return model, params, rows, exact


@pytest.mark.parametrize("verb", [likelihood.elbo, likelihood.elbo_of_all_steps])
def test_both_estimates_are_the_exact_bound(trained, verb):
    model, params, rows, exact = trained
    found = verb(model, params, jax.random.key(0), rows, 3)
    assert found.examples == 301
    spread = exact.std(ddof=1) / 301**0.5
    assert spread < found.error < 0.1  # it holds the noise of the draws as well
    assert abs(found.bits - exact.mean()) < 4 * found.error
    assert str(found) == f"{found.bits:.3f} ± {found.error:.3f}"


@pytest.mark.slow
def test_importance_weighting_lowers_the_bits_towards_the_truth():
    """The truth is that of very many samples; one sample of a flow is the elbo."""
    model = zoo.flow("gumbel", 3, 3)
    params = zoo.parameters(model, scale=0.1)
    rows = np.tile(enumeration.sequences(3, zoo.LENGTH), (50, 1))
    given = model, params, jax.random.key(0), rows, 3
    found = [likelihood.iwbo(*given, samples) for samples in (1, 10, 1000)]
    bits = [estimate.bits for estimate in found]
    assert bits[0] > bits[1] > bits[2]
    elbo = likelihood.elbo(*given)
    assert abs(elbo.bits - bits[0]) < 5 * (elbo.error + found[0].error)
    p = np.exp(likelihood.log_likelihoods(*given[:3], rows[:9], 3, 10_000))
    assert p.sum() == pytest.approx(1, abs=0.02)
    assert bits[2] == pytest.approx(-np.log2(p).mean() / zoo.LENGTH, abs=0.01)


def test_no_importance_samples_are_refused():
    with pytest.raises(ValueError, match="1 sample or more; got 0"):
        likelihood.iwbo(None, None, jax.random.key(0), np.zeros((1, 2)), 3, 0)


def test_a_model_without_steps_has_no_exact_bound():
    with pytest.raises(ValueError, match="object has none"):
        likelihood.elbo_of_all_steps(object(), None, jax.random.key(0), np.zeros((1, 2)), 3)


def test_bits_per_dim():
    np.testing.assert_allclose(likelihood.bits_per_dim(np.log(2) * np.array([6.0]), 3), 2)
