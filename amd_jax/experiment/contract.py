"""What the three functions of an experiment have to return; ValueError, in a line, if they don't.

`name` is the experiment's, for the line.
"""

import inspect
from collections.abc import Callable
from typing import Any

import optax
from ml_collections import ConfigDict

from amd_jax.facts import Facts
from amd_jax.learning.loop import Parts
from amd_jax.types import Config, Dataset, Model, Objective


def config(get_config: Callable[..., object], variant: str | None, name: str) -> ConfigDict:
    """The numbers of `get_config()`, or of `get_config(variant)`."""
    if variant is not None and not inspect.signature(get_config).parameters:
        raise ValueError(f"{name} has no variants; got {variant!r} after the colon.")
    result = get_config(*filter(None, [variant]))
    if not isinstance(result, ConfigDict):
        raise ValueError(f"get_config() must return a ConfigDict; {name} returns {result!r}.")
    return result


def updated(config: ConfigDict, numbers: Config) -> ConfigDict:
    """The config, locked, with the numbers of a run; the error tells which does not fit."""
    config.lock()
    try:
        config.update(numbers)
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        reason = str(error).strip("'\"").splitlines()[0].partition(" Other fields present")[0]
        raise ValueError(reason) from error
    return config


def data(result: Any, name: str) -> Dataset:
    """What `data(config)` returned."""
    missing = [part for part in ("facts", "splits", "batch", "rows") if part not in dir(result)]
    if missing:  # dir: what a class has is not computed
        raise ValueError(
            "data(config) must return a data set (amd_jax.types.Dataset); that of "
            f"{name} returns a {type(result).__name__}, which lacks {', '.join(missing)}."
        )
    if "train" not in result.splits:
        raise ValueError(
            f"A data set has the split train; that of {name} has "
            f"{', '.join(result.splits) or 'none'}."
        )
    return result


def facts(result: object, name: str) -> Facts:
    """The facts of what `data(config)` returned."""
    if not isinstance(result, Facts):
        raise ValueError(
            f"The facts of a data set are amd_jax.facts.Facts; those of {name} are a "
            f"{type(result).__name__}."
        )
    return result


def parts(build: Callable[..., object], config: ConfigDict, facts: Facts, name: str) -> Parts:
    """What `build(config, facts)` returns."""
    if len(inspect.signature(build).parameters) != 2:
        raise ValueError(
            f"build takes the config and the facts of the data: build(config, facts). That of "
            f"{name} is build{inspect.signature(build)}."
        )
    result = build(config, facts)
    if not isinstance(result, tuple) or len(result) != 3:
        shown = f"a {type(result).__name__}"
    elif all(map(isinstance, result, (Model, Objective, optax.GradientTransformation))):
        return Parts(*result)
    else:
        shown = ", ".join(type(part).__name__ for part in result)
    raise ValueError(
        f"build(config, facts) returns a model, an objective and an optimiser; that of "
        f"{name} returned {shown}."
    )
