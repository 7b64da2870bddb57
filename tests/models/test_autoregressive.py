"""Autoregressive models: exact laws, samples by walking, and what is refused."""

import functools
import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.evaluation import groups, likelihood
from amd_jax.learning import objectives
from amd_jax.models.autoregressive import LeftToRight
from tests import enumeration, zoo
from tests.models.rows import compiled
from tests.variants import quick

RNG = jax.random.key(0)
K = 3
X = jnp.asarray(enumeration.sequences(K, zoo.LENGTH))


@functools.cache
def made(name):
    model = models.Autoregressive(zoo.CAUSAL[name](K))
    return model, zoo.parameters(model)


@functools.cache
def law(name):
    """p(x) of every sequence, (K ** L,)."""
    model, params = made(name)
    return np.exp(np.asarray(compiled(model.log_weight)(params, RNG, X), np.float64))


def draws(name, **how):
    model, params = made(name)
    sample = functools.partial(model.sample, shape=(4000, zoo.LENGTH), sampler=LeftToRight(**how))
    return enumeration.number(np.asarray(compiled(sample)(params, jax.random.key(5))), K)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(zoo.CAUSAL, "table"))
def test_sums_to_one_and_draws_what_it_says(name):
    p = law(name)
    assert p.sum() == pytest.approx(1, abs=1e-6)
    assert p.max() / p.min() > 2  # no uniform law
    enumeration.assert_drawn_from(draws(name), p)


def test_dropout_is_on_in_training_and_only_then():
    calls = []

    class Watched(zoo.CausalTable):
        def __call__(self, x, *, train=False):
            calls.append((train, self.has_rng("dropout")))
            return super().__call__(x, train=train)

    model, x = models.Autoregressive(Watched(K)), jnp.zeros((2, zoo.LENGTH), jnp.int32)
    params = jax.eval_shape(model.init, jax.random.key(0), x)
    loss = functools.partial(objectives.NegativeElbo(model).loss, memory=(), rng=jax.random.key(1))
    for verb, on in ((loss, True), (functools.partial(model.elbo, rng=jax.random.key(1)), False)):
        calls.clear()
        jax.eval_shape(functools.partial(verb, x=x), params)
        assert calls == [(on, on)]


def test_a_table_is_the_product_of_its_rows_whatever_the_axes_of_an_event():
    model, params = made("table")
    rows = np.asarray(jax.nn.softmax(params["network"]["table"]), np.float64)
    joint = (rows[0][:, None] * rows[1 : K + 1]).ravel()
    np.testing.assert_allclose(law("table"), joint, rtol=1e-5)
    result = compiled(model.elbo)(params, RNG, X.reshape(-1, 2, 1))
    np.testing.assert_allclose(np.exp(result), joint, rtol=1e-5)
    assert model.sample(params, jax.random.key(0), (5, 1, 2)).shape == (5, 1, 2)


def test_temperature_and_top_p_sharpen_every_step():
    joint = law("table").reshape(K, K)
    first = joint.sum(axis=1)
    steps = [first, joint / first[:, None]]

    def product(change):
        return (change(steps[0])[:, None] * change(steps[1])).ravel()

    def colder(p):
        return p**2 / (p**2).sum(axis=-1, keepdims=True)

    def likeliest(p):
        kept = np.where(p == p.max(axis=-1, keepdims=True), p, 0)
        return kept / kept.sum(axis=-1, keepdims=True)

    enumeration.assert_drawn_from(draws("table", temperature=0.5), product(colder))
    assert set(draws("table", top_p=0.01)) == {np.argmax(product(likeliest))}
    with pytest.raises(ValueError, match="top_p must be in"):
        LeftToRight(top_p=0.0)


LONGER = [name for name in zoo.CAUSAL if name != "table"]  # which is for two tokens


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", quick(LONGER, "lstm"))
def test_keeps_its_promises(name):
    """For parameters far from the first ones; on rows of several segments, beyond the memory."""
    model = models.Autoregressive(zoo.CAUSAL[name](K))
    length = 8 if name == "xl-pre_norm" else 5
    x = jax.random.randint(jax.random.key(0), (4, length), 0, K)
    model.check(zoo.parameters(model, length=2), jax.random.key(2), x)


class LooksAhead(zoo.CausalTable):
    """Sees the next token."""

    def __call__(self, x, *, train=False):
        return super().__call__(jnp.roll(x, -1, axis=1), train=train)


class WalksAstray(zoo.CausalTable):
    """Forgets what it has read."""

    def advance(self, carry, previous, p):
        return carry, super().advance(carry, previous, p)[1] + 0.1


