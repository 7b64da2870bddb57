import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.evaluation import gallery
from amd_jax.models.code_lengths import CodeLength
from tests import enumeration, zoo

DATA = np.random.default_rng(0).dirichlet(np.full(27, 0.3)).reshape(3, 3, 3)
KERNEL = kernels.absorbing(schedules.linear, 3)
DRAWS = 20_000


class Exact(models.Diffusion):
    """A diffusion with the guess that a perfect network would make."""

    def open(self, params, *, train=False):
        return certificates.exact(self.kernel, DATA)


MODEL = Exact(KERNEL, zoo.Table(4), steps=64)
WAYS = {
    "first_hitting": samplers.FirstHitting(),
    "confidence": samplers.Confidence(),
    "entropy_bound": samplers.EntropyBound(gamma=0.0),
    "ancestral": samplers.Ancestral(corrections=2),  # redraws what is known too, were it not held
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.slow
def test_fillings_have_the_law_of_the_data_given_what_is_known(name):
    x, known = jnp.array([0, 2, 0]), jnp.array([False, True, False])
    law = DATA[:, 2, :] / DATA[:, 2, :].sum()
    rows = jnp.tile(x, (DRAWS, 1))
    infill = jax.jit(lambda rng: MODEL.infill({}, rng, rows, known, sampler=WAYS[name]))
    drawn = np.asarray(infill(jax.random.key(0)))
    assert (drawn[:, 1] == 2).all()
    enumeration.assert_drawn_from(enumeration.number(drawn[:, ::2], 3), law.ravel())


@pytest.mark.exhaustive
@pytest.mark.slow
def test_noise_in_sight_admits_fillings_too():
    model = Exact(kernels.AugmentedUniform(schedules.cosine, 3), zoo.Table(6), steps=64)
    x, known = jnp.array([0, 2, 0]), jnp.array([False, True, False])
    rows, law = jnp.tile(x, (DRAWS, 1)), DATA[:, 2, :] / DATA[:, 2, :].sum()
    infill = jax.jit(lambda rng: model.infill({}, rng, rows, known, sampler=WAYS["ancestral"]))
    drawn = np.asarray(infill(jax.random.key(0)))
    assert (drawn[:, 1] == 2).all()
    enumeration.assert_drawn_from(enumeration.number(drawn[:, ::2], 3), law.ravel())


@pytest.mark.slow
def test_remasking_holds_what_is_known_and_leaves_no_mask():
    """And, in many steps, comes near the law: what is held is none of what goes back."""
    x, known = jnp.array([0, 2, 0]), jnp.array([False, True, False])
    rows, way = jnp.tile(x, (DRAWS, 1)), samplers.Remasking(eta=0.05)
    infill = jax.jit(lambda rng: MODEL.infill({}, rng, rows, known, sampler=way))
    drawn = np.asarray(infill(jax.random.key(0)))
    assert (drawn[:, 1] == 2).all()
    assert (drawn < 3).all()
    result = np.bincount(enumeration.number(drawn[:, ::2], 3), minlength=9) / DRAWS
    law = DATA[:, 2, :] / DATA[:, 2, :].sum()
    assert certificates.distance(result, law.ravel()) < 0.03


@pytest.mark.slow
def test_the_probability_of_a_filling_is_exact():
    """Of the first token given the second; of the third nothing is known."""
    known, wanted = jnp.array([[False, True, False]]), jnp.array([[True, False, False]])
    drawn, nats = gallery.infilled(
        MODEL, {}, jax.random.key(1), jnp.array([[0, 1, 0]]), known, wanted
    )
    law = DATA.sum(axis=2)[:, 1]
    assert np.exp(nats[0]) == pytest.approx(law[drawn[0, 0]] / law.sum(), rel=1e-4)
    whole = CodeLength(order="left").one(MODEL, {}, jax.random.key(0), drawn, known, ~known)
    given = DATA[:, 1, :] / DATA[:, 1, :].sum()
    assert np.exp(whole[0]) == pytest.approx(given[drawn[0, 0], drawn[0, 2]], rel=1e-4)


@pytest.mark.slow
def test_nothing_known_is_sampling_and_all_known_changes_nothing():
    x = jnp.array([[0, 1, 2], [2, 2, 0]])
    everything = MODEL.infill({}, jax.random.key(0), x, jnp.ones_like(x, bool))
    np.testing.assert_array_equal(everything, x)
    nothing = MODEL.infill({}, jax.random.key(0), x, jnp.zeros_like(x, bool))
    assert ((nothing >= 0) & (nothing < 3)).all()


@dataclasses.dataclass(frozen=True)
class Stays(samplers.Steps):
    """Goes nowhere: what comes out is where it has begun."""

    name = "stays"

    def __call__(self, process, rng, x, times):
        return x


def test_a_filling_starts_from_noise_and_what_is_known():
    x, known = jnp.array([[0, 1, 2]]), jnp.array([[True, False, True]])
    infill = jax.jit(lambda rng: MODEL.infill({}, rng, x, known, sampler=Stays()))
    start = infill(jax.random.key(0))
    np.testing.assert_array_equal(start, [[0, 3, 2]])


def test_other_noise_is_refused():
    model = zoo.diffusion("uniform-cosine", "table", 5)
    x = jnp.zeros((1, 2), jnp.int32)
    with pytest.raises(ValueError, match="Infilling needs masks.*The kernel is Mixing"):
        model.infill(zoo.drawn(model, x), jax.random.key(0), x, x == 0)
    with pytest.raises(ValueError, match=r"Tokens must be in \[0, 3\); got 3"):
        MODEL.infill({}, jax.random.key(0), x + 3, x == 0)
    with pytest.raises(ValueError, match="takes no steps"):
        MODEL.infill({}, jax.random.key(0), x, x == 0, 4, samplers.FirstHitting())
    fewer = dataclasses.replace(MODEL, steps=4)
    with pytest.raises(ValueError, match=r"steps must be in \[1, 4\]"):
        fewer.infill({}, jax.random.key(0), x, x == 0, steps=8)
