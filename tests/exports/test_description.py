"""Models as descriptions: the same model comes back, and nothing but parts of the library does."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks, recipes
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.exports import description, export_folder
from amd_jax.facts import Facts, MapFacts
from amd_jax.ops import scalars
from amd_jax.ops.columns import Columns
from amd_jax.ops.lines import Lines
from amd_jax.transforms import argmax, autoregressive, laws
from tests import zoo
from tests.variants import quick

SIZES, OWNERS = (3, 2, 2, 3), (0, 1, 1, 2)
COLUMNS = Columns(SIZES, OWNERS, (3, 3, 3, 3))  # of a table: 3 of 4 codes in the second
TABLE = dict(width=8, blocks=1, marginals=tuple((1 / size,) * size for size in SIZES))


def table_flow():
    encoder = networks.FieldContext(SIZES, 6, width=4)
    lift = argmax.Argmax(laws.Conditional(laws.NORMAL, encoder, event=(3,)), COLUMNS)
    network = networks.AutoregressiveLSTM(features=8, layers=1, components=2)
    layer = autoregressive.Autoregressive(network, scalars.LogisticMixture(2))
    return models.Flow((lift, layer), laws.Learned(laws.NORMAL))


TABLES = {  # the models of experiments/own_table*.py
    "table masked": lambda: models.Diffusion(
        kernels.absorbing(schedules.linear, 3),
        networks.TableNet(4, SIZES, embedding=4, sees_time=False, **TABLE),
        None,
        (samplers.FirstHitting(),),
        COLUMNS,
    ),
    "table multinomial": lambda: models.Diffusion(
        kernels.uniform_within(schedules.cosine, COLUMNS.each(3)),
        networks.TableNet(3, SIZES, embedding=4, **TABLE),
        5,
        support=COLUMNS,
    ),
    "table autoregressive": lambda: models.Autoregressive(
        networks.CausalTable(3, SIZES, heads=2, **TABLE), support=COLUMNS
    ),
    "table argmax": table_flow,
}
DENSE = {"blocks": 1, "growth": 2, "depth": 1, "width": 4}
MAPS = MapFacts(3, (4, 4), frequencies=(0.5, 0.25, 0.25), palette=((0, 0, 0),) * 3)


def hollow(kernel):
    states = kernel.prior.shape[-1]
    return models.Diffusion(kernel, networks.Hollow(states, width=8, blocks=1), steps=5)


def map_flow(lift):
    encoder = {"couplings": 1, "context": 2, "network": DENSE}
    return recipes.map_flow(lift, MAPS, 1, 1, DENSE, encoder)


def text_flow(couplings, base=2):
    lift = recipes.argmax_lift(networks.PointwiseContext, 3, base, {"width": 4, "context": 4})
    numbers = {"features": 8, "layers": 1, "components": 2}
    if couplings:
        return recipes.coupling_flow(lift, couplings, numbers)
    return recipes.autoregressive_flow(lift, networks.AutoregressiveLSTM(**numbers))


def latent_flow(kind):
    numbers = {"latents": 2, "width": 4, "layers": 1, "flows": 2, "hidden": 4}
    return recipes.latent_flow(kind, 3, 6, numbers)


LINES = Lines(3, (0.25, 0.25, 0.5), num_labels=2)


def line_flow():
    encoder = networks.ContextLSTM(6, 12, width=4, context=4)
    encoder = laws.Conditional(laws.NORMAL, encoder, event=(6,), support=LINES)
    network = networks.AutoregressiveLSTM(features=8, layers=1, components=2)
    layer = autoregressive.Autoregressive(network, scalars.LogisticMixture(2))
    end = autoregressive.UpToEnd(layer, laws.NORMAL, LINES)
    return models.Flow((argmax.Argmax(encoder, LINES),), end)


OF_LINES = {  # the models of experiments/own_lines*.py
    "lines masked": lambda: dataclasses.replace(
        hollow(kernels.absorbing(schedules.linear, 6)), support=LINES
    ),
    "lines multinomial": lambda: dataclasses.replace(
        hollow(kernels.uniform_within(schedules.cosine, LINES.each(6))), support=LINES
    ),
    "lines autoregressive": lambda: models.Autoregressive(
        networks.CausalTransformer(6, width=8, blocks=1, heads=2), support=LINES
    ),
    "lines argmax": line_flow,
}


TEXTS = {
    **{
        name: lambda kernel=kernel: hollow(kernel)
        for name, kernel in zoo.KERNELS.items()
        if type(kernel).__module__.startswith("amd_jax.")
    },
    "autoregressive": lambda: text_flow(0),
    "digits of base 3": lambda: text_flow(0, base=3),
    "coupling": lambda: text_flow(2),
}
QUICK = (*zoo.FAMILIES, "autoregressive", "coupling", "insertion")
MODELS = {
    **{name: (make, (2, 6)) for name, make in TEXTS.items()},
    **{lift: (lambda lift=lift: map_flow(lift), (2, 4, 4)) for lift in recipes.LIFTS},
    **{kind: (lambda kind=kind: latent_flow(kind), (2, 6)) for kind in recipes.LATENT_FLOWS},
    **{name: (make, (2, 4)) for name, make in (TABLES | OF_LINES).items()},
    "insertion": (lambda: zoo.insertion(3), (2, 6)),
    "blocks": (lambda: zoo.block_diffusion("masks", 3, 2), (2, 6)),
}


def back(model):
    """A model that was described, written as JSON, read and composed."""
    arrays = {}
    described = json.loads(json.dumps(description.describe(model, arrays)))
    assert set(arrays) <= set(json.dumps(described).split('"'))
    return description.compose(described, arrays)


@pytest.mark.few(2)
@pytest.mark.parametrize("name", quick(MODELS, *QUICK))
def test_the_same_model_comes_back(name):
    make, shape = MODELS[name]
    model = make()
    result, arrays, again = back(model), {}, {}
    assert description.describe(result, again) == description.describe(model, arrays)
    jax.tree.map(np.testing.assert_array_equal, again, arrays)
    x = jax.ShapeDtypeStruct(shape, np.int32)
    shapes = [jax.eval_shape(m.init, jax.random.key(0), x) for m in (model, result)]
    assert shapes[0] == shapes[1]


OF_TEXT, OF_LINE = jnp.array([[0, 1, 2, 0, 1, 2]]), jnp.array([[4, 0, 1, 3], [5, 2, 3, 3]])
NUMBERS = {
    "uniform-tabulated": OF_TEXT,
    "autoregressive": OF_TEXT,
    **dict.fromkeys(OF_LINES, OF_LINE),
}


@pytest.mark.few(3)
@pytest.mark.parametrize(
    "name", quick(NUMBERS, "uniform-tabulated", "autoregressive", "lines argmax")
)
@pytest.mark.slow
def test_it_gives_the_same_numbers(name):
    model, x = MODELS[name][0](), NUMBERS[name]
    params = zoo.drawn(model, x, scale=0.1)
    nats = [jax.jit(m.elbo)(params, jax.random.key(1), x) for m in (model, back(model))]
    np.testing.assert_array_equal(*nats)
    assert np.isfinite(nats[0]).all()


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", quick(TABLES, "table multinomial"))
def test_what_rows_can_be_comes_back_with_the_numbers(name, tmp_path):
    """From a folder, in halves too: the support, the priors, and so every bit."""
    model, x = TABLES[name](), jnp.array([[0, 1, 0, 2], [2, 0, 1, 1]])
    params, facts = zoo.drawn(model, x, scale=0.1), Facts(3, (4,))
    run, results = {"step": 3, "config": {}}, []
    for half in (False, True):
        place = tmp_path / str(half)
        export_folder.write(
            place, model, params, facts, run=run, results=[], card="card", half=half
        )
        read = export_folder.read(place)
        parts = read.model, *getattr(read.model, "transforms", ())
        assert COLUMNS in [getattr(part, "support", None) for part in parts]
        results.append(jax.jit(read.model.elbo)(read.params, jax.random.key(1), x))
    expected = jax.jit(model.elbo)(params, jax.random.key(1), x)
    np.testing.assert_array_equal(results[0], expected)
    np.testing.assert_allclose(results[1], expected, rtol=0.02)
    assert (results[1] != expected).any()
    assert np.isfinite(expected).all()


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
    for key in ("name", "part"):
        with pytest.raises(ValueError, match=r"has none called|has one of"):
            description.compose({key: name, "fields": {}}, {})


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"array": "nowhere"},
        {"part": "amd_jax.models.diffusion.Diffusion"},
        {"part": "amd_jax.models.diffusion.Diffusion", "fields": {"kernels": 1}},
        {"part": "amd_jax.diffusion.schedules.cosine", "fields": {}},
        {"items": 3},
    ],
)
def test_what_is_no_description_is_refused(result):
    with pytest.raises(ValueError, match=r"description has|differs|no kind of part"):
        description.compose(result, {})
