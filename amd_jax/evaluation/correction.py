"""Corrects rows with a model, also where the truth is known and accuracy can be measured."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Bool

from amd_jax.evaluation import groups, means
from amd_jax.evaluation.means import PerRow, Row, Rows
from amd_jax.evaluation.measurement import Measurement
from amd_jax.facts import Facts, Json
from amd_jax.models.corrections import Correct
from amd_jax.models.declared import Corrector
from amd_jax.types import Key, Model, Params, Tokens

Classes = int | tuple[int, ...]  # of every token, or of each
Inside = Bool[np.ndarray, "N *event"]

BATCH = 32
ROWS = 256  # that a trial takes unless a number is given


class Restoration(NamedTuple):
    """What a correction did to damaged data whose original is known."""

    restored: float  # share of the damaged tokens that became the original ones
    spoiled: float  # share of the right tokens that were changed
    per_row: dict[str, PerRow]  # either, of each row

    def __str__(self) -> str:
        """Such as "restores 84.0% ± 1.2% of errors, spoils 0.43% ± 0.05% of the rest"."""
        restored, spoiled = (of_rows.mean() for of_rows in self.per_row.values())
        errors = f"restores {means.shown(*restored, '.1%')} of errors"
        return f"{errors}, spoils {means.shown(*spoiled, '.2%')} of the rest"


class Trial(NamedTuple):
    """Rows in which tokens were replaced at random, and what became of them."""

    errors: int  # in each row
    damaged: Rows
    restored: Rows  # by the denoising posterior
    by_guess: Restoration
    by_posterior: Restoration

    @property
    def gain(self) -> dict[str, PerRow]:
        """How much more the posterior restores and spoils than the guess, in each row."""
        guess = self.by_guess.per_row
        return {name: rows.minus(guess[name]) for name, rows in self.by_posterior.per_row.items()}

    def measurements(self, error_rate: float, on: Json) -> list[Measurement]:
        """Its figures, each followed by its difference from the guess."""
        on, to = {"error_rate": error_rate, **on}, "guess of the network alone"
        figures = []
        for name, per_row in self.by_posterior.per_row.items():
            figures.append(Measurement.mean(name, per_row, **on))
            figures.append(Measurement.mean(f"{name}_difference", self.gain[name], to=to, **on))
        return figures

    def __str__(self) -> str:
        """A line on each of the two ways, and one on their difference."""
        restored, spoiled = (of_rows.mean() for of_rows in self.gain.values())
        return (
            f"  model: {self.by_posterior}\n"
            f"  guess: {self.by_guess}\n"
            f"  model minus guess: {means.signed(*restored, '.1%')} restored, "
            f"{means.signed(*spoiled, '.2%')} spoiled"
        )


def edited(
    edit: Callable, model: Model, params: Params, x: Rows, seed: int = 0, first: int = 0
) -> Rows:
    """What one of a model's `editors` makes of rows x, batch by batch: int32.

    `first` is the index of the first row, where x is a part of more.
    """
    x, result = np.asarray(x, np.int32), []
    size = groups.size(BATCH, x.shape[1:], classes=groups.classes(model))
    for i in range(0, len(x), size):
        rng = jax.random.fold_in(jax.random.key(seed), first + i)
        result.append(np.asarray(_edited(edit, model, params, rng, x[i : i + size])))
    return np.concatenate(result)


@functools.partial(jax.jit, static_argnums=(0, 1))  # compiled once for all pieces of one shape
def _edited(edit: Callable, model: Model, params: Params, rng: Key, x: Tokens) -> Tokens:
    """What an editor makes of a batch of rows."""
    return edit(model, params, rng, x)


def edited_text(
    edit: Callable, model: Model, params: Params, x: Row, length: int, seed: int = 0
) -> Row:
    """`edited` for one text (L,) of any length, in pieces of at most `length`."""
    result = [
        edited(edit, model, params, x[None, i : i + length], seed, first=i)[0]
        for i in range(0, len(x), length)
    ]
    return np.concatenate(result)


def trial(
    edit: Corrector, model: Model, params: Params, rows: Rows, facts: Facts, seed: int
) -> Trial:
    """A correction where the truth is known: of rows with some tokens replaced."""
    inside = facts.inside(rows)
    errors = number_of(edit.error_rate, inside)
    damaged = damage(rows, facts.classes, seed, errors, inside)
    guess = Correct(edit.error_rate, raw=True)
    by_guess, restored = (edited(e, model, params, damaged) for e in (guess, edit))
    result = (restoration(rows, damaged, fixed, inside) for fixed in (by_guess, restored))
    return Trial(errors, damaged, restored, *result)


def number_of(error_rate: float, inside: Inside) -> int:
    """How many tokens of each row are replaced, at a rate of those inside a row on average."""
    return max(1, round(error_rate * float(inside.sum()) / len(inside)))


def damage(rows: Rows, classes: Classes, seed: int, errors: int, inside: Inside) -> Rows:
    """Rows with `errors` tokens of each replaced by another one at random.

    Of a row with fewer tokens `inside`, all of them are. `classes` is how many a token can be, or
    how many each token of a row.
    """
    rng = np.random.default_rng(seed)
    damaged = np.array(rows, np.int32)
    flat = damaged.reshape(len(rows), -1)  # a view
    for row, some in zip(flat, np.reshape(inside, flat.shape), strict=True):
        among = np.flatnonzero(some)
        places = rng.choice(among, min(errors, len(among)), replace=False)
        number = classes if isinstance(classes, int) else np.asarray(classes)[places]
        row[places] = (row[places] + rng.integers(1, number, len(places))) % number
    return damaged


def restoration(rows: Rows, damaged: Rows, restored: Rows, inside: Inside) -> Restoration:
    """How well `restored` undoes `damaged`, of the tokens `inside`. Of no tokens it is 0."""
    wrong, right = (np.reshape(x, (len(rows), -1)) for x in (rows != damaged, rows == restored))
    counts = np.reshape(inside, wrong.shape)
    per_row = {
        "restored": PerRow((right & wrong & counts).sum(axis=1), (wrong & counts).sum(axis=1)),
        "spoiled": PerRow((~right & ~wrong & counts).sum(axis=1), (~wrong & counts).sum(axis=1)),
    }
    restored_share, spoiled = (of_rows.mean()[0] for of_rows in per_row.values())
    return Restoration(restored_share, spoiled, per_row)
