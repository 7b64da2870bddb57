"""The command line: its flags by mode, and the numbers of a config.

Three parts are read one after the other, since each needs what the one before it has found: the
flags below, the numbers of the config (`--config.NAME=VALUE`), and those that the model declares
(`choices.py`).
"""

import dataclasses
import difflib
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

import amd_jax
from amd_jax.cli import parsers
from amd_jax.data.reading import files
from amd_jax.pages import commands
from amd_jax.runs import run_folder

MODES = ("train", "evaluate", "sample", "infill", "grid", "report", "export")  # and editors
EDITORS = "editors"  # stands for all of these below
PARSERS = {
    int: parsers.Integer,
    float: parsers.Float,  # with bounds
    str: flags.ArgumentParser,
    Path: parsers.LocalPath,
}
HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}


class Flag(NamedTuple):
    """A flag, and the modes that heed it."""

    name: str
    default: Any
    help: str
    modes: tuple[str, ...] = (*MODES, EDITORS)
    kind: type | None = None  # where the default is None; Path: what is written, or read, here
    least: int | None = None
    most: int | None = None


SHOWN = ("train", "evaluate", EDITORS)
MEASURED = (*SHOWN, "grid", "infill")
DRAWN = ("train", "sample", "infill", "report", "export")
USED = ("evaluate", "sample", "infill", EDITORS)
FLAGS = (
    Flag("config", None, "Experiment: a file, or the name of one in experiments/.", kind=str),
    Flag("workdir", None, "Folder of the run; default: runs/<config name>.", kind=str),
    Flag("pretrained", None, "Weights in the place of a run: a name, or an export.", USED, str),
    Flag("mode", "train", "What to do; train also evaluates, samples and reports at its end."),
    Flag("best", False, "Take the checkpoint with the best validation bits, not the newest."),
    Flag("seed", 0, "Seed of evaluation, samples and errors.", least=0, most=2**32 - 1),
    Flag("keep_pages", True, "Keep freed memory: faster steps on a CPU, a higher peak of memory."),
    Flag("coordinator", None, "Address of process 0 (host:port) where several train.", kind=str),
    Flag(
        "num_processes", None, "How many processes; Slurm and Cloud TPU tell.", kind=int, least=1
    ),
    Flag("process_id", None, "Which of them this one is, from 0.", kind=int, least=0),
    Flag("extend", False, "Go on beyond the number of steps that a run has.", ("train",)),
    Flag("init_from", None, "Run whose parameters a new one starts from.", ("train",), str),
    Flag("profile", False, "Write a trace of some steps for Perfetto.", ("train",)),
    Flag("report", True, "Write report.html at the end; --mode=report does so later.", ("train",)),
    Flag("split", "test", "What to evaluate, or to take rows from.", (*SHOWN, "infill")),
    Flag("num_texts", None, "Take this many rows; all, but for trials.", MEASURED, int, 1),
    Flag("bound", None, "Bounds to evaluate, with commas; the first.", ("train", "evaluate"), str),
    Flag("sampler", None, "Way to sample; the first that the model has.", DRAWN, str),
    Flag("num_samples", None, "How many to draw.", ("train", "sample", "infill"), int, 1),
    Flag("chain", False, "Show samples on their way from noise to data.", ("sample",)),
    Flag("compare", False, "Compare the samples with the data, which are read.", ("sample",)),
    Flag("text", None, "Text to edit, or with gaps.", ("train", "infill", EDITORS), str),
    Flag("gap", "_", "Sign that stands for one unknown character of --text.", ("infill",)),
    Flag("hidden", None, "Tokens of a gap in each of --num_texts rows.", ("infill",), int, 1),
    Flag("hole", None, "Unknown pixels of --input: top,left,height,width.", ("infill",), str),
    Flag("input", None, "File to edit: text, or a PNG of a map.", ("infill", EDITORS), Path),
    Flag("half", False, "Keep parameters in half precision: half the size.", ("export",)),
    Flag(
        "output", None, "Folder for what is made; default: the workdir.", (*DRAWN, EDITORS), Path
    ),
)


@dataclasses.dataclass(frozen=True)
class Args:
    """What a command line asks for, as far as it has been read."""

    values: dict[str, Any]  # of FLAGS
    given: frozenset[str]  # those that stand there
    rest: list[str]  # what was not read yet

    def __getattr__(self, name: str) -> Any:
        """The value of a flag."""
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(name) from None


