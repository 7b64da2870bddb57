"""Data sets give tokens as uint8 or uint16: models take them as they take int32."""

import jax
import numpy as np
import pytest

from amd_jax import models
from amd_jax.models import declared
from tests import zoo

MODELS = {  # whose tokens are in [0, 2)
    "masks": lambda: zoo.diffusion("absorbing-cosine", "table", 4),
    "masks_continuous": lambda: zoo.diffusion("absorbing-linear", "hollow_table", None),
    "masks_and_uniform": lambda: zoo.diffusion("masks_and_uniform", "table", 4),
    "augmented": lambda: zoo.diffusion("augmented", "table", 4),
    "uniform": lambda: zoo.diffusion("uniform-cosine", "hollow_table", 4),
    "gaussian": lambda: zoo.gaussian_diffusion(next(iter(zoo.GAUSSIAN)), 4),
    "argmax": lambda: zoo.flow("argmax", 2, 2),
    "gumbel": lambda: zoo.flow("gumbel", 2, 2, "coupling"),
    "modular": lambda: zoo.EXACT["modular-ar"](2),
    "integer": lambda: zoo.EXACT["integer"](2),
    "insertion": lambda: zoo.insertion(2),
    "blocks": lambda: zoo.block_diffusion("masks", 2, 1),
    **{
        name: lambda name=name: models.Autoregressive(zoo.CAUSAL[name](2))
        for name in ("table", "transformer", "xl")
    },
}
X = np.array([[0, 1], [1, 1], [1, 0]])
KNOWN = np.array([[True, False], [False, True], [True, True]])


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [np.uint8, *(pytest.param(k, marks=pytest.mark.slow) for k in (np.uint16, np.int64))],
)
@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_says_does_not_depend_on_the_integers_kind(name, kind):
    model = MODELS[name]()
    params, rng = zoo.parameters(model), jax.random.key(1)
    results = [answers(model, params, rng, X.astype(dtype)) for dtype in (np.int32, kind)]
    for expected, result in zip(*results, strict=True):
        np.testing.assert_array_equal(result, expected)


@pytest.mark.few(1)
@pytest.mark.parametrize("name", zoo.LIFTS)
def test_nor_does_what_a_lift_makes_of_them(name):
    lift, rng = zoo.LIFTS[name](2, 1), jax.random.key(1)
    params, forward = zoo.drawn(lift, X[..., None]), jax.jit(lift.forward)
    want = forward(params, rng, X[..., None])
    result = forward(params, rng, X[..., None].astype(np.uint8))
    jax.tree.map(np.testing.assert_array_equal, result, want)


def answers(model, params, rng, x):
    """Bounds of rows, and what is made of them."""
    yield model.elbo(params, rng, x)
    if declared.fills_gaps(model):
        yield model.elbo(params, rng, x, known=KNOWN)
        filled = model.infill(params, rng, x, KNOWN, steps=4)
        np.testing.assert_array_equal(np.where(KNOWN, filled, X), X)
        assert np.isin(filled, (0, 1)).all()
        yield filled
    if getattr(model, "steps", 1) is None:
        return
    yield model.log_weight(params, rng, x)
    for editor in declared.editors(model):
        yield editor(model, params, rng, x)
