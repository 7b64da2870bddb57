"""The best grid of some steps: its table by enumeration, its path by brute force."""

import functools
import itertools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.diffusion.exact import certificates
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import time_grids
from amd_jax.models.step_bounds import AllSteps
from tests import enumeration, zoo
from tests.variants import quick

FINE = 8
DATA = certificates.correlated()
EVERY = enumeration.sequences(3, 2)
KERNELS = {
    "uniform": kernels.uniform(schedules.cosine, 3),
    "absorbing": kernels.absorbing(schedules.linear, 3),
}


class Opened(NamedTuple):
    """What grids ask of a model: a process, and a number of steps."""

    process: Process
    steps: int | None = FINE

    def open(self, params):
        return self.process


def enumerated(model, params, times, rows, weights) -> np.ndarray:
    """The table of `time_grids.costs`, in float64: every x_t of every row, weighted."""
    table = np.full((len(times), len(times)), np.inf)
    for i, j in itertools.combinations(range(len(times)), 2):
        table[i, j] = weights @ enumeration.term(model, params, rows, times[j], times[i])
    return table


def brute(table: np.ndarray, steps: int) -> tuple[float, tuple[int, ...]]:
    """The least total over all grids of so many steps, and its path."""
    last = len(table) - 1
    between = itertools.combinations(range(1, last), steps - 1)
    paths = [(0, *middle, last) for middle in between]
    return min((sum(table[i, j] for i, j in itertools.pairwise(path)), path) for path in paths)


def falling(n: int) -> np.ndarray:
    return np.arange(n, -1, -1) / n


def test_no_path_is_better_whatever_the_costs():
    """Costs of no diffusion: far from convex, with ties, some negative."""
    rng = np.random.default_rng(0)
    for n, steps in itertools.product((1, 2, 6, 9), (1, 2, 4, 9)):
        for table in (rng.normal(size=(n + 1, n + 1)), rng.integers(0, 3, (n + 1, n + 1)) * 1.0):
            table[np.tril_indices(n + 1)] = np.inf
            if steps > n:
                with pytest.raises(ValueError, match=f"made of {n} steps has 1 to {n} of them"):
                    time_grids.best(table, steps)
                continue
            path = time_grids.best(table, steps)
            assert (path[0], path[-1], len(path)) == (0, n, steps + 1)
            assert (np.diff(path) > 0).all()
            assert time_grids.total(table, path) == pytest.approx(brute(table, steps)[0])


def unseeing(kernel, leave_one_out):
    """A model whose guess depends on nothing but the time: surer with less noise."""
    logits = jnp.log(jnp.array([0.8, 0.15, 0.05]))

    def predict(x_t, t, rng=None):
        p = jax.nn.softmax(logits * (1 - t)[:, None, None], axis=-1)
        p = jnp.pad(p, ((0, 0), (0, 0), (0, len(kernel.prior) - 3)))
        return jnp.broadcast_to(p, (*x_t.shape, p.shape[-1]))

    return Opened(Process(kernel, predict, leave_one_out))


@pytest.mark.few(1)
@pytest.mark.parametrize(("kernel", "leave_one_out"), [("uniform", True), ("absorbing", False)])
def test_the_table_of_a_guess_that_sees_nothing(kernel, leave_one_out):
    """Exactly so where the own token is left out; else but for the masks that are drawn."""
    model, times = unseeing(KERNELS[kernel], leave_one_out), np.array([1.0, 0.6, 0.5, 0.1, 0.0])
    rows, upper = np.array([[0, 2], [1, 1]], np.int32), np.triu_indices(5, 1)
    exact = enumerated(model, None, times, rows, np.full(2, 1 / 2))
    x = jnp.tile(rows, (1 if leave_one_out else 20_000, 1))
    table = jax.jit(functools.partial(time_grids.costs, model.process))
    result = np.asarray(table(jax.random.key(0), x, jnp.array(times)))
    assert np.isinf(result[~np.triu(np.ones((5, 5), bool), 1)]).all()
    np.testing.assert_allclose(result[upper], exact[upper], rtol=1e-4 if leave_one_out else 0.05)


