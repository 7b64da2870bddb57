"""What a model declares: its samplers, bounds and editors, and the flags of their numbers.

Their numbers are those of `amd_jax.options`.
"""

import itertools
from collections.abc import Sequence
from typing import Any

from amd_jax import models, options
from amd_jax.cli import flags, mode_options
from amd_jax.cli.mode_options import MODES
from amd_jax.models import bounds, declared
from amd_jax.models.declared import Editor, GridSearch
from amd_jax.options import N, Named
from amd_jax.types import Model

# Whose flags are known
MODELS = (
    *(models.Diffusion, models.BlockDiffusion, models.Flow, models.Autoregressive),
    models.Insertion,
)


class ModelOptions:
    """The ways to sample, to bound, to edit and to make grids that a model declares."""

    def __init__(self, model: Model | type[Model]):
        """Of a model, or of a class of them."""
        self.model, self.owner = model, flags.one(model)
        self.samplers = list(declared.samplers(model))
        self.bounds = list(bounds.of(model))
        self.editors = list(declared.editors(model))
        self.ways: list[Editor | GridSearch] = [  # each is a mode
            *self.editors,
            *declared.grids(model),
        ]

    def mode(self, name: str) -> str:
        """The name of a mode; ValueError, listing the modes, for an unknown one."""
        modes = [*MODES, *(editor.name for editor in self.editors)]
        if name not in modes:
            raise ValueError(f"--mode is one of {', '.join(modes)} for {self.owner}; got {name}.")
        return name

    def all(self) -> list[Named]:
        """Everything."""
        return [*self.samplers, *self.bounds, *self.ways]

    def read(self, rest: Sequence[str]) -> tuple[dict[str, Any], dict[str, list[str]]]:
        """The numbers that are given, and the names of the options that have each number.

        Raises ValueError for what is no flag at all.
        """
        of: dict[str, list[str]] = {}
        for option in self.all():
            for number in options.numbers(option):
                of.setdefault(number.name, []).append(option.name)
        given, left = _parsed(self.all(), rest)
        for argument in left:
            name = flags.name_in(argument)
            for kind in MODELS:
                if any(name in options.values(option) for option in ModelOptions(kind).all()):
                    raise ValueError(
                        f"--{name} is for {flags.one(kind)}; this experiment has {self.owner}. "
                        "Leave it out."
                    )
            known = [flag.name for flag, _ in mode_options.listed()]
            flags.refuse_unknown(argument, [*known, *of])
        return given, of


def combined(start: N, arguments: Sequence[str]) -> list[N]:
    """An option with each combination of numbers, as of --steps=16,64 --temperature=0.7,1."""
    several = [argument.partition("=") for argument in arguments]
    values = [[f"{flag}{sign}{value}" for value in row.split(",")] for flag, sign, row in several]
    return [with_numbers(start, given) for given in itertools.product(*values)]


def samplers() -> list[Named]:
    """The samplers of every model of the library."""
    return [s for kind in MODELS for s in ModelOptions(kind).samplers]


def with_numbers(option: N, arguments: Sequence[str]) -> N:
    """An option with the numbers of a command line; ValueError for one that it does not have."""
    given, left = _parsed([option], arguments)
    for argument in left:
        flags.refuse_unknown(argument, sorted(options.values(option)))
    return options.replaced(option, given)


def _parsed(of: Sequence[Named], arguments: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """The numbers of some options that a command line gives, and what else stands there."""
    result, known = flags.empty(), {n.name: n for option in of for n in options.numbers(option)}
    for number in known.values():
        flags.define(result, number._replace(default=None, least=None, most=None))
    left = result(["", *arguments], known_only=True)[1:]
    return {name: result[name].value for name in known if result[name].present}, left


def modes() -> dict[str, str]:
    """The modes that a model of the library may have, with a sentence on each."""
    editors = {e.name: type(e) for kind in MODELS for e in ModelOptions(kind).editors}
    return {name: sentence(kind) for name, kind in {**MODES, **editors}.items()}


def check_mode(name: str) -> None:
    """ValueError for a mode that no model of the library has."""
    if name not in (known := modes()):
        raise ValueError(f"--mode is one of {', '.join(known)}; got {name}.")


def sentence(kind: type) -> str:
    """The first line of the docstring of a class."""
    return (kind.__doc__ or "").split("\n")[0]
