"""What a model declares beside its five methods: see `types.Model`; `bounds.of` has its bounds."""

import re
from collections.abc import Iterable
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Integer

from amd_jax.diffusion import gaussian, insertion
from amd_jax.diffusion.process import Process, Stepwise
from amd_jax.options import Named
from amd_jax.types import Grid, Key, Model, Nats, Params, Tokens


def kind(model: Model) -> str:
    """What a model is, in words: "a gaussian diffusion", "an autoregressive model"."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(model).__name__).lower()
    noun = f"{words} model" if words in ("autoregressive", "insertion") else words
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


@runtime_checkable
class Editor(Named, Protocol):
    """A way of a model to change given data; a model offers it in its attribute `editors`.

    To add one: a frozen dataclass with these members, whose numbers are `options.number` fields.
    """

    @property
    def done(self) -> str:
        """What is said of the result: "corrected"."""

    def __call__(self, model: Model, params: Params, rng: Key, x: Tokens) -> Tokens:
        """Another x for x, int32."""


@runtime_checkable
class Corrector(Editor, Protocol):
    """An editor that puts wrong tokens right.

    To add one: an editor with a number `error_rate`. It is tried on data with that share of wrong
    tokens.
    """

    @property
    def error_rate(self) -> float:
        """The share of tokens that it takes for wrong, in (0, 1)."""


@runtime_checkable
class GridSearch(Named, Protocol):
    """A way to find times to sample at; a model offers it in its attribute `grids`.

    To add one: a frozen dataclass with these members, whose numbers are `options.number` fields.
    """

    @property
    def steps(self) -> int:
        """How many steps the grid has."""

    def finest(self, model: Model) -> tuple[float, ...]:
        """The times among which it chooses; ValueError where it does not fit the model."""

    def __call__(
        self, model: Model, params: Params, rng: Key, x: Tokens | Integer[np.ndarray, "B *event"]
    ) -> tuple[float, ...]:
        """The times that are best for rows x."""


@runtime_checkable
class Walkable(Protocol):
    """A model that goes from noise to data by steps, some of which can be seen.

    To add one: a `Model` with these two members beside its own.
    """

    @property
    def steps(self) -> int | None:
        """How many; None in continuous time."""

    def walk(
        self, params: Params, rng: Key, shape: tuple[int, ...], frames: int, sampler: Any
    ) -> Iterable[tuple[float, Integer[np.ndarray, "B *event"]]]:
        """States of one walk, `frames` or less: pairs (t, x), t falling."""


@runtime_checkable
class Opened(Walkable, Protocol):
    """A model whose samplers walk a process.

    To add one: a `Model` with this member, and those of `Walkable`, beside its own.
    """

    def open(self, params: Params) -> Process | gaussian.Process | insertion.Process:
        """The process with these parameters in place."""


@runtime_checkable
class Stepped(Model, Opened, Protocol):
    """A diffusion, whose bound is a sum over its steps.

    To add one: a `Model` with these members, and those of `Opened`, beside its own.
    """

    def number_of_steps(self) -> int:
        """T; ValueError in continuous time."""

    def elbo_of_all_steps(self, params: Params, rng: Key, x: Tokens, times: Grid) -> Nats:
        """The bound by every step of a grid of S + 1 times."""


def samplers(model: Model | type[Model] | Stepwise) -> tuple[Named, ...]:
    """Its ways to sample, the default first; none if it has only its own."""
    return tuple(getattr(model, "samplers", ()))


def editors(model: Model | type[Model]) -> tuple[Editor, ...]:
    """Its ways to change given data."""
    return tuple(getattr(model, "editors", ()))


def correctors(model: Model | type[Model]) -> tuple[Corrector, ...]:
    """Those of its editors that put wrong tokens right."""
    return tuple(editor for editor in editors(model) if isinstance(editor, Corrector))


def grids(model: Model | type[Model]) -> tuple[GridSearch, ...]:
    """Its ways to find times to sample at."""
    return tuple(getattr(model, "grids", ()))


def fills_gaps(model: Model) -> bool:
    """Whether it draws what is unknown given what is known."""
    return getattr(model, "fills_gaps", False)
