import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax.training import objectives
from amd_jax.training import step as steps
from tests import zoo


class Recorded:
    """Squared distance to a parameter; the memory counts examples and sums them."""

    def init(self):
        return jnp.zeros(2)

    def loss(self, params, memory, rng, x):
        noise = 0.1 * jax.random.normal(rng, x.shape[:1])
        nats = ((params["w"] - x) ** 2).sum(axis=-1) + noise
        return nats, jnp.array([x.shape[0], x.sum()])

    def update(self, memory, evidence):
        return memory + evidence


X = np.arange(8).reshape(4, 2) % 5


def run(ema_decay=0.5, num_steps=3, optimizer=None):
    optimizer = optax.sgd(0.1) if optimizer is None else optimizer
    objective, params = Recorded(), {"w": jnp.array([1.0, -1.0])}
    train_step = steps.make_train_step(objective, optimizer, ema_decay)
    state = steps.replicate(steps.init_state(objective, optimizer, params))
    history = []
    for _ in range(num_steps):
        state, metrics = train_step(state, jax.random.key(0), steps.shard(X))
        jax.block_until_ready(metrics)
        history.append((jax.device_get(steps.unreplicate(state)), jax.device_get(metrics)))
    return state, history


def test_two_devices_make_the_step_of_one():
    """Gradients are averaged, evidence is added, and all devices agree."""
    assert jax.local_device_count() == 2
    state, history = run()
    w = np.array([1.0, -1.0])
    for number, (found, metrics) in enumerate(history, start=1):
        gradient = 2 * (w - X).mean(axis=0)
        w = w - 0.1 * gradient
        np.testing.assert_allclose(found.params["w"], w, rtol=1e-6)
        np.testing.assert_allclose(found.memory, [4 * number, X.sum() * number])
        np.testing.assert_allclose(
            metrics["grad_norm"], np.full(2, np.linalg.norm(gradient)), rtol=1e-5
        )
        assert found.step == number
    for leaf in jax.tree.leaves(jax.device_get(state)):
        np.testing.assert_array_equal(leaf[0], leaf[1])


def test_devices_and_steps_have_their_own_noise():
    objective, seen = Recorded(), []
    objective.loss = lambda params, memory, rng, x: (
        jnp.zeros(x.shape[0]) + 0 * params["w"].sum(),
        jnp.where(jax.lax.axis_index("batch") == jnp.arange(2), jax.random.uniform(rng), 0),
    )
    optimizer = optax.sgd(0.1)
    state = steps.replicate(steps.init_state(objective, optimizer, {"w": jnp.zeros(2)}))
    train_step = steps.make_train_step(objective, optimizer, 0.5)
    for _ in range(3):
        state, metrics = train_step(state, jax.random.key(0), steps.shard(X))
        jax.block_until_ready(metrics)
        seen.append(np.asarray(state.memory[0]))
    assert len(np.unique(np.diff(seen, axis=0, prepend=0))) == 6


def test_average_is_a_mean_at_first_and_decays_later():
    _, history = run(ema_decay=0.6, num_steps=4)
    values = [np.array([1.0, -1.0])] + [state.params["w"] for state, _ in history]
    average = values[0]
    for number, rate in enumerate([1 / 2, 0.4, 0.4, 0.4], start=1):
        average = average + rate * (values[number] - average)
        np.testing.assert_allclose(history[number - 1][0].ema["w"], average, rtol=1e-5)
    _, history = run(ema_decay=0.999)
    mean = np.mean([[1.0, -1.0], *(state.params["w"] for state, _ in history)], axis=0)
    np.testing.assert_allclose(history[-1][0].ema["w"], mean, rtol=1e-5)
    _, history = run(ema_decay=0.0)
    np.testing.assert_array_equal(history[-1][0].ema["w"], history[-1][0].params["w"])


def test_state_is_donated_and_does_not_alias_itself():
    objective, optimizer = Recorded(), optax.adam(0.1)
    state = steps.replicate(steps.init_state(objective, optimizer, {"w": jnp.zeros(2)}))
    first = steps.make_train_step(objective, optimizer, 0.5)
    new, metrics = first(state, jax.random.key(0), steps.shard(X))
    jax.block_until_ready(metrics)
    assert state.params["w"].is_deleted()
    assert not new.params["w"].is_deleted()


@pytest.mark.parametrize(("size", "near"), [(5, "4 or 6"), (1, "2")])
def test_batches_that_do_not_divide_are_refused(size, near):
    with pytest.raises(ValueError, match=f"2 local devices; got {size}.*batch_size={near}"):
        steps.shard(np.zeros((size, 2)))


def test_tokens_of_any_integer_type_train_the_model():
    model = zoo.diffusion("uniform-cosine", "hollow_table", 4)
    objective, optimizer = objectives.ImportanceSampledElbo(model), optax.sgd(0.1)
    found = []
    for dtype in (np.uint8, np.int32):
        state = steps.replicate(steps.init_state(objective, optimizer, zoo.parameters(model)))
        x = steps.shard(zoo.Pairs().batch(0, 0, 8).astype(dtype))
        state, metrics = steps.make_train_step(objective, optimizer, 0.9)(
            state, jax.random.key(0), x
        )
        jax.block_until_ready(metrics)
        found.append(jax.device_get(steps.unreplicate(state)))
    jax.tree.map(np.testing.assert_array_equal, *found)
    assert found[0].memory["count"].sum() == 8
