"""Infilling where noise is no mask: exact for a guess that sees what is known, by enumeration."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.learning import objectives
from amd_jax.ops import categorical
from tests import enumeration, zoo
from tests.models.means import assert_mean, draws
from tests.models.test_infilling import DATA, Exact, fillings
from tests.models.test_infilling import GIVEN as EXACT
from tests.variants import quick

pytestmark = pytest.mark.slow

K, STEPS = 3, 5
UNIFORM = kernels.uniform(schedules.cosine, K)
GIVEN = [-1, 2, -1]


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
    ("steps", "told", "untold"), [(16, 0.028, 0.060), (64, 0.0066, 0.034), (256, 0.0017, 0.028)]
)
def test_told_what_is_known_it_nears_the_exact_law_and_else_not(steps, told, untold):
    """As 1 / S; with the guess for what is noisy, held tokens leave a bias."""
    assert certificates.distance(filled_law(steps, True), EXACT) < told
    assert certificates.distance(filled_law(steps, False), EXACT) > untold * 0.98


def test_fillings_have_that_law():
    model = Exact(UNIFORM, Told(K), steps=None)
    for sampler in (samplers.Ancestral(steps=8), samplers.Euler(steps=8, corrections=1)):
        law = certificates.law(sampler, model.open({}), 3, None, given=GIVEN)[:, 2]
        enumeration.assert_drawn_from(fillings(model, sampler), law.ravel())


FAMILIES = ("uniform-cosine", "absorbing-linear", "birth_death-cosine", "uneven-unfinished")
CASES = [(family, zoo.Table) for family in FAMILIES] + [("uniform-cosine", zoo.HollowTable)]


def of_the_first(model, params, kernel, row):
    """The bound and log p(x) of the first token given the second."""
    states, predict = len(kernel.prior), model.open(params).predict
    noisy = np.array([[k, row[1]] for k in range(states)])  # every state of the first token
    told = np.broadcast_to([False, True], noisy.shape)
    clean = np.eye(states)[np.full(states, row[0])]
    law = np.asarray(kernel.prior, np.float64)
    total = enumeration.kl(enumeration.matrix(kernel, 0.0, 1.0)[row[0]], law)
    for i in range(STEPS, 0, -1):
        s, t = (i - 1) / STEPS, i / STEPS
        p_0 = predict(jnp.asarray(noisy), jnp.full(states, t, jnp.float32), known=told)
        guess = enumeration.bayes(kernel, np.asarray(p_0, np.float64)[:, 0], noisy[:, 0], s, t)
        true = enumeration.bayes(kernel, clean, noisy[:, 0], s, t)
        total += enumeration.matrix(kernel, 0.0, t)[row[0]] @ enumeration.kl(true, guess)
        law = law @ guess
    return -total, np.log(law[row[0]])


@pytest.mark.parametrize(
    "case",
    quick(CASES, slow=(CASES[3], CASES[4])),
    ids=lambda case: f"{case[0]}-{case[1].__name__}",
)
def test_what_is_known_is_told_and_bounds_and_weights_of_the_rest_are_exact(case):
    """Rows of two tokens, of which the second is known, by enumeration of the first."""
    kernel = zoo.KERNELS[case[0]]
    model = models.Diffusion(kernel, Told(len(kernel.prior), case[1]), steps=STEPS)
    params, x = zoo.parameters(model), enumeration.sequences(kernel.num_classes, 2)
    known = np.broadcast_to([False, True], x.shape)
    bound, log_p = np.array([of_the_first(model, params, kernel, row) for row in x]).T
    assert (bound < log_p + 1e-6).all()
    elbo = draws(model.elbo, params, x, 8000, known=known)
    log_weight = draws(model.log_weight, params, x, 8000, known=known)
    assert_mean(elbo, bound, 0.05, slack=1e-4)
    assert_mean(np.exp(log_weight), np.exp(log_p), 0.02)
    process, t = model.open(params), jnp.full(len(x), 0.5)
    plain, none = process.predict(x, t), process.predict(x, t, known=jnp.zeros(x.shape, bool))
    np.testing.assert_array_equal(plain, none)  # it is told nothing
    held = process.holding(jnp.where(known, x, -1)).predict(x, t)
    np.testing.assert_array_equal(held[:, 1], categorical.one_hot(x[:, 1], held.shape[-1]))
    assert (abs(held[:, 0] - plain[:, 0]).max(axis=-1) > 1e-4).all()


def test_the_cross_entropy_is_of_what_is_unknown():
    model = models.Diffusion(UNIFORM, Told(K, zoo.HollowTable), steps=STEPS)
    params, x = zoo.parameters(model), enumeration.sequences(K, 2)

    def loss(*known):
        told = objectives.CrossEntropy(model, known=lambda rng, x: jnp.full(x, jnp.array(known)))
        return draws(lambda p, rng, x: told.loss(p, (), rng, x)[0], params, x, 4000)

    np.testing.assert_array_equal(loss(True, True), 0)
    result = loss(False, True)
    times, predict = np.linspace(0, 1, 2001)[:-1] + 1 / 4000, model.open(params).predict
    exact = []
    for row in x:  # the own token is not seen: only the second counts
        rows = jnp.tile(row, (len(times), 1))
        p_0 = predict(
            rows,
            jnp.asarray(times, jnp.float32),
            known=jnp.full(rows.shape, jnp.array([False, True])),
        )
        exact.append(-np.log(np.asarray(p_0)[:, 0, row[0]]).mean())
    np.testing.assert_allclose(result.mean(axis=0), exact, rtol=0.01)


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
