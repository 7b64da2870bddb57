"""What models take for rows, keys and shapes, and how they refuse all else: one line each."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.models import declared
from amd_jax.models.both_sides import BothSides
from amd_jax.models.code_lengths import CodeLength
from amd_jax.models.corrections import Correct, Edit
from amd_jax.models.step_bounds import DrawnSteps
from tests import zoo

pytestmark = pytest.mark.usefixtures("any_types")
MASKS = kernels.absorbing(schedules.linear, 3)
KEY, X = jax.random.key(0), jnp.array([[0, 1], [1, 1], [1, 0]])
KNOWN = np.array([[True, False], [False, True], [True, True]])
MODELS = {  # whose tokens are in [0, 2)
    "masks": zoo.diffusion("absorbing-cosine", "table", 4),
    "masks_continuous": zoo.diffusion("absorbing-linear", "hollow_table", None),
    "masks_and_uniform": zoo.diffusion("masks_and_uniform", "table", 4),
    "augmented": zoo.diffusion("augmented", "table", 4),
    "uniform": zoo.diffusion("uniform-cosine", "hollow_table", 4),
    "gaussian": zoo.gaussian_diffusion("classes", 4),
    "argmax": zoo.flow("argmax", 2, 2),
    "gumbel": zoo.flow("gumbel", 2, 2, "coupling"),
    "modular": zoo.EXACT["modular-ar"](2),
    "integer": zoo.EXACT["integer"](2),
    "insertion": zoo.insertion(2),
    "blocks": zoo.block_diffusion("masks", 2, 1),
    "autoregressive": models.Autoregressive(zoo.CAUSAL["table"](2)),
    "transformer": models.Autoregressive(zoo.CAUSAL["transformer"](2)),
    "xl": models.Autoregressive(zoo.CAUSAL["xl"](2)),
}
ROWS = {
    "got an array of float32. Give x.astype": X * 1.0,
    "got an array of bool": X > 0,
    "got list": [[0, 1]],
    r"got the shape \(0, 2\)": X[:0],
    r"got the shape \(2,\)": X[0],
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_keys_and_shapes_are_checked_by_every_verb(name):
    model = MODELS[name]
    for line, x in ROWS.items():
        for verb in (lambda x: model.init(KEY, x), lambda x: model.elbo({}, KEY, x)):
            with pytest.raises(ValueError, match=line):
                verb(x)
    for rng, line in ((0, "got int"), ({}, "got dict"), (X * 1.0, "got an array of float32")):
        with pytest.raises(ValueError, match=f"rng is a key.*{line}"):
            model.elbo({}, rng, X)
        with pytest.raises(ValueError, match=f"rng is a key.*{line}"):
            model.sample({}, rng, (2, 2))
    for shape in (5, (2.0, 2), (0, 2), (4,), [2, 2]):
        with pytest.raises(ValueError, match=r"shape of samples is a tuple \(B, ...\)"):
            model.sample({}, KEY, shape)


@pytest.mark.few(8)
@pytest.mark.parametrize("name", MODELS)
def test_tokens_outside_are_refused(name):
    with pytest.raises(ValueError, match=r"in \[0, .\); got 9 at index \(1, 1\)"):
        MODELS[name].elbo(zoo.drawn(MODELS[name], X), KEY, X.at[1, 1].set(9))


@pytest.mark.parametrize(
    "bound", [DrawnSteps(), CodeLength(), CodeLength("left"), BothSides(), Edit(), Correct()]
)
def test_bounds_and_editors_check_rows_and_keys(bound):
    with pytest.raises(ValueError, match="got an array of float32. Give x.astype"):
        bound(MODELS["masks"], {}, KEY, X * 1.0)
    with pytest.raises(ValueError, match="rng is a key.*got int"):
        bound(MODELS["masks"], {}, 0, X)


class Deaf(nn.Module):
    """Takes no `train`."""

    def __call__(self, *x):
        return x


@pytest.mark.parametrize(
    "made",
    [
        lambda network: models.Diffusion(MASKS, network, 5),
        models.Autoregressive,
        lambda network: models.BlockDiffusion(MASKS, network, 2),
        lambda network: models.Insertion(network, 2),
    ],
)
def test_a_network_without_train_is_refused(made):
    with pytest.raises(ValueError, match="Deaf.__call__ takes no train. Add"):
        made(Deaf()).init(KEY, X)


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


def assert_same_answers(model, rng, *others):
    """Whatever the key and the rows given in place of an int32 array."""
    params = zoo.parameters(model)
    expected = [*answers(model, params, rng, np.asarray(X))]
    for key, x in others:
        for want, result in zip(expected, answers(model, params, key, x), strict=True):
            np.testing.assert_array_equal(result, want)


def test_integers_of_any_size_and_older_keys_are_taken():
    older = jax.random.PRNGKey(1)
    rows = [X, *(np.asarray(X, kind) for kind in (np.uint8, np.int64))]
    given = [(key, x) for key in (jax.random.key(1), older) for x in rows]
    assert_same_answers(MODELS["autoregressive"], jax.random.key(1), *given)


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_what_a_model_says_does_not_depend_on_the_integers_kind(name):
    rng = jax.random.key(1)
    kinds = np.uint8, np.uint16, np.int64
    assert_same_answers(MODELS[name], rng, *((rng, np.asarray(X, kind)) for kind in kinds))


@pytest.mark.few(1)
@pytest.mark.parametrize("name", zoo.LIFTS)
def test_nor_does_what_a_lift_makes_of_them(name):
    lift, rng, digits = zoo.LIFTS[name](2, 1), jax.random.key(1), np.asarray(X)[..., None]
    params, forward = zoo.drawn(lift, digits), jax.jit(lift.forward)
    want, result = (forward(params, rng, digits.astype(kind)) for kind in (np.int32, np.uint8))
    jax.tree.map(np.testing.assert_array_equal, result, want)
