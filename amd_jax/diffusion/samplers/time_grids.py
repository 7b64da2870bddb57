"""Grids of sampling times: by name, as given, and the best one of a number of steps.

What a step from t to s costs, in nats of the bound, depends on nothing but s and t. So the grid of
S steps with the tightest bound is a shortest path, found without training anything again.
"""

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Integer

from amd_jax import options
from amd_jax.diffusion import bounds
from amd_jax.diffusion.process import Process, Stepwise
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid, Key, Params, Tokens

SPACINGS = {"uniform": lambda u: u, "cosine": lambda u: jnp.sin(jnp.pi / 2 * u)}
FINE = 250  # steps of the grid whose times a best one is made of
TOKENS = 1 << 13  # that are looked at together, about

Spacing = str | tuple[float, ...]  # a name, or the times themselves
spacing = functools.partial(  # makes the field of an option that says which
    options.number, "uniform", "times of the steps", among=tuple(SPACINGS), also=tuple
)


def grid(steps: int, spacing: Spacing = "uniform") -> Grid:
    """The times of S steps from noise to data, from 1 down to 0.

    With "cosine" they are cos(π/2 (1 - i / S)), denser near noise: as many masked tokens are
    revealed in a step as are known already allow (Shi et al., 2024).
    """
    if isinstance(spacing, tuple):
        return jnp.asarray(spacing, jnp.float32)
    return SPACINGS[spacing](jnp.arange(steps, -1, -1) / steps)


def walked(chosen: int | None, spacing: Spacing, steps: int | None) -> Grid:
    """The grid of a sampler of so many steps, or else of as many as its model has.

    Raises ValueError for more steps than the model's, and where neither says how many.
    """
    number = steps if chosen is None else chosen
    if number is None:
        raise ValueError(
            "A model in continuous time is sampled in as many steps as you say. "
            "Give a number of steps, such as 256."
        )
    if steps is not None and number > steps:
        raise ValueError(
            f"steps must be in [1, {steps}], the model's number of steps; got {number}."
        )
    return grid(number, spacing)


def agreed(steps: int | None, spacing: Spacing) -> int | None:
    """The number of steps; of given times their own.

    Raises ValueError for times that do not fall strictly from 1 to 0, or of another number.
    """
    if isinstance(spacing, str):
        return steps
    falls = all(t > s for t, s in itertools.pairwise(spacing))
    if len(spacing) < 2 or (spacing[0], spacing[-1]) != (1, 0) or not falls:
        raise ValueError(f"Times of steps fall strictly from 1 to 0; got spacing={spacing}.")
    if steps not in (None, len(spacing) - 1):
        raise ValueError(
            f"The given times are of {len(spacing) - 1} steps; got {steps}. Leave the number out."
        )
    return len(spacing) - 1


def costs(process: Process, rng: Key, x: Tokens, times: Grid) -> Float[Array, "times times"]:
    """What every step between two times of a grid costs, in nats.

    costs[i, j] is the bound's term of the step from times[i] down to times[j], i < j, as the mean
    over rows x; elsewhere it is infinite. The guess at t serves all s < t, so n network calls fill
    the table. All x_t are of the same random numbers, which do less harm to differences of paths.
    """
    kernel, last = process.kernel, len(times) - 1

    def mean(nats: Array) -> Array:
        return categorical.sum_event(nats).mean()

    def begun(i: Array) -> Array:
        t = jnp.full(x.shape[0], times[i])
        x_t = process.corrupted(rng, x, t)
        log_p = process.log_predict(x_t, t)
        p_0 = jnp.exp(log_p)

        def ended(j: Array, row: Array) -> Array:
            s = jnp.full(x.shape[0], times[j])
            if process.leave_one_out:  # D(s), of `bounds.leave_one_out`
                return row.at[j].set(mean(bounds.divergence(kernel, x, p_0, s, log_p)))
            return row.at[j].set(mean(bounds.discrete(kernel, x, p_0, x_t, s, t, log_p)))

        row = jax.lax.fori_loop(i + 1, last + 1, ended, jnp.full(last + 1, jnp.inf))
        if process.leave_one_out:
            row -= mean(bounds.divergence(kernel, x, p_0, t, log_p))
        return row

    rows = jax.lax.map(begun, jnp.arange(last))
    return jnp.concatenate([rows, jnp.full((1, last + 1), jnp.inf)])


