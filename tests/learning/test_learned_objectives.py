"""Gradients of kernels, against those of enumerated bounds; float64 where they are differences."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax import models
from amd_jax.diffusion import bounds, kernels, schedules
from amd_jax.diffusion.kernels import class_masking, learned_schedule
from amd_jax.diffusion.process import Process
from amd_jax.experiment import numbers
from amd_jax.learning import learned_objectives, loop, objectives
from amd_jax.ops import categorical
from tests import enumeration, golden_files, zoo
from tests.models.means import assert_mean
from tests.variants import quick

GOLDEN = golden_files.load("peers/genmd4")

KERNELS = {
    "masking": class_masking.PerClassMasking(2, epsilon=0.1),  # so that the prior counts
    "power": zoo.LearnedPower(2),
    "schedule": learned_schedule.LearnedSchedule(kernels.uniform(schedules.linear, 2), bins=3),
}
CASES = [f"{kernel}-{denoiser}" for kernel in KERNELS for denoiser in ("table", "hollow_table")]
BINS = 6


def diffusion(case, steps):
    """A model of two classes, and parameters for it, in the precision that is on."""
    name, denoiser = case.split("-")
    kernel = KERNELS[name]
    states = len(kernels.opened(kernel, kernel.init(jax.random.key(0))).prior)
    model = models.Diffusion(kernel, zoo.DENOISERS[denoiser](states), steps=steps)
    return model, zoo.parameters(model)


def every_pair(model, params, t):
    """Data x (N, L), pairs of x_t (2N, L), all there are, and the law of the pairs: (N,)."""
    kernel = model.open(params).kernel
    data = data_of(model)
    every = enumeration.sequences(len(kernel.prior), zoo.LENGTH)
    a, b, c = (i.ravel() for i in np.indices((len(data), len(every), len(every))))
    law = enumeration.matrix(kernel, 0.0, t)
    weight = np.prod([law[data[a], every[each]].prod(axis=1) for each in (b, c)], axis=0)
    likely = weight > 0
    pairs = np.concatenate([every[each[likely]] for each in (b, c)])
    return jnp.asarray(data[a[likely]]), jnp.asarray(pairs), jnp.asarray(weight[likely])


def expected(model, params, s, t):
    """The kernel's gradient of Σ E[`reinforced`] at one time, exactly; and without the score."""
    x, x_t, weight = every_pair(model, params, t)
    result = _gradients(model, params, weight, x, x_t, jnp.full(len(x), s), jnp.full(len(x), t))
    return np.array([kernels_part(gradient) for gradient in result])


@functools.partial(jax.jit, static_argnums=0)
def _gradients(model, params, weight, x, x_t, s, t):
    def loss(params):
        rows = model.open(params), None, x, x_t, s, t, model.steps
        return (weight * learned_objectives.reinforced(*rows)).sum()

    def naive(params):
        rows = model.open(params), None, x, x_t[: len(x)], s, t, model.steps
        return (weight * objectives.negative_term(*rows)).sum()

    return [jax.grad(f)(params) for f in (loss, naive)]


def kernels_part(gradient):
    (leaf,) = jax.tree.leaves(gradient["kernel"])
    return np.ravel(leaf)


def differences(f, params, size=1e-5):
    """The gradient of f by the kernel's parameters, by differences."""
    (leaf,), tree = jax.tree.flatten(params["kernel"])

    def at(i, step):
        moved = jnp.ravel(leaf).at[i].add(step).reshape(leaf.shape)
        return f(params | {"kernel": jax.tree.unflatten(tree, [moved])})

    return np.array([(at(i, size) - at(i, -size)) / (2 * size) for i in range(leaf.size)])


def data_of(model):
    """All data but one: over all, tokens are independent, and some errors cancel."""
    kernel = model.kernel.open(model.kernel.init(None))
    return enumeration.sequences(kernel.num_classes, zoo.LENGTH)[:-1]


def prior_gradient(model, params, x):
    def kl(params):
        return bounds.prior_kl(model.open(params).kernel, jnp.asarray(x)).sum()

    return kernels_part(jax.grad(kl)(params))


def of_both_steps(model, params):
    """The gradient of the enumerated bound; by all pairs of x_t and without the score."""
    x = data_of(model)
    exact = differences(lambda p: -enumeration.bound(model, p, x).sum(), params)
    terms = np.mean([expected(model, params, i / 2, (i + 1) / 2) for i in range(2)], axis=0)
    return exact, *(terms + prior_gradient(model, params, x))


