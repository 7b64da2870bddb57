import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax.learning import fine_tuning, optimizers


@pytest.fixture
def params():
    def draw(seed, *shape):
        return np.random.default_rng(seed).normal(size=shape).astype("f")

    hidden = {"kernel": draw(0, 6, 5), "bias": draw(1, 5)}
    return {"params": {"hidden": hidden, "out": {"kernel": draw(2, 5, 3)}}}


def loss(params):
    p = params["params"]
    x = jax.random.normal(jax.random.key(3), (4, 6))
    y = jnp.tanh(x @ p["hidden"]["kernel"] + p["hidden"]["bias"])
    return ((y @ p["out"]["kernel"] - 1) ** 2).sum()


def trained(optimizer, params, steps=5):
    @jax.jit
    def run(params):
        start = state = optimizer.init(params)
        for _ in range(steps):
            updates, state = optimizer.update(jax.grad(loss)(params), state, params)
            params = optax.apply_updates(params, updates)
        return params, state, start

    return run(params)


def test_low_rank_is_descent_on_the_factors(params):
    """The chain rule by hand: gradients of the factors by JAX, the others trained as they are."""
    optimizer = fine_tuning.low_rank(optax.sgd(0.01), rank=2, scale=0.5)
    result, state, start = trained(optimizer, params)
    factors = start.factors["params"]["hidden"]["kernel"]
    before = params["params"]["hidden"]["kernel"]

    def of_factors(learnt):
        rest, factors = learnt
        change = 0.5 * factors["left"] @ factors["right"]
        hidden = {"kernel": before + change, "bias": rest["bias"]}
        return loss({"params": {"hidden": hidden, "out": {"kernel": rest["out"]}}})

    rest = {"bias": params["params"]["hidden"]["bias"], "out": params["params"]["out"]["kernel"]}
    learnt, slope = (rest, factors), jax.jit(jax.grad(of_factors))
    for _ in range(5):
        learnt = jax.tree.map(lambda a, g: np.asarray(a - 0.01 * g), learnt, slope(learnt))
    change = 0.5 * learnt[1]["left"] @ learnt[1]["right"]
    hidden = result["params"]["hidden"]
    np.testing.assert_allclose(hidden["kernel"], before + change, atol=1e-5)
    np.testing.assert_allclose(hidden["bias"], learnt[0]["bias"], atol=1e-5)
    np.testing.assert_allclose(result["params"]["out"]["kernel"], learnt[0]["out"], atol=1e-5)
    assert np.linalg.matrix_rank(hidden["kernel"] - before, tol=1e-4) == 2
    assert state.factors["params"]["out"]["kernel"] is None


@pytest.mark.parametrize("pattern", ["out", "hidden/kernel", "bias|out"])
def test_only_what_is_found_is_learnt(params, pattern):
    optimizer = fine_tuning.only(optax.adam(0.01), pattern)
    result, *_ = trained(optimizer, params)
    same = jax.tree.map(lambda a, b: bool((a == b).all()), params, result)
    flat = {"/".join(k.key for k in path): v for path, v in jax.tree.leaves_with_path(same)}
    found = {
        "out": {"params/out/kernel"},
        "hidden/kernel": {"params/hidden/kernel"},
        "bias|out": {"params/hidden/bias", "params/out/kernel"},
    }[pattern]
    assert {name for name, stays in flat.items() if not stays} == found


def test_adapters_alone_of_muon_and_its_learning_rate(params):
    muon = optimizers.muon(0.02, 4e-3, warmup_steps=1, num_steps=9)
    optimizer = fine_tuning.only(fine_tuning.low_rank(muon, rank=1), "hidden/kernel")
    result, *_ = trained(optimizer, params)
    change = result["params"]["hidden"]["kernel"] - params["params"]["hidden"]["kernel"]
    assert np.linalg.matrix_rank(change, tol=1e-5) == 1
    assert (result["params"]["out"]["kernel"] == params["params"]["out"]["kernel"]).all()
    assert float(optimizer.learning_rate(1)) == float(muon.learning_rate(1))


def test_bad_input(params):
    with pytest.raises(ValueError, match="at least 1; got rank=0"):
        fine_tuning.low_rank(optax.sgd(0.1), rank=0)
    with pytest.raises(ValueError, match="is no regular expression"):
        fine_tuning.only(optax.sgd(0.1), "(")
    with pytest.raises(ValueError, match="No parameter's name has 'none'; they are such"):
        fine_tuning.only(optax.sgd(0.1), "none").init(params)
