import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import bounds
from amd_jax.learning import block_objectives, learned_objectives, objectives
from tests import enumeration, zoo
from tests.models.means import assert_mean
from tests.variants import quick

STEPS = 5
X = enumeration.sequences(3, zoo.LENGTH)


@pytest.fixture(scope="module")
def model():
    return zoo.diffusion("uniform-cosine", "table", STEPS)


@pytest.fixture(scope="module")
def params(model):
    return zoo.parameters(model)


def losses(objective, params, memory, draws=4000):
    rows = jnp.tile(X, (draws, 1))
    nats, evidence = jax.jit(objective.loss)(params, memory, jax.random.key(0), rows)
    return np.asarray(nats, np.float64).reshape(draws, len(X)), evidence


def warm(objective):
    """A memory that prefers some steps to others by far."""
    square = jnp.array([9.0, 0.1, 4.0, 0.5, 1.0])
    return objective.init() | {"square": square, "count": jnp.full(STEPS, 11.0)}


@pytest.mark.few(1)
@pytest.mark.parametrize("heated", [False, True])
def test_importance_sampling_is_unbiased(model, params, heated):
    objective = objectives.ImportanceSampledElbo(model)
    memory = warm(objective) if heated else objective.init()
    nats, evidence = losses(objective, params, memory)
    assert_mean(nats, -enumeration.bound(model, params, X), 0.15)
    law = np.sqrt([0.1, 0.1, 4.0, 0.5, 1.0]) + 1e-4 if heated else np.ones(STEPS)
    expected = law / law.sum() * nats.size
    np.testing.assert_allclose(evidence["count"], expected, atol=2 * STEPS + 2)  # stratified
    if not heated:
        unweighted = (nats - np.asarray(bounds.prior_kl(model.kernel, X[:1]))) / STEPS
        np.testing.assert_allclose(evidence["square"].sum(), (unweighted**2).sum(), rtol=1e-3)


@pytest.mark.slow
def test_mixed_blocks_are_bounds_of_every_size_alike_often():
    """Each loss is the bound of one of the sizes; without masks to draw there is no noise."""
    model = zoo.block_diffusion("masks", 3, 1)
    params, rows = zoo.parameters(model), jnp.tile(X[5], (300, 1))
    objective = block_objectives.MixedBlocks(model, (1, 2))
    nats, evidence = jax.jit(objective.loss)(params, (), jax.random.key(0), rows)
    assert evidence == objective.init() == ()
    one = jax.jit(model.elbo)(params, jax.random.key(0), rows)[0]
    assert (abs(nats + one) < 1e-5).sum() == 150


def test_negative_elbo_is_what_it_says(model, params):
    objective = objectives.NegativeElbo(model)
    assert objective.update(objective.init(), ()) == ()
    nats, evidence = losses(objective, params, (), draws=1)
    assert evidence == ()
    elbo = jax.jit(model.elbo)(params, jax.random.key(0), X)
    np.testing.assert_allclose(nats[0], -elbo, rtol=1e-6)


def test_memory_is_the_sequential_moving_average(model):
    """n losses with one mean square count as n updates with it."""
    objective = objectives.ImportanceSampledElbo(model)
    memory = warm(objective)
    counts, square = np.array([0, 1, 2, 5, 30]), np.array([0.0, 3.0, 2.0, 7.0, 1.0])
    result = objective.update(
        memory, {"square": jnp.asarray(counts * square), "count": jnp.asarray(counts, jnp.float32)}
    )
    expected = np.array(memory["square"], np.float64)
    for i, n in enumerate(counts):
        for _ in range(n):
            expected[i] = 0.9 * expected[i] + 0.1 * square[i]
    np.testing.assert_allclose(result["square"], expected, rtol=1e-5)
    np.testing.assert_array_equal(result["count"], 11 + counts)


