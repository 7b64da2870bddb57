"""Models with a network as sure as can be, rightly or wrongly: all that comes out is finite."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models, networks
from amd_jax.diffusion import kernels, samplers
from amd_jax.learning import learned_objectives, objectives
from amd_jax.models.step_bounds import AllSteps, DrawnSteps
from amd_jax.recipes import baselines
from tests import zoo
from tests.variants import quick

GAPS = jnp.array([-1e4, -300.0, -50.0, 50.0, 104.0, 1e4])
ROWS = 12
KERNELS = zoo.KERNELS | zoo.LEARNED
KINDS = [  # each with one schedule; tests/diffusion/test_saturation.py has all
    *("uniform-cosine", "absorbing-linear", "uneven-unfinished", "birth_death-cosine", "walk"),
    *("masks_and_uniform", "augmented", "generator-reversible", "generator-round"),
    *("table-banded", "table-gaussian", "warped", "class_masking", *zoo.LEARNED),
]


class Sure(nn.Module):
    """Logits gap * table: one class at each position is sure, of what the others are or of all."""

    num_states: int
    sees_own: bool = True
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x_t, t, *, train=False):
        gap = self.param("gap", nn.initializers.constant(1.0), ())
        table = self.param("table", nn.initializers.uniform(1.0), (97, self.num_states))
        seen = x_t * 7 ** jnp.arange(x_t.shape[1])
        total = seen.sum(axis=1, keepdims=True)
        row = (jnp.broadcast_to(total, seen.shape) if self.sees_own else total - seen) % 97
        return (gap * table[row]).astype(self.dtype)


class Hollow(Sure):
    sees_own: bool = False
    leave_one_out = True


class Denoising(Sure):
    denoises = True


def model_of(name, denoiser, steps, dtype):
    kernel = KERNELS[name]
    states = len(kernel.prior) if hasattr(kernel, "prior") else kernel.num_classes
    return models.Diffusion(kernel, denoiser(states, dtype=dtype), steps=steps)


def discrete(name):
    """A number of steps that a kernel has."""
    return getattr(KERNELS[name], "steps", 5)


def losses(model):
    """All that is taken of a model: name -> nats (B,) of (params, rng, x)."""
    result = {"drawn": functools.partial(DrawnSteps(draws=2), model)}
    if model.steps is not None:
        result["all_steps"] = functools.partial(AllSteps(), model)
        result["log_weight"] = model.log_weight
    for bound in model.bounds:
        if bound.name == "code_length":  # in as many calls as it takes: without a gradient
            result["code_length"] = lambda params, *more, bound=bound: bound(
                model, jax.lax.stop_gradient(params), *more
            )
    trained = [objectives.NegativeElbo, objectives.CrossEntropy, objectives.HybridElbo]
    if model.steps is not None:
        trained.append(objectives.ImportanceSampledElbo)
    if hasattr(model.kernel, "open"):
        trained.append(learned_objectives.LeaveOneOutReinforce)
        if model.kernel is zoo.PACE and model.steps is None:
            trained.append(learned_objectives.LeastVariance)
    for make in trained:
        objective = make(model)

        def loss(params, rng, x, objective=objective):
            return objective.loss(params, objective.init(), rng, x)[0]

        result[make.__name__] = loss
    return result


CASES = [(name, Sure, discrete(name)) for name in KINDS]
CASES += [(name, Hollow, discrete(name)) for name in zoo.FAMILIES]
CASES += [(name, Denoising, 5) for name in ("uniform-cosine", "absorbing-linear")]
CASES += [(name, Sure, None) for name in ("absorbing-linear", "birth_death-cosine", *zoo.LEARNED)]
CASES += [(name, Hollow, None) for name in zoo.FAMILIES if name.split("-")[-1] not in zoo.ROUGH]


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize(("name", "denoiser", "steps"), CASES)
def test_bounds_and_losses_are_finite_and_so_are_their_gradients(name, denoiser, steps):
    dtype = "float32" if denoiser is Sure else "bfloat16"
    model = model_of(name, denoiser, steps, dtype)
    classes = kernels.plain(model.kernel).num_classes
    x = jnp.asarray(np.random.default_rng(0).integers(0, classes, (ROWS, zoo.LENGTH)))
    params = model.init(jax.random.key(0), x)

    def total(params, gap, rng):
        params = params | {"network": params["network"] | {"gap": gap}}
        result = {name: f(params, rng, x) for name, f in losses(model).items()}
        return sum(nats.mean() for nats in result.values()), result

    slopes = jax.vmap(jax.grad(total, (0, 1), has_aux=True), (None, 0, None))
    slopes = jax.jit(slopes, compiler_options=zoo.HASTE)
    for seed in range(2):
        gradient, result = slopes(params, GAPS, jax.random.key(seed))
        broken = [name for name in result if not np.isfinite(result[name]).all()]
        assert not broken
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


@pytest.mark.few(1)
@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_samplers_give_tokens(name):
    model = model_of(name, Sure, discrete(name), "bfloat16")
    shape = (ROWS, zoo.LENGTH)
    params = model.init(jax.random.key(0), jnp.zeros(shape, jnp.int32))
    kernel = kernels.plain(model.kernel)
    for sampler in samplers.of(kernel, (samplers.Ancestral(steps=model.steps),)):
        for change in ({}, {"temperature": 0.05, "top_p": 0.6}):
            changed = dataclasses.replace(sampler, **change)

            def draw(gap, rng, changed=changed):
                network = params["network"] | {"gap": gap}
                return model.sample(params | {"network": network}, rng, shape, sampler=changed)

            drawn = jax.jit(jax.vmap(draw, (0, None)), compiler_options=zoo.HASTE)
            x = np.asarray(drawn(GAPS, jax.random.key(1)))
            assert 0 <= x.min() <= x.max() < kernel.num_classes, changed


@pytest.mark.few(1)
@pytest.mark.parametrize("kind", quick(["insertion", *baselines.LATENT_FLOWS], "insertion"))
def test_parameters_far_from_their_start_have_a_bound_and_gradients(kind):
    """100 standard deviations off: exponentials of what a network gives stay within float32."""
    if kind == "insertion":
        reader = networks.Transformer(4 + 3, width=8, blocks=1, heads=2)
        model = models.Insertion(networks.InsertionNet(reader, 4), 4)
    else:
        sizes = {"latents": 4, "width": 8, "layers": 1, "flows": 2, "hidden": 8}
        model = baselines.latent_flow(kind, 5, 6, sizes)
    x = jnp.asarray(np.random.default_rng(0).integers(0, 4, (8, 6)))
    slopes = jax.jit(jax.value_and_grad(lambda params, rng: model.elbo(params, rng, x).sum()))
    for seed in range(3):
        far = zoo.parameters(model, seed, scale=10.0, data=x)
        result = slopes(far, jax.random.key(seed))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(result))