def of_one_time(model, params, t=0.4):
    """The same of Σ_x_t q_t(x_t | x) times the bound's integrand."""
    x, x_t, _ = every_pair(model, params, t)
    rows = None, x, x_t[: len(x)], jnp.full(len(x), t), jnp.full(len(x), t), None
    f = jax.jit(lambda p: objectives.negative_term(model.open(p), *rows))
    exact = differences(lambda p: (every_pair(model, p, t)[2] * f(p)).sum(), params)
    return exact, *expected(model, params, t, t)


@pytest.mark.few(2)
@pytest.mark.parametrize("case", quick(CASES, "masking-table", "masking-hollow_table"))
@pytest.mark.parametrize(("steps", "gradients"), [(2, of_both_steps), (None, of_one_time)])
@pytest.mark.slow
def test_the_expected_gradient_is_that_of_the_enumerated_bound(case, steps, gradients):
    with jax.enable_x64(True):
        exact, result, naive = gradients(*diffusion(case, steps))
        assert np.abs(exact).max() > 0.02
        np.testing.assert_allclose(result, exact, rtol=1e-5, atol=1e-7)
        assert np.abs(naive - exact).max() > 0.05 * np.abs(exact).max()


def draws(objective, params, memory, x, number=40):
    """Means over x of losses, their gradients by the kernel, and evidence, of as many keys."""

    def mean(params, rng):
        nats, evidence = objective.loss(params, memory, rng, x)
        return nats.mean(), evidence

    gradient = jax.value_and_grad(mean, has_aux=True)
    keys = jax.random.split(jax.random.key(0), number)
    of_keys = jax.jit(lambda p: jax.lax.map(lambda rng: gradient(p, rng), keys))
    (nats, evidence), slopes = of_keys(params)
    (leaf,) = jax.tree.leaves(slopes["kernel"])
    return np.asarray(nats, np.float64), np.asarray(leaf, np.float64), evidence


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", quick(CASES[:2], CASES[0]))
@pytest.mark.slow
def test_the_objective_draws_what_the_proof_enumerates(case):
    model, params = diffusion(case, steps=2)
    objective, x = learned_objectives.LeaveOneOutReinforce(model), data_of(model)
    values, slopes, evidence = draws(objective, params, objective.init(), jnp.tile(x, (400, 1)))
    assert evidence == ()
    exact = np.mean([expected(model, params, i / 2, (i + 1) / 2)[0] for i in range(2)], axis=0)
    exact = (exact + prior_gradient(model, params, x)) / len(x)
    assert_mean(slopes, exact, 0.1 * np.abs(exact).max())
    assert_mean(values, -enumeration.bound(model, params, x).mean(), 0.02)


@pytest.mark.few(1)
@pytest.mark.parametrize("case", quick(CASES[:2], CASES[1]))
@pytest.mark.slow
def test_gradients_of_masks_are_finite_in_float32(case):
    """Also at the ends of time, and where probabilities are exactly 0."""
    model, params = diffusion(case, steps=None)
    model = dataclasses.replace(model, kernel=class_masking.PerClassMasking(2))
    t = jnp.array([0.0, 1e-6, 0.5, 1 - 2**-24, 1.0])
    x = jnp.array([[0, 1], [1, 1], [0, 0], [1, 0], [0, 1]])
    masked = jnp.where((t > 0)[:, None], 2, x)
    x_t = jnp.concatenate([masked, masked.at[:, 0].set(x[:, 0])])

    @jax.jit
    @jax.value_and_grad
    def loss(params):
        rows = model.open(params), jax.random.key(0), x, x_t, t, t, None
        return learned_objectives.reinforced(*rows).sum()

    value, gradient = loss(params)
    assert jnp.isfinite(value)
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    assert np.abs(kernels_part(gradient)).max() > 0