def test_steps_are_drawn_uniformly_until_all_were_seen_often(model):
    objective = objectives.ImportanceSampledElbo(model)
    memory = warm(objective)
    cold = memory | {"count": memory["count"].at[2].set(10.0)}
    np.testing.assert_allclose(objective.probabilities(cold), np.full(STEPS, 1 / STEPS))
    law = np.asarray(objective.probabilities(memory))
    assert law[0] == law[1]  # the decoder takes its neighbour's weight
    np.testing.assert_allclose(law[2] / law[4], 2, rtol=1e-3)
    one = objectives.ImportanceSampledElbo(zoo.diffusion("uniform-cosine", "table", 1))
    np.testing.assert_allclose(one.probabilities(one.init()), [1.0])


def test_importance_sampling_has_no_gradient_through_the_memory(model, params):
    objective = objectives.ImportanceSampledElbo(model)

    def evidence(params):
        return objective.loss(params, warm(objective), jax.random.key(0), X)[1]["square"].sum()

    slope = jax.jit(jax.grad(evidence), compiler_options=zoo.HASTE)(params)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(slope))


OBJECTIVES = {  # kernel, steps, objective, rows of x_t for each of x
    "negative_elbo": ("uniform-cosine", STEPS, objectives.NegativeElbo, 1),
    "importance_sampled": ("uniform-cosine", STEPS, objectives.ImportanceSampledElbo, 1),
    "cross_entropy": ("uniform-cosine", STEPS, objectives.CrossEntropy, 1),
    "cross_entropy-posterior": (
        *("uniform-cosine", STEPS),
        *(lambda model: objectives.CrossEntropy(model, posterior=True), 1),
    ),
    "hybrid": ("uniform-cosine", STEPS, objectives.HybridElbo, 1),
    "hybrid-continuous": ("uniform-cosine", None, objectives.HybridElbo, 1),
    "least_variance": ("learned_schedule", None, learned_objectives.LeastVariance, 1),
    "reinforce": ("learned_schedule", None, learned_objectives.LeaveOneOutReinforce, 2),
}


@pytest.mark.few(5)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_one_call_of_the_network_with_dropout_in_training_alone(name):
    """Seen by the network itself: it is told to train, and has a key for its dropout."""
    calls = []

    class Watched(zoo.HollowTable):
        def __call__(self, x_t, t, *, train=False):
            calls.append((len(x_t), train, self.has_rng("dropout")))
            return super().__call__(x_t, t, train=train)

    kernel, steps, make, copies = OBJECTIVES[name]
    model = models.Diffusion((zoo.KERNELS | zoo.LEARNED)[kernel], Watched(3), steps)
    objective = make(model)
    params = jax.eval_shape(model.init, jax.random.key(0), X)
    calls.clear()
    loss = lambda p: objective.loss(p, objective.init(), jax.random.key(0), X)[0].sum()  # noqa: E731
    jax.eval_shape(jax.grad(loss), params)
    jax.eval_shape(lambda p: model.elbo(p, jax.random.key(0), X), params)
    assert calls == [(copies * len(X), True, True), (len(X), False, False)]


@pytest.mark.few(1)
@pytest.mark.parametrize("denoiser", ["table", "hollow_table"])
def test_cross_entropy_by_enumeration(denoiser):
    """Of the guess where the own token is hidden, of the denoising posterior where it is seen."""
    model = zoo.diffusion("uniform-cosine", denoiser, STEPS)
    params, t = zoo.parameters(model), 0.5
    nats, _ = losses(objectives.CrossEntropy(model, warp=lambda u: 0 * u + t), params, ())
    guess = enumeration.guesses(model, params, X, t)
    if denoiser == "table":
        guess = enumeration.bayes(model.kernel, guess, X, 0.0, t)
    weight = enumeration.matrix(model.kernel, 0.0, t)[X[:, None], X].prod(axis=-1)  # [x_0, x_t]
    log_p = np.log(np.take_along_axis(guess[None], X[:, None, :, None], axis=-1)).sum(axis=(2, 3))
    assert_mean(nats, -(weight * log_p).sum(axis=1), 0.05)


HYBRIDS = ["uniform-table", "uniform-hollow_table", "masks-table", "masks-hollow_table"]
NOISE = {"uniform": "uniform-cosine", "masks": "absorbing-linear", "gidd": "masks_and_uniform"}
NOISE |= {"pace": "learned_schedule", "classes": "per_class_masking"}


