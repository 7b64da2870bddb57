"""The numbers of a config: those that training reads, and checks of all of them."""

import numbers as numbers_
from collections.abc import Iterator, Mapping
from typing import TypeGuard

import jax
import numpy as np
from ml_collections import ConfigDict

from amd_jax.types import Config

NUMBERS = {  # of the training loop: default and least value
    "seed": (0, 0),
    "ema_decay": (0.0, 0.0),  # of the averaged parameters; 0.999 averages about 1000 steps
    "clip": (0.0, 0.0),  # the largest norm of a gradient, all parameters together; 0: any
    "accumulate": (1, 1),  # parts of a device's batch, taken one after the other to save memory
    "shards": (1, 1),  # devices that share parameters and optimiser; 1: each has all of them
    "max_skipped": (10, 1),  # so many steps in a row that are not finite stop the run
    "checkpoint_every": (500, 1),
    "evaluate_every": (0, 0),  # 0: never
    "evaluate_texts": (64, 1),  # rows of the validation split, whatever they are
    "log_every": (20, 1),
}
REQUIRED = ("batch_size", "num_steps")
LARGEST = 2**31 - 1  # of an integer: steps and sizes are counted in int32
MOST = float(np.finfo(np.float32).max)
LONG = {  # the cadences of a run of days: numbers(..., **LONG)
    "checkpoint_every": 10_000,
    "evaluate_every": 10_000,
    "evaluate_texts": 512,
    "log_every": 100,
}


def numbers(*, batch_size: int, num_steps: int, **others: float) -> ConfigDict:
    """The numbers that training reads, to start a config with: those given, and defaults.

    The batch is that of all devices. Raises TypeError for a name that is not in `NUMBERS`.
    """
    if unknown := others.keys() - NUMBERS:
        raise TypeError(f"numbers() knows {', '.join(NUMBERS)}; got {', '.join(unknown)}.")
    defaults = {name: default for name, (default, _) in NUMBERS.items()}
    return ConfigDict(dict(batch_size=batch_size, num_steps=num_steps, **defaults | others))


def check_values(
    config: Config,
    defaults: Config | None = None,
) -> None:
    """Raises ValueError for a number that no computation can use.

    Floats must be finite in float32, and integers fit int32, except a seed, which has its own
    rule. With `defaults`, those of `get_config()`, a tuple must have elements of the default's
    kind, and an integer must not be negative where the default is not. The loop's own numbers have
    their own least values.
    """
    known = dict(_leaves(defaults or {}))
    for name, value in _leaves(config):
        default = known.get(name)
        if not isinstance(value, tuple | list):
            _check_value(name, value, default)
            continue
        first = default[0] if isinstance(default, tuple | list) and default else None
        for element in value:
            if isinstance(first, int) and not _is_integer(element):
                raise ValueError(f"{name} holds integers, as {default}; got {brief(value)}.")
            _check_value(name, element, first)


def _check_value(name: str, value: object, default: object) -> None:
    """The same of one number, or of one element of a tuple."""
    if isinstance(value, float) and not abs(value) <= MOST:
        raise ValueError(f"{name} must be finite in float32; got {name}={value}.")
    if not _is_integer(value):
        return
    if abs(value) > LARGEST and name != "seed":
        raise ValueError(f"{name} must be an integer below 2 ** 31; got {name}={brief(value)}.")
    if _is_integer(default) and value < 0 <= default and name not in {*NUMBERS, *REQUIRED}:
        raise ValueError(
            f"{name} must be at least 0, as it is in get_config(); got {name}={value}."
        )


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, numbers_.Integral) and not isinstance(value, bool)


def _leaves(config: Config, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Every number by its dotted name."""
    for name, value in config.items():
        if isinstance(value, Mapping | ConfigDict):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def brief(value: object) -> str:
    """A value as one line shows it: of a long one the start."""
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:20]}... ({len(text)} characters)"


def check_numbers(config: ConfigDict) -> None:
    """Raises ValueError unless the config has the loop's numbers, and they make sense."""
    check_values(config)
    if missing := {*REQUIRED, *NUMBERS} - {*config}:
        raise ValueError(
            "A config starts with numbers(...) of amd_jax.learning.config_values; this one lacks "
            f"{', '.join(sorted(missing))}."
        )
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"seed must be in [0, 2 ** 32); got seed={brief(config.seed)}.")
    if not 0 <= config.ema_decay < 1:
        raise ValueError(
            f"ema_decay must be in [0, 1); got ema_decay={config.ema_decay}. "
            "Use 0.0 for no average, 0.999 for one of about 1000 steps."
        )
    least = {name: least for name, (_, least) in NUMBERS.items()} | dict.fromkeys(REQUIRED, 1)
    for name, bound in least.items():
        if config[name] < bound:
            raise ValueError(f"{name} must be at least {bound}; got {name}={config[name]}.")
    _check_batch(config.batch_size, config.accumulate)


def _check_batch(size: int, accumulate: int) -> None:
    """Raises ValueError, with the nearest sizes that are, if the batch is not divisible."""
    devices = jax.device_count()
    if size % (devices * accumulate):
        below = size // (devices * accumulate) * devices * accumulate
        near = " or ".join(str(b) for b in (below, below + devices * accumulate) if b)
        parts = f" x {accumulate} parts (accumulate)" if accumulate > 1 else ""
        raise ValueError(
            f"The batch must be divisible by the {devices} devices{parts}; got {size}. "
            f"Use batch_size={near}."
        )
