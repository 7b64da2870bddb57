"""Starts the commands, and answers what needs no JAX at once: the version, an overview.

JAX takes seconds to import. Nothing here does so, nor imports what does, until a command needs it.
"""

import contextlib
import difflib
import importlib
import importlib.metadata
import io
import os
import platform
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence

import amd_jax
from amd_jax.cli import experiment_files
from amd_jax.devices import compiler, jax_settings
from amd_jax.pages import commands

HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}
FULL = "--helpfull"
DOCS = f"{amd_jax.REPOSITORY}/tree/main/docs"
EXAMPLES = """
    python -m experiments.run --config=quickstart
    python -m experiments.run --pretrained=wiki_text --mode=correct --text="the quick brwwn fox"
    python -m experiments.demo --pretrained=wiki_text
"""


def start(module: str, argv: Sequence[str]) -> None:
    """Runs the `main(argv)` of a module, which is imported once JAX is known to import.

    With --version it prints that instead. Whatever goes wrong ends the process with one line.
    """
    if "--version" in argv[1:]:
        show(version())
        return
    try:
        with ended_by_interrupt():
            jax_settings.import_jax(own_flags=compiler.NO_SUMS)
            command_line = importlib.import_module("amd_jax.cli.command_line")
            main = importlib.import_module(module).main
    except ValueError as error:  # of the environment
        sys.exit(f"error: {error}")
    command_line.run(main, argv)


@contextlib.contextmanager
def ended_by_interrupt() -> Iterator[None]:
    """Ctrl-C ends the process at once, where a library being imported may lose the exception."""
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        if is_usual:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def answer(argv: Sequence[str], name: str, text: Callable[[], str]) -> None:
    """Prints a text: a command that takes no arguments but --help and --version."""
    rest = [argument for argument in argv[1:] if argument not in {*HELP, "--version"}]
    if "--version" in argv[1:]:
        show(version())
    elif HELP & {*argv}:
        show(described(name))
    elif rest:
        sys.exit(f"error: {name} takes no arguments; got {rest[0]!r}. Leave it out.")
    else:
        show(text())


def show(text: str) -> None:
    """Prints a text; quiet once nobody reads on, as of `| head`."""
    allow_any_character()
    try:
        print(text, flush=True)
    except BrokenPipeError:
        ignore_reader()


def allow_any_character() -> None:
    """Has a console that cannot show "±" show "?" in its place."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # not in a notebook
        sys.stdout.reconfigure(errors="replace")


def ignore_reader() -> None:
    """Sends what is still in the buffer of stdout nowhere, where Python would complain at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def version() -> str:
    """The versions that a report of a defect names."""
    jax = importlib.metadata.version("jax")
    return f"amd_jax {amd_jax.__version__} (jax {jax}, Python {platform.python_version()})"


def overview(names: Sequence[str]) -> str:
    """What `amd-jax` prints alone: its commands, some examples, where the documentation is."""
    program = commands.program(sys.argv[0])
    listed = {_hyphened(name): experiment_files.docstring(name) for name in names}
    width = max(map(len, listed))
    return "\n".join(
        [
            f"{program} COMMAND [flags]",
            "",
            *(f"  {name:{width}s}  {text.splitlines()[0]}" for name, text in listed.items()),
            as_started(EXAMPLES),
            f"Without a command, flags are those of run. {program} COMMAND --help lists them.",
            f"Documentation: {DOCS}",
        ]
    )


def unknown(word: str, names: Sequence[str]) -> str:
    """What to say of a command that there is not, with the nearest of what one may have meant."""
    declared_options = importlib.import_module("amd_jax.cli.declared_options")  # which imports JAX
    known = {name: f"run --config={name}" for name in experiment_files.names()}
    known |= {mode: f"run --mode={mode}" for mode in declared_options.modes()}
    known |= {_hyphened(name): name for name in names}
    near = difflib.get_close_matches(word, known, n=1)
    hint = f"Did you mean {as_started(f'python -m experiments.{known[near[0]]}')}?" if near else ""
    listed = ", ".join(map(_hyphened, names))
    return f"Commands are {listed}; got {word!r}. {hint or '--help tells of them.'}"


def described(name: str) -> str:
    """The docstring of a command, its examples as they are typed here."""
    return as_started(experiment_files.docstring(name))


def as_started(text: str) -> str:
    """A text whose commands are started as this one was: by `amd-jax`, or from a wheel."""
    program = commands.program(sys.argv[0])
    if program == commands.CONSOLE:
        return re.sub(
            r"python -m experiments\.(\w+)",
            lambda found: f"{program} {_hyphened(found[1])}",
            text,
        )
    if program.startswith("python -m amd_jax.experiments"):
        return text.replace("python -m experiments", "python -m amd_jax.experiments")
    return text


def _hyphened(name: str) -> str:
    """The name of a command as words of a shell are written."""
    return name.replace("_", "-")