def hybrid(case, steps=STEPS, weight=0.7):
    name, denoiser = case.split("-")
    return objectives.HybridElbo(zoo.diffusion(NOISE[name], denoiser, steps), weight)


@pytest.mark.few(1)
@pytest.mark.parametrize("steps", [STEPS, None])
@pytest.mark.parametrize(
    "case", quick([*HYBRIDS, "gidd-table", "pace-table", "classes-hollow_table"], "uniform-table")
)
def test_what_hybrid_reports_is_the_bound_of_the_same_draws(case, steps):
    objective = hybrid(case, steps)
    params = zoo.parameters(objective.model)
    data = enumeration.sequences(objective.model.kernel.num_classes, zoo.LENGTH)
    rng, x = jax.random.key(0), jnp.tile(data, (8, 1))

    @jax.jit
    def both(params):
        loss, evidence = objective.loss(params, objective.init(), rng, x)
        assert evidence == objective.update((), evidence) == ()
        return loss, -objective.model.elbo(params, rng, x)

    result, exact = both(params)
    np.testing.assert_allclose(result, exact, rtol=1e-4, atol=1e-4)


def enumerated_hybrid(objective, params, x):
    """-E[elbo] + weight E[-log p(x_0 | x_t)] of each row, written out anew."""
    model = objective.model
    every = enumeration.sequences(len(model.kernel.prior), zoo.LENGTH)
    total = -enumeration.bound(model, params, x)
    for i in range(1, model.steps + 1):
        t = i / model.steps
        law = enumeration.matrix(model.kernel, 0.0, t)[x[:, None], every].prod(axis=-1)
        clean = enumeration.guesses(model, params, every, t)
        clean = enumeration.bayes(model.kernel, clean, every, 0.0, t)
        clean = np.take_along_axis(clean[None], x[:, None, :, None], axis=-1)
        surprise = -np.log(np.maximum(clean, 1e-30)).sum(axis=(2, 3))
        total += objective.weight * (law * surprise).sum(axis=1) / model.steps
    return total


@pytest.mark.few(1)
@pytest.mark.parametrize("case", quick(HYBRIDS, "uniform-table"))
@pytest.mark.slow
def test_hybrid_by_enumeration(case):
    """Value and slope of all terms, weighted by the law of x_t, along a random direction."""
    objective = hybrid(case, steps=2)
    model, size = objective.model, 1e-5
    classes = model.kernel.num_classes
    data, every = (enumeration.sequences(k, 2) for k in (classes, len(model.kernel.prior)))
    a, b = (i.ravel() for i in np.indices((len(data), len(every))))
    with jax.enable_x64(True):
        params = jax.tree.map(lambda leaf: leaf.astype(float), zoo.parameters(model))
        way = jax.tree.map(lambda leaf: jnp.sin(jnp.arange(leaf.size) ** 2.0 + 1), params)
        way = jax.tree.map(lambda leaf, to: to.reshape(leaf.shape), params, way)

        def at(length):
            return jax.tree.map(lambda leaf, to: leaf + length * to, params, way)

        steps = [((i - 1) / model.steps, i / model.steps) for i in range(1, model.steps + 1)]
        laws = [enumeration.matrix(model.kernel, 0.0, t) for _, t in steps]
        x, x_t = jnp.asarray(data[a]), jnp.asarray(every[b])

        @jax.jit
        def loss(length):
            process, total = model.open(at(length)), 0.0
            for law, (s, t) in zip(laws, steps, strict=True):
                q = law[data[a], every[b]].prod(axis=-1)
                s, t = jnp.full(len(a), s), jnp.full(len(a), t)
                nats, clean = objectives.hybrid_terms(process, None, x, x_t, s, t, model.steps)
                total += jnp.where(q > 0, q * (nats + objective.weight * clean), 0.0).sum()
            return total / model.steps

        prior = bounds.prior_kl(model.kernel, jnp.asarray(data)).sum()
        value, slope = jax.value_and_grad(loss)(0.0)
        exact, up, down = (
            enumerated_hybrid(objective, at(length), data).sum() for length in (0.0, size, -size)
        )
        np.testing.assert_allclose(value + prior, exact, rtol=1e-6)
        np.testing.assert_allclose(slope, (up - down) / (2 * size), rtol=1e-5)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("case", quick(HYBRIDS[:2], "uniform-table"))
