"""Block diffusion: exact laws by enumeration, blocks of one, caches, and what is refused."""

import dataclasses
import functools
import itertools
import re
import time

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.models import block_diffusion, block_layout, bounds
from amd_jax.types import Model
from tests import enumeration, zoo
from tests.variants import quick

RNG = jax.random.key(0)
K, LENGTH = 2, 3
EVERY = enumeration.sequences(K, LENGTH)
SIZES = quick((1, 2, 3), 2)  # 2 does not divide 3
compiled = functools.partial(jax.jit, compiler_options=zoo.HASTE)


@functools.cache
def made(size=2, noise="masks", k=K, **numbers):
    model = zoo.block_diffusion(noise, k, size, **{"taps": 2} | numbers)
    scale = 0.5 if noise == "masks" else 0.2  # others tell less by a random network
    return model, zoo.parameters(model, scale=scale, length=LENGTH)


@functools.cache
def logits():
    """The network's logits of (N, L) tokens x_t and x_0 with blocks of `size`."""
    model, params = made()
    return compiled(functools.partial(model.network.apply, {"params": params["network"]}))


def parts(size):
    return [range(p, min(p + size, LENGTH)) for p in range(0, LENGTH, size)]


@functools.cache
def log_p(size):
    """log p(x[n] | what is revealed of its block, and all before it), by the set revealed."""
    result = {}
    for part in parts(size):
        for shown in itertools.chain.from_iterable(
            itertools.combinations(part, r) for r in range(len(part))
        ):
            x_t = np.where(np.isin(np.arange(LENGTH), shown), EVERY, K)
            out = np.asarray(logits()(x_t, EVERY, size), np.float64)[..., :K]
            out -= np.log(np.exp(out).sum(axis=-1, keepdims=True))
            for n in set(part) - set(shown):
                result[n, shown] = out[np.arange(len(EVERY)), n, EVERY[:, n]]
    return result


def in_every_order(size):
    """log p of every text in every order of each block: a list of (orders, N), one a block."""
    return [
        np.array(
            [
                sum(log_p(size)[n, tuple(sorted(order[:i]))] for i, n in enumerate(order))
                for order in itertools.permutations(part)
            ]
        )
        for part in parts(size)
    ]


def law(size):
    """p(x) of every text: the mean over the orders of each block."""
    return np.prod([np.exp(block).mean(axis=0) for block in in_every_order(size)], axis=0)


@pytest.mark.parametrize("size", SIZES)
def test_the_bound_is_the_mean_over_orders_and_below_the_law(size):
    """In one call for all blocks; the laws of texts that they bound sum to one."""
    model, params = made()
    p = law(size)
    assert p.sum() == pytest.approx(1, abs=1e-6)
    mean = sum(block.mean(axis=0) for block in in_every_order(size))
    nats, error = draws(dataclasses.replace(model, block_size=size), params)
    assert error.max() < 0.05
    assert (abs(nats - mean) < 5 * error + 1e-5).all()
    assert (mean <= np.log(p) + 1e-9).all()
    assert (np.log(p) - mean).max() > 0.03 or size == 1, "no bound is tested that is the law"


@pytest.mark.parametrize("size", SIZES)
def test_importance_weights_average_to_the_law(size):
    model, params = made(size)
    weights = compiled(model.log_weight)(params, RNG, jnp.tile(EVERY, (2000, 1)))
    weights = np.exp(np.asarray(weights, np.float64)).reshape(2000, -1)
    error = weights.std(axis=0) / 2000**0.5
    assert error.max() < 0.005
    assert (abs(weights.mean(axis=0) - law(size)) < 5 * error + 1e-6).all()


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_samples_are_drawn_from_the_law(size):
    """By a cache, block by block, the last one shorter; one token a call is exact."""
    model, params = made(size)
    x = compiled(functools.partial(model.sample, shape=(4000, LENGTH)))(params, RNG)
    assert x.dtype == jnp.int32
    enumeration.assert_drawn_from(enumeration.number(np.asarray(x), K), law(size))


