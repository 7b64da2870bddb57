"""Data made noise up to some time, and walked back: the law of `Edit`, by enumeration."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import samplers
from amd_jax.evaluation import correction
from amd_jax.models.corrections import Correct, Edit
from tests import enumeration, zoo
from tests.variants import quick

DRAWS, STEPS = 20_000, 10
KERNELS = ("uniform-cosine", "absorbing-linear", "birth_death-cosine", "masks_and_uniform")
KERNELS += ("table-gaussian",)


@pytest.fixture(params=quick(KERNELS, "uniform-cosine"))
def model(request):
    return zoo.diffusion(request.param, "table", STEPS)


@pytest.mark.parametrize(
    ("editor", "times"),
    [
        (Edit(0.4), [0.4, 0.3, 0.2, 0.1, 0.0]),
        (Edit(0.35, steps=5), [0.35, 0.2, 0.0]),  # between two times of the grid
        (Edit(1e-8), [1e-8, 0.0]),
        pytest.param(Edit(1.0), np.linspace(1, 0, STEPS + 1), marks=pytest.mark.slow),
    ],
)
def test_it_is_noise_and_the_way_back(model, editor, times):
    if model.kernel is zoo.KERNELS["table-gaussian"] and times[0] in (0.35, 1e-8):
        pytest.skip("a table has no times between its steps")
    params, row = zoo.parameters(model), [1, 0]
    x = jnp.tile(jnp.array(row), (DRAWS, 1))
    x = jax.jit(editor, static_argnums=0)(model, params, jax.random.key(0), x)
    assert x.dtype == jnp.int32
    states = len(model.kernel.prior)
    noisy = enumeration.matrix(model.kernel, 0.0, times[0])[row]
    every = enumeration.sequences(states, zoo.LENGTH)
    start = np.prod(noisy[np.arange(zoo.LENGTH), every], axis=-1)
    law = enumeration.chain(model, params, start, times, zoo.LENGTH)
    enumeration.assert_drawn_from(enumeration.number(x, states), law)
    if times[0] == 1.0:
        whole = enumeration.law(model, params, zoo.LENGTH)  # what was there is forgotten
        np.testing.assert_allclose(law, whole, atol=1e-4)


@pytest.mark.slow
def test_it_walks_by_the_first_sampler_that_steps():
    """Its numbers count, such as the temperature; one that does not step is passed over."""
    cold = samplers.Ancestral(steps=5, temperature=1e-3)
    model = zoo.diffusion("absorbing-linear", "hollow_table", STEPS)
    model = type(model)(model.kernel, model.denoiser, STEPS, (samplers.FirstHitting(), cold))
    params, masks = zoo.parameters(model), jnp.full((1, 2), 2)
    x = jnp.tile(jnp.array([[0, 1]]), (500, 1))
    drawn = jax.jit(Edit(1.0), static_argnums=0)(model, params, jax.random.key(0), x)
    likeliest = model.open(params).predict(masks, jnp.ones(1)).argmax(axis=-1)[0]
    assert (drawn == likeliest).any(axis=1).all()  # whichever is revealed first


def test_numbers_outside_are_refused():
    for strength in (0.0, -0.1, 1.01):
        message = rf"strength must be in \(0, 1\]; got strength={strength}"
        with pytest.raises(ValueError, match=message):
            Edit(strength)
    with pytest.raises(ValueError, match="steps must be at least 1; got steps=0"):
        Edit(steps=0)


def test_pieces_of_a_text_have_noise_of_their_own():
    """Two pieces that are alike become different ones."""
    model = zoo.diffusion("uniform-cosine", "table", STEPS)
    params, text = zoo.parameters(model), np.tile([0, 1], 40)
    result, again, other = (
        correction.edited_text(Edit(0.7), model, params, text, 2, seed=seed) for seed in (3, 3, 4)
    )
    assert len({tuple(piece) for piece in result.reshape(-1, 2).tolist()}) > 2
    np.testing.assert_array_equal(result, again)
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
