"""Samplers at several numbers of steps and temperatures, whose samples are scored."""

from collections.abc import Sequence

from amd_jax import options
from amd_jax.cli import declared_options, flags
from amd_jax.cli.declared_options import ModelOptions
from amd_jax.models.declared import Walkable
from amd_jax.options import Named
from amd_jax.types import Sampler

CURVE = {"steps": (8, 32), "temperature": (0.7, 1.0)}  # unless given


def curve(
    name: str | None, arguments: Sequence[str], known: ModelOptions
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
    points = declared_options.combined(start, [*arguments, *more])
    for point in points:
        if isinstance(point, Sampler):
            point.times(steps)
    return tuple(points)


def _at_most(values: Sequence[float], number: str, steps: int | None) -> list[float]:
    """Values of a number; of steps no more than the model has."""
    if number != "steps" or steps is None:
        return [*values]
    return sorted({min(value, steps) for value in values})
