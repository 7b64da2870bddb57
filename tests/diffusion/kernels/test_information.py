import functools

import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax.diffusion import kernels, schedules
from amd_jax.diffusion.kernels import information, tables
from tests import enumeration, zoo
from tests.variants import quick

P_0 = {2: np.array([0.8, 0.2]), 3: np.array([0.6, 0.3, 0.1])}


def entropy(p):
    p = np.asarray(p, np.float64)
    return -(p * np.log(np.where(p > 0, p, 1.0))).sum()


@pytest.mark.few(2)
@pytest.mark.slow
@pytest.mark.parametrize("name", quick(zoo.FAMILIES, "uniform-cosine"))
def test_mutual_information_by_enumeration(name):
    """H(x_0) + H(x_t) - H(x_0, x_t) of the joint law."""
    kernel = zoo.KERNELS[name]
    p_0, times = P_0[kernel.num_classes], np.linspace(0, 1, 11)
    result = information.mutual(kernel, p_0, jnp.asarray(times))
    for t, one in zip(times, result, strict=True):
        joint = p_0[:, None] * enumeration.matrix(kernel, 0.0, t)[: len(p_0)]
        expected = entropy(p_0) + entropy(joint.sum(axis=0)) - entropy(joint)
        np.testing.assert_allclose(one, expected, atol=1e-6)
    assert (np.diff(result) <= 1e-6).all()


FAMILIES = {
    "masks": functools.partial(kernels.absorbing, num_classes=3),
    "uniform": functools.partial(kernels.uniform, num_classes=3),
    "reversible": functools.partial(kernels.Generator, zoo.BirthDeath.rates),
    "round": functools.partial(kernels.Generator, zoo.ROUND),
}


@pytest.mark.few(2)
@pytest.mark.parametrize("family", quick(FAMILIES, "masks", "uniform"))
@pytest.mark.slow
def test_information_falls_evenly(family):
    """With masks by 1 - t of them, whatever is said of the classes and in how many steps."""
    p_0, t = P_0[3], jnp.arange(41) / 40
    schedule = information.even(FAMILIES[family], p_0, 40)
    assert not schedules.differentiable(schedule)
    result = information.mutual(FAMILIES[family](schedule), p_0, t)
    np.testing.assert_allclose(result, (1 - t) * entropy(p_0), atol=2e-6)
    if family == "masks":
        one = information.even(FAMILIES[family], np.array([0.5, 0.5, 0.0]), 1)
        np.testing.assert_allclose(jnp.exp(one(t[::40])), [1, 0], atol=1e-6)
        np.testing.assert_allclose(jnp.exp(schedule(t)), 1 - t, atol=1e-6)
    else:
        linear = information.mutual(FAMILIES[family](schedules.linear), p_0, t)
        assert abs(linear - result).max() > 0.05


def masks(steps):
    """A table of T equal steps that mask, of the linear schedule."""
    beta = 1 / np.arange(steps, 0, -1)[:, None, None]
    to_mask = np.eye(4)[3]
    return kernels.Tabulated((1 - beta) * np.eye(4) + beta * to_mask, to_mask, num_classes=3)


@pytest.mark.few(1)
@pytest.mark.parametrize("steps", [1, 3, 12])
@pytest.mark.slow
def test_a_table_of_masks_is_linear_in_fewer_steps(steps):
    result = information.retimed(masks(12), P_0[3], steps)
    np.testing.assert_allclose(result.matrices, masks(steps).matrices, atol=1e-6)
    assert (result.num_classes, result.steps) == (3, steps)
    np.testing.assert_array_equal(result.prior, np.eye(4)[3])


@pytest.mark.exhaustive
@pytest.mark.slow
def test_a_table_is_as_even_as_it_can_be():
    fine = kernels.Tabulated(tables.discretised_gaussian(np.linspace(0.02, 0.5, 400), 3))
    coarse = information.retimed(fine, P_0[3], 10)
    t, told = jnp.arange(11) / 10, information.mutual(fine, P_0[3], jnp.arange(401) / 400)
    result = information.mutual(coarse, P_0[3], t)
    step = -np.diff(told).min()
    assert abs(result - (1 - t) * entropy(P_0[3]))[:-1].max() < step < 0.02
    eye = jnp.eye(3)[None]
    ends = [kernel.push(eye, jnp.zeros(1), jnp.ones(1)) for kernel in (fine, coarse)]
    np.testing.assert_allclose(*ends, atol=1e-6)


@pytest.mark.slow
def test_what_is_no_law_of_the_classes_is_refused():
    for p_0 in (P_0[2], np.array([0.5, 0.6, -0.1]), np.array([0.0, 1.0, 0.0])):
        with pytest.raises(ValueError, match="a law of 3 classes"):
            information.even(FAMILIES["uniform"], p_0, 4)
    with pytest.raises(ValueError, match=r"steps must be in \[1, 12\]"):
        information.retimed(masks(12), P_0[3], 13)
