"""The numbers of a config that training reads."""

import jax
from ml_collections import ConfigDict

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
LONG = {  # the cadences of a run of days: numbers(..., **LONG)
    **{"checkpoint_every": 10_000, "evaluate_every": 10_000},
    **{"evaluate_texts": 512, "log_every": 100},
}


def numbers(*, batch_size: int, num_steps: int, **others: float) -> ConfigDict:
    """The numbers that training reads, to start a config with: those given, and defaults.

    The batch is that of all devices. Raises TypeError for a name that is not in `NUMBERS`.
    """
    if unknown := others.keys() - NUMBERS:
        raise TypeError(f"numbers() knows {', '.join(NUMBERS)}; got {', '.join(unknown)}.")
    defaults = {name: default for name, (default, _) in NUMBERS.items()}
    return ConfigDict(dict(batch_size=batch_size, num_steps=num_steps, **defaults | others))


def check_numbers(config: ConfigDict) -> None:
    """Raises ValueError unless the config has the loop's numbers, and they make sense."""
    if missing := {*REQUIRED, *NUMBERS} - {*config}:
        raise ValueError(
            "A config starts with numbers(...) of amd_jax.learning.numbers; this one lacks "
            f"{', '.join(sorted(missing))}."
        )
    if not 0 <= config.seed < 2**32:
        raise ValueError(f"seed must be in [0, 2 ** 32); got seed={config.seed}.")
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
