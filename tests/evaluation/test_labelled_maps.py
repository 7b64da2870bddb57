"""Maps given their label have the conditional law of the model, and guidance the guided law."""

import functools

import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates, guided_laws
from amd_jax.evaluation import labelled_maps
from amd_jax.facts import MapFacts
from amd_jax.ops.maps import LabelledMaps
from tests import enumeration, zoo

FACTS = MapFacts(
    4, (3,), palette=((0, 0, 0), (9, 9, 9)), labels=("no", "yes"), size=(1, 2), name="grey"
)
DATA = np.zeros((4,) * 3)  # a law of labels and pixels
DATA[2:, :2, :2] = np.random.default_rng(4).dirichlet(np.full(8, 1.0)).reshape(2, 2, 2)
ONE_BY_ONE = samplers.FirstHitting()


class Exact(models.Diffusion):
    """The masked diffusion of a perfect network for maps of that law."""

    def open(self, params, *, train=False):
        return certificates.exact(self.kernel, DATA, self.support)


@functools.cache
def perfect():
    """A model that knows the law, and no parameters."""
    kernel = kernels.absorbing(schedules.linear, 4)
    return Exact(kernel, zoo.Table(5), None, (ONE_BY_ONE,), LabelledMaps.of(FACTS)), {}


def assert_drawn_from(rows, law):
    number = enumeration.number(np.asarray(rows), 4)
    enumeration.assert_drawn_from(number, (law / law.sum()).ravel())


def given_yes():
    law = np.zeros_like(DATA)
    law[3] = DATA[3]
    return law


def test_draws_have_the_law_given_the_label():
    x = labelled_maps.draws(*perfect(), FACTS, "yes", 3000)
    assert {FACTS.label(row) for row in x} == {"yes"}
    assert_drawn_from(x, given_yes())


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [0.0, 1.0, 3.0])
def test_guided_maps_have_the_guided_law(guidance):
    sampler = samplers.Guided(guidance, 64)
    law, _ = guided_laws.target(sampler, DATA, (3, -1, -1))
    conditional = given_yes() / given_yes().sum()
    if guidance == 1:
        np.testing.assert_allclose(law, conditional, atol=1e-6)
    else:
        assert certificates.distance(law, conditional) > 0.05, "nothing is told apart"
    result = labelled_maps.guided(*perfect(), FACTS, "yes", 2000, sampler)
    assert guidance == 3 or result.effective == pytest.approx(64, rel=1e-3)
    assert_drawn_from(result.rows, law)


def test_what_has_no_such_law_is_refused():
    model, params = perfect()
    plain = MapFacts(2, (1, 2), palette=FACTS.palette, name="grey")
    uniform = models.Diffusion(kernels.uniform(schedules.cosine, 4), zoo.Table(4), 3)
    for about, says in (
        ((model, params, FACTS, "maybe"), "A label of grey is one of no, yes; got 'maybe'"),
        ((model, params, plain, "yes"), "have no labels. Train with some: --config.data.label="),
        ((uniform, params, FACTS, "yes"), "a diffusion without masks. Train own_maps_masked"),
    ):
        with pytest.raises(ValueError, match=says) as error:
            labelled_maps.draws(*about, 3)
        assert "\n" not in str(error.value)
        with pytest.raises(ValueError, match=says):
            labelled_maps.guided(*about, 3, samplers.Guided(2.0))
