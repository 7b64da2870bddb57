"""Flags of a command line, and the numbers of a config.

Each command has a dataclass of options, whose numbers (`options.number`) are its flags. Three
parts are read one after the other, since each needs the one before it: those flags, the numbers of
the config (`--config.NAME=VALUE`), and those that the model declares (`choices.py`).
"""

import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from absl import flags
from ml_collections import ConfigDict, config_flags

from amd_jax import options
from amd_jax.cli import console, parsers
from amd_jax.data.reading import files
from amd_jax.options import Number
from amd_jax.runs import run_folder

T = TypeVar("T")
PARSERS = {
    int: parsers.Integer,
    float: parsers.Float,  # with bounds
    str: flags.ArgumentParser,
    Path: parsers.LocalPath,
}


def read(argv: Sequence[str], kind: type[T]) -> tuple[T, list[str]]:
    """The options of a kind that a command line gives, and what else stands there."""
    values, _, rest = parsed(argv, options.numbers(kind))
    return kind(**values), rest


def read_with_names(argv: Sequence[str], kind: type[T]) -> tuple[T, list[str]]:
    """The options of a kind, and the words that are no flags; ValueError for another flag."""
    args, rest = read(argv, kind)
    finish([argument for argument in rest if argument.startswith("-")], kind)
    return args, [argument for argument in rest if not argument.startswith("-")]


def parsed(
    argv: Sequence[str], table: Sequence[Number]
) -> tuple[dict[str, Any], set[str], list[str]]:
    """The values of some flags, the names of those that are given, and what else stands there."""
    result = empty()
    for flag in table:
        define(result, flag)
    rest = result(["", *argv], known_only=True)[1:]
    given = {flag.name for flag in table if result[flag.name].present}
    return {flag.name: result[flag.name].value for flag in table}, given, rest


def answers(argv: Sequence[str], usage: Callable[[], str]) -> bool:
    """Whether a command line asks for help, which `usage` then makes and this prints."""
    asked = bool(console.HELP & {*argv})
    if asked:
        print(usage())
    return asked


def usage(name: str, kind: type) -> str:
    """What --help prints of a command: its docstring, which has examples, and its flags."""
    return "\n".join([console.described(name), "", "Flags:", *map(line, options.numbers(kind))])


def line(flag: Number) -> str:
    """What --help prints of a flag."""
    default = "" if flag.default in (None, False, ()) else f" Default: {flag.default}."
    return f"  --{flag.name:18s} {flag.help}{default}"


def finish(rest: Sequence[str], kind: type) -> None:
    """ValueError if a command line holds more than the flags of its options."""
    for argument in rest:
        refuse_unknown(argument, [flag.name for flag in options.numbers(kind)])


def override(arguments: Sequence[str], config: ConfigDict) -> tuple[ConfigDict, list[str]]:
    """The config with the numbers that a command line gives, and what else stands there.

    Raises ValueError for a number that the config does not have.
    """
    known = dict(run_folder.named(config.to_dict()))
    rest = [_integer(argument, known) for argument in arguments]
    for argument in rest:
        match = re.match(r"--?(?:no)?config\.([^=]*)", argument)
        name, equals, value = argument.partition("=")
        if equals and name.lstrip("-").startswith("noconfig."):
            raise ValueError(f"{name} takes no value; got {value:.60}. Leave the value out.")
        if match and (name := match[1]) not in known:
            near = difflib.get_close_matches(name, known, n=1)
            every = ", ".join(f"--config.{n}" for n in sorted(known))
            hint = f"Did you mean --config.{near[0]}?" if near else f"It has {every}."
            raise ValueError(f"--config.{name} is not a number of this experiment. {hint}")
    result, config = empty(), config.copy_and_resolve_references()  # it is changed in place
    config_flags.DEFINE_config_dict("config", config, flag_values=result, sys_argv=["", *rest])
    left = result(["", *rest], known_only=True)[1:]
    return result["config"].value, left


def absolute_places(config: ConfigDict) -> None:
    """Makes the places of data absolute, so that a run finds them from any folder."""
    for name, value in run_folder.named(config.to_dict()):
        if run_folder.is_place(name) and isinstance(value, str) and value and "://" not in value:
            config.update_from_flattened_dict({name: str(files.expanded(value).absolute())})


def refuse_unknown(argument: str, known: Sequence[str]) -> None:
    """ValueError for an argument that is no flag; names one that is near."""
    if not argument.startswith("-"):
        raise ValueError(
            f"Unknown argument {argument!r}. Flags start with --, as in --mode=train."
        )
    name = name_in(argument)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"Did you mean --{near[0]}?" if near else "--help lists the flags."
    raise ValueError(f"Unknown flag --{name}. {hint}")


def name_in(argument: str) -> str:
    """The name of a flag in an argument: "steps" of --steps=16."""
    return argument.lstrip("-").partition("=")[0]


def one(model: object) -> str:
    """What a model is, or a class of them: "a Flow", "an Autoregressive"."""
    name = model.__name__ if isinstance(model, type) else type(model).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def empty() -> flags.FlagValues:
    """No flags yet; their order does not matter."""
    result = flags.FlagValues()
    result.set_gnu_getopt(True)
    return result


def define(into: flags.FlagValues, flag: Number) -> None:
    """Defines a flag."""
    about = flag.name, flag.default, flag.help, into
    if flag.kind is bool:
        flags.DEFINE_bool(*about)
    elif flag.kind is list:
        flags.DEFINE_multi_string(*about)
    else:
        bounds = (flag.least, flag.most) if flag.kind in (int, float) else ()
        flags.DEFINE(PARSERS[flag.kind](*bounds), *about)


def _integer(argument: str, known: dict[str, object]) -> str:
    """An override such as --config.num_steps=1e3, of a number that is an integer, as digits."""
    result = re.fullmatch(r"(--?config\.([^=]*))=(.*)", argument, re.DOTALL)
    if result and type(known.get(result[2])) is int:
        number = parsers.integer(result[3])
        return argument if number is None else f"{result[1]}={number}"
    return argument
