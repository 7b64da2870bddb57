import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax.devices import parallel
from amd_jax.learning import objectives, training_step
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
    train_step = training_step.make_train_step(objective, optimizer, ema_decay)
    state = parallel.replicate(training_step.init_state(objective, optimizer, params))
    history = []
    for _ in range(num_steps):
        state = jax.block_until_ready(train_step(state, jax.random.key(0), parallel.own(X)))
        history.append(jax.device_get(parallel.unreplicate(state)))
    return state, history


def test_two_devices_make_the_step_of_one():
    """Gradients are averaged, evidence is added, and all devices agree."""
    assert jax.local_device_count() == 2
    state, history = run()
    w = np.array([1.0, -1.0])
    for number, result in enumerate(history, start=1):
        gradient = 2 * (w - X).mean(axis=0)
        w = w - 0.1 * gradient
        np.testing.assert_allclose(result.params["w"], w, rtol=1e-6)
        np.testing.assert_allclose(result.memory, [4 * number, X.sum() * number])
        norm = result.tally["grad_norm"]
        np.testing.assert_allclose(norm, np.linalg.norm(gradient), rtol=1e-5)
        assert result.step == number
    for leaf in jax.tree.leaves(jax.device_get(state)):
        np.testing.assert_array_equal(leaf[0], leaf[1])


def test_devices_and_steps_have_their_own_noise():
    objective, seen = Recorded(), []
    objective.loss = lambda params, memory, rng, x: (
        jnp.zeros(x.shape[0]) + 0 * params["w"].sum(),
        jnp.where(jax.lax.axis_index("batch") == jnp.arange(2), jax.random.uniform(rng), 0),
    )
    optimizer = optax.sgd(0.1)
    state = parallel.replicate(training_step.init_state(objective, optimizer, {"w": jnp.zeros(2)}))
    train_step = training_step.make_train_step(objective, optimizer, 0.5)
    for _ in range(3):
        state = jax.block_until_ready(train_step(state, jax.random.key(0), parallel.own(X)))
        seen.append(np.asarray(state.memory[0]))
    assert len(np.unique(np.diff(seen, axis=0, prepend=0))) == 6


@pytest.mark.slow
def test_average_is_a_mean_at_first_and_decays_later():
    _, history = run(ema_decay=0.6, num_steps=4)
    values = [np.array([1.0, -1.0])] + [state.params["w"] for state in history]
    average = values[0]
    for number, rate in enumerate([1 / 2, 0.4, 0.4, 0.4], start=1):
        average = average + rate * (values[number] - average)
        np.testing.assert_allclose(history[number - 1].ema["w"], average, rtol=1e-5)
    _, history = run(ema_decay=0.0)
    np.testing.assert_array_equal(history[-1].ema["w"], history[-1].params["w"])


def test_state_is_donated_and_does_not_alias_itself():
    objective, optimizer = Recorded(), optax.adam(0.1)
    state = parallel.replicate(training_step.init_state(objective, optimizer, {"w": jnp.zeros(2)}))
    first = training_step.make_train_step(objective, optimizer, 0.5)
    new = jax.block_until_ready(first(state, jax.random.key(0), parallel.own(X)))
    assert state.params["w"].is_deleted()
    assert not new.params["w"].is_deleted()


class Table:
    """-log p of a learned law; deterministic, so that parts cannot differ by their noise."""

    def init(self):
        return jnp.zeros(5)

    def loss(self, params, memory, rng, x):
        nats = -jax.nn.log_softmax(params["logits"])[x].sum(axis=-1)
        return nats, jnp.zeros(5).at[x].add(1.0)

    def update(self, memory, evidence):
        return memory + evidence


