"""Infilling where noise is no mask: exact for a guess that sees what is known, by enumeration."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.learning import objectives
from amd_jax.ops import categorical
from tests import enumeration, zoo
from tests.models.test_infilling import DATA
from tests.variants import quick

pytestmark = pytest.mark.slow

K, STEPS, DRAWS = 3, 5, 20_000
UNIFORM = kernels.uniform(schedules.cosine, K)
GIVEN = [-1, 2, -1]
EXACT = DATA[:, 2, :] / DATA[:, 2, :].sum()


class Told(nn.Module):
    """A table for which a known token is another one than a noisy one."""

    num_states: int
    table: type[zoo.Table] = zoo.Table
    sees_known = True

    @property
    def leave_one_out(self):
        return getattr(self.table, "leave_one_out", False)

    @nn.compact
    def __call__(self, x_t, t, *, train=False, known=None):
        seen = x_t if known is None else jnp.where(known, x_t + self.num_states, x_t)
        return self.table(2 * self.num_states)(seen, t)[..., : self.num_states]


def filled_law(steps, sees_known):
    """The law of `Ancestral` in so many steps, for the exact guess: (K, K)."""
    process = dataclasses.replace(certificates.exact(UNIFORM, DATA), sees_known=sees_known)
    law = certificates.law(samplers.Ancestral(steps=steps), process, 3, None, given=GIVEN)
    assert law.sum() == pytest.approx(1, abs=1e-4)
    assert law[:, 2].sum() == pytest.approx(1, abs=1e-4)  # what is given is there
    return law[:, 2]


@pytest.mark.parametrize(
    ("steps", "told", "untold"),
    [
        (16, 0.028, 0.060),
        (64, 0.0066, 0.034),
        pytest.param(256, 0.0017, 0.028, marks=pytest.mark.slow),
    ],
)
def test_told_what_is_known_it_nears_the_exact_law_and_else_not(steps, told, untold):
    """As 1 / S; with the guess for what is noisy, held tokens leave a bias."""
    assert certificates.distance(filled_law(steps, True), EXACT) < told
    assert certificates.distance(filled_law(steps, False), EXACT) > untold * 0.98


@pytest.mark.slow
def test_fillings_have_that_law():
    class Exact(models.Diffusion):
        def open(self, params, *, train=False):
            return certificates.exact(self.kernel, DATA)

    model = Exact(UNIFORM, Told(K), steps=None)
    x, known = jnp.tile(jnp.array([0, 2, 0]), (DRAWS, 1)), jnp.array([False, True, False])
    known = jnp.broadcast_to(known, x.shape)
    for sampler in (samplers.Ancestral(steps=8), samplers.Euler(steps=8, corrections=1)):
        infill = jax.jit(functools.partial(model.infill, {}, sampler=sampler))
        drawn = np.asarray(infill(jax.random.key(0), x, known))
        assert (drawn[:, 1] == 2).all()
        law = certificates.law(sampler, model.open({}), 3, None, given=GIVEN)[:, 2]
        enumeration.assert_drawn_from(enumeration.number(drawn[:, ::2], K), law.ravel())


FAMILIES = ("uniform-cosine", "absorbing-linear", "birth_death-cosine", "uneven-unfinished")
CASES = [(family, zoo.Table) for family in FAMILIES] + [("uniform-cosine", zoo.HollowTable)]


@dataclasses.dataclass(frozen=True)
class Half:
    """Rows of two tokens, of which the second is known, and what is exact about the first."""

    model: models.Diffusion
    params: dict
    x: np.ndarray  # (N, 2), all rows
    known: np.ndarray
    bound: np.ndarray  # (N,), of the first token given the second
    log_p: np.ndarray  # (N,)


@pytest.fixture(
    scope="module",
    params=quick(CASES, slow=(CASES[2], CASES[4])),
    ids=lambda c: f"{c[0]}-{c[1].__name__}",
)
def half(request):
    family, table = request.param
    kernel = zoo.KERNELS[family]
    states, classes = len(kernel.prior), kernel.num_classes
    model = models.Diffusion(kernel, Told(states, table), steps=STEPS)
    params = zoo.parameters(model)
    x = enumeration.sequences(classes, 2)
    known = np.broadcast_to([False, True], x.shape)
    predict, prior = model.open(params).predict, np.asarray(kernel.prior, np.float64)
    bound, log_p = [], []
    for row in x:
        noisy = np.array([[k, row[1]] for k in range(states)])  # every state of the first token
        told = np.broadcast_to(known[0], noisy.shape)
        clean = np.eye(states)[np.full(states, row[0])]
        total = enumeration.kl(enumeration.matrix(kernel, 0.0, 1.0)[row[0]], prior)
        law = prior
        for i in range(STEPS, 0, -1):
            s, t = (i - 1) / STEPS, i / STEPS
            p_0 = predict(jnp.asarray(noisy), jnp.full(states, t, jnp.float32), known=told)
            guess = enumeration.bayes(kernel, np.asarray(p_0, np.float64)[:, 0], noisy[:, 0], s, t)
            true = enumeration.bayes(kernel, clean, noisy[:, 0], s, t)
            total += enumeration.matrix(kernel, 0.0, t)[row[0]] @ enumeration.kl(true, guess)
            law = law @ guess
        bound.append(-total)
        log_p.append(np.log(law[row[0]]))
    return Half(model, params, x, known, np.array(bound), np.array(log_p))


def measured(half, verb, draws):
    rows, known = (jnp.tile(a, (draws, 1)) for a in (half.x, half.known))
    result = jax.jit(functools.partial(verb, half.params))(jax.random.key(0), rows, known=known)
    return np.asarray(result, np.float64).reshape(draws, -1)


def test_the_bound_of_the_rest_by_enumeration(half):
    elbo = measured(half, half.model.elbo, 8000)
    error = elbo.std(axis=0) / 8000**0.5
    assert (error < 0.05).all()
    assert (abs(elbo.mean(axis=0) - half.bound) < 5 * error + 1e-4).all()
    assert (half.bound < half.log_p + 1e-6).all()


def test_weights_of_the_rest_sum_to_its_probability(half):
    p = np.exp(measured(half, half.model.log_weight, 8000))
    error = p.std(axis=0) / 8000**0.5
    assert (error < 0.02).all()
    assert (abs(p.mean(axis=0) - np.exp(half.log_p)) < 5 * error + 1e-5).all()
    classes = half.model.kernel.num_classes
    totals = p.mean(axis=0).reshape(classes, classes).sum(axis=0)  # given each second token
    np.testing.assert_allclose(
        totals, np.exp(half.log_p).reshape(classes, -1).sum(axis=0), rtol=0.05
    )


def test_what_is_known_is_told(half):
    """A network that is told nothing gives what it gives without `known`."""
    process = half.model.open(half.params)
    x, t = jnp.asarray(half.x), jnp.full(len(half.x), 0.5)
    plain, none = process.predict(x, t), process.predict(x, t, known=jnp.zeros(x.shape, bool))
    np.testing.assert_array_equal(plain, none)
    held = process.holding(jnp.where(half.known, x, -1)).predict(x, t)
    np.testing.assert_array_equal(held[:, 1], categorical.one_hot(x[:, 1], held.shape[-1]))
    assert (abs(held[:, 0] - plain[:, 0]).max(axis=-1) > 1e-4).all()


def test_the_cross_entropy_is_of_what_is_unknown():
    model = models.Diffusion(UNIFORM, Told(K, zoo.HollowTable), steps=STEPS)
    params, x = zoo.parameters(model), jnp.tile(enumeration.sequences(K, 2), (4000, 1))

    def loss(known):
        objective = objectives.CrossEntropy(model, known=lambda rng, shape: known)
        nats, _ = jax.jit(objective.loss)(params, (), jax.random.key(0), x)
        return np.asarray(nats).reshape(4000, -1)

    everything = jnp.ones(x.shape, bool)
    np.testing.assert_array_equal(loss(everything), 0)
    second = everything.at[:, 0].set(False)
    result = loss(second)
    times, predict = np.linspace(0, 1, 2001)[:-1] + 1 / 4000, model.open(params).predict
    exact = []
    for row in enumeration.sequences(K, 2):  # the own token is not seen: only the second counts
        rows = jnp.tile(row, (len(times), 1))
        p_0 = predict(rows, jnp.asarray(times, jnp.float32), known=second[: len(times)])
        exact.append(-np.log(np.asarray(p_0)[:, 0, row[0]]).mean())
    np.testing.assert_allclose(result.mean(axis=0), exact, rtol=0.01)


@pytest.mark.slow
@pytest.mark.exhaustive  # minutes
def test_a_network_learns_to_fill_in():
    """From fresh parameters: pairs and what lies between them, given what is known."""
    denoiser = networks.Hollow(K, width=32, join_width=32, blocks=1, taps=3, sees_known=True)
    model = models.Diffusion(UNIFORM, denoiser, steps=64)
    objective = objectives.CrossEntropy(model, known=objectives.random_known)
    rows = enumeration.sequences(K, 3)
    params = jax.jit(model.init)(jax.random.key(0), jnp.asarray(rows[:2]))
    optimizer = optax.adam(optax.cosine_decay_schedule(1e-2, 1500))

    @jax.jit
    def step(i, carry):
        params, state = carry
        rng_data, rng = jax.random.split(jax.random.fold_in(jax.random.key(1), i))
        chosen = jax.random.choice(rng_data, len(rows), (1024,), p=jnp.asarray(DATA.ravel()))
        grads = jax.grad(
            lambda p: objective.loss(p, (), rng, jnp.asarray(rows)[chosen])[0].mean()
        )(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state

    carry = params, optimizer.init(params)
    params, _ = jax.jit(lambda carry: jax.lax.fori_loop(0, 1500, step, carry))(carry)
    process = model.open(params)
    told, untold = (
        certificates.law(
            *(samplers.Ancestral(), dataclasses.replace(process, sees_known=sees), 3, 64),
            given=GIVEN,
        )[:, 2]
        for sees in (True, False)
    )
    assert certificates.distance(told, EXACT) < 0.0125
    assert certificates.distance(untold, EXACT) > 0.025


def test_a_network_that_is_not_told_is_refused():
    model = zoo.diffusion("uniform-cosine", "hollow_table", STEPS)
    params, x = zoo.parameters(model), jnp.zeros((1, 2), jnp.int32)
    assert not model.fills_gaps
    for verb in (model.infill, model.elbo, model.log_weight):
        with pytest.raises(ValueError, match="Infilling needs masks, noise in sight, or a"):
            verb(params, jax.random.key(0), x, known=x == 0)
    with pytest.raises(ValueError, match="HollowTable does not. Build it with sees_known=True"):
        objectives.CrossEntropy(model, known=objectives.random_known)

    class Deaf(zoo.Table):
        sees_known = True

    with pytest.raises(ValueError, match="Deaf.__call__ takes no known. Add `known=None`"):
        models.Diffusion(UNIFORM, Deaf(K))
