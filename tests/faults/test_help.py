"""--help and --version of every command, wherever they stand, and whatever stands beside them."""

import subprocess
import sys

import pytest

import amd_jax
from experiments import __main__ as console
from experiments import compare, demo, known_answers, report, run, table4
from tests.cli.command import ROOT
from tests.faults.sending import QUICK, ended

MAINS = {
    **{"run": run.main, "compare": compare.main, "table4": table4.main, "report": report.main},
    **{"known_answers": known_answers.main, "demo": demo.main},
}
FLAG = {  # that the help of a command lists
    **{"run": "--num_samples", "compare": "--minutes", "table4": "--rows", "report": "--output"},
    **{"known_answers": "--families", "demo": "--port"},
}
BESIDE = {  # what stands beside --help or --version
    **{"nothing": [], "a word": ["runs/a"], "a number": ["--config.num_steps=3"]},
    "a flag that there is not": ["--no_such_flag"],
}


@pytest.mark.parametrize("name", MAINS)
@pytest.mark.parametrize("flag", ["--help", "-h", "--helpfull"])
def test_help(name, flag, place, report):
    seen = ended(MAINS[name], f"/somewhere/experiments/{name}.py", flag)
    report(f"{name} {flag}", f"lists {FLAG[name]}", seen.out.splitlines()[0])
    assert seen.ending is None
    assert f"  {FLAG[name]} " in seen.out
    assert f"python -m experiments.{name} " in seen.out
    assert seen.out.count("--") > 3 or name == "report"


@pytest.mark.parametrize("name", MAINS)
@pytest.mark.parametrize("beside", BESIDE)
def test_version(name, beside, place, report):
    for given in ([*BESIDE[beside], "--version"], ["--version", *BESIDE[beside]]):
        seen = ended(MAINS[name], f"experiments.{name}", *given)
        report(f"{name} --version beside {beside}", amd_jax.__version__, seen.out)
        assert seen == (f"amd_jax {amd_jax.__version__}\n", None)


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


COMMANDS = [[], *([name] for name in console.COMMANDS)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: "".join(command) or "alone")
def test_the_installed_command(command, place, report, monkeypatch):
    for flag, words in (("--version", f"amd_jax {amd_jax.__version__}"), ("--help", "[flags]")):
        seen = ended(lambda argv: console.start(), "amd-jax", *command, flag)
        report(f"amd-jax {' '.join(command)} {flag}", words, seen.out.splitlines()[0])
        assert seen.ending is None
        assert words in seen.out.splitlines()[0]


def test_a_process_of_its_own(report):
    command = [sys.executable, "-m", "experiments", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    report("python -m experiments --version", amd_jax.__version__, done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"amd_jax {amd_jax.__version__}\n"
