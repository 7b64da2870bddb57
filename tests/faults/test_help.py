"""--help and --version of every command, wherever they stand, and whatever stands beside them."""

import importlib
import subprocess
import sys

import pytest

from amd_jax.cli import console, run, to_tokens
from amd_jax.comparison import compare, known_answers, run_comparison, table4
from amd_jax.demo import command as demo
from experiments import __main__ as commands
from tests.cli.command import ROOT
from tests.faults.sending import QUICK, ended

MAINS = {
    **{"run": run.main, "compare": compare.main, "table4": table4.main},
    **{"known_answers": known_answers.main, "demo": demo.main, "report": run_comparison.main},
    "to_tokens": to_tokens.main,
}
FLAG = {  # that the help of a command lists
    **{"run": "--num_samples", "compare": "--minutes", "table4": "--rows", "report": "--output"},
    **{"known_answers": "--families", "demo": "--port", "to_tokens": "--field"},
}
BESIDE = {  # what stands beside --help or --version
    **{"nothing": [], "a word": ["runs/a"], "a number": ["--config.num_steps=3"]},
    "a flag that there is not": ["--no_such_flag"],
}
LINES = 60


@pytest.mark.parametrize("name", MAINS)
@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help(name, flag, place, report):
    seen = ended(MAINS[name], f"/somewhere/experiments/{name}.py", flag)
    report(f"{name} {flag}", f"lists {FLAG[name]}", seen.out.splitlines()[0])
    assert seen.ending is None
    assert f"  {FLAG[name]} " in seen.out
    assert f"    python -m experiments.{name} " in seen.out
    assert seen.out.index(f"experiments.{name} ") < seen.out.index(f"  {FLAG[name]} ")
    assert len(seen.out.splitlines()) <= LINES or (name, flag) == ("run", "--helpfull")


@pytest.mark.parametrize("name", commands.COMMANDS)
@pytest.mark.parametrize("beside", BESIDE)
def test_version(name, beside, place, report):
    main = importlib.import_module(f"experiments.{name}").main
    for given in ([*BESIDE[beside], "--version"], ["--version", *BESIDE[beside]]):
        seen = ended(main, f"experiments.{name}", *given)
        report(f"{name} --version beside {beside}", console.version(), seen.out)
        assert seen == (f"{console.version()}\n", None)


@pytest.mark.parametrize("name", [name for name in MAINS if name != "run"])
def test_help_beside_other_things(name, place, report):
    seen = ended(MAINS[name], f"experiments.{name}", "--no_such_flag", "--help", "word")
    report(f"{name} --no_such_flag --help word", "the help", seen.out.splitlines()[0])
    assert (seen.ending, FLAG[name] in seen.out) == (None, True)


def test_help_of_an_experiment_and_of_what_is_none(place, report):
    seen = ended(run.main, "experiments.run", QUICK, "--help")
    assert "Numbers of quickstart.py:\n" in seen.out
    seen = ended(run.main, "experiments.run", "--config=quickstrat", "--help").error
    report("--config=quickstrat --help", "Did you mean quickstart?", seen)
    assert "Did you mean quickstart?" in seen


def test_processes_of_their_own(report):
    for started in (["experiments"], ["experiments", "demo"], ["experiments.run"]):
        command = [sys.executable, "-m", *started, "--version"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        report(f"python -m {' '.join(started)} --version", console.version(), done.stdout)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"{console.version()}\n"
