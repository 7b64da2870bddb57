"""Networks of blocks: what a block sees, in one call for all blocks and by what is carried."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import networks
from amd_jax.networks import block_transformer
from tests.variants import quick

RNG = jax.random.key(0)
K, LENGTH = 4, 12
SMALL = dict(width=8, blocks=2, heads=2)
CASES = {
    "plain": {},
    "taps": dict(taps=3),
    "context": dict(taps=2, context=3),
    "time": dict(sees_time=True, context=4),
    "remat": dict(remat=True, taps=2),
    "lstm": {},
    "lstm_time": dict(layers=2, sees_time=True, remat=True),
}
SIZES = quick((1, 3, 4, 5, 12), 3, 5)  # 5 does not divide 12


@functools.cache
def made(name):
    """A network and random parameters: no zero at initialisation hides a path."""
    kind = networks.BlockLSTM if name.startswith("lstm") else networks.BlockTransformer
    network = kind(K, **SMALL | CASES[name])
    x_t, x_0, t = draws()
    init = functools.partial(network.init, RNG, x_t, x_0, 4, t)
    shapes, rng = jax.eval_shape(init), np.random.default_rng(1)
    return network, jax.tree.map(lambda a: rng.normal(size=a.shape).astype(a.dtype) / 2, shapes)


def draws():
    """x_t and x_0, tokens (3, 12), and the times of x_t."""
    rng = np.random.default_rng(0)
    x_t, x_0 = rng.integers(K, size=(2, 3, LENGTH), dtype=np.int32)
    return x_t, x_0, rng.random((3, LENGTH), np.float32)


def with_another(x, n):
    """Tokens with others at the place n."""
    return np.where(np.arange(LENGTH) == n, (x + 1) % K, x)


@functools.cache
def compiled(name):
    network, params = made(name)
    return jax.jit(functools.partial(network.apply, params))


@pytest.mark.few(2)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", quick(CASES, "context", "lstm"))
def test_a_block_sees_its_noise_and_what_is_clean_before_it(name, size):
    """And all of that, but for what is beyond its context; nothing else."""
    x_t, x_0, t = draws()
    context = CASES[name].get("context", LENGTH)
    reach = CASES[name].get("taps", 1) - 1  # an input shows tokens before its own
    layers = SMALL["blocks"]
    logits = np.asarray(compiled(name)(x_t, x_0, size, t))
    for n in range(LENGTH):
        noise, clean = (
            np.abs(compiled(name)(*tokens, size, t) - logits).max(axis=(0, 2))
            for tokens in ((with_another(x_t, n), x_0), (x_t, with_another(x_0, n)))
        )
        start = np.arange(LENGTH) // size * size
        np.testing.assert_array_equal(noise > 1e-6, start == start[n])
        assert (clean[start <= n] == 0).all(), "a block sees itself clean, or what comes later"
        near = (start > n) & (n >= start - context)
        assert (clean[near] > 1e-6).all()
        far = start - n > layers * (context + size) + reach
        assert (clean[far] == 0).all()


@pytest.mark.few(2)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", quick(CASES, "context", "lstm"))
def test_a_cache_gives_the_logits_of_one_call(name, size):
    """Block by block, the last one shorter, with a ring of keys that is written over."""
    network, params = made(name)
    x_t, x_0, _ = draws()
    t = np.array([0.1, 0.5, 0.9], np.float32)
    times = np.tile(t[:, None], LENGTH)
    want = np.asarray(compiled(name)(x_t, x_0, size, times))
    call = functools.partial(jax.jit(network.apply, static_argnames="method"), params)
    carry = network.start(3, LENGTH, size)
    if CASES[name].get("context"):
        assert carry[1][0][0].shape[1] <= network.context + 2 * size - 1
    for p in range(0, LENGTH, size):
        block = slice(p, min(p + size, LENGTH))
        logits = call(carry, x_t[:, block], t, p, method="guess")
        np.testing.assert_allclose(logits, want[:, block], atol=2e-6)
        carry = call(carry, x_0[:, block], p, method="read")


def test_rows_may_have_blocks_of_different_sizes():
    x_t, x_0, t = draws()
    apply = compiled("context")
    each = np.asarray(apply(x_t, x_0, np.array([1, 4, 12], np.int32), t))
    for i, size in enumerate((1, 4, 12)):
        np.testing.assert_allclose(each[i], apply(x_t, x_0, size, t)[i], atol=1e-6)
    assert np.abs(each - apply(x_t, x_0, 4, t))[::2].max() > 1e-3


@pytest.mark.slow
def test_time_is_read_where_it_is_asked_for():
    x_t, x_0, t = draws()
    for name, reads in (("time", True), ("plain", False), ("lstm_time", True), ("lstm", False)):
        apply = compiled(name)
        moved = abs(apply(x_t, x_0, 4, t) - apply(x_t, x_0, 4, 1 - t)).max()
        assert (moved > 1e-3) == reads


@pytest.mark.slow
@pytest.mark.parametrize("name", ["time", "lstm_time"])
def test_every_parameter_gets_a_gradient(name):
    network, params = made(name)
    x_t, x_0, t = draws()

    def loss(params):
        return (network.apply(params, x_t, x_0, 4, t, train=True) ** 2).sum()

    for path, leaf in jax.tree.leaves_with_path(jax.jit(jax.grad(loss))(params)):
        assert jnp.isfinite(leaf).all(), path
        assert jnp.abs(leaf).max() > 0, path


def test_a_ring_holds_the_context_and_the_block():
    """Room for 4 before a block of 2, which is at 8 and 9; of 6 places, all are seen."""
    assert block_transformer.ring(8, 2, 6, 4).all()
    seen = block_transformer.ring(2, 2, 6, 4)  # the text has begun at 0
    np.testing.assert_array_equal(seen, [True] * 4 + [False] * 2)
    seen = block_transformer.ring(8, 1, 6, 4)  # the last block, of one token
    np.testing.assert_array_equal(seen, [True] * 3 + [False] + [True] * 2)


@pytest.mark.parametrize("kind", [networks.BlockTransformer, networks.BlockLSTM])
def test_what_is_no_size_is_refused(kind):
    network = kind(K, **SMALL)
    with pytest.raises(ValueError, match="block_size must be at least 1; got block_size=0"):
        network.init(RNG, *draws()[:2], 0)
    with pytest.raises(ValueError, match="block_size must be at least 1; got block_size=0"):
        network.start(1, 4, 0)
