"""`amd-jax`: its commands, its overview, the list; what needs no JAX does not import it."""

import importlib
import importlib.metadata
import os
import platform
import re
import signal
import subprocess
import sys

import pytest

import amd_jax
from amd_jax import pretrained
from amd_jax.cli import console, experiment_files, listing
from experiments import __main__ as commands
from tests.cli.command import ROOT, ended


def amd_jax_(*arguments):
    """What the installed command does."""
    return ended(lambda argv: commands.start(), "/usr/bin/amd-jax", *arguments)


@pytest.fixture
def started(monkeypatch):
    """The commands that are started, in place of running them: (module, argv) each."""
    result = []
    monkeypatch.setattr(console, "start", lambda module, argv: result.append((module, argv)))
    return result


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"], ["help"]], ids=" ".join)
def test_an_overview(arguments):
    seen = amd_jax_(*arguments)
    assert seen.ending is None
    lines = seen.out.splitlines()
    for name in commands.COMMANDS:
        (line,) = [line for line in lines if line.startswith(f"  {name.replace('_', '-')} ")]
        assert line.endswith(".")
    assert "    amd-jax run --config=quickstart" in lines
    assert f"Documentation: {amd_jax.REPOSITORY}" in seen.out
    assert "python -m" not in seen.out
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 110


@pytest.mark.parametrize(
    ("arguments", "program", "rest"),
    [
        (["run", "--config=quickstart"], "amd-jax run", ["--config=quickstart"]),
        (["--config=quickstart"], "amd-jax run", ["--config=quickstart"]),
        (["--help", "--config=x"], "amd-jax run", ["--help", "--config=x"]),
        (["known-answers", "--steps=3"], "amd-jax known-answers", ["--steps=3"]),
        (["known_answers"], "amd-jax known[-_]answers", []),
        (["help", "demo"], "amd-jax demo", ["--help"]),
    ],
)
def test_a_command_by_its_name(arguments, program, rest, started):
    assert amd_jax_(*arguments).ending is None
    ((module, (name, *given)),) = started
    assert importlib.import_module(module).main
    assert re.fullmatch(program, name)
    assert given == rest


def test_every_command_has_a_file_that_starts_it():
    for name in commands.COMMANDS:
        assert callable(importlib.import_module(f"experiments.{name}").main)
        assert f"python -m experiments.{name}" in experiment_files.docstring(name)


def test_an_unknown_command():
    for word, hint in (
        ("comapre", "Did you mean amd-jax compare?"),
        ("known-answer", "Did you mean amd-jax known-answers?"),
        ("quikstart", "Did you mean amd-jax run --config=quickstart?"),
        ("corect", "Did you mean amd-jax run --mode=correct?"),
        ("zzz", "--help tells of them."),
    ):
        error = amd_jax_(word, "--config=quickstart").error
        assert error.startswith("Commands are run, compare, report, demo, known-answers, ")
        assert error.endswith(f"got {word!r}. {hint}")


def test_the_version_names_what_a_report_needs():
    jax = importlib.metadata.version("jax")
    line = f"amd_jax {amd_jax.__version__} (jax {jax}, Python {platform.python_version()})\n"
    for arguments in (["--version"], ["run", "--version"], ["list", "--version"]):
        assert amd_jax_(*arguments) == (line, None)


def test_the_list():
    out = amd_jax_("list").out
    names = re.findall(r"^  (\w+) ", out, re.MULTILINE)
    assert sorted(names) == sorted([*experiment_files.names(), *pretrained.names()])
    assert max(map(len, out.splitlines())) <= listing.WIDTH
    assert "\nOthers:" not in out  # a new kind of name needs a group
    assert "\n  wiki_text " in out
    assert "Trained with own_text, 6,000 steps.\n" in out
    groups = {part.splitlines()[0]: part for part in out.split("\n\n")}
    assert "  own_text_masked " in groups["Your own text (--config.data.path=book.txt):"]
    assert "  own_maps_ordinal " in groups["Your own maps (--config.data.path=my_maps/):"]
    assert "list takes no arguments; got 'text8'. Leave it out." in amd_jax_("list", "text8").error
    assert "amd-jax list\n" in amd_jax_("list", "--help").out


def test_a_sentence_that_is_too_long_ends_at_its_colon():
    about = f"{'A flow on texts':45s}: {'from nothing to samples ' * 3}"
    assert listing.line("name", about).split() == ["name", "A", "flow", "on", "texts"]
    long = listing.line("name", "word " * 40)
    assert len(long) <= listing.WIDTH
    assert long.endswith("word …")


SHOWN = {"amd-jax": "amd-jax run", "/x/experiments/run.py": "python -m experiments.run"}
SHOWN["/v/site-packages/amd_jax/experiments/run.py"] = "python -m amd_jax.experiments.run"


@pytest.mark.parametrize("program", SHOWN)
def test_examples_are_commands_as_one_started_this(program, monkeypatch):
    monkeypatch.setattr(sys, "argv", [program, "--help"])
    assert f"    {SHOWN[program]} --config=quickstart\n" in console.described("run")


@pytest.mark.few(1)
@pytest.mark.parametrize("arguments", [["--version"], ["run", "--version"], ["list"], ["--help"]])
def test_jax_is_not_imported(arguments):
    code = (
        "import sys; from experiments import __main__ as console; console.start(); "
        "sys.exit('jax' in sys.modules)"
    )
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.few(1)
@pytest.mark.parametrize("arguments", [["--version"], ["run", "--help"], ["list"], []])
def test_nobody_reads_on(arguments):
    """As of `| head`, where what is left in the buffer goes at the end of the process."""
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command, pipe = [sys.executable, "-m", "experiments", *arguments], subprocess.PIPE
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=pipe, stderr=pipe)
    running.stdout.close()
    with running.stderr as stderr:
        assert stderr.read() == b""
    assert running.wait(60) == 0


@pytest.mark.parametrize(
    ("before", "within"),
    [(signal.default_int_handler, signal.SIG_DFL), (signal.SIG_IGN, signal.SIG_IGN)],
    ids=["usual", "ignored"],
)
def test_ctrl_c_while_jax_is_imported(before, within, monkeypatch):
    """It ends the process, unless it is ignored, as in the background; then all is as before."""
    seen, now = [], signal.signal(signal.SIGINT, before)
    imported = console.jax_settings.import_jax

    def watched(**flags):
        seen.append(signal.getsignal(signal.SIGINT))
        imported(**flags)

    monkeypatch.setattr(console.jax_settings, "import_jax", watched)
    try:
        assert amd_jax_("run", "--help").ending is None
        seen.append(signal.getsignal(signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, now)
    assert seen == [within, before]