def best(costs: Float[np.ndarray, "n n"], steps: int) -> Integer[np.ndarray, "path"]:
    """The path of least cost from the first place to the last, in so many steps.

    By dynamic programming, O(n² S). Raises ValueError for more steps than there are places for,
    or for costs that are not numbers.
    """
    costs = np.asarray(costs, np.float64)
    last = len(costs) - 1
    if not 1 <= steps <= last:
        raise ValueError(f"A grid made of {last} steps has 1 to {last} of them; got {steps}.")
    if np.isnan(costs).any():
        raise ValueError("The costs of steps must be numbers; some are NaN, as is the model's.")
    least, origins = np.where(np.arange(last + 1) == 0, 0.0, np.inf), []
    for _ in range(steps):
        reached = least[:, None] + costs
        origins.append(reached.argmin(axis=0))
        least = reached.min(axis=0)
    path = [last]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return np.array(path[::-1])


def total(costs: Float[np.ndarray, "n n"], path: Integer[np.ndarray, "path"]) -> float:
    """What the steps of a path cost together: the bound of that grid, in nats."""
    return float(np.asarray(costs, np.float64)[path[:-1], path[1:]].sum())


@dataclasses.dataclass(frozen=True)
class BestGrid:
    """The grid of so many steps with the tightest bound, which a run keeps for --spacing=best."""

    steps: int = options.number(16, "steps of the grid", least=1)
    fine: int = options.number(FINE, "steps of the grid that its times are taken from", least=1)
    name = "grid"

    def __post_init__(self):
        """Raises ValueError for less than one step."""
        options.check(self)

    def finest(self, model: Stepwise) -> tuple[float, ...]:
        """The times it is made of: in discrete time multiples of 1 / T, and no more than T."""
        last = self.fine if model.steps is None else min(self.fine, model.steps)
        if self.steps > last:
            raise ValueError(
                f"The best grid is made of {last} steps; got steps={self.steps}. Give less, or a "
                "finer one (fine=…) up to the model's number of steps."
            )
        of = last if model.steps is None else model.steps
        return tuple(round(i * of / last) / of for i in range(last, -1, -1))

    def table(
        self, model: Stepwise, params: Params, rng: Key, x: Tokens
    ) -> Float[np.ndarray, "n n"]:
        """`costs` between its finest times, as the mean over rows x of data."""
        categorical.check_tokens(np.asarray(x), model.open(params).kernel.num_classes)
        times, rows = np.array(self.finest(model)), np.asarray(x, np.int32)
        parts = np.array_split(rows, min(len(rows), -(-rows.size // TOKENS)))
        result = [
            _costs(model, params, jax.random.fold_in(rng, i), part, times)
            for i, part in enumerate(parts)
        ]
        return np.average(result, axis=0, weights=[len(part) for part in parts])

    def __call__(self, model: Stepwise, params: Params, rng: Key, x: Tokens) -> tuple[float, ...]:
        """Its times, from 1 down to 0, by rows x of data."""
        times = self.finest(model)
        return tuple(times[i] for i in best(self.table(model, params, rng, x), self.steps))


@functools.partial(jax.jit, static_argnums=0)
def _costs(
    model: Stepwise, params: Params, rng: Key, x: Tokens, times: Grid
) -> Float[Array, "times times"]:
    return costs(model.open(params), rng, x, times)


def best_grid(
    model: Stepwise, params: Params, rng: Key, x: Tokens, steps: int, fine: int = FINE
) -> tuple[float, ...]:
    """The times of the S steps with the tightest bound on rows x: 1 > … > 0.

    For `samplers.Ancestral(spacing=times)`, and `AllSteps(spacing=times)`, its bound. They are
    taken from a grid of `fine` steps, in discrete time from multiples of 1 / T.
    """
    return BestGrid(steps, fine)(model, params, rng, x)
