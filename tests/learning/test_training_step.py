import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax.devices import parallel
from amd_jax.learning import objectives, training_step
from tests import zoo

X = np.arange(8).reshape(4, 2) % 5
CLASSES = np.random.default_rng(0).integers(0, 5, (32, 2))


def begun(objective, optimizer, params):
    """The state before the first step, on both devices."""
    return parallel.replicate(training_step.init_state(objective, optimizer, params))


def states(objective, batches, params, optimizer=None, ema_decay=0.9, **numbers):
    """The state after a step on each batch; of every number that of both devices."""
    optimizer = optimizer or optax.adam(0.1)
    step = training_step.make_train_step(objective, optimizer, ema_decay, **numbers)
    state, result = begun(objective, optimizer, params), []
    for x in batches:
        state = jax.block_until_ready(step(state, jax.random.key(0), parallel.own(x)))
        result.append(jax.device_get(state))
    return result


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


def test_two_devices_make_the_step_of_one():
    """Gradients are averaged, evidence is added, and all devices agree.

    The average of the parameters is a mean at first, and decays later.
    """
    assert jax.local_device_count() == 2
    average = w = np.array([1.0, -1.0])
    history = states(Recorded(), [X] * 4, {"w": jnp.array(w)}, optax.sgd(0.1), ema_decay=0.7)
    for number, result in enumerate(history, start=1):
        gradient = 2 * (w - X).mean(axis=0)
        w = w - 0.1 * gradient
        average = average + max(0.3, 1 / (number + 1)) * (w - average)
        for device in range(2):
            np.testing.assert_allclose(result.params["w"][device], w, rtol=1e-6)
            np.testing.assert_allclose(result.ema["w"][device], average, rtol=1e-5)
        np.testing.assert_allclose(result.memory[0], [4 * number, X.sum() * number])
        norm = result.tally["grad_norm"][0]
        np.testing.assert_allclose(norm, np.linalg.norm(gradient), rtol=1e-5)
        assert result.step[0] == number
    for leaf in jax.tree.leaves(history[-1]):
        np.testing.assert_array_equal(leaf[0], leaf[1])


def test_devices_and_steps_have_their_own_noise():
    objective = Recorded()
    objective.loss = lambda params, memory, rng, x: (
        jnp.zeros(x.shape[0]) + 0 * params["w"].sum(),
        jnp.where(jax.lax.axis_index("batch") == jnp.arange(2), jax.random.uniform(rng), 0),
    )
    seen = [state.memory[0] for state in states(objective, [X] * 3, {"w": jnp.zeros(2)})]
    assert len(np.unique(np.diff(seen, axis=0, prepend=0))) == 6


def test_state_is_donated_and_without_an_average_aliases_nothing():
    objective, optimizer = Recorded(), optax.adam(0.1)
    state = begun(objective, optimizer, {"w": jnp.zeros(2)})
    first = training_step.make_train_step(objective, optimizer, ema_decay=0.0)
    new = jax.block_until_ready(first(state, jax.random.key(0), parallel.own(X)))
    assert state.params["w"].is_deleted()
    assert not new.params["w"].is_deleted()
    np.testing.assert_array_equal(new.ema["w"], new.params["w"])


class Table:
    """-log p of a learned law; deterministic, so that parts cannot differ by their noise."""

    def init(self):
        return jnp.zeros(5)

    def loss(self, params, memory, rng, x):
        nats = -jax.nn.log_softmax(params["logits"])[x].sum(axis=-1)
        return nats, jnp.zeros(5).at[x].add(1.0)

    def update(self, memory, evidence):
        return memory + evidence


def of_table(batches, objective=None, optimizer=None, **numbers):
    """The states of the first device after a step on each batch."""
    params = {"logits": jnp.zeros(5)}
    result = states(objective or Table(), batches, params, optimizer, **numbers)
    return [jax.tree.map(lambda a: a[0], state) for state in result]


def test_accumulated_gradients_are_those_of_the_large_batch():
    whole, parts = (of_table([CLASSES] * 3, accumulate=number) for number in (1, 4))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), whole, parts)
    assert whole[-1].memory.sum() == parts[-1].memory.sum() == 3 * 64


