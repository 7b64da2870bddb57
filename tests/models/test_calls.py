"""Arguments of a model that are none: one line, whatever the model and the verb."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, schedules
from amd_jax.models.both_sides import BothSides
from amd_jax.models.code_lengths import CodeLength
from amd_jax.models.corrections import Correct, Edit
from amd_jax.models.step_bounds import DrawnSteps
from tests import zoo

pytestmark = pytest.mark.usefixtures("any_types")
KEY, X = jax.random.key(0), jnp.array([[0, 1], [2, 2]])
MASKS = kernels.absorbing(schedules.linear, 3)


def models_of_each_kind():
    small = dict(width=8, blocks=1, heads=2)
    blocks = networks.BlockTransformer(4, sees_time=False, **small)
    return {
        "diffusion": zoo.diffusion("uniform-cosine", "table", 4),
        "masks": models.Diffusion(MASKS, zoo.Table(4), None),
        "autoregressive": models.Autoregressive(zoo.CausalTable(3)),
        "flow": zoo.integer_flow(3),
        "insertion": zoo.insertion(3),
        "blocks": models.BlockDiffusion(MASKS, blocks, 2),
        "gaussian": zoo.gaussian_diffusion("classes", 4),
    }


MODELS = models_of_each_kind()
ROWS = {
    "floats": (X * 1.0, "got an array of float32. Give x.astype"),
    "flags": (X > 0, "got an array of bool"),
    "list": ([[0, 1]], "got list"),
    "no rows": (X[:0], r"got the shape \(0, 2\)"),
    "one row": (X[0], r"got the shape \(2,\)"),
}


@pytest.mark.parametrize("name", MODELS)
def test_rows_keys_and_shapes_are_checked_by_every_verb(name):
    model = MODELS[name]
    for x, line in ROWS.values():
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


@pytest.mark.parametrize(
    "bound", [DrawnSteps(), CodeLength(), CodeLength("left"), BothSides(), Edit(), Correct()]
)
def test_bounds_and_editors_check_rows_and_keys(bound):
    with pytest.raises(ValueError, match="got an array of float32. Give x.astype"):
        bound(MODELS["masks"], {}, KEY, X * 1.0)
    with pytest.raises(ValueError, match="rng is a key.*got int"):
        bound(MODELS["masks"], {}, 0, X)


def test_integers_of_any_size_and_older_keys_are_taken():
    model = MODELS["autoregressive"]
    params = model.init(jax.random.PRNGKey(0), np.asarray(X, np.uint8))
    same = [
        model.elbo(params, rng, x)
        for rng in (KEY, jax.random.PRNGKey(0))
        for x in (X, np.asarray(X, np.uint8), np.asarray(X, np.int64))
    ]
    for nats in same:
        np.testing.assert_array_equal(nats, same[0])