class OneByOne(nn.Module):
    """The network with blocks of one, as a causal network."""

    network: nn.Module

    def __call__(self, x, *, train=False):
        masks = jnp.full_like(x, self.network.num_classes - 1)
        return self.network(masks, x, 1, train=train)[..., :-1]

    def start(self, batch, length):
        return self.network.start(batch, length, 1)

    def advance(self, carry, previous, p):
        read = self.network.read(carry, previous[:, None], jnp.maximum(p - 1, 0))
        carry = jax.tree.map(lambda new, old: jnp.where(p > 0, new, old), read, carry)
        mask = jnp.full((len(previous), 1), self.network.num_classes - 1)
        return carry, self.network.guess(carry, mask, jnp.ones(len(mask)), p)[:, 0, :-1]


def test_blocks_of_one_are_the_autoregressive_model():
    """Bits of the two are equal to 1e-6, and those by a walk; the bound has no variance."""
    model, params = made(1, k=5, context=6)
    other = models.Autoregressive(OneByOne(model.network))
    theirs = {"network": {"network": params["network"]}}
    x = np.random.default_rng(0).integers(5, size=(4, 12))
    want = np.asarray(compiled(other.elbo)(theirs, RNG, x)) / 12 / np.log(2)
    elbo = compiled(model.elbo)
    for seed in (0, 1):
        bits = np.asarray(elbo(params, jax.random.key(seed), x)) / 12 / np.log(2)
        np.testing.assert_allclose(bits, want, atol=1e-6)
    other.check(theirs, RNG, x)  # its walk, by a cache, gives the same logits
    assert [bound.name for bound in model.bounds] == ["likelihood", "elbo", "iwbo"]
    assert bounds.of(model)[0].exact