def test_the_best_grid_is_that_of_its_table():
    """By brute force over all grids; what rows weigh is how many there are of them."""
    model, rows = unseeing(KERNELS["uniform"], True), np.array([[0, 0]] * 3 + [[0, 1]], np.int32)
    exact = enumerated(model, None, falling(FINE), np.unique(rows, axis=0), np.array([3, 1]) / 4)
    _, path = brute(exact, 3)
    times = samplers.best_grid(model, {}, jax.random.key(0), rows, 3)
    assert times == tuple(falling(FINE)[list(path)])


@pytest.mark.few(1)
@pytest.mark.parametrize(
    ("kernel", "denoiser"),
    [
        ("uniform-cosine", "hollow_table"),
        ("absorbing-linear", "table"),
        ("birth_death-cosine", "table"),
        ("table-gaussian", "hollow_table"),
    ],
)
@pytest.mark.exhaustive
@pytest.mark.slow
def test_the_table_is_what_steps_add_to_the_bound(kernel, denoiser):
    """For networks that see their own token and for those that do not, however wrong they are."""
    model, times = zoo.diffusion(kernel, denoiser, 5), falling(5)
    params = zoo.parameters(model)
    rows = np.array([[0, 1], [1, 1], [1, 0]], np.int32)
    exact = enumerated(model, params, times, rows, np.full(3, 1 / 3))
    x = jnp.tile(rows, (2000, 1))

    @jax.jit
    def table(rng):
        return time_grids.costs(model.open(params), rng, x, jnp.array(times))

    result = np.stack([table(rng) for rng in jax.random.split(jax.random.key(0), 20)])
    upper = np.triu_indices(6, 1)
    assert np.isinf(result[:, ~np.triu(np.ones((6, 6), bool), 1)]).all()
    mean, error = (f(result[:, *upper], axis=0) for f in (np.mean, np.std))
    error = error / 20**0.5
    assert (error < 0.02 * exact[upper] + 1e-3).all()
    assert (abs(mean - exact[upper]) < 5 * error + 1e-5).all()


def test_one_call_of_the_network_for_each_time():
    """In however many groups the rows come, each x_t is guessed from once."""
    called = []

    def predict(x_t, t, rng=None):
        jax.debug.callback(lambda t: called.append(float(t)), t[0])
        return jnp.full((*x_t.shape, 3), 1 / 3)

    model = Opened(Process(KERNELS["uniform"], predict, leave_one_out=True))
    samplers.best_grid(model, {}, jax.random.key(0), EVERY, 4)
    jax.effects_barrier()
    np.testing.assert_allclose(called, falling(FINE)[:-1])


@pytest.mark.slow
def test_what_is_given_is_known_at_all_times():
    """The other token given, a masked one is guessed alike at all times: any path costs that."""
    process = certificates.exact(KERNELS["absorbing"], DATA)
    given = jnp.where(jnp.array([False, True]), EVERY, -1)
    rng, times = jax.random.key(0), jnp.array(falling(FINE))
    table = time_grids.costs(process.holding(given), rng, jnp.array(EVERY), times)
    exact = -np.log(DATA / DATA.sum(axis=0)).mean()
    for path in ([0, FINE], [0, 1, FINE], list(range(FINE + 1))):
        assert time_grids.total(table, np.array(path)) == pytest.approx(exact, rel=1e-5)


def test_times_are_multiples_of_the_models_own():
    by = lambda steps, fine: time_grids.BestGrid(1, fine).finest(Opened(None, steps))  # noqa: E731
    assert by(1000, 250) == tuple(falling(250))
    assert by(8, 250) == tuple(falling(8))
    assert by(None, 4) == (1.0, 0.75, 0.5, 0.25, 0.0)
    assert by(10, 4) == (1.0, 0.8, 0.5, 0.2, 0.0)
    for fine in (7, 300, 999):
        times = np.array(by(1000, fine))
        assert len(np.unique(times)) == fine + 1
        np.testing.assert_allclose(times * 1000, np.round(times * 1000), atol=1e-9)
    with pytest.raises(ValueError, match="The best grid is made of 8 steps; got steps=9. Give"):
        time_grids.BestGrid(9).finest(Opened(None, 8))


GIVEN = (1.0, 0.8, 0.2, 0.0)


