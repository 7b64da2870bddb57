"""What is computed anew gives the same, takes less memory, and waits for its turn."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.networks.primitives.recompute import anew, recomputed
from tests.planned import scratch

RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 4)).astype("f")
W = RNG.normal(size=(4, 4)).astype("f")


def masked(x, w, rng, scale):
    """A function of all that a block may get: arrays, trees, keys, integers."""
    mask = jax.random.bernoulli(rng, 0.5, x.shape)
    h = jnp.where(mask, jnp.tanh(x @ w["w"]), 0)
    return {"out": h * scale, "count": mask.sum()}


def gradients(f, scale):
    def loss(x, w):
        return jnp.square(f(x, {"w": w}, jax.random.key(1), scale)["out"]).sum()

    return jax.value_and_grad(loss, argnums=(0, 1))


@pytest.mark.slow
@pytest.mark.few(1)
@pytest.mark.parametrize("scale", [np.float32(2), np.int32(3)])
def test_values_and_gradients_stay_the_same(scale):
    """But for rounding: what is computed anew is compiled as one, by other instructions."""
    plain, again = (gradients(f, scale) for f in (masked, anew(masked)))
    over = [jax.jit(jax.vmap(g, (0, None)))(X[:, None], W) for g in (plain, again)]
    for pair in ((plain(X, W), again(X, W)), over):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), *pair)


@pytest.mark.slow
def test_there_are_second_derivatives_and_no_forward_mode():
    again = anew(jnp.tanh)
    for second in (jax.hessian, lambda f: jax.grad(jax.grad(f))):
        np.testing.assert_allclose(second(again)(0.3), second(jnp.tanh)(0.3), rtol=1e-5)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(again, (0.3,), (1.0,))


def test_a_gradient_that_is_not_finite_stays_so():
    pulled = jax.jit(lambda bad: jax.vjp(anew(jnp.sin), X)[1](bad)[0])
    for bad in (np.inf, np.nan):
        assert not np.isfinite(pulled(np.full_like(X, bad))).any()


class Block(nn.Module):
    @nn.compact
    def __call__(self, h):
        wide = jnp.tanh(nn.Dense(128)(h))
        return h + nn.Dense(16)(nn.Dropout(0.5, deterministic=False)(wide))


class Deep(nn.Module):
    remat: bool

    @nn.compact
    def __call__(self, h):
        for i in range(8):
            h = recomputed(Block, self.remat)(name=f"block_{i}")(h)
        return jnp.square(h).mean()


@pytest.mark.slow
def test_a_deep_network_takes_less_memory_while_it_trains():
    """On a CPU, as the compiler plans it: what `jax.checkpoint` fails at."""

    def planned(remat):
        h, rng = jax.ShapeDtypeStruct((4096, 16), jnp.float32), jax.random.key(0)
        network = Deep(remat)
        params = jax.eval_shape(network.init, rng, h)

        def loss(params, h):
            return network.apply(params, h, rngs={"dropout": rng})

        return scratch(jax.grad(loss), params, h)

    assert planned(remat=True) < 0.75 * planned(remat=False)


def test_other_devices_get_barriers_or_with_cpu_only_nothing():
    def program(platform, **how):
        step = jax.jit(jax.grad(lambda x: anew(jnp.tanh, **how)(x).sum()))
        return step.trace(X).lower(lowering_platforms=(platform,)).as_text()

    assert "optimization_barrier" in program("tpu")
    assert "optimization_barrier" not in program("tpu", cpu_only=True)
    for how in ({}, {"cpu_only": True}):
        assert "optimization_barrier" not in program("cpu", **how)