def table(accumulate, batch, objective=None, optimizer=None, clip=0.0, num_steps=3):
    """The state after some steps on x (32, 2), and the losses of the steps."""
    objective, optimizer = objective or Table(), optimizer or optax.adam(0.1)
    train_step = training_step.make_train_step(objective, optimizer, 0.9, accumulate, clip)
    params = {"logits": jnp.zeros(5)}
    state = parallel.replicate(training_step.init_state(objective, optimizer, params))
    losses = []
    for _ in range(num_steps):
        state = jax.block_until_ready(train_step(state, jax.random.key(0), parallel.own(batch)))
        losses.append(float(state.tally["loss_nats"][0]))
    return jax.device_get(parallel.unreplicate(state)), losses


@pytest.mark.slow
def test_accumulated_gradients_are_those_of_the_large_batch():
    x = np.random.default_rng(0).integers(0, 5, (32, 2))
    (whole, losses), (parts, others) = table(1, x), table(4, x)
    np.testing.assert_allclose(losses, others, rtol=1e-6)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), whole, parts)
    assert whole.memory.sum() == parts.memory.sum() == 3 * 64


@pytest.mark.slow
def test_a_large_gradient_is_scaled_down_and_told_as_it_was():
    x = np.zeros((32, 2), int)
    plain, small = (
        table(1, x, optimizer=optax.sgd(1.0), clip=clip, num_steps=1)[0].params["logits"]
        for clip in (0.0, 0.5)
    )
    np.testing.assert_allclose(small, 0.5 * plain / np.linalg.norm(plain), rtol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite_reaches_nothing(number):
    """Not by the loss, nor by the gradient, the update, or what the objective remembers."""

    def loss(params, memory, rng, x):
        nats, evidence = Table.loss(Table(), params, memory, rng, x)
        return nats * jnp.where(kind == "loss", number, 1), evidence

    def update(memory, evidence):
        return memory + evidence * jnp.where(kind == "memory", number, 1)

    def scale(updates, state, params=None):
        return jax.tree.map(lambda u: u * number, updates), state

    objective = Table()
    objective.loss, objective.update = loss, update
    x = np.random.default_rng(0).integers(0, 5, (32, 2))
    for kind in ("loss", "update", "memory"):  # noqa: B007  read by the functions above
        optimizer = optax.adam(0.1)
        if kind == "update":
            optimizer = optax.chain(optimizer, optax.GradientTransformation(lambda p: (), scale))
        state, losses = table(1, x, objective, optimizer)
        assert (state.step, state.skipped, state.in_a_row) == (3, 3, 3)
        assert losses == [0, 0, 0]
        np.testing.assert_array_equal(state.params["logits"], np.zeros(5))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state))


class Drawers:
    """Twenty memories of one shape; the batch says which of them breaks."""

    def init(self):
        return [jnp.zeros(3) for _ in range(20)]

    def loss(self, params, memory, rng, x):
        nats = (params["w"] ** 2).sum() * jnp.ones(len(x))
        return nats, [jnp.where(x.max() == i, jnp.nan, 1.0) * jnp.ones(3) for i in range(20)]

    def update(self, memory, evidence):
        return jax.tree.map(jnp.add, memory, evidence)


def test_a_broken_number_is_noticed_wherever_it_is():
    objective, optimizer = Drawers(), optax.sgd(0.1)
    state = training_step.init_state(objective, optimizer, {"w": jnp.ones(2)})
    state = parallel.replicate(state)
    train_step = training_step.make_train_step(objective, optimizer, 0.9)
    for which in range(21):
        x = parallel.own(np.full((4, 2), which))
        state = jax.block_until_ready(train_step(state, jax.random.key(0), x))
        taken = which == 20
        assert (state.skipped[0], state.in_a_row[0]) == ((20, 0) if taken else (which + 1,) * 2)
    np.testing.assert_array_equal(np.asarray(state.memory)[:, 0], 2)  # of two devices


