"""Block diffusion: exact laws by enumeration, blocks of one, caches, and what is refused."""

import dataclasses
import functools
import itertools
import re

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
from tests.models.means import assert_mean, assert_same_mean, draws, standard_error
from tests.models.rows import compiled
from tests.variants import quick

RNG = jax.random.key(0)
K, LENGTH = 2, 3
EVERY = enumeration.sequences(K, LENGTH)
SIZES = quick((1, 2, 3), 2)  # 2 does not divide 3


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
    model = dataclasses.replace(model, block_size=size)
    assert_mean(draws(model.elbo, params, EVERY, 4000), mean, 0.05)
    assert (mean <= np.log(p) + 1e-9).all()
    assert (np.log(p) - mean).max() > 0.03 or size == 1, "no bound is tested that is the law"


@pytest.mark.parametrize("size", SIZES)
def test_importance_weights_average_to_the_law(size):
    model, params = made(size)
    assert_mean(np.exp(draws(model.log_weight, params, EVERY, 2000)), law(size), 0.005)


def test_blocks_of_one_have_the_exact_likelihood():
    """By the chain rule; the bound has no variance, and says that it is exact."""
    model, params = made(1)
    nats = draws(model.elbo, params, EVERY, 2)
    np.testing.assert_allclose(nats, [np.log(law(1))] * 2, atol=3e-6)
    assert [bound.name for bound in model.bounds] == ["likelihood", "elbo", "iwbo"]
    assert bounds.of(model)[0].exact


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
def test_samples_are_drawn_from_the_law(size):
    """By a cache, block by block, the last one shorter; one token a call is exact."""
    model, params = made(size)
    x = compiled(functools.partial(model.sample, shape=(4000, LENGTH)))(params, RNG)
    assert x.dtype == jnp.int32
    enumeration.assert_drawn_from(enumeration.number(np.asarray(x), K), law(size))


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


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("noise", ["masks", "uniform"])
def test_a_cache_does_not_change_samples(noise):
    """Long texts, beyond the context: a ring of keys that is written over again and again."""
    model, params = made(4, noise, k=5, context=8)
    length, sampler = 42, samplers.Ancestral(steps=3)
    sample = functools.partial(model.sample, shape=(3, length), sampler=sampler)
    x = compiled(sample)(params, RNG)
    anew = dataclasses.replace(model, network=Uncached(model.network, 4))
    sample = functools.partial(anew.sample, shape=(3, length), sampler=sampler)
    theirs = {"network": {"network": params["network"]}}
    np.testing.assert_array_equal(x, compiled(sample)(theirs, RNG))
    model.check(params, RNG, x)


class OneBlock(nn.Module):
    """The network as a denoiser of one block, at which it looks alone."""

    network: nn.Module

    def __call__(self, x_t, t, *, train=False):
        times = jnp.broadcast_to(t[:, None], x_t.shape)
        return self.network(x_t, x_t, x_t.shape[1], times, train=train)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("noise", zoo.BLOCK_KERNELS)
def test_a_single_block_has_the_bound_of_a_diffusion(noise):
    """In continuous time, of the same network."""
    model, params = made(LENGTH, noise)
    peer = models.Diffusion(model.kernel, OneBlock(model.network), steps=None)
    theirs = draws(peer.elbo, {"network": {"network": params["network"]}}, EVERY, 4000, 0)
    assert standard_error(theirs).max() < 0.3
    assert_same_mean(draws(model.elbo, params, EVERY, 4000), theirs, 0.3)
    assert np.ptp(theirs.mean(axis=0)) > 1 or noise != "masks"


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("noise", ["uniform", "masks_and_uniform"])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_bounds_of_other_noise_leave_no_more_than_all_probability(noise, size):
    model, params = made(size, noise)
    nats = draws(model.elbo, params, EVERY, 4000)
    p = np.exp(nats.mean(axis=0))
    total, slack = p.sum(), ((p * standard_error(nats)) ** 2).sum() ** 0.5
    assert slack < 0.1
    assert 0.5 < total < 1 + 5 * slack
    assert [bound.name for bound in model.bounds] == ["elbo"]


def test_rows_may_have_blocks_of_different_sizes():
    model, params = made()
    elbo = functools.partial(compiled(model.elbo), params, RNG, EVERY[:3])
    nats, ones = elbo(block_size=jnp.array([1, 3, 1])), elbo(block_size=jnp.ones(3, int))
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
    for size, shown in ((64, "blocks of 64, 8 draws each"), (1, "blocks of 1, exact likelihood")):
        assert block_diffusion.BlockBound(block_size=size).describe(model) == shown


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


class Unread(networks.BlockTransformer):
    """Cannot go block by block."""

    read = None


def of(network, kernel=None, states=K + 1):
    kernel = kernels.absorbing(schedules.linear, K) if kernel is None else kernel
    return models.BlockDiffusion(kernel, network(states, width=8, blocks=1, heads=2), 2)


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
    model, x = of(network), jax.random.randint(RNG, (8, 8), 0, K)
    with pytest.raises(ValueError, match=message):
        model.check(zoo.parameters(model), RNG, x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: zoo.block_diffusion("masks", K, 0), "at least 1 token; got block_size=0"),
        (lambda: zoo.block_diffusion("masks", K, 2, sees_time=True), "Build it with sees_time=F"),
        (lambda: zoo.block_diffusion("uniform", K, 2, sees_time=False), "with sees_time=True"),
        (lambda: of(Unread), "Unread has no read(carry, x, p)"),
        (lambda: of(networks.BlockTransformer, zoo.OF_EACH["masks"]), "one kernel for all tokens"),
        (
            lambda: jax.eval_shape(of(networks.BlockTransformer, states=K).init, RNG, EVERY),
            "Build it for 3",
        ),
        (lambda: block_diffusion.BlockBound(block_size=0), "block_size must be at least 1"),
        (
            lambda: block_diffusion.BlockBound().describe(zoo.integer_flow(K)),
            "for a block diffusion; Flow is none",
        ),
        (lambda: made(noise="uniform")[0].log_weight({}, RNG, EVERY), "no importance weights"),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
