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
ROW, KNOWN = [0, 2, 0], [False, True, False]
GIVEN = DATA[:, 2, :] / DATA[:, 2, :].sum()  # the law of the others
DRAWS = 20_000


class Exact(models.Diffusion):
    """A diffusion with the guess that a perfect network would make."""

    def open(self, params, *, train=False):
        return certificates.exact(self.kernel, DATA)


MODEL = Exact(KERNEL, zoo.Table(4), steps=64)
IN_SIGHT = Exact(kernels.AugmentedUniform(schedules.cosine, 3), zoo.Table(6), steps=64)
REDRAWS = samplers.Ancestral(corrections=2)  # also what is known, were it not held
WAYS = {
    "first_hitting": (MODEL, samplers.FirstHitting()),
    "confidence": (MODEL, samplers.Confidence()),
    "entropy_bound": (MODEL, samplers.EntropyBound(gamma=0.0)),
    "ancestral": (MODEL, REDRAWS),
    "noise in sight": (IN_SIGHT, REDRAWS),
}


def fillings(model, sampler):
    """Numbers of what is drawn around the known token, which stays."""
    rows = jnp.tile(jnp.array(ROW), (DRAWS, 1))
    infill = jax.jit(lambda rng: model.infill({}, rng, rows, jnp.array(KNOWN), sampler=sampler))
    drawn = np.asarray(infill(jax.random.key(0)))
    assert (drawn[:, 1] == 2).all()
    assert (drawn < 3).all()
    return enumeration.number(drawn[:, ::2], 3)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", WAYS)
@pytest.mark.slow
def test_fillings_have_the_law_of_the_data_given_what_is_known(name):
    enumeration.assert_drawn_from(fillings(*WAYS[name]), GIVEN.ravel())


@pytest.mark.slow
def test_remasking_holds_what_is_known_and_leaves_no_mask():
    """And, in many steps, comes near the law: what is held is none of what goes back."""
    drawn = fillings(MODEL, samplers.Remasking(eta=0.05))
    share = np.bincount(drawn, minlength=9) / DRAWS
    assert certificates.distance(share, GIVEN.ravel()) < 0.03


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


@dataclasses.dataclass(frozen=True)
class Stays(samplers.Steps):
    """Goes nowhere: what comes out is where it has begun."""

    name = "stays"

    def __call__(self, process, rng, x, times):
        return x


def test_a_filling_starts_from_noise_and_what_is_known():
    x, known = jnp.array([[0, 1, 2]] * 3), jnp.array([[1, 0, 1], [1, 1, 1], [0, 0, 0]], bool)
    start = jax.jit(lambda rng: MODEL.infill({}, rng, x, known, sampler=Stays()))
    np.testing.assert_array_equal(start(jax.random.key(0)), jnp.where(known, x, 3))


@pytest.mark.parametrize(
    ("model", "token", "steps", "sampler", "message"),
    [
        (
            zoo.diffusion("uniform-cosine", "table", 5),
            *(0, None, None, "Infilling needs masks.*The kernel is Mixing"),
        ),
        (MODEL, 3, None, None, r"Tokens must be in \[0, 3\); got 3"),
        (MODEL, 0, 4, samplers.FirstHitting(), "takes no steps"),
        (dataclasses.replace(MODEL, steps=4), 0, 8, None, r"steps must be in \[1, 4\]"),
    ],
)
def test_what_cannot_be_filled_is_refused(model, token, steps, sampler, message):
    x = jnp.full((1, 3), token)
    with pytest.raises(ValueError, match=message):
        model.infill({}, jax.random.key(0), x, x == token, steps, sampler)
