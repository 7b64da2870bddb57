"""What the command line chooses of what a model declares: bounds, a sampler, an editor."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from amd_jax import models, options
from amd_jax.cli import mode_options, sampler_curves
from amd_jax.cli.declared_options import ModelOptions
from amd_jax.cli.mode_options import Evaluate, Evaluation, Options, Report, Sampling, Train
from amd_jax.models import declared
from amd_jax.models.declared import Corrector, Editor, GridSearch, Walkable
from amd_jax.options import Named
from amd_jax.types import Bound, Model, Sampler

T = TypeVar("T", bound=Named | None)
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
        points = sampler_curves.curve(args.sampler, rest, known)
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
    _check_heeded(numbers, of, heeded)

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


def _check_heeded(
    numbers: Mapping[str, Any], of: Mapping[str, list[str]], heeded: Sequence[Named | None]
) -> None:
    """Raise ValueError for a number that none of what is chosen has."""
    for name in numbers:
        if not any(name in options.values(option) for option in heeded):
            raise ValueError(
                f"--{name} is a number of {', '.join(of[name])}, which this command does not use. "
                "Leave it out, or choose that by --bound, --sampler or --mode."
            )


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
