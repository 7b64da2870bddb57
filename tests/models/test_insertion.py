"""A model of lines that inserts tokens: its bound is one, it can learn, and samples are lines."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion.exact import insertions
from amd_jax.models import declared
from amd_jax.models.bounds import DrawnTimes
from amd_jax.types import Model
from tests import zoo

K, LENGTH = 2, 3
LINES = insertions.lines(K, LENGTH)
NETWORK = networks.InsertionNet(networks.Transformer(K + 3, width=16, blocks=1, heads=2), K)
MODEL = models.Insertion(NETWORK, K)
ELBO = jax.jit(MODEL.elbo)


@functools.cache
def params():
    return zoo.drawn(MODEL, jnp.asarray(LINES), scale=0.3)


def test_it_is_a_model_with_samplers_and_bounds():
    assert isinstance(MODEL, Model)
    assert [sampler.name for sampler in declared.samplers(MODEL)] == ["tau_leaping"]
    assert models.Insertion.bounds == (DrawnTimes(),)


@pytest.mark.slow
def test_bounds_leave_no_more_than_all_probability():
    """Of a random network, by the mean of many times; some of it is left for no line at all."""
    bound = jax.jit(functools.partial(DrawnTimes(3000), MODEL))
    nats = bound(params(), jax.random.key(0), jnp.asarray(LINES))
    assert 0.01 < np.exp(np.asarray(nats, np.float64)).sum() < 1


def test_samples_are_lines_which_grow_on_a_walk():
    """From nothing, by masks which are tokens in the end."""
    sampler = dataclasses.replace(MODEL.samplers[0], steps=16)
    states = list(MODEL.walk(params(), jax.random.key(0), (512, LENGTH), 5, sampler))
    assert [t for t, _ in states] == [1, 0.75, 0.5, 0.25, 0]
    sizes = np.array([(x != K).sum(axis=1) for _, x in states])
    assert not sizes[0].any()
    assert (np.diff(sizes, axis=0) >= 0).all()
    assert [bool((x == K + 1).any()) for _, x in states] == [False, True, True, True, False]
    assert set(sizes[-1]) == {0, 1, 2, 3}
    sample = jax.jit(functools.partial(MODEL.sample, sampler=sampler), static_argnums=2)
    drawn = sample(params(), jax.random.key(0), (512, LENGTH))
    assert drawn.dtype == jnp.int32
    for x in (drawn, states[-1][1]):
        assert {tuple(row) for row in x.tolist()} <= {tuple(line) for line in LINES.tolist()}


@pytest.mark.slow
def test_gradients_are_finite_for_every_line_at_all_times():
    def loss(params):
        return -MODEL.elbo(params, jax.random.key(1), jnp.tile(LINES, (64, 1))).mean()

    for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params())):
        assert jnp.isfinite(leaf).all()
        assert jnp.abs(leaf).max() > 0


@pytest.mark.parametrize(
    ("rows", "match"),
    [([[2, 0, 2]], "row 0 has tokens"), ([[0, 3, 2]], "Tokens must be in"), ([[-1, 2, 2]], "-1")],
)
def test_what_is_no_line_has_no_bound(rows, match):
    with pytest.raises(ValueError, match=match):
        MODEL.elbo(params(), jax.random.key(0), jnp.array(rows))
    nats = ELBO(params(), jax.random.key(0), np.array([*rows, [0, 1, 2]]))
    assert np.isnan(nats).tolist() == [True, False]


class Endless(nn.Module):
    """Expects a token in each gap whatever the time."""

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        gaps = self.param("gaps", nn.initializers.zeros, x_t.shape[1] + 1)
        return jnp.broadcast_to(gaps, (len(x_t), len(gaps))), jnp.zeros((*x_t.shape, K))


def test_a_network_whose_gaps_do_not_die_out_is_refused():
    MODEL.check(params(), jax.random.key(0), jnp.asarray(LINES))
    model = models.Insertion(Endless(), K)
    endless = zoo.drawn(model, jnp.asarray(LINES), scale=0.0)
    with pytest.raises(ValueError, match="insertions never stop"):
        model.check(endless, jax.random.key(0), jnp.asarray(LINES))


def made(tokens, x):
    jax.eval_shape(models.Insertion(NETWORK, tokens).init, jax.random.key(0), x)


@pytest.mark.parametrize(
    ("ask", "match"),
    [
        (lambda: made(3, LINES), r"gaps \(15, 4\) and logits \(15, 3, 3\)"),
        (lambda: made(K, jnp.zeros((2, 3, 3), jnp.int32)), "rows"),
        (lambda: models.Insertion(NETWORK, 0), "at least 1"),
        (lambda: MODEL.log_weight({}, jax.random.key(0), LINES), "no importance weights"),
    ],
)
def test_what_does_not_fit_is_refused(ask, match):
    with pytest.raises(ValueError, match=match):
        ask()