@pytest.mark.parametrize("states", quick(["K5", "K27"], "K5"))
@pytest.mark.slow
def test_golden_gradient_of_the_powers(states):
    """By the authors' code, on draws of theirs; their term for t < 0.001 is written out here."""
    with jax.enable_x64(True):
        golden = {k.removeprefix(f"{states}_"): jnp.asarray(v) for k, v in GOLDEN.items()}
        part, t = class_masking.PerClassMasking(int(states[1:]), epsilon=1e-4), golden["gen_t"]
        x, x_t = golden["x0"], jnp.concatenate([golden["zt"], golden["gen_zt2"]])
        mu = jax.nn.softmax(jnp.concatenate([golden["logits"], golden["gen_logits2"]]))

        def terms(w):
            kernel = part.open({"powers": w})

            def predict(x_t, t, rng=None):  # the guess whose posterior at a mask is mu
                r = categorical.normalize(mu / -jnp.expm1(kernel.log_alpha(t))[:, None])
                return jnp.concatenate([r, jnp.zeros_like(r[..., :1])], axis=-1)

            process = Process(kernel, predict)
            log_q = learned_objectives.log_likelihood(
                kernel, jnp.tile(x, (2, 1)), x_t, jnp.tile(t, 2)
            )
            rows = process, jax.random.key(0), x, x_t, t, t, None
            return learned_objectives.reinforced(*rows), log_q

        def early(w):
            logits = jax.nn.softplus(w) * jnp.log(1e-3)
            own = logits - jax.nn.logsumexp(logits)
            return -(1 - 1e-4) * (jnp.exp(logits)[x] * own[x]).sum(axis=1)

        @jax.jit
        @functools.partial(jax.grad, has_aux=True)
        def surrogate(w):
            nats, log_q = terms(w)
            return (nats + early(w)).mean(), (nats, early(w), log_q)

        gradient, (nats, recon, log_q) = surrogate(golden["gen_w"])
        f_1, f_2 = golden["gen_loss1"], golden["gen_loss2"]
        score = (f_1 - f_2) * (log_q[: len(x)] - log_q[len(x) :]) / 2
        np.testing.assert_allclose(gradient, golden["gen_grad_w"], rtol=1e-8)
        np.testing.assert_allclose(nats, (f_1 + f_2) / 2, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(recon, golden["gen_recon"], rtol=1e-9)
        np.testing.assert_allclose(score, golden["gen_rloo"], rtol=1e-9, atol=1e-9)
        total = (nats + score + recon).mean()  # theirs, where the score has its value
        np.testing.assert_allclose(total, golden["gen_surrogate"], rtol=1e-9)


def unfinished(t):
    """Leaves a tenth of the data, so that the prior counts."""
    return schedules.linear(0.9 * t)


def scheduled(denoiser="hollow_table", timed=False):
    """A model in continuous time whose schedule learns; its network does not know the time."""
    part = learned_schedule.LearnedSchedule(kernels.uniform(unfinished, 3), BINS)
    model = models.Diffusion(part, zoo.DENOISERS[denoiser](3), steps=None)
    params = zoo.parameters(model, scale=1.0)
    if not timed:
        params["network"]["b"] = jnp.zeros_like(params["network"]["b"])
    return model, params


def squares(model, params):
    """∫ over each bin of levels of E[ℓ²], ℓ the bound's integrand: (n,), by quadrature.

    Of the plain schedule, over all x and x_t: E[L²] is their mean over n heights.
    """
    process = dataclasses.replace(model.open(params), kernel=model.kernel.kernel)
    nodes, weights = np.polynomial.legendre.leggauss(40)
    x, every = data_of(model), enumeration.sequences(3, zoo.LENGTH)
    u = ((np.arange(BINS)[:, None] + (nodes + 1) / 2) / BINS).ravel()
    a, b, c = (i.ravel() for i in np.indices((len(u), len(x), len(every))))
    rows = (x[b], every[c], u[a].astype(np.float32))
    x_0, x_t, t = map(jnp.asarray, rows)
    f = objectives.negative_term(process, None, x_0, x_t, t, t, None)
    q = jnp.exp(learned_objectives.log_likelihood(process.kernel, x_0, x_t, t))
    total = np.asarray(q * f**2, np.float64).reshape(BINS, 40, len(x), -1).sum(axis=-1)
    return (total.mean(axis=-1) * weights).sum(axis=1) / (2 * BINS)


@pytest.mark.slow
def test_the_schedules_gradient_is_that_of_the_logarithm_of_the_mean_square():
    model, params = scheduled()
    part, size = model.kernel, squares(model, params)

    def log_mean(kernel):
        return jnp.log((size / (BINS * part.heights(kernel))).sum())

    value, exact = jax.value_and_grad(log_mean)(params["kernel"])
    memory = {"square": jnp.exp(value), "weight": jnp.ones(())}
    rows = jnp.tile(data_of(model), (200, 1))
    _, slopes, evidence = draws(learned_objectives.LeastVariance(model), params, memory, rows)
    assert np.abs(exact["levels"]).max() > 0.1
    assert_mean(slopes, exact["levels"], 0.01)
    square = np.mean(evidence["square"] / evidence["count"])
    np.testing.assert_allclose(square, np.exp(value), rtol=0.03)
    np.testing.assert_array_equal(evidence["count"], len(rows))


@pytest.mark.few(1)
@pytest.mark.parametrize("denoiser", quick(["hollow_table", "table"], "hollow_table"))
@pytest.mark.slow
def test_loss_and_network_gradients_are_those_of_the_bound(denoiser):
    model, params = scheduled(denoiser, timed=True)
    x, rng = jnp.tile(data_of(model), (8, 1)), jax.random.key(0)
    objective, plain = learned_objectives.LeastVariance(model), objectives.NegativeElbo(model)
    memory = {"square": jnp.array(3.0), "weight": jnp.array(0.5)}

    @functools.partial(jax.jit, static_argnums=0)
    def gradient(objective, memory):
        def loss(params):
            nats = objective.loss(params, memory, rng, x)[0]
            return nats.mean(), nats

        return jax.grad(loss, has_aux=True)(params)

    (result, nats), (expected, exact), (first, _) = (
        gradient(*each)
        for each in ((objective, memory), (plain, ()), (objective, objective.init()))
    )
    np.testing.assert_allclose(nats, exact, rtol=1e-4, atol=1e-4)
    for name, leaf in expected["network"].items():
        np.testing.assert_allclose(result["network"][name], leaf, rtol=1e-3, atol=1e-6)
    assert np.abs(kernels_part(result)).max() > 0.01
    np.testing.assert_array_equal(kernels_part(first), 0)  # before anything is known


@pytest.mark.slow
def test_the_schedule_finds_the_least_variance():
    """From a bad one to within 2 % of the best, which has heights ∝ sqrt(∫ E[ℓ²])."""
    model, params = scheduled()
    params["kernel"] = {"levels": jnp.linspace(-1.5, 1.5, BINS)}
    size = squares(model, params)
    best = np.sqrt(size).sum() ** 2 / BINS
    objective, rows = learned_objectives.LeastVariance(model), jnp.tile(data_of(model), (20, 1))

    def square(params):
        return (size / (BINS * np.asarray(model.kernel.heights(params["kernel"])))).sum()

    def step(i, state):
        params, memory = state
        rng = jax.random.fold_in(jax.random.key(1), i)
        gradient, evidence = jax.grad(
            lambda p: (lambda nats, e: (nats.mean(), e))(*objective.loss(p, memory, rng, rows)),
            has_aux=True,
        )(params)
        rate = 2.0 / (1 + i / 50)
        kernel = jax.tree.map(lambda p, g: p - rate * g, params["kernel"], gradient["kernel"])
        return params | {"kernel": kernel}, objective.update(memory, evidence)

    assert square(params) > 1.5 * best
    state = (params, objective.init())
    result, memory = jax.jit(lambda s: jax.lax.fori_loop(0, 400, step, s))(state)
    assert square(result) < 1.02 * best
    heights = np.sqrt(size) / np.sqrt(size).sum()
    np.testing.assert_allclose(model.kernel.heights(result["kernel"]), heights, atol=0.03)
    np.testing.assert_allclose(memory["square"] / memory["weight"], best, rtol=0.15)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", quick(["LeastVariance", "LeaveOneOutReinforce"], "LeastVariance"))
@pytest.mark.slow
def test_they_train_on_two_devices(name):
    part = scheduled()[0].kernel if name == "LeastVariance" else class_masking.PerClassMasking(3)
    model = models.Diffusion(part, zoo.HollowTable(len(part.prior)), steps=None)
    objective, begun = getattr(learned_objectives, name)(model), zoo.parameters(model)
    parts = loop.Parts(model, objective, optax.adam(1e-2))
    result = loop.train(parts, zoo.Pairs(), numbers(batch_size=8, num_steps=3), params=begun)
    for before, after in zip(jax.tree.leaves(begun), jax.tree.leaves(result), strict=True):
        assert jnp.isfinite(after).all()
        assert (before != after).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: learned_objectives.LeaveOneOutReinforce(
                zoo.diffusion("uniform-cosine", "table", 5)
            ),
            "LeaveOneOutReinforce trains the parameters of a kernel; Mixing has none",
        ),
        (
            lambda: learned_objectives.LeastVariance(zoo.diffusion("learned_power", "table", 5)),
            "LearnedPower changes the bound itself. Use LeaveOneOutReinforce",
        ),
        (
            lambda: learned_objectives.LeastVariance(diffusion("schedule-table", 5)[0]),
            "got steps=5. Use steps=None",
        ),
    ],
)
def test_what_they_cannot_train_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