class Uncached(nn.Module):
    """The same, which keeps the text in the place of keys, and reads all of it in every call."""

    network: nn.Module
    size: int

    def __call__(self, *x, train=False):
        return self.network(*x, train=train)

    def start(self, batch, length, block_size):
        return jnp.zeros((batch, -(-length // self.size) * self.size), jnp.int32)

    def read(self, text, x, p):
        return jax.lax.dynamic_update_slice(text, x, (0, p))

    def guess(self, text, x_t, t, p):
        noisy = self.read(jnp.zeros_like(text), x_t, p)
        t = jnp.broadcast_to(t[:, None], text.shape)
        out = self.network(noisy, text, self.size, t)
        return jax.lax.dynamic_slice_in_dim(out, p, x_t.shape[1], axis=1)


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["masks", "uniform"])
def test_a_cache_changes_neither_bits_nor_samples(noise):
    """Long texts, beyond the context: a ring of keys that is written over again and again."""
    model, params = made(4, noise, k=5, context=8)
    length, sampler = 42, samplers.Ancestral(steps=3)
    sample = functools.partial(model.sample, shape=(3, length), sampler=sampler)
    x = compiled(sample)(params, RNG)
    anew = dataclasses.replace(model, network=Uncached(model.network, 4))
    sample = functools.partial(anew.sample, shape=(3, length), sampler=sampler)
    np.testing.assert_array_equal(
        x, compiled(sample)({"network": {"network": params["network"]}}, RNG)
    )
    model.check(params, RNG, x)
    network = functools.partial(model.network.apply, {"params": params["network"]})
    t = jnp.full(x.shape, 0.7)
    noisy = kernels.corrupt(model.kernel, RNG, x, t[:, 0])
    want = compiled(network)(noisy, x, 4, t)
    carry = model.network.start(3, length, 4)
    assert carry[1][0][0].shape[1] == 12, "keys of the context and a block are kept"
    guess, read = (compiled(functools.partial(network, method=m)) for m in ("guess", "read"))
    for p in range(0, length, 4):
        block = slice(p, p + 4)
        out = guess(carry, noisy[:, block], t[:, 0], p)
        both = [jax.nn.log_softmax(a) / np.log(2) for a in (out, want[:, block])]
        np.testing.assert_allclose(*both, atol=3e-6)
        np.testing.assert_allclose(*[a.mean() for a in both], atol=1e-6)
        carry = read(carry, x[:, block], p)


@pytest.mark.exhaustive
@pytest.mark.slow
def test_at_4096_tokens_a_cache_gives_the_same_bits_in_a_tenth_of_the_time():
    """Of every token alone in its block of 4, others masked; a call for each token of a block."""
    model, params = made(4, k=27, taps=4)
    length, size, masks = 4096, 4, jnp.full((1, 4), 27)
    x = jax.random.randint(RNG, (1, length), 0, 27)
    network = functools.partial(model.network.apply, {"params": params["network"]})

    def at_once(x):
        return network(jnp.full_like(x, 27), x, size)

    def by_cache(x):
        def step(carry, at):
            (p, block), t = at, jnp.ones(1)

            def again(_, out):
                return network(carry, masks + (0 * out[0, 0, 0]).astype(int), t, p, method="guess")

            out = jax.lax.fori_loop(0, size, again, jnp.zeros((1, size, 28)))
            return network(carry, block, p, method="read"), out

        blocks = jnp.arange(0, length, size), x.reshape(-1, 1, size)
        start = model.network.start(1, length, size)
        return jax.lax.scan(step, start, blocks)[1].reshape(1, length, -1)

    bits, seconds = [], []
    for function in (at_once, by_cache):
        program = jax.jit(function).lower(x).compile()
        start = time.process_time()
        logits = jax.block_until_ready(program(x))
        seconds.append(time.process_time() - start)
        log_p = jax.nn.log_softmax(logits[..., :27])[0, jnp.arange(length), x[0]]
        bits.append(-np.asarray(log_p, np.float64).mean() / np.log(2))
    assert bits[0] == pytest.approx(bits[1], abs=1e-6)
    assert seconds[0] > 10 * seconds[1] / length, "a call for each token, against one of the cache"
    print(f"bits {bits}, CPU seconds a token {seconds[0]:.4f}, {seconds[1] / length:.6f}")


class OneBlock(nn.Module):
    """The network as a denoiser of one block, at which it looks alone."""

    network: nn.Module

    def __call__(self, x_t, t, *, train=False):
        times = jnp.broadcast_to(t[:, None], x_t.shape)
        return self.network(x_t, x_t, x_t.shape[1], times, train=train)


def draws(model, params, number=4000):
    """Means of the bound of each text, and their errors."""
    x = jnp.tile(EVERY, (number, 1))
    nats = np.asarray(compiled(model.elbo)(params, RNG, x), np.float64).reshape(number, -1)
    return nats.mean(axis=0), nats.std(axis=0) / number**0.5


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("noise", zoo.BLOCK_KERNELS)
def test_a_single_block_has_the_bound_of_a_diffusion(noise):
    """In continuous time, of the same network."""
    model, params = made(LENGTH, noise)
    peer = models.Diffusion(model.kernel, OneBlock(model.network), steps=None)
    mine, error = draws(model, params)
    theirs, other = draws(peer, {"network": {"network": params["network"]}})
    assert (error + other).max() < 0.6
    assert (abs(mine - theirs) < 5 * (error + other)).all()
    assert np.ptp(mine) > 1 or noise != "masks"


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("noise", ["uniform", "masks_and_uniform"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_bounds_of_other_noise_leave_no_more_than_all_probability(noise, size):
    model, params = made(size, noise)
    nats, error = draws(model, params)
    total, slack = np.exp(nats).sum(), ((np.exp(nats) * error) ** 2).sum() ** 0.5
    assert slack < 0.1
    assert 0.5 < total < 1 + 5 * slack
    assert [bound.name for bound in model.bounds] == ["elbo"]


def test_rows_may_have_blocks_of_different_sizes():
    model, params = made()
    x = jnp.asarray(EVERY[:3])
    sizes = jnp.array([1, 3, 1])
    elbo = compiled(model.elbo)
    nats, ones = (elbo(params, RNG, x, block_size=size) for size in (sizes, jnp.ones(3, int)))
    np.testing.assert_allclose(nats[::2], ones[::2], atol=1e-5)
    assert abs(nats[1] - ones[1]) > 1e-3


def test_random_orders_are_of_each_block_and_uniform():
    blocks = block_layout.blocks_of(jnp.array([2, 3] * 3000), 6000, 5)
    ranks = np.asarray(compiled(block_layout.ranks)(RNG, blocks))
    assert (np.sort(ranks[0::2, :2], axis=1) == [0, 1]).all()
    assert (np.sort(ranks[1::2, 3:], axis=1) == [0, 1]).all()
    assert (ranks[0::2, 4] == 0).all()
    orders = ranks[1::2, :3] @ [9, 3, 1]
    assert (np.unique(orders).size, np.sort(ranks[1::2, :3], axis=1).std(axis=0).max()) == (6, 0)
    enumeration.assert_drawn_from(np.unique(orders, return_inverse=True)[1], np.ones(6))


def test_it_is_a_model_with_samplers_and_bounds():
    model, _ = made()
    assert isinstance(model, Model)
    assert model.samplers[0] == samplers.FirstHitting()
    assert "ancestral" in [sampler.name for sampler in model.samplers]
    assert [bound.name for bound in model.bounds] == ["elbo", "iwbo"]
    bound = block_diffusion.BlockBound(block_size=64)
    assert bound.describe(model) == "blocks of 64, 8 draws each"
    bound = block_diffusion.BlockBound(block_size=1)
    assert bound.describe(model) == "blocks of 1, exact likelihood"
    with pytest.raises(ValueError, match="for a block diffusion; Autoregressive is none"):
        bound.describe(models.Autoregressive(zoo.CAUSAL["table"](K)))


class SeesItself(networks.BlockTransformer):
    """Reads the clean tokens of the block itself."""

    def __call__(self, x_t, x_0, block_size, t=None, *, train=False):
        return super().__call__(x_t, jnp.roll(x_0, 1, axis=1), block_size, t, train=train)


class SeesOthersNoise(networks.BlockTransformer):
    """Reads the noise of the block before."""

    def __call__(self, x_t, x_0, block_size, t=None, *, train=False):
        return super().__call__(jnp.roll(x_t, 1, axis=1), x_0, block_size, t, train=train)


class Forgets(networks.BlockTransformer):
    """Keeps no keys."""

    def read(self, carry, x, p):
        return carry


class Undropped(networks.BlockTransformer):
    """Takes no train."""

    def __call__(self, x_t, x_0, block_size, t=None):
        return super().__call__(x_t, x_0, block_size, t)


class Unread(networks.BlockTransformer):
    """Cannot go block by block."""

    read = None


SMALL = dict(width=8, blocks=1, heads=2)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (SeesItself, "those of SeesItself moved by"),
        (SeesOthersNoise, "those of SeesOthersNoise moved by"),
        (Forgets, "those of Forgets are .* apart"),
    ],
)
@pytest.mark.slow
def test_a_broken_promise_is_named(network, message):
    model = models.BlockDiffusion(
        kernels.absorbing(schedules.linear, K), network(K + 1, **SMALL), 2
    )
    x = jax.random.randint(RNG, (8, 8), 0, K)
    with pytest.raises(ValueError, match=message):
        model.check(zoo.parameters(model), RNG, x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zoo.block_diffusion("masks", K, 0), "at least 1 token; got block_size=0"),
        (lambda: zoo.block_diffusion("masks", K, 2, sees_time=True), "Build it with sees_time=F"),
        (lambda: zoo.block_diffusion("uniform", K, 2, sees_time=False), "with sees_time=True"),
        (lambda: of(Undropped), "Undropped.__call__ takes no train"),
        (lambda: of(Unread), "Unread has no read(carry, x, p)"),
        (lambda: of(networks.BlockTransformer, zoo.OF_EACH["masks"]), "one kernel for all tokens"),
        (lambda: block_diffusion.BlockBound(block_size=0), "block_size must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def of(network, kernel=None):
    kernel = kernels.absorbing(schedules.linear, K) if kernel is None else kernel
    return models.BlockDiffusion(kernel, network(K + 1, **SMALL))


def test_rows_that_are_none_have_no_bound():
    model, params = made()
    with pytest.raises(ValueError, match=re.escape("Tokens must be in [0, 2)")):
        model.elbo(params, RNG, np.full((1, LENGTH), 2))
    with pytest.raises(ValueError, match="no importance weights"):
        zoo.block_diffusion("uniform", K, 2).log_weight(params, RNG, jnp.asarray(EVERY))
    wrong = models.BlockDiffusion(model.kernel, networks.BlockTransformer(K, **SMALL))
    with pytest.raises(ValueError, match="Build it for 3"):
        jax.eval_shape(wrong.init, RNG, jnp.asarray(EVERY))
