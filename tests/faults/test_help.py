"""--help and --version of every command, wherever they stand, and whatever stands beside them."""

import importlib
import subprocess
import sys

import pytest

from amd_jax.cli import console
from experiments import __main__ as commands
from tests.cli.command import ROOT
from tests.faults.sending import QUICK, command, ended

FLAG = {  # that the help of a command lists
    **{"run": "--num_samples", "compare": "--minutes", "table4": "--rows", "report": "--output"},
    **{"known_answers": "--families", "demo": "--port", "to_tokens": "--field"},
}
BESIDE = {  # what stands beside --help or --version
    **{"nothing": [], "a word": ["runs/a"], "a number": ["--config.num_steps=3"]},
    "a flag that there is not": ["--no_such_flag"],
}
LINES = 60


def said(name, *flags):
    """What a command prints, which ends well."""
    main = importlib.import_module(f"experiments.{name}").main
    seen = ended(main, f"/somewhere/experiments/{name}.py", *flags)
    assert seen.ending is None
    return seen.out


@pytest.mark.parametrize("name", FLAG)
@pytest.mark.parametrize("flags", ["--help", "-h", "--helpfull", "--no_such_flag --help word"])
def test_help(name, flags, place, report):
    seen = said(name, *flags.split())
    report(f"{name} {flags}", f"lists {FLAG[name]}", seen.splitlines()[0])
    assert f"    python -m experiments.{name} " in seen
    assert seen.index(f"experiments.{name} ") < seen.index(f"  {FLAG[name]} ")
    assert len(seen.splitlines()) <= LINES or (name, flags) == ("run", "--helpfull")


@pytest.mark.parametrize("name", commands.COMMANDS)
@pytest.mark.parametrize("beside", BESIDE)
def test_version(name, beside, place, report):
    for given in ([*BESIDE[beside], "--version"], ["--version", *BESIDE[beside]]):
        seen = said(name, *given)
        report(f"{name} --version beside {beside}", console.version(), seen)
        assert seen == f"{console.version()}\n"


def test_help_of_an_experiment_and_of_what_is_none(place, report):
    assert "Numbers of quickstart.py:\n" in said("run", QUICK, "--help")
    seen = command("--config=quickstrat", "--help").error
    report("--config=quickstrat --help", "Did you mean quickstart?", seen)
    assert "Did you mean quickstart?" in seen


def test_processes_of_their_own(report):
    for started in (["experiments"], ["experiments", "demo"], ["experiments.run"]):
        command = [sys.executable, "-m", *started, "--version"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        report(f"python -m {' '.join(started)} --version", console.version(), done.stdout)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{console.version()}\n"