def test_samplers_and_bounds_take_given_times():
    for option in (samplers.Ancestral(spacing=GIVEN), samplers.Euler(steps=3, spacing=GIVEN)):
        np.testing.assert_allclose(option.times(None), GIVEN)
        np.testing.assert_allclose(option.times(5), GIVEN)
        assert option.steps == 3
        assert hash(option) != hash(samplers.Ancestral(steps=3))
        with pytest.raises(ValueError, match=r"steps must be in \[1, 2\], .* got 3"):
            option.times(2)
    bound = AllSteps(spacing=GIVEN)
    assert bound == AllSteps(grid=3, spacing=GIVEN)
    model = zoo.diffusion("uniform-cosine", "table", 5)
    assert bound.describe(model) == "all 3 steps, at given times"
    with pytest.raises(ValueError, match=r"grid must be in \[1, 2\], .* got 3"):
        bound.describe(zoo.diffusion("uniform-cosine", "table", 2))


@pytest.mark.few(2)
@pytest.mark.parametrize("spacing", ["uniform", "cosine", GIVEN])
@pytest.mark.parametrize("steps", quick([5, None], 5))
@pytest.mark.slow
def test_the_bound_at_given_times_is_the_enumerated_one(spacing, steps):
    model = zoo.diffusion("uniform-cosine", "table", steps)
    params, x = zoo.parameters(model), np.array([[0, 1], [2, 2]], np.int32)
    times = np.asarray(time_grids.grid(3, spacing), np.float64)
    exact = enumeration.bound(model, params, x, times)
    bound = AllSteps(grid=3, spacing=spacing)
    nats = bound(model, params, jax.random.key(0), jnp.repeat(x, 20_000, axis=0))
    nats = np.asarray(nats, np.float64).reshape(2, -1)
    error = nats.std(axis=1) / nats.shape[1] ** 0.5
    assert (error < 0.02).all()
    assert (abs(nats.mean(axis=1) - exact) < 5 * error).all()


@pytest.mark.usefixtures("any_types")
@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: samplers.Ancestral(spacing=(1.0, 0.5)), "strictly from 1 to 0; got spa.*0.5"),
        (lambda: samplers.Ancestral(spacing=(0.9, 0.0)), "fall strictly from 1 to 0"),
        (lambda: AllSteps(spacing=(1.0, 0.5, 0.5, 0.0)), "fall strictly from 1 to 0"),
        (lambda: AllSteps(spacing=(1.0, float("nan"), 0.0)), "fall strictly from 1 to 0"),
        (lambda: samplers.Ancestral(spacing=()), "fall strictly from 1 to 0"),
        (lambda: samplers.Ancestral(spacing=[1.0, 0.0]), "one of uniform, cosine; got spacing="),
        (lambda: AllSteps(spacing="sine"), "one of uniform, cosine; got spacing=sine"),
        (
            lambda: samplers.PredictorCorrector(kind="loop", spacing=GIVEN),
            "kind=loop makes times of its own",
        ),
        (lambda: samplers.Euler(steps=4, spacing=GIVEN), "of 3 steps; got 4. Leave the num"),
        (lambda: AllSteps(4, GIVEN), "times are of 3 steps; got 4. Leave the number out"),
        (lambda: time_grids.BestGrid(0), "steps must be at least 1; got steps=0"),
        (lambda: time_grids.best(np.full((3, 3), np.nan), 1), "must be numbers; some are NaN"),
    ],
)
def test_what_is_no_grid_is_refused(make, says):
    with pytest.raises(ValueError, match=says):
        make()


def test_rows_that_are_no_data_are_refused():
    model = models.Diffusion(KERNELS["uniform"], zoo.Table(3), steps=4)
    params = zoo.parameters(model)
    with pytest.raises(ValueError, match=r"Tokens must be in \[0, 3\); got 3"):
        samplers.best_grid(model, params, jax.random.key(0), np.array([[0, 3]]), 2)


def test_groups_weigh_as_many_rows_as_they_have(monkeypatch):
    """Of five rows in groups of two; the table of a group is the mean of its tokens."""
    costs = lambda model, params, rng, part, times: np.full((3, 3), part.mean())  # noqa: E731
    monkeypatch.setattr(time_grids, "_costs", costs)
    monkeypatch.setattr(time_grids, "TOKENS", 4)
    model = Opened(certificates.exact(KERNELS["uniform"], DATA), 2)
    rows = np.array([[0, 0], [0, 0], [0, 1], [0, 1], [2, 2]])
    table = time_grids.BestGrid(2).table(model, {}, jax.random.key(0), rows)
    np.testing.assert_allclose(table, rows.mean())
