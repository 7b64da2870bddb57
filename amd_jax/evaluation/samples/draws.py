"""Scores of repeated draws: their mean, and its standard error."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer

from amd_jax.evaluation.means import Rows

Draws = Integer[np.ndarray, "R N *event"]  # R independent draws of N rows each
LEAST = 20  # rows of a draw
REPEATS = 2  # draws, at least: one tells of no error


class Figure(NamedTuple):
    """A score and its standard error."""

    value: float
    error: float


def over(draws: Draws, score: Callable[[Rows], float]) -> Figure:
    """The mean score of draws, and its standard error s / √R from their spread s."""
    return of([score(rows) for rows in draws])


def of(values: list[float]) -> Figure:
    """The mean of the scores of R draws, and its standard error; ValueError for one alone."""
    if len(values) < REPEATS:
        raise ValueError(f"An error needs {REPEATS} draws or more; got {len(values)}.")
    return Figure(float(np.mean(values)), float(np.std(values, ddof=1) / len(values) ** 0.5))


def divided(rows: Integer[np.ndarray, "M *event"], repeats: int) -> Draws:
    """Rows as `repeats` draws of as many each; what is left over is dropped.

    Raises ValueError for draws of fewer than `LEAST` rows, or fewer than `REPEATS` draws.
    """
    check(len(rows), repeats)
    size = len(rows) // repeats
    return np.reshape(rows[: repeats * size], (repeats, size, *rows.shape[1:]))


def check(number: int, repeats: int) -> None:
    """ValueError for too few rows, or too few draws."""
    if repeats < REPEATS:
        raise ValueError(f"An error needs {REPEATS} repeats or more; got {repeats}.")
    if number < LEAST * repeats:
        raise ValueError(
            f"Each of {repeats} repeats needs {LEAST} samples or more; got {number} in all. Draw "
            f"{LEAST * repeats} or more, or take fewer repeats."
        )
