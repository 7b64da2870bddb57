"""Autoregressive models: exact laws, samples by walking, and what is refused."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax import models, networks
from amd_jax.data import toy
from amd_jax.evaluation import groups, likelihood
from amd_jax.learning import objectives
from amd_jax.models.autoregressive import LeftToRight
from tests import enumeration, zoo
from tests.variants import quick

RNG = jax.random.key(0)
K = 3
NETWORKS = quick(zoo.CAUSAL, "table")
compiled = functools.partial(jax.jit, compiler_options=zoo.HASTE)


@functools.cache
def made(name):
    model = models.Autoregressive(zoo.CAUSAL[name](K))
    return model, zoo.parameters(model)


@functools.cache
def law(name):
    """p(x) of every sequence, (K ** L,)."""
    model, params = made(name)
    x = jnp.asarray(enumeration.sequences(K, zoo.LENGTH))
    return np.exp(np.asarray(compiled(model.log_weight)(params, RNG, x), np.float64))


def draws(name, **how):
    model, params = made(name)
    sample = functools.partial(model.sample, shape=(4000, zoo.LENGTH), sampler=LeftToRight(**how))
    return enumeration.number(np.asarray(compiled(sample)(params, jax.random.key(5))), K)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", NETWORKS)
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


def test_a_table_is_the_product_of_its_rows():
    model, params = made("table")
    rows = np.asarray(jax.nn.softmax(params["network"]["table"]), np.float64)
    joint = rows[0][:, None] * rows[1 : K + 1]
    np.testing.assert_allclose(law("table"), joint.ravel(), rtol=1e-5)


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


class Undropped(zoo.CausalTable):
    """Takes no train."""

    def __call__(self, x):
        return super().__call__(x)


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
    x = jnp.asarray(enumeration.sequences(K, zoo.LENGTH))
    with pytest.raises(ValueError, match=message):
        model.check(model.init(jax.random.key(0), x), jax.random.key(1), x)


def test_what_is_no_causal_network_is_refused():
    with pytest.raises(ValueError, match="walks, so that samples are drawn; Stays has no advance"):
        models.Autoregressive(Stays(K))
    with pytest.raises(ValueError, match="Undropped.__call__ takes no train"):
        models.Autoregressive(Undropped(K))
    with pytest.raises(ValueError, match="width=6 and heads=2"):
        made_of(networks.TransformerXL(K, width=6, heads=2))
    with pytest.raises(ValueError, match="with same_length memory >= 1"):
        made_of(networks.TransformerXL(K, **zoo.XL, memory=0, same_length=True))


def made_of(network):
    model = models.Autoregressive(network)
    return model, model.init(jax.random.key(0), jnp.zeros((2, 4), jnp.int32))


def test_events_of_several_axes_go_row_by_row():
    model, params = made("table")
    x = jnp.asarray(enumeration.sequences(K, zoo.LENGTH))
    result = compiled(model.elbo)(params, RNG, x.reshape(-1, 2, 1))
    np.testing.assert_allclose(np.exp(result), law("table"), rtol=1e-5)
    assert model.sample(params, jax.random.key(0), (5, 1, 2)).shape == (5, 1, 2)
    with pytest.raises(ValueError, match=r"Tokens must be in \[0, 3\)"):
        model.elbo(params, RNG, x + 1)


def small_xl():
    network = networks.TransformerXL(K, **zoo.XL | {"blocks": 1, "segment": 4, "memory": 6})
    model = models.Autoregressive(network)
    return model, zoo.parameters(model, length=2)


@pytest.mark.slow
def test_a_memory_goes_on_from_row_to_row(monkeypatch):
    """Nats in order are those of one long row, whatever the rows; and of each stream."""
    monkeypatch.setattr(groups, "TOKENS", 8)  # rows that are independent come in three groups
    model, params = small_xl()
    bound, elbo = model.bounds[1], compiled(model.elbo)
    x = np.asarray(jax.random.randint(jax.random.key(3), (6, 4), 0, K))
    result = likelihood.nats_of_rows(bound, model, params, jax.random.key(0), x, K)
    assert result.sum() == pytest.approx(float(elbo(params, RNG, x.reshape(1, -1))[0]), rel=1e-5)
    alone = np.asarray(elbo(params, RNG, x))
    assert result[0] == pytest.approx(alone[0], rel=1e-4)
    assert abs(result - alone)[1:].max() > 1e-3
    two = compiled(functools.partial(models.LongMemory(streams=2), model))(params, RNG, x[:5])
    np.testing.assert_allclose(two[:3], result[:3], rtol=1e-4)
    assert float(two[3]) == pytest.approx(alone[3], rel=1e-4)
    assert two.shape == (5,)


@pytest.mark.slow
def test_the_protocol_is_told_and_a_memory_beyond_the_text_refused():
    model, params = small_xl()
    names = [bound.name for bound in model.bounds]
    assert names == ["likelihood", "long_memory"]
    assert model.bounds[0].describe(model) == "exact likelihood, each by itself"
    bound = models.LongMemory(segment=2, memory=20, clamp=5, same_length=True)
    want = "in order: segments of 2, memory 20, distances clamped at 5, same_length"
    assert want in bound.describe(model)
    assert "segments of 4, memory 6, no clamp, not same_length" in model.bounds[1].describe(model)
    x = jnp.zeros((4, 4), jnp.int32)
    message = "got memory=20 and 1 x 16 tokens. Evaluate more rows, or use --memory=16."
    with pytest.raises(ValueError, match=re.escape(message)):
        bound(model, params, RNG, x)
    assert [bound.name for bound in made("lstm")[0].bounds] == ["likelihood"]
    with pytest.raises(ValueError, match="this model has CausalLSTM. Leave it out"):
        bound.describe(made("lstm")[0])


@pytest.mark.exhaustive  # test_learning.py trains causal networks
@pytest.mark.slow
def test_learns_the_potts_model():
    """Nine cells, every state of which is weighed: within 0.03 of 7.8909 nats, and not below."""
    data = toy.potts()
    network = networks.CausalTransformer(K, width=64, blocks=1, heads=2, taps=9)
    model, steps = models.Autoregressive(network), 500
    objective = objectives.NegativeElbo(model)
    optimizer = optax.adam(optax.warmup_cosine_decay_schedule(0.0, 3e-3, 50, steps))

    def step(carry, x):
        params, state = carry

        def loss(params):
            return objective.loss(params, (), jax.random.key(0), x)[0].mean()

        grads = jax.grad(loss)(params)
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), None

    rows = jnp.asarray([data.batch(0, i, 256) for i in range(steps)], jnp.int32)
    params = jax.jit(model.init)(jax.random.key(0), rows[0])
    (params, _), _ = jax.jit(functools.partial(jax.lax.scan, step))(
        (params, optimizer.init(params)), rows
    )
    x = enumeration.sequences(K, 9)
    result = np.asarray(jax.jit(model.elbo)(params, RNG, x), np.float64)
    law = data.log_prob(x)
    assert np.exp(result).sum() == pytest.approx(1, abs=1e-4)
    assert -(np.exp(law) * law).sum() == pytest.approx(7.8909, abs=1e-4)
    assert 0 <= (np.exp(law) * (law - result)).sum() < 0.03