def read(argv: Sequence[str], table: Sequence[Flag] = FLAGS) -> Args:
    """The flags of a command line that a table has; what else stands there is the rest."""
    result = empty()
    for flag in table:
        define(result, flag.name, flag.default, flag.kind, flag.help, flag.least, flag.most)
    rest = result(["", *argv], known_only=True)[1:]
    given = frozenset(flag.name for flag in table if result[flag.name].present)
    return Args({flag.name: result[flag.name].value for flag in table}, given, rest)


def answers(argv: Sequence[str], usage: Callable[[list[str]], str]) -> bool:
    """Whether a command line asks for --help or --version, which is then printed.

    `usage` makes the help of the other arguments.
    """
    if HELP & {*argv}:
        print(usage([argument for argument in argv if argument not in HELP]))
    elif "--version" in argv:
        print(f"amd_jax {amd_jax.__version__}")
    return bool({*HELP, "--version"} & {*argv})


def usage(argv: Sequence[str], arguments: str, table: Sequence[Flag]) -> str:
    """What --help prints of a command: how it is started, and the flags of its table."""
    shown = argv[0] if argv[0].startswith(commands.CONSOLE) else commands.program(argv[0])
    return "\n".join([f"{shown} {arguments} [flags]", "", *listed(table)])


def listed(table: Sequence[Flag]) -> list[str]:
    """A line on each flag of a table."""
    lines = []
    for flag in table:
        where = "" if len(flag.modes) > len(MODES) else f" ({', '.join(flag.modes)})"
        default = "" if flag.default in (None, False, []) else f" Default: {flag.default}."
        lines.append(f"  --{flag.name:18s} {flag.help}{default}{where}")
    return lines


def finish(args: Args, table: Sequence[Flag]) -> None:
    """ValueError if a command line holds more than flags of a table."""
    for argument in args.rest:
        refuse_unknown(argument, [flag.name for flag in table])


def override(args: Args, config: ConfigDict) -> tuple[Args, ConfigDict]:
    """The config with the numbers that the command line gives; ValueError for what it has not."""
    known = dict(run_folder.named(config.to_dict()))
    rest = [_integer(argument, known) for argument in args.rest]
    for argument in rest:
        match = re.match(r"--?(?:no)?config\.([^=]*)", argument)
        if match and (name := match[1]) not in known:
            near = difflib.get_close_matches(name, known, n=1)
            every = ", ".join(f"--config.{n}" for n in sorted(known))
            hint = f"Did you mean --config.{near[0]}?" if near else f"It has {every}."
            raise ValueError(f"--config.{name} is not a number of this experiment. {hint}")
    result, config = empty(), config.copy_and_resolve_references()  # it is changed in place
    config_flags.DEFINE_config_dict("config", config, flag_values=result, sys_argv=["", *rest])
    left = result(["", *rest], known_only=True)[1:]
    return dataclasses.replace(args, rest=left), result["config"].value


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


def one(model: Any) -> str:
    """What a model is, or a class of them: "a Flow", "an Autoregressive"."""
    name = model.__name__ if isinstance(model, type) else type(model).__name__
    return f"{'an' if name[0] in 'AEIOU' else 'a'} {name}"


def empty() -> flags.FlagValues:
    """No flags yet; their order does not matter."""
    result = flags.FlagValues()
    result.set_gnu_getopt(True)
    return result


def define(
    into: flags.FlagValues,
    name: str,
    default: Any,
    kind: type | None,
    help: str,
    least: int | None = None,
    most: int | None = None,
) -> None:
    """Defines a flag."""
    kind = type(default) if kind is None else kind
    if kind is bool:
        flags.DEFINE_bool(name, default, help, into)
    elif kind is list:
        flags.DEFINE_multi_string(name, default, help, into)
    else:
        bounds = (least, most) if kind in (int, float) else ()
        flags.DEFINE(PARSERS[kind](*bounds), name, default, help, into)


def _integer(argument: str, known: dict[str, Any]) -> str:
    """An override such as --config.num_steps=1e3, of a number that is an integer, as digits."""
    result = re.fullmatch(r"(--?config\.([^=]*))=(.*)", argument, re.DOTALL)
    if result and type(known.get(result[2])) is int:
        number = parsers.integer(result[3])
        return argument if number is None else f"{result[1]}={number}"
    return argument
