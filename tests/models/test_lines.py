"""Models of lines, whose lengths have their law; test_support.py has what sums to one."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.samplers import mask_times
from amd_jax.learning import learned_objectives, objectives
from amd_jax.models.code_lengths import CodeLength
from amd_jax.models.corrections import Edit
from amd_jax.transforms import laws
from tests import enumeration, zoo
from tests.models import test_support
from tests.models.means import assert_mean, draws
from tests.models.rows import (
    assert_possible,
    compiled,
    conditionals,
    drawn,
    every,
    law,
    masked,
    possible,
    sizes,
)
from tests.variants import quick

NAMES = quick(zoo.LINES, "labels")


@pytest.mark.parametrize("name", NAMES)
def test_what_steps_of_masks_draw_are_lines_of_the_law(name):
    model, params = masked(name)
    x = drawn(model, params, sampler=samplers.Ancestral(steps=2))
    assert_possible(name, x)
    states = enumeration.number(x, model.support.num_classes + 1)
    enumeration.assert_drawn_from(states, law(model, params, 2))


def test_fillings_keep_the_length_and_follow_the_law_given_a_label():
    """Rows of one length and one label: the tokens have the law of the model given both."""
    model, params = masked("labels")
    lines, first = model.support, zoo.LINES["labels"].num_tokens + 1
    x = jnp.tile(jnp.array([first, 0, lines.padding]), (4000, 1))
    known = jnp.arange(3) == 0
    fill = functools.partial(model.infill, sampler=samplers.FirstHitting())
    y = np.asarray(compiled(fill)(params, jax.random.key(3), x, jnp.tile(known, (4000, 1))))
    assert (y[:, 0] == first).all()
    assert (y[:, 2] == lines.padding).all()
    given = conditionals("labels")[first, lines.num_classes, lines.padding]
    enumeration.assert_drawn_from(y[:, 1], given[1, : lines.num_tokens])


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_bits_of_some_tokens_given_others_leave_the_length_out(name):
    """They sum to one over lines of one length and one first token."""
    model, params = masked(name)
    lines = model.support
    rows = every(name)[possible(name)]
    rows = rows[(sizes(lines, rows) == len(lines.lengths)) & (rows[:, 0] == rows[-1, 0])]
    known = jnp.broadcast_to(jnp.arange(lines.length) == 0, rows.shape)
    code = compiled(
        lambda x, known: CodeLength("left").one(model, params, jax.random.key(0), x, known)
    )
    p = np.exp(np.asarray(code(jnp.asarray(rows), known), np.float64))
    assert p.sum() == pytest.approx(1, abs=1e-5)
    weights = np.exp(draws(model.log_weight, params, rows, known=known))
    assert_mean(weights.sum(axis=1), 1.0, 0.02)


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_state_of_a_walk_has_the_same_padding(name):
    model, params = masked(name)
    shape = (50, model.support.length)
    for sampler in (samplers.Ancestral(steps=3, corrections=2), samplers.FirstHitting()):
        frames = [x for _, x in model.walk(params, jax.random.key(0), shape, 4, sampler)]
        assert_possible(name, frames[-1])
        for x in frames:
            np.testing.assert_array_equal(model.support.known(x), model.support.known(frames[0]))


def test_an_edit_keeps_the_length():
    model, params = masked("labels")
    x = jnp.tile(every("labels")[possible("labels")], (50, 1))
    edit = compiled(lambda x: Edit(strength=1.0)(model, params, jax.random.key(0), x))
    y = np.asarray(edit(x))
    assert possible("labels")[enumeration.number(y, model.support.num_classes)].all()
    np.testing.assert_array_equal(model.support.known(y), model.support.known(x))
    assert (y != x).any()


def test_the_time_of_a_masked_line_does_not_depend_on_its_length():
    model, params = masked("lines")
    mask, padding = model.support.num_classes, model.support.padding
    x_t = jnp.array([[mask, padding, padding], [mask, mask, mask], [mask, 0, padding]])
    times = compiled(lambda params: mask_times.time_of(model.open(params), x_t))(params)
    np.testing.assert_allclose(times, [1.0, 1.0, 0.5], atol=1e-5)


class PaddingOnly(nn.Module):
    """Numbers as long as all positions but the first show padding; NaN of noise in its place."""

    num_states: int
    padding: int

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        level = self.param("level", nn.initializers.zeros, (self.num_states,))
        clean = (x_t[:, 1:] == self.padding).all(axis=1)
        return jnp.where(clean[:, None, None], level + jnp.zeros((*x_t.shape, 1)), jnp.nan)


OBJECTIVES = {
    "negative_elbo": objectives.NegativeElbo,
    "importance_sampled": objectives.ImportanceSampledElbo,
    "cross_entropy": objectives.CrossEntropy,
    "hybrid": objectives.HybridElbo,
    "reinforce": learned_objectives.LeaveOneOutReinforce,
}


@pytest.mark.few(1)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_no_objective_makes_noise_of_padding(name):
    lines = zoo.LINES["lines"]
    kernel = kernels.absorbing(schedules.linear, lines.num_classes)
    if name == "reinforce":
        kernel = kernels.class_masking.PerClassMasking(lines.num_classes)
    model = models.Diffusion(kernel, PaddingOnly(4, lines.padding), 10, support=lines)
    objective = OBJECTIVES[name](model)
    x = jnp.tile(jnp.array([[0, 2, 2], [1, 2, 2]]), (32, 1))
    params = model.init(jax.random.key(0), x)
    loss, _ = compiled(objective.loss)(params, objective.init(), jax.random.key(1), x)
    assert np.isfinite(loss).all()
    if name != "cross_entropy":  # which is of the tokens that are noise
        assert np.mean(loss) == pytest.approx(-np.log(0.5) - np.log(0.5), rel=0.1)


@pytest.mark.slow
def test_latents_after_the_end_of_a_line_cost_nothing_and_change_nothing():
    """Bit for bit; the row is the same, and the sum is that of the positions up to its end."""
    model, params = test_support.flow("lines")
    x = jnp.tile(jnp.array([[1, 2, 2]]), (50, 1))
    z, _ = compiled(model.forward)(params, jax.random.key(2), x)
    other = z.at[:, 2].set(9 * jax.random.normal(jax.random.key(3), z[:, 2].shape))
    np.testing.assert_array_equal(compiled(model.inverse)(params, jax.random.key(0), other), x)
    log_prob = compiled(model.base.log_prob)
    nats = log_prob(params["base"], z)
    np.testing.assert_array_equal(log_prob(params["base"], other), nats)
    e, log_slope = model.base.layer.forward_each(params["base"], None, z)
    each = log_slope + laws.LOGISTIC.log_prob(jnp.zeros(2), e)
    np.testing.assert_allclose(each[:, :2].sum(axis=(1, 2)), nats, rtol=1e-5)


def test_guidance_towards_a_label_leaves_the_padding_in_its_place():
    model, params = masked("labels")
    lines, mask = model.support, model.support.num_classes
    x = jnp.array([[lines.padding + 1, mask, lines.padding]])

    @compiled
    def laws_of(params):
        free = model.open(params)
        process = free.holding(jnp.where(x == mask, -1, x))
        unlabelled = x.at[:, 0].set(mask)
        expected = 2 * process.log_predict(x, mask_times.time_of(process, x))
        expected -= free.log_predict(unlabelled, mask_times.time_of(free, unlabelled))
        return samplers.Guided(2.0).log_law(process, x), expected

    np.testing.assert_allclose(*(law[0, 1, :2] for law in laws_of(params)), atol=1e-5)
