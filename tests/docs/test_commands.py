"""The commands of docs/ have flags that exist: they are read by the command line's own parser.

Those of the README are run, in tests/test_readme_commands.py.
"""

import shlex

import pytest

from amd_jax import models
from amd_jax.cli import (
    choices,
    declared_options,
    experiment_files,
    flags,
    mode_options,
    to_tokens,
)
from amd_jax.comparison import compare, known_answers, run_comparison, table4
from amd_jax.demo import command as demo
from amd_jax.diffusion import samplers
from amd_jax.experiment import Experiment
from benchmarks import run as benchmarks
from experiments import __main__ as console
from tests import readme
from tests.readme import ROOT

COMMANDS = [
    pytest.param(line, id=f"{path.stem}-{i}")
    for path in (ROOT / "README.md", *readme.PAGES)
    for i, line in enumerate(readme.lines(path.read_text(encoding="utf-8")))
]
PROGRAMS = ("experiments.", "benchmarks.")
BEHIND = {  # a command that has flags -> the module of its options
    **{"experiments.compare": compare, "experiments.table4": table4},
    **{"experiments.known_answers": known_answers, "experiments.report": run_comparison},
    **{"experiments.demo": demo, "experiments.to_tokens": to_tokens},
}


def words(line):
    """The module that a command runs, and its arguments; None for a command of others."""
    result = shlex.split(line.split("&&")[-1], comments=True)
    if result[:1] == ["amd-jax"]:
        name, *more = ["run", *result[1:]] if result[1].startswith("-") else result[1:]
        assert name.replace("-", "_") in console.COMMANDS
        return f"experiments.{name.replace('-', '_')}", more
    if "-m" in result and result[result.index("-m") + 1].startswith(PROGRAMS):
        module, *more = result[result.index("-m") + 1 :]
        return module, more
    return None


def check(module, arguments):
    """ValueError or SystemExit for arguments that a program does not know."""
    if module == "experiments.run":
        check_run(arguments)
    elif module in ("experiments.compare", "experiments.table4"):
        check_rows(BEHIND[module], arguments)
    elif module == "experiments.list":
        assert not arguments
    elif module == "benchmarks.run":
        benchmarks.parse(arguments)
    elif module == "benchmarks.tables":  # which takes files
        assert not [argument for argument in arguments if argument.startswith("-")]
    else:  # which have flags, and perhaps folders to name
        kind = BEHIND[module].Options
        named = [argument for argument in arguments if argument.startswith("-")]
        flags.finish(flags.read(named, kind)[1], kind)


def check_rows(program, arguments):
    """Each row's own numbers and those for all, as `experiments.compare` reads them."""
    asked, rest = flags.read(arguments, program.Options)
    rows = [argument for argument in rest if not argument.startswith("-")]
    shared = [argument for argument in rest if argument.startswith("-")]
    for row in rows or ["table4_row"]:
        name, *own = shlex.split(row)
        config = Experiment.open(experiment_files.file(name)).config()
        _, left = flags.override([*own, *shared], config)
        flags.finish(left, program.Options)
    for sampler in asked.sampler:
        compare.samplers_of(sampler, models.Diffusion)


def check_run(arguments):
    """As `experiments.run` reads them; which kind of model has such flags is tried."""
    (asked, rest), errors = mode_options.read(arguments), []
    if asked.config:
        config = Experiment.open(experiment_files.file(asked.config)).config()
        _, rest = flags.override(rest, config)
    elif asked.mode == "train":
        assert asked.workdir, "a command that trains names an experiment, or a run"
    for kind in declared_options.MODELS:
        try:
            choices.choose(asked, rest, kind, lambda steps: tuple(samplers.grid(steps).tolist()))
        except ValueError as error:
            errors.append(error)
    if len(errors) == len(declared_options.MODELS):
        raise errors[0]


@pytest.mark.parametrize("line", COMMANDS)
def test_flags_exist(line, monkeypatch):
    monkeypatch.chdir(ROOT)
    result = words(line)
    if result is not None:
        check(*result)


def test_commands_are_found_and_wrong_ones_refused(monkeypatch):
    monkeypatch.chdir(ROOT)
    ours = [parameter for parameter in COMMANDS if words(parameter.values[0])]
    assert len(ours) > 30
    with pytest.raises(ValueError, match="Did you mean --steps"):
        check(*words("amd-jax --config=quickstart --mode=sample --stepz=3"))
    with pytest.raises(ValueError, match="num_steps"):
        check(*words("python -m experiments.run --config=quickstart --config.num_step=3"))
    with pytest.raises(ValueError, match="does not heed"):
        check(*words("python -m experiments.run --workdir=a --mode=report --text=b"))