@pytest.mark.parametrize("clip", [0.5, 1000.0])
def test_a_large_gradient_is_scaled_down_and_a_small_one_stays(clip):
    """That of five logits of 0 by two tokens of class 0 is 2 (1/5 - 1), and 2/5 of the others."""
    (state,) = of_table([np.zeros((32, 2), int)], optimizer=optax.sgd(1.0), clip=clip)
    plain = np.array([1.6, *[-0.4] * 4])
    norm = np.linalg.norm(plain)
    np.testing.assert_allclose(state.params["logits"], min(1, clip / norm) * plain, rtol=1e-6)
    np.testing.assert_allclose(state.tally["grad_norm"], norm, rtol=1e-6)


@pytest.mark.few(1)
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_what_is_not_finite_reaches_nothing(number):
    """Not by the loss, nor by the gradient, the update, or what the objective remembers."""

    def loss(params, memory, rng, x):
        nats, evidence = Table.loss(objective, params, memory, rng, x)
        return nats * jnp.where(kind == "loss", number, 1), evidence

    def update(memory, evidence):
        return memory + evidence * jnp.where(kind == "memory", number, 1)

    def scale(updates, state, params=None):
        return jax.tree.map(lambda u: u * number, updates), state

    objective = Table()
    objective.loss, objective.update = loss, update
    for kind in ("loss", "update", "memory"):  # noqa: B007  read by the functions above
        optimizer = optax.adam(0.1)
        if kind == "update":
            optimizer = optax.chain(optimizer, optax.GradientTransformation(lambda p: (), scale))
        history = of_table([CLASSES] * 3, objective, optimizer)
        state = history[-1]
        assert (state.step, state.skipped, state.in_a_row) == (3, 3, 3)
        assert [each.tally["loss_nats"] for each in history] == [0, 0, 0]
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
    batches = [np.full((4, 2), which) for which in range(21)]
    history = states(Drawers(), batches, {"w": jnp.ones(2)})
    counts = [(state.skipped[0], state.in_a_row[0]) for state in history]
    assert counts == [*((n, n) for n in range(1, 21)), (20, 0)]
    np.testing.assert_array_equal(np.asarray(history[-1].memory)[:, 0], 2)  # of two devices


@pytest.mark.slow
def test_no_program_of_the_compiler_reads_all_parameters():
    """Of a number that all are summed up to, XLA makes one, and a copy wherever it is used."""
    objective, optimizer = Recorded(), optax.adam(0.1)
    params = {"w": jnp.zeros(2)} | {str(i): jnp.zeros(i % 7 + 1) for i in range(60)}
    step = training_step.make_train_step(objective, optimizer, 0.9, clip=1.0)
    state = begun(objective, optimizer, params)
    program = step.lower(state, jax.random.key(0), parallel.own(X)).compile().as_text()
    fused = [part for part in program.split("\n\n") if part.startswith("%fused")]
    assert len(fused) > 60
    assert max(part.count(" parameter(") for part in fused) < 40


def test_what_starts_infinite_may_stay_so():
    """Such as the best loss so far that an optimiser remembers."""
    remember = optax.GradientTransformation(
        lambda params: jnp.inf, lambda updates, state, params=None: (updates, state)
    )
    state = of_table([CLASSES], optimizer=optax.chain(optax.adam(0.1), remember))[-1]
    assert (state.skipped, state.opt[1]) == (0, np.inf)


@pytest.mark.slow
def test_tokens_of_any_integer_type_train_the_model():
    model = zoo.diffusion("uniform-cosine", "hollow_table", 4)
    objective, params = objectives.ImportanceSampledElbo(model), zoo.parameters(model)
    x = zoo.Pairs().batch(0, 0, 8)
    result = [states(objective, [x.astype(kind)], params) for kind in (np.uint8, np.int32)]
    jax.tree.map(np.testing.assert_array_equal, *result)
    assert result[0][0].memory["count"][0].sum() == 8


def test_the_tally_sums_the_steps_that_are_logged_together():
    """Of every two steps, those that were skipped apart; it starts anew after each pair."""

    def loss(params, memory, rng, x):
        nats, evidence = Table.loss(objective, params, memory, rng, x)
        return jnp.where(memory.sum() == 2 * 64, jnp.nan, 1.0) * nats, evidence

    objective = Table()
    single = [state.tally["loss_nats"] for state in of_table([CLASSES] * 2)]
    objective.loss = loss
    result = [state.tally for state in of_table([CLASSES] * 5, objective, log_every=2)]
    np.testing.assert_allclose(result[1]["loss_nats"], sum(single), rtol=1e-6)
    assert [(t["taken"], t["skipped"]) for t in result] == [(1, 0), (2, 0), (0, 1), (0, 2), (0, 1)]
    assert result[3]["loss_nats"] == result[3]["grad_norm"] == 0