class Stays(networks.CausalLSTM):
    """Cannot walk."""

    advance = None


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("network", "message"),
    [
        (LooksAhead, "depend on the tokens before only; those of LooksAhead moved"),
        (WalksAstray, "those of WalksAstray are .* apart"),
    ],
)
def test_a_broken_promise_is_told(network, message):
    model = models.Autoregressive(network(K))
    with pytest.raises(ValueError, match=message):
        model.check(model.init(jax.random.key(0), X), jax.random.key(1), X)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Stays(K), "walks, so that samples are drawn; Stays has no advance"),
        (networks.TransformerXL(K, width=6, heads=2), "width=6 and heads=2"),
        (
            networks.TransformerXL(K, **zoo.XL, memory=0, same_length=True),
            "with same_length memory >= 1",
        ),
    ],
)
def test_what_is_no_causal_network_is_refused(network, message):
    with pytest.raises(ValueError, match=message):
        models.Autoregressive(network).init(jax.random.key(0), X)


def small_xl():
    network = networks.TransformerXL(K, **zoo.XL | {"blocks": 1, "segment": 4, "memory": 6})
    model = models.Autoregressive(network)
    return model, zoo.parameters(model, length=2)


@pytest.mark.slow
def test_a_memory_goes_on_from_row_to_row(monkeypatch):
    """Nats in order are those of one long row, whatever the rows."""
    monkeypatch.setattr(groups, "TOKENS", 8)  # rows that are independent come in three groups
    model, params = small_xl()
    bound, elbo = model.bounds[1], compiled(model.elbo)
    x = np.asarray(jax.random.randint(jax.random.key(3), (6, 4), 0, K))
    result = likelihood.nats_of_rows(bound, model, params, jax.random.key(0), x, K)
    assert result.sum() == pytest.approx(float(elbo(params, RNG, x.reshape(1, -1))[0]), rel=1e-5)
    alone = np.asarray(elbo(params, RNG, x))
    assert result[0] == pytest.approx(alone[0], rel=1e-4)
    assert abs(result - alone)[1:].max() > 1e-3


@pytest.mark.slow
def test_a_long_memory_is_for_networks_that_have_one_and_within_the_text():
    model, params = small_xl()
    assert [bound.name for bound in model.bounds] == ["likelihood", "long_memory"]
    assert [bound.name for bound in made("lstm")[0].bounds] == ["likelihood"]
    assert model.bounds[0].describe(model) == "exact likelihood, each by itself"
    bound = models.LongMemory(segment=2, memory=20)
    message = "got memory=20 and 1 x 16 tokens. Evaluate more rows, or use --memory=16."
    with pytest.raises(ValueError, match=re.escape(message)):
        bound(model, params, RNG, jnp.zeros((4, 4), jnp.int32))
    with pytest.raises(ValueError, match="this model has CausalLSTM. Leave it out"):
        bound.describe(made("lstm")[0])


TABLE = np.random.default_rng(0).normal(size=(K + 1, K)).astype(np.float32)
LOG_P = np.asarray(jax.nn.log_softmax(TABLE), np.float64)  # [the token before, or K; the token]


class Pairs(nn.Module):
    """Logits by the token before alone; what it remembers is how many it has read."""

    num_classes: int = K
    segment: int = 4
    memory: int = 2
    clamp: int = 0
    same_length: bool = False

    def blank(self, batch, size=None):
        return jnp.zeros(batch, jnp.int32)

    def read(self, memory, before, *, train=False):
        return jnp.asarray(TABLE)[before], memory + before.shape[1]


class Read:
    """A model of such a network, which cannot walk."""

    network = Pairs()


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(("rows", "streams", "segment"), [(4, 1, 4), (4, 2, 5), (5, 2, 3)])
def test_the_token_before_is_that_of_the_row_before_and_none_where_a_stream_begins(
    rows, streams, segment
):
    x = np.random.default_rng(1).integers(0, K, (rows, 3))
    bound = models.LongMemory(segment=segment, streams=streams)
    nats = jax.jit(lambda x: bound(Read(), {"network": {}}, jax.random.key(0), x))(jnp.asarray(x))
    each = -(-rows // streams)  # rows of a stream
    expected = []
    for row in range(rows):
        before = K if row % each == 0 else x[row - 1, -1]
        expected.append(LOG_P[[before, *x[row, :-1]], x[row]].sum())
    np.testing.assert_allclose(nats, expected, rtol=1e-5)