@pytest.mark.slow
def test_no_program_of_the_compiler_reads_all_parameters():
    """Of a number that all are summed up to, XLA makes one, and a copy wherever it is used."""
    objective, optimizer = Recorded(), optax.adam(0.1)
    params = {"w": jnp.zeros(2)} | {str(i): jnp.zeros(i % 7 + 1) for i in range(60)}
    state = parallel.replicate(training_step.init_state(objective, optimizer, params))
    step = training_step.make_train_step(objective, optimizer, 0.9, clip=1.0)
    program = step.lower(state, jax.random.key(0), parallel.own(X)).compile().as_text()
    fused = [part for part in program.split("\n\n") if part.startswith("%fused")]
    assert len(fused) > 60
    assert max(part.count(" parameter(") for part in fused) < 40


def test_what_starts_infinite_may_stay_so():
    """Such as the best loss so far that an optimiser remembers."""
    remember = optax.GradientTransformation(
        lambda params: jnp.inf, lambda updates, state, params=None: (updates, state)
    )
    optimizer = optax.chain(optax.adam(0.1), remember)
    state, _ = table(1, np.zeros((32, 2), int), optimizer=optimizer)
    assert (state.skipped, state.opt[1]) == (0, np.inf)


@pytest.mark.slow
def test_tokens_of_any_integer_type_train_the_model():
    model = zoo.diffusion("uniform-cosine", "hollow_table", 4)
    objective, optimizer = objectives.ImportanceSampledElbo(model), optax.sgd(0.1)
    result = []
    for dtype in (np.uint8, np.int32):
        state = parallel.replicate(
            training_step.init_state(objective, optimizer, zoo.parameters(model))
        )
        x = parallel.own(zoo.Pairs().batch(0, 0, 8).astype(dtype))
        step = training_step.make_train_step(objective, optimizer, 0.9)
        state = jax.block_until_ready(step(state, jax.random.key(0), x))
        result.append(jax.device_get(parallel.unreplicate(state)))
    jax.tree.map(np.testing.assert_array_equal, *result)
    assert result[0].memory["count"].sum() == 8


def test_the_tally_sums_the_steps_that_are_logged_together():
    """Of every two steps, those that were skipped apart; it starts anew after each pair."""

    def loss(params, memory, rng, x):
        nats, evidence = Table.loss(Table(), params, memory, rng, x)
        return jnp.where(memory.sum() == 2 * 64, jnp.nan, 1.0) * nats, evidence

    def update(memory, evidence):
        return memory + evidence

    objective, x = Table(), np.random.default_rng(0).integers(0, 5, (32, 2))
    single = table(1, x, num_steps=3)[1]
    objective.loss, objective.update = loss, update
    train_step = training_step.make_train_step(objective, optax.adam(0.1), 0.9, log_every=2)
    fresh = training_step.init_state(objective, optax.adam(0.1), {"logits": jnp.zeros(5)})
    state, result = parallel.replicate(fresh), []
    for _ in range(5):
        state = jax.block_until_ready(train_step(state, jax.random.key(0), parallel.own(x)))
        result.append(jax.device_get(parallel.unreplicate(state.tally)))
    np.testing.assert_allclose(result[1]["loss_nats"], sum(single[:2]), rtol=1e-6)
    assert [(t["taken"], t["skipped"]) for t in result] == [(1, 0), (2, 0), (0, 1), (0, 2), (0, 1)]
    assert result[3]["loss_nats"] == result[3]["grad_norm"] == 0


def test_the_average_starts_as_a_mean():
    _, history = run(ema_decay=0.999, num_steps=2)
    mean = np.mean([[1.0, -1.0], *(state.params["w"] for state in history)], axis=0)
    np.testing.assert_allclose(history[-1].ema["w"], mean, rtol=1e-5)


def test_a_small_gradient_is_not_scaled_up():
    """That of five logits of 0 by two tokens of class 0 is 2 (1/5 - 1), and 2/5 of the others."""
    state, _ = table(1, np.zeros((32, 2), int), optimizer=optax.sgd(1.0), clip=1000.0, num_steps=1)
    np.testing.assert_allclose(state.params["logits"], [1.6, *[-0.4] * 4], rtol=1e-6)