def test_hybrid_draws_what_the_proof_enumerates(case, monkeypatch):
    """Its mean, where what is there for its gradient has its value."""
    monkeypatch.setattr(objectives, "gradient_only", lambda a: a)
    objective = hybrid(case)
    params = zoo.parameters(objective.model)
    nats, _ = losses(objective, params, ())
    assert_mean(nats, enumerated_hybrid(objective, params, X), 0.15)


class Constant(nn.Module):
    """Logits 0.5, -0.5 and 0 whatever it sees."""

    leave_one_out = True

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        return jnp.broadcast_to(jnp.array([0.5, -0.5, 0.0]), (*x_t.shape, 3))


@pytest.mark.slow
def test_a_hybrid_in_continuous_time_weighs_all_times_alike(monkeypatch):
    """Of a kernel at a pace of its own: by quadrature over t, every x_t enumerated."""
    monkeypatch.setattr(objectives, "gradient_only", lambda a: a)
    kernel = zoo.KERNELS["masks_and_uniform"]
    model, x = models.Diffusion(kernel, Constant(), None), jnp.zeros((20_000, 1), jnp.int32)

    @jax.jit
    def mean():
        some, none = (
            objectives.HybridElbo(model, weight).loss({}, (), jax.random.key(0), x)[0].mean()
            for weight in (1.0, 0.0)
        )
        return some - none

    times = (jnp.arange(200) + 0.5) / 200
    guess = np.exp([0.5, -0.5, -np.inf]) / np.exp([0.5, -0.5]).sum()
    q = np.asarray(kernel.push(jnp.tile(jnp.eye(3), (200, 1, 1)), 0 * times, times), np.float64)
    clean = guess[0] * q[:, 0] / (guess @ q)  # of class 0 given x_t, (200, 3)
    exact = -(q[:, 0] * np.log(clean)).sum(axis=1).mean()
    np.testing.assert_allclose(mean(), exact, rtol=0.02)


def test_random_sets_of_known_tokens():
    known = np.asarray(objectives.random_known(jax.random.key(0), (20_000, 4)))
    counts = np.bincount(known.sum(axis=1), minlength=5) / len(known)
    np.testing.assert_allclose(counts, 0.25 * np.eye(5)[0] + 0.15, atol=0.015)
    assert (known.mean(axis=0) > 0.35).all()


@pytest.mark.parametrize("limit", [0.8, 0.6])
def test_mostly_before(limit):
    u = np.linspace(0, 1, 1001, dtype=np.float32)[:-1]
    t = np.asarray(objectives.mostly_before(limit)(u))
    assert ((0 <= t) & (t < 1)).all()
    share = functools.partial(np.testing.assert_allclose, atol=2e-3)
    share((t < limit / 2).mean(), 0.9 * 0.5 + 0.1 * limit / 2)
    share((t >= limit).mean(), 0.1 * (1 - limit))


SIZES = "block_sizes are one or more, each at least 1"
LIMIT = r"mostly_before must be in \(0, 1\]"


@pytest.mark.parametrize(
    ("make", "given", "message"),
    [
        (objectives.CrossEntropy, False, "cannot see its own token; Table can"),
        (objectives.HybridElbo, -1.0, "weight must be at least 0; got -1"),
        (block_objectives.MixedBlocks, (), SIZES),
        (block_objectives.MixedBlocks, (0, 4), SIZES),
        *((lambda _, limit: objectives.mostly_before(limit), x, LIMIT) for x in (0, -1, 1.01)),
        (lambda _, limit: objectives.mostly_before(limit), float("nan"), LIMIT),
    ],
)
@pytest.mark.usefixtures("any_types")
def test_bad_input_is_refused(model, make, given, message):
    with pytest.raises(ValueError, match=message):
        make(model, given)
