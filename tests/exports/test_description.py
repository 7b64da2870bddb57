"""Models as descriptions: the same model comes back, and nothing but parts of the library does.

Those of the experiments are exported by tests/experiments/test_configs.py.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.exports import description, export_folder
from amd_jax.facts import Facts
from amd_jax.ops import scalars
from amd_jax.ops.columns import Columns
from amd_jax.transforms import argmax, autoregressive, laws
from tests import zoo
from tests.variants import quick

SIZES, OWNERS = (3, 2, 2, 3), (0, 1, 1, 2)
COLUMNS = Columns(SIZES, OWNERS, (3, 3, 3, 3))  # of a table: 3 of 4 codes in the second


def hollow(kernel):
    states = kernel.prior.shape[-1]
    return models.Diffusion(kernel, networks.Hollow(states, width=8, blocks=1), steps=5)


def table():
    """A model of rows of a table, and so with a prior of each column."""
    marginals = tuple((1 / size,) * size for size in SIZES)
    network = networks.TableNet(3, SIZES, embedding=4, width=8, blocks=1, marginals=marginals)
    kernel = kernels.uniform_within(schedules.cosine, COLUMNS.each(3))
    return models.Diffusion(kernel, network, 5, support=COLUMNS)


def table_flow():
    encoder = networks.FieldContext(SIZES, 6, width=4)
    lift = argmax.Argmax(laws.Conditional(laws.NORMAL, encoder, event=(3,)), COLUMNS)
    network = networks.AutoregressiveLSTM(features=8, layers=1, components=2)
    layer = autoregressive.Autoregressive(network, scalars.LogisticMixture(2))
    return models.Flow((lift, layer), laws.Learned(laws.NORMAL))


KERNELS = [
    name for name, kernel in zoo.KERNELS.items() if type(kernel).__module__.startswith("amd_jax.")
]


def back(model):
    """A model that was described, written as JSON, read and composed."""
    arrays = {}
    described = json.loads(json.dumps(description.describe(model, arrays)))
    assert set(arrays) <= set(json.dumps(described).split('"'))
    return description.compose(described, arrays)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", quick(KERNELS, *zoo.FAMILIES))
def test_the_same_model_comes_back(name):
    model = hollow(zoo.KERNELS[name])
    result, arrays, again = back(model), {}, {}
    assert description.describe(result, again) == description.describe(model, arrays)
    jax.tree.map(np.testing.assert_array_equal, again, arrays)
    x = jax.ShapeDtypeStruct((2, 6), np.int32)
    shapes = [jax.eval_shape(m.init, jax.random.key(0), x) for m in (model, result)]
    assert shapes[0] == shapes[1]


@pytest.mark.slow
@pytest.mark.parametrize("make", [table, table_flow])
def test_a_folder_gives_the_same_numbers(make, tmp_path):
    """The support, the priors, and so every bit."""
    model, x = make(), jnp.array([[0, 1, 0, 2], [2, 0, 1, 1]])
    params, run = zoo.drawn(model, x, scale=0.1), {"step": 3, "config": {}}
    facts = Facts(3, (4,))
    export_folder.write(tmp_path, model, params, facts, run=run, results=[], card="card")
    read = export_folder.read(tmp_path)
    parts = read.model, *getattr(read.model, "transforms", ())
    assert COLUMNS in [getattr(part, "support", None) for part in parts]
    nats, again = (
        jax.jit(m.elbo)(p, jax.random.key(1), x)
        for m, p in ((model, params), (read.model, read.params))
    )
    np.testing.assert_array_equal(nats, again)
    assert np.isfinite(nats).all()


def test_columns_of_many_codes_come_back():
    """More than float32 tells apart; sizes are as small as those of any network."""
    columns = Columns((10_000,) * 3, (0,) * 3, (10**12,) * 3)
    model = models.Autoregressive(networks.CausalTable(3, (3, 3), heads=2), support=columns)
    assert back(model).support == columns
    described = description.describe(model, {})
    described["fields"]["support"]["fields"]["limits"] = [10**13] * 3
    with pytest.raises(ValueError, match=r"at most 1,000,000,000,000 .*support.limits.0 has 44"):
        description.compose(described, {})


def test_samplers_and_their_numbers_come_back():
    quick = samplers.Ancestral(spacing=(1.0, 0.7, 0.1, 0.0))
    kernel = kernels.uniform(schedules.cosine, 3)
    model = models.Diffusion(kernel, networks.Hollow(3), steps=9, samplers=(quick,))
    assert back(model).samplers == model.samplers
    assert model.samplers[0] is quick
    assert back(model).kernel.schedule is schedules.cosine


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda: zoo.diffusion("walk", "hollow", 4), "model.kernel"),
        (lambda: zoo.diffusion("uniform-cosine", "table", 4), "model.denoiser"),
        (lambda: hollow(kernels.uniform(lambda t: -t, 3)), "model.kernel.schedule"),
        (lambda: models.Flow((argmax.Digits(3, 2),), laws.Fixed(object())), "model.base.family"),
        (lambda: models.Flow((jnp.sin,), laws.Fixed(laws.NORMAL)), "model.transforms.0"),
    ],
)
def test_what_is_not_of_the_library_is_refused_with_its_place(make, place):
    model = make()
    with pytest.raises(ValueError, match=f"holds no code; {place} is .*load_run"):
        description.describe(model, {})


@pytest.mark.parametrize(
    "name",
    [
        *("os.system", "amd_jax.host.memory.check", "amd_jax.models.nowhere.Diffusion"),
        *("amd_jax.models.diffusion.dataclasses", "amd_jax.networks.hollow.jnp"),
        *("amd_jax.networks.hollow.CONTEXTS", "amd_jax.networks.hollow.Callable"),
        "amd_jax.models.diffusion._check_signature",
        "amd_jax.models.diffusion.Process",  # of another file: it has one name only
        *("amd_jax.models..diffusion", "amd_jax.models.", ""),
    ],
)
def test_other_names_are_not_looked_up(name):
    """What else a description may not be is in tests/faults/test_descriptions.py."""
    for key in ("name", "part"):
        with pytest.raises(ValueError, match=r"has none called|has one of"):
            description.compose({key: name, "fields": {}}, {})


def test_a_function_has_no_fields_and_items_are_many():
    for result in ({"part": "amd_jax.diffusion.schedules.cosine", "fields": {}}, {"items": 3}):
        with pytest.raises(ValueError, match=r"description has|no kind of part"):
            description.compose(result, {})
