"""Data made noise up to some time, and walked back: the law of `Edit`, by enumeration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import samplers
from amd_jax.evaluation import correction
from amd_jax.models.corrections import Correct, Edit
from amd_jax.models.declared import Corrector
from tests import enumeration, zoo
from tests.variants import quick

DRAWS, STEPS = 20_000, 10
KERNELS = ("uniform-cosine", "absorbing-linear", "birth_death-cosine", "masks_and_uniform")
KERNELS += ("table-gaussian",)


@pytest.fixture(scope="module", params=quick(KERNELS, "uniform-cosine"))
def model(request):
    """A model with parameters, and what an editor makes of many copies of a row."""
    model = zoo.diffusion(request.param, "table", STEPS)
    params = zoo.parameters(model)

    def edited(editor, row, seed=0):
        x = jnp.tile(jnp.array(row, jnp.int32), (DRAWS, 1))
        return jax.jit(editor, static_argnums=0)(model, params, jax.random.key(seed), x)

    return model, params, edited


def law(model, params, row, times):
    """Of what is made noise to times[0] by the kernel, and walked from there: (K ** L,)."""
    kernel = model.open(params).kernel
    every = enumeration.sequences(len(kernel.prior), zoo.LENGTH)
    noisy = enumeration.matrix(kernel, 0.0, times[0])[row]
    start = np.prod(noisy[np.arange(zoo.LENGTH), every], axis=-1)
    return enumeration.chain(model, params, start, times, zoo.LENGTH)


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("editor", "times"),
    [
        (Edit(0.4), [0.4, 0.3, 0.2, 0.1, 0.0]),
        (Edit(0.35, steps=5), [0.35, 0.2, 0.0]),  # between two times of the grid
    ],
)
def test_it_is_noise_and_the_way_back(model, editor, times):
    model, params, edited = model
    if model.kernel is zoo.KERNELS["table-gaussian"] and 0.35 in times:
        pytest.skip("a table has no times between its steps")
    x, states = edited(editor, [1, 0]), len(model.kernel.prior)
    assert x.dtype == jnp.int32
    expected = law(model, params, [1, 0], times)
    enumeration.assert_drawn_from(enumeration.number(x, states), expected)


@pytest.mark.few(1)
@pytest.mark.slow
def test_at_full_strength_the_data_are_forgotten(model):
    model, params, edited = model
    states = len(model.kernel.prior)
    whole = enumeration.law(model, params, zoo.LENGTH)
    for seed, row in enumerate(([1, 0], [0, 1])):
        x = edited(Edit(1.0), row, seed)
        enumeration.assert_drawn_from(enumeration.number(x, states), whole)


@pytest.mark.few(1)
def test_with_hardly_any_strength_nothing_happens(model):
    _, _, edited = model
    row = [1, 0]
    x = np.asarray(edited(Edit(1e-8), row))
    assert (x == row).all(axis=1).mean() > 0.999


@pytest.mark.slow
def test_it_walks_by_the_first_sampler_that_steps():
    """Its numbers count, such as the temperature; one that does not step is passed over."""
    cold = samplers.Ancestral(steps=5, temperature=1e-3)
    model = zoo.diffusion("absorbing-linear", "hollow_table", STEPS)
    model = type(model)(model.kernel, model.denoiser, STEPS, (samplers.FirstHitting(), cold))
    params, masks = zoo.parameters(model), jnp.full((1, 2), 2)
    x = jnp.tile(jnp.array([[0, 1]]), (500, 1))
    drawn = Edit(1.0)(model, params, jax.random.key(0), x)
    likeliest = model.open(params).predict(masks, jnp.ones(1)).argmax(axis=-1)[0]
    alone = (drawn == likeliest).any(axis=1)  # whichever is revealed first is the likeliest
    assert alone.all()


@pytest.mark.parametrize("strength", [0.0, -0.1, 1.01])
def test_strengths_outside_are_refused(strength):
    with pytest.raises(
        ValueError, match=rf"strength must be in \(0, 1\]; got strength={strength}"
    ):
        Edit(strength)
    with pytest.raises(ValueError, match="steps must be at least 1; got steps=0"):
        Edit(steps=0)


def test_it_is_no_correction():
    model = zoo.diffusion("uniform-cosine", "table", STEPS)
    assert [isinstance(editor, Corrector) for editor in model.editors] == [True, False]


def test_pieces_of_a_text_have_noise_of_their_own():
    """Two pieces that are alike become different ones."""
    model = zoo.diffusion("uniform-cosine", "table", STEPS)
    params = zoo.parameters(model)
    text = np.tile([0, 1], 40)
    result = correction.edited_text(Edit(0.7), model, params, text, 2, seed=3)
    assert len({tuple(piece) for piece in result.reshape(-1, 2).tolist()}) > 2
    again = correction.edited_text(Edit(0.7), model, params, text, 2, seed=3)
    np.testing.assert_array_equal(result, again)
    other = correction.edited_text(Edit(0.7), model, params, text, 2, seed=4)
    assert (result != other).any()


@pytest.mark.few(1)
@pytest.mark.parametrize("editor", [Edit(0.4), Correct(), Correct(raw=True)])
def test_tokens_of_no_class_are_not_edited(editor):
    model = zoo.diffusion("uniform-cosine", "table", STEPS)
    params, x = zoo.parameters(model), jnp.array([[0, 1], [7, 1]])
    with pytest.raises(ValueError, match=r"Tokens must be in \[0, 3\); got 7"):
        editor(model, params, jax.random.key(0), x)
    edited = jax.jit(editor, static_argnums=0)(model, params, jax.random.key(0), x)
    assert (edited[0] >= 0).all()
    assert (edited[1] == -1).all()
