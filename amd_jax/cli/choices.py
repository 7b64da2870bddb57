"""Flags for what a model declares: its samplers, bounds and editors, with their numbers.

Their numbers (`amd_jax.options`) become flags, help and refusals, whatever they are.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from ml_collections import ConfigDict

from amd_jax import models, options
from amd_jax.cli import console, flags, mode_options
from amd_jax.cli.mode_options import MODES, Evaluate, Evaluation, Options, Report, Sampling, Train
from amd_jax.models import bounds, declared
from amd_jax.models.declared import Corrector, Editor, GridSearch, Walkable
from amd_jax.options import N, Named
from amd_jax.runs import run_folder
from amd_jax.types import Bound, Model, Sampler

T = TypeVar("T", bound=Named | None)
CURVE = {"steps": (8, 32), "temperature": (0.7, 1.0)}  # samples are scored at, unless given
# Whose flags are known
MODELS = (models.Diffusion, models.Flow, models.Autoregressive, models.Insertion)
Grid = Callable[[int], tuple[float, ...]]  # from a number of steps to times


class Choice(NamedTuple):
    """What the command line chooses of what a model declares."""

    bounds: tuple[Bound, ...]
    sampler: Named | None  # None if the model has only its own way
    editors: tuple[Editor, ...]
    way: Editor | GridSearch | None  # the one that is the mode, if one is
    curve: tuple[Named | None, ...] = ()  # samplers whose samples are scored

    @property
    def correctors(self) -> tuple[Corrector, ...]:
        """The editors that put wrong tokens right."""
        return tuple(editor for editor in self.editors if isinstance(editor, Corrector))


def choose(
    args: Options, rest: Sequence[str], model: Model | type[Model], grid: Grid | None = None
) -> Choice:
    """What a model declares, with the numbers in the rest of a command line.

    Without --bound, numbers that one bound alone has choose it, as --order does. `grid` gives the
    times that spacing=best stands for, of so many steps, if there are any yet. Raises ValueError
    for a flag that nobody knows, or that this mode or this choice ignores.
    """
    known = ModelOptions(model)
    mode = known.mode(args.mode)
    mode_options.check_heeded(args)
    if isinstance(args, Evaluate) and args.of_samples:
        points = curve(args.sampler, rest, known)
        return Choice((), points[0], (), None, points)
    numbers, of = known.read(rest)
    names = args.bound if isinstance(args, Evaluation) else None
    bounds = _bounds(names, known.bounds, [of[name] for name in numbers])
    sampler = known.samplers[0] if known.samplers else None
    if isinstance(args, Sampling) and args.sampler is not None:
        sampler = options.named(known.samplers, args.sampler, "sampler")
    way = next((way for way in known.ways if way.name == mode), None)
    heeded: list[Named | None] = [
        *(bounds if isinstance(args, Evaluation) else ()),
        *([sampler] if isinstance(args, Sampling) else ()),
        *(declared.correctors(model) if isinstance(args, Train | Report) else ()),
        way,
    ]
    for name in numbers:
        if not any(name in options.values(option) for option in heeded):
            raise ValueError(
                f"--{name} is a number of {', '.join(of[name])}, which this command does not use. "
                "Leave it out, or choose that by --bound, --sampler or --mode."
            )

    def filled(option: T) -> T:
        own = options.values(option)
        mine = {name: value for name, value in numbers.items() if name in own}
        if option not in heeded or not mine:
            return option
        if mine.get("spacing") == "best":
            steps = "steps" if "steps" in own else "grid"
            mine["spacing"] = _best((own | mine)[steps], steps, grid)
        return options.replaced(option, mine)

    return Choice(
        tuple(map(filled, bounds)),
        filled(sampler),
        tuple(map(filled, known.editors)),
        filled(way),
    )


def curve(
    name: str | None, arguments: Sequence[str], known: "ModelOptions"
) -> tuple[Named | None, ...]:
    """A sampler at each combination of numbers: those given, with commas, or some of `CURVE`.

    None stands for the only way of a model without samplers. Raises ValueError for a flag that the
    sampler does not have, or a number that does not fit the model.
    """
    if not known.samplers:
        known.read(arguments)
        for argument in arguments:
            raise ValueError(
                f"--{flags.name_in(argument)} is a number of a sampler, and {known.owner} samples "
                "in one way. Leave it out."
            )
        return (None,)
    start = known.samplers[0]
    if name is not None:
        start = options.named(known.samplers, name, "sampler")
    given = {flags.name_in(argument) for argument in arguments}
    steps = known.model.steps if isinstance(known.model, Walkable) else None
    more = [
        f"--{number}=" + ",".join(f"{value:g}" for value in _at_most(values, number, steps))
        for number, values in CURVE.items()
        if number in options.values(start) and number not in given
    ]
    points = combined(start, [*arguments, *more])
    for point in points:
        if isinstance(point, Sampler):
            point.times(steps)
    return tuple(points)


def _at_most(values: Sequence[float], number: str, steps: int | None) -> list[float]:
    """Values of a number; of steps no more than the model has."""
    if number != "steps" or steps is None:
        return [*values]
    return sorted({min(value, steps) for value in values})


def combined(start: N, arguments: Sequence[str]) -> list[N]:
    """An option with each combination of numbers, as of --steps=16,64 --temperature=0.7,1."""
    several = [argument.partition("=") for argument in arguments]
    values = [[f"{flag}{sign}{value}" for value in row.split(",")] for flag, sign, row in several]
    return [with_numbers(start, given) for given in itertools.product(*values)]


def _bounds(names: str | None, known: list[Bound], having: list[list[str]]) -> list[Bound]:
    """The bounds that are named; else those that alone have a number given, or the first.

    `having` are, for each of the numbers given, the names of the options that have it.
    """
    if names is not None:
        return [options.named(known, name, "bound") for name in names.split(",")]
    asked_for = {names[0] for names in having if len(names) == 1}
    return [bound for bound in known if bound.name in asked_for] or known[:1]


def _best(steps: int | None, name: str, grid: Grid | None) -> tuple[float, ...]:
    """The times that spacing=best stands for; ValueError if nothing says of how many steps."""
    if steps is None:
        raise ValueError(f"The best grid is one of some steps: give --{name}, as --{name}=16.")
    if grid is None:
        raise ValueError(
            "spacing=best is a grid that a run keeps once --mode=grid has made it. Leave it out."
        )
    return grid(steps)


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


def check_fit(
    model: Model,
    bounds: Sequence[Bound],
    sampler: Named | None,
    shape: tuple[int, ...] | None = None,
) -> None:
    """ValueError for numbers that do not fit the model: before a training, and not after it.

    `shape` is that of the rows (N, ...) that are evaluated, where it is known.
    """
    for bound in bounds:
        bound.describe(model)
        if shape is not None and isinstance(bound, models.LongMemory):
            bound.size(model, shape)
    if isinstance(sampler, Sampler) and isinstance(model, Walkable):
        sampler.times(model.steps)


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
    return {name: _sentence(kind) for name, kind in {**MODES, **editors}.items()}


def check_mode(name: str) -> None:
    """ValueError for a mode that no model of the library has."""
    if name not in (known := modes()):
        raise ValueError(f"--mode is one of {', '.join(known)}; got {name}.")


def _sentence(kind: type) -> str:
    """The first line of the docstring of a class."""
    return (kind.__doc__ or "").split("\n")[0]


def usage() -> list[str]:
    """What --help prints: examples, modes and flags."""
    listed = [f"  {name:9s} {about}" for name, about in modes().items()]
    lines = [console.described("run"), "", "Modes, as --mode=sample:", *listed]
    return [*lines, "", "Flags:", *mode_options.usage()]


def offers(config: ConfigDict | None, model: Model | None, name: str) -> list[str]:
    """What a model declares, or each model of the library, and the numbers of an experiment."""
    kinds: Sequence[Model | type[Model]] = MODELS if model is None else [model]
    every, lines = [ModelOptions(kind) for kind in kinds], []
    for known in every:
        groups: dict[str, Sequence[Named]] = {
            "--sampler": known.samplers,
            "--bound": known.bounds,
            "--mode": known.ways,
        }
        for flag, group in groups.items():
            if group:
                owner = known.owner if model is None else name
                lines += ["", f"{flag} of {owner}:", *map(_offer, group)]
    lines += ["", "Their numbers:", *_numbers([one for known in every for one in known.all()])]
    if config is not None:
        lines += ["", f"Numbers of {name}:"]
        for key, value in run_folder.named(config.to_dict()):
            lines.append(f"  --config.{key}={value!r}")
    return lines[1:]


def _offer(option: Named) -> str:
    """An option in a sentence, and the flags of its numbers."""
    flags = " ".join(f"--{number.name}" for number in options.numbers(option))
    line = f"  {option.name}: {_sentence(type(option))}"
    return f"{line}\n      {flags}" if flags else line


def _numbers(every: Sequence[Named]) -> list[str]:
    """The numbers of options, each once; with whose they are where a name means several things."""
    owners: dict[tuple, list[str]] = {}
    for option in every:
        for number in options.numbers(option):
            of = owners.setdefault((number.name, number.default, number.help), [])
            of += [option.name] * (option.name not in of)
    names = [name for name, _, _ in owners]
    result = []
    for (name, default, help), of in sorted(owners.items(), key=lambda item: item[0][0]):
        whose = f" ({', '.join(of)})" if names.count(name) > 1 else ""
        said = "" if default is None else f" Default: {default}."
        result.append(f"  --{name:18s} {help}.{said}{whose}")
    return result
