"""The numbers of a config that a command line gives: read, checked, and compared with a run's."""

import difflib
import itertools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from absl import flags
from ml_collections import ConfigDict

from amd_jax.training import workdir as workdirs


def parse(argv: list[str]) -> list[str]:
    """The command line without its flags; exits with one clear line if a flag is wrong."""
    try:
        if not {"--help", "-h", "--helpfull", "--helpshort"} & set(argv):
            _check(argv)
        return flags.FLAGS(argv)
    except (flags.Error, TypeError, ValueError, OSError) as error:
        sys.exit(f"error: {error}")


def _check(argv: list[str]) -> None:
    """ValueError for a missing or unfit --config, or an override of a number it does not have."""
    given = dict(re.match(r"--?([^=]*)=?(.*)", a).groups() for a in argv[1:] if a[:1] == "-")
    path = given.get("config") or next(
        (after for flag, after in itertools.pairwise(argv) if flag == "--config"), None
    )
    if path is None:
        raise ValueError("--config is missing. Try --config=experiments/quickstart.py")
    config = workdirs.load_module(path).get_config()
    if not isinstance(config, ConfigDict):
        raise ValueError(f"get_config() must return a ConfigDict; {path} returns {config!r}.")
    known = set(_names(config.to_dict(), "config."))
    for name in given:
        if name.startswith("config.") and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = (
                f"Did you mean --{near[0]}?" if near else f"It has --{', --'.join(sorted(known))}."
            )
            raise ValueError(f"--{name} is not a number of {path}. {hint}")


def _names(config: dict, prefix: str) -> Iterator[str]:
    """The dotted name of every number of a config."""
    for name, value in config.items():
        if isinstance(value, dict):
            yield from _names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def refuse_others(workdir: Path, config: ConfigDict, module: ModuleType, mode: str) -> None:
    """ValueError if a number given on the command line is not the trained run's."""
    given, default = config.to_dict(), module.get_config().to_dict()
    trained = workdirs.read_config(workdir)
    differing = set(workdirs.differences(trained, given)) - set(
        workdirs.differences(trained, default)
    )
    if differing:
        raise ValueError(
            f"{workdir} holds a run of another config: {'; '.join(sorted(differing))}. "
            f"Leave these out: --mode={mode} takes the numbers from the run."
        )
