"""The command that runs one experiment: `experiments.run`."""

import dataclasses
import os
import sys
from pathlib import Path

from ml_collections import ConfigDict

from amd_jax.cli import choices, command_line, experiment_files, flags, modes, pretrained_runs
from amd_jax.cli.flags import Asked
from amd_jax.cli.modes import Session
from amd_jax.devices import allocator, jax_settings, joining, parallel
from amd_jax.experiment import Experiment, Run, open_run, source_file
from amd_jax.models import corrections
from amd_jax.runs import checkpoint_files, lock, run_folder
from amd_jax.runs.run_callbacks import tell


def train(asked: Asked, workdir: Path | str) -> None:
    """Trains, or continues; then evaluates, samples and corrects."""
    lock.check_local(workdir)
    experiment, config = _to_train(asked, workdir)
    asked, config = flags.override(asked, config)
    experiment.check(config)
    flags.absolute_places(config)
    run = experiment.at(config, experiment.open_data(config))
    choice = choices.choose(asked, run.model)
    session = Session(run, None, asked, choice)
    modes.check(session)
    _check_best(asked, config, workdir)
    sizes = {split: len(run.data.rows(split)) for split in run.data.splits}
    tell(run.facts.summary(sizes))  # a training goes on if nobody reads
    if asked.extend:
        _tell_extension(workdir, config)
    kwargs = {"extend": asked.extend, "profile": asked.profile}
    run, params = run.fit(workdir, init_from=asked.init_from, **kwargs)
    if asked.best:
        run, params = run.load(best=True)
    session = Session(run, params, asked, choice)
    if asked.split in run.data.splits:
        print()
        modes.evaluate(session)
    print()
    modes.sample(session, compare=True)
    for editor in filter(corrections.corrects, choice.editors):
        if asked.split in run.data.splits or asked.text is not None:
            print()
            modes.edit(session, editor)
    if asked.report:
        print()
        modes.last_page(session)


def use(asked: Asked, workdir: Path | str) -> None:
    """Evaluates a run, samples from it, corrects with it, reports or exports it."""
    try:
        if asked.pretrained:
            run, params = pretrained_runs.opened(asked.pretrained, asked.config)
        else:
            run, params = open_run(workdir), None
    except ValueError:
        choices.check_mode(asked.mode)
        raise
    if params is None:
        _tell_other_file(asked, run)
    asked, config = flags.override(asked, run.config)
    flags.absolute_places(config)
    if differing := run_folder.differences(run.config.to_dict(), config.to_dict()):
        raise ValueError(
            f"{asked.pretrained or workdir} holds a run of another config: "
            f"{'; '.join(differing)}. Leave these out: --mode={asked.mode} takes the numbers from "
            "the run."
        )
    run = dataclasses.replace(run, config=config)
    choice = choices.choose(asked, run.model, run.grid)
    choices.check_fit(run.model, choice.bounds, choice.sampler)
    modes.check_output(asked)
    if params is None:
        run, params = run.load(best=asked.best)
        choice = choices.choose(asked, run.model, run.grid)  # which tells of what step a grid is
    modes.do(Session(run, params, asked, choice))


def _check_best(asked: Asked, config: ConfigDict, workdir: Path) -> None:
    """ValueError for --best of a run that will not have been evaluated."""
    never = not 0 < config.evaluate_every <= config.num_steps
    if asked.best and never and not run_folder.has_checkpoint(workdir):
        raise ValueError(
            "--best is the checkpoint that was best on the validation split, and this run is not "
            f"evaluated: evaluate_every={config.evaluate_every} of {config.num_steps} steps. Give "
            "--config.evaluate_every, or leave --best out."
        )


def _to_train(asked: Asked, workdir: Path) -> tuple[Experiment, ConfigDict]:
    """The experiment to train and its numbers: of --config, or of the run in the workdir."""
    if asked.config:
        experiment = Experiment.open(asked.config)
        return experiment, experiment.config()
    run = open_run(workdir)
    return run.experiment, run.config


def _tell_extension(workdir: Path, config: ConfigDict) -> None:
    """Says what more steps mean for a run that was made for less."""
    before, now = run_folder.contents(workdir).config["num_steps"], config.num_steps
    if now == before:  # the same command again, or a number that was forgotten
        message = f"the run is of {now} steps already; a larger --config.num_steps extends it"
    else:
        message = (
            f"extends the run from {before} to {now} steps: a learning rate that falls over the "
            "whole run rises again, to what it is there in a run of so many; the result is near, "
            "and not the same as, that of one made so long from the start"
        )
    tell(message)


def _tell_other_file(asked: Asked, run: Run) -> None:
    """Says so if --config names a file that is not the one the run was made with."""
    if asked.config and run_folder.differ(_text(asked.config), run.experiment.source):
        checkpoint_files.say(
            f"{run.workdir} was made with another version of {asked.config}: its own is used"
        )


def _text(config: str) -> str:
    """The text of an experiment file; empty if it cannot be read."""
    path, _ = source_file.split_variant(config)
    try:
        return Path(path).read_text()
    except (OSError, ValueError):
        return ""


def main(argv: list[str]) -> None:
    """Runs --mode on the run in --workdir."""
    if flags.answers(argv[1:], lambda others: help_on(_read(others))):
        return
    asked = _read(argv[1:])
    if asked.keep_pages:
        allocator.keep_pages()  # before JAX makes its threads
    joining.start(asked.coordinator, asked.num_processes, asked.process_id)
    command_line.start_devices()
    if not parallel.is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  process 0 prints for all
    if asked.pretrained and asked.workdir:
        raise ValueError("--pretrained and --workdir are two ways to say of what. Give one.")
    if not asked.config and not asked.workdir and not asked.pretrained:
        raise ValueError(
            "--config is missing. Try --config=quickstart, or the --workdir of a run."
        )
    place = asked.workdir or default_workdir(asked.config or "")
    workdir = place if "://" in place else Path(place)
    (train if asked.mode == "train" and not asked.pretrained else use)(asked, workdir)


def _read(arguments: list[str]) -> Asked:
    """The flags of a command line, with the file that --config names."""
    asked = flags.read(arguments)
    if not asked.config:
        return asked
    values = asked.values | {"config": experiment_files.file(asked.config)}
    return dataclasses.replace(asked, values=values)


def default_workdir(config: str) -> str:
    """Where a run of an experiment goes unless one says."""
    path, variant = source_file.split_variant(config)
    return "runs/" + "_".join(filter(None, [Path(path).stem, variant]))


def help_on(asked: Asked) -> str:
    """The flags, with the numbers of the experiment if one is named, and what its model offers."""
    if not asked.config:
        return choices.usage(None, None, "")
    experiment = Experiment.open(asked.config)
    config, model = experiment.config(), None
    try:
        jax_settings.check_devices()
        asked, config = flags.override(asked, config)
        model = experiment.at(config, experiment.open_data(config)).model
    except (ValueError, OSError, RuntimeError):
        pass  # such as data that are not there: what every model offers is listed
    return choices.usage(config, model, experiment.name)
