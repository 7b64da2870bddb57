"""Distillation by enumeration: K = 2 classes, L = 3 tokens, and a student that can be exact."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.learning import distillation, objectives
from amd_jax.learning.distillation import Distillation
from amd_jax.ops import categorical
from tests import enumeration, zoo
from tests.models.means import assert_mean

K, L = 2, 3
DATA = np.array([[[0.3, 0.05], [0.1, 0.05]], [[0.02, 0.08], [0.15, 0.25]]])
X = enumeration.sequences(K, L)
KERNELS = {
    "masks": kernels.absorbing(schedules.linear, K),
    "uniform": kernels.uniform(schedules.cosine, K),
    "both": kernels.masks_and_uniform(K, p_uniform=0.4),
}
CASES = [(kernel, seen) for kernel in KERNELS for seen in (False, True)]
STEPS, T = 4, 0.6  # s = 0.35


def student(kernel, table):
    """The exact denoiser of DATA plus a table: of the parameter 0 it is exact."""
    exact = certificates.exact(kernel, DATA)

    class Shifted(table):
        def __call__(self, x_t, t, *, train=False):
            return exact.log_predict(x_t, t) + super().__call__(x_t, t, train=train)

    return models.Diffusion(kernel, Shifted(kernel.prior.shape[-1]), None)


@functools.cache
def prepared(name, seen):
    """Model, exact parameters, other ones, and parameters of a teacher that is wrong."""
    model = student(KERNELS[name], zoo.Table if seen else zoo.HollowTable)
    params = [jax.jit(model.init)(jax.random.key(i), X) for i in range(2)]
    return model, jax.tree.map(jnp.zeros_like, params[0]), *params


def expected(model, teacher, params, s=T - 1 / STEPS):
    """The loss of each x_0, the mean over x_s and x_t, with a target made anew; its slopes."""
    kernel, every = model.kernel, enumeration.sequences(model.kernel.prior.shape[-1], L)
    law_s = enumeration.matrix(kernel, 0.0, s)[X[:, None], every].prod(axis=-1)  # [x_0, x_s]
    law_t = enumeration.matrix(kernel, s, T)[every[:, None], every].prod(axis=-1)  # [x_s, x_t]
    guess = np.asarray(guesses(model, teacher, every, jnp.full(len(every), s)), np.float64)
    target = enumeration.bayes(kernel, guess, every, 0.0, s)  # [x_s, n, k]
    return weighed(model, params, target, law_s, law_t)


@functools.partial(jax.jit, static_argnums=0)
def guesses(model, params, x_t, t):
    return model.open(params).predict(x_t, t)


@functools.partial(jax.jit, static_argnums=0)
def weighed(model, params, target, law_s, law_t):
    """The nats of a student's guesses at T, (N,), and the gradient of their mean over DATA."""
    every = enumeration.sequences(model.kernel.prior.shape[-1], L)

    def nats(params):
        process, t = model.open(params), jnp.full(len(every), T)
        log_law = process.log_predict if model.leave_one_out else process.log_denoised
        nats = -jnp.einsum("snk,tnk->st", target, log_law(jnp.asarray(every), t))
        return (law_s @ (law_t * nats)).sum(axis=1)

    slopes = jax.grad(lambda params: jnp.dot(DATA.ravel(), nats(params)))(params)
    return nats(params), slopes


def slope(model, teacher, params):
    """The largest derivative of the expected loss over DATA."""
    return max(np.abs(a).max() for a in jax.tree.leaves(expected(model, teacher, params)[1]))


@pytest.mark.few(1)
@pytest.mark.parametrize(("name", "seen"), CASES)
def test_an_exact_teacher_leaves_the_exact_student_as_it_is(name, seen):
    model, exact, other, wrong = prepared(name, seen)
    assert slope(model, exact, exact) < 1e-6
    assert slope(model, exact, other) > 1e-3
    assert slope(model, wrong, exact) > 1e-3


@pytest.mark.few(1)
@pytest.mark.parametrize(("name", "seen"), CASES)
def test_the_loss_by_enumeration(name, seen):
    model, _, params, teacher = prepared(name, seen)
    objective = Distillation(model, teacher, STEPS, warp=lambda u: 0 * u + T)
    memory, draws = objective.init(), 4000
    rows = jnp.tile(X, (draws, 1))
    nats, evidence = jax.jit(objective.loss)(params, memory, jax.random.key(0), rows)
    jax.tree.map(np.testing.assert_array_equal, objective.update(memory, evidence), teacher)
    nats = np.asarray(nats, np.float64).reshape(draws, len(X))
    assert_mean(nats, expected(model, teacher, params)[0], 0.06)


@pytest.mark.slow
@pytest.mark.few(2)
@pytest.mark.parametrize(("name", "seen"), CASES)
def test_of_one_step_it_is_cross_entropy_whatever_the_teacher(name, seen):
    """The same draws, so the same numbers."""
    model, _, params, teacher = prepared(name, seen)
    rows, key = jnp.tile(X, (20, 1)), jax.random.key(1)
    one = jax.jit(Distillation(model, teacher, steps=1).loss)(params, teacher, key, rows)[0]
    other = jax.jit(objectives.CrossEntropy(model).loss)(params, (), key, rows)[0]
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    clean = distillation.target(model.open(teacher), jnp.asarray(X), jnp.zeros(len(X)))
    states = model.kernel.prior.shape[-1]
    np.testing.assert_allclose(clean, categorical.one_hot(jnp.asarray(X), states), atol=1e-6)


def test_bad_input_is_refused():
    model, exact, *_ = prepared("masks", False)
    with pytest.raises(ValueError, match="steps must be at least 1; got steps=0"):
        Distillation(model, exact, 0)
    with pytest.raises(ValueError, match="needs the parameters of a teacher"):
        Distillation(model).init()
    learned = models.Diffusion(zoo.LEARNED["learned_schedule"], zoo.HollowTable(3), None)
    with pytest.raises(ValueError, match="one kernel of teacher and student; LearnedSchedule"):
        Distillation(learned, exact)
    objective = Distillation(model, exact)
    objective.check_teacher(student(KERNELS["masks"], zoo.HollowTable), "runs/one")
    for other in (
        student(KERNELS["both"], zoo.HollowTable),
        student(KERNELS["uniform"], zoo.HollowTable),
        learned,
        zoo.block_diffusion("masks", 3, 1),
    ):
        with pytest.raises(ValueError, match="on the same classes; runs/other is"):
            objective.check_teacher(other, "runs/other")
