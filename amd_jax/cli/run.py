"""`experiments.run`: trains one experiment, or uses its run."""

import dataclasses
import os
import sys
from pathlib import Path

from ml_collections import ConfigDict

from amd_jax.cli import (
    choices,
    command_line,
    editing,
    experiment_files,
    flags,
    modes,
    pretrained_runs,
)
from amd_jax.cli.flags import Args
from amd_jax.cli.run_session import Session
from amd_jax.devices import allocator, jax_settings, joining, parallel
from amd_jax.experiment import Experiment, Run, open_run, source_file
from amd_jax.models import corrections
from amd_jax.runs import checkpoint_files, lock, run_folder
from amd_jax.runs.run_callbacks import tell


def train(args: Args, workdir: Path | str) -> None:
    """Trains, or continues; then evaluates, samples and corrects."""
    lock.check_local(workdir)
    experiment, config = _to_train(args, workdir)
    args, config = flags.override(args, config)
    experiment.check(config)
    flags.absolute_places(config)
    run = experiment.at(config, experiment.open_data(config))
    choice = choices.choose(args, run.model)
    session = Session(run, None, args, choice)
    modes.check(session)
    _check_best(args, config, workdir)
    sizes = {split: len(run.data.rows(split)) for split in run.data.splits}
    tell(run.facts.summary(sizes))  # a training goes on if nobody reads
    if args.extend:
        _tell_extension(workdir, config)
    kwargs = {"extend": args.extend, "profile": args.profile}
    run, params = run.fit(workdir, init_from=args.init_from, **kwargs)
    if args.best:
        run, params = run.load(best=True)
    session = Session(run, params, args, choice)
    if args.split in run.data.splits:
        print()
        modes.evaluate(session)
    print()
    modes.sample(session, compare=True)
    for editor in filter(corrections.corrects, choice.editors):
        if args.split in run.data.splits or args.text is not None:
            print()
            editing.edit(session, editor)
    if args.report:
        print()
        modes.last_page(session)


def use(args: Args, workdir: Path | str) -> None:
    """Evaluates a run, samples from it, corrects with it, reports or exports it."""
    try:
        if args.pretrained:
            run, params = pretrained_runs.opened(args.pretrained, args.config)
        else:
            run, params = open_run(workdir), None
    except ValueError:
        choices.check_mode(args.mode)
        raise
    if params is None:
        _tell_other_file(args, run)
    args, config = flags.override(args, run.config)
    flags.absolute_places(config)
    if differing := run_folder.differences(run.config.to_dict(), config.to_dict()):
        raise ValueError(
            f"{args.pretrained or workdir} holds a run of another config: "
            f"{'; '.join(differing)}. Leave these out: --mode={args.mode} takes the numbers from "
            "the run."
        )
    run = dataclasses.replace(run, config=config)
    choice = choices.choose(args, run.model, run.grid)
    choices.check_fit(run.model, choice.bounds, choice.sampler)
    modes.check_output(args)
    if params is None:
        run, params = run.load(best=args.best)
        choice = choices.choose(args, run.model, run.grid)  # which tells of what step a grid is
    modes.do(Session(run, params, args, choice))


def _check_best(args: Args, config: ConfigDict, workdir: Path | str) -> None:
    """ValueError for --best of a run that will not have been evaluated."""
    never = not 0 < config.evaluate_every <= config.num_steps
    if args.best and never and not run_folder.has_checkpoint(workdir):
        raise ValueError(
            "--best is the checkpoint that was best on the validation split, and this run is not "
            f"evaluated: evaluate_every={config.evaluate_every} of {config.num_steps} steps. Give "
            "--config.evaluate_every, or leave --best out."
        )


def _to_train(args: Args, workdir: Path | str) -> tuple[Experiment, ConfigDict]:
    """The experiment to train and its numbers: of --config, or of the run in the workdir."""
    if args.config:
        experiment = Experiment.open(args.config)
        return experiment, experiment.config()
    run = open_run(workdir)
    return run.experiment, run.config


def _tell_extension(workdir: Path | str, config: ConfigDict) -> None:
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


def _tell_other_file(args: Args, run: Run) -> None:
    """Says so if --config names a file that is not the one the run was made with."""
    if args.config and run_folder.differ(_text(args.config), run.experiment.source):
        checkpoint_files.say(
            f"{run.workdir} was made with another version of {args.config}: its own is used"
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
    args = _read(argv[1:])
    if args.keep_pages:
        allocator.keep_pages()  # before JAX makes its threads
    joining.start(args.coordinator, args.num_processes, args.process_id)
    command_line.start_devices()
    if not parallel.is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  process 0 prints for all
    if args.pretrained and args.workdir:
        raise ValueError("--pretrained and --workdir are two ways to say of what. Give one.")
    if not args.config and not args.workdir and not args.pretrained:
        raise ValueError(
            "--config is missing. Try --config=quickstart, or the --workdir of a run."
        )
    location = args.workdir or default_workdir(args.config or "")
    workdir = location if "://" in location else Path(location)
    (train if args.mode == "train" and not args.pretrained else use)(args, workdir)


def _read(arguments: list[str]) -> Args:
    """The flags of a command line, with the file that --config names."""
    args = flags.read(arguments)
    if not args.config:
        return args
    values = args.values | {"config": experiment_files.file(args.config)}
    return dataclasses.replace(args, values=values)


def default_workdir(config: str) -> str:
    """Where a run of an experiment goes unless one says."""
    path, variant = source_file.split_variant(config)
    return "runs/" + "_".join(filter(None, [Path(path).stem, variant]))


def help_on(args: Args) -> str:
    """The flags, with the numbers of the experiment if one is named, and what its model offers."""
    if not args.config:
        return choices.usage(None, None, "")
    experiment = Experiment.open(args.config)
    config, model = experiment.config(), None
    try:
        jax_settings.check_devices()
        args, config = flags.override(args, config)
        model = experiment.at(config, experiment.open_data(config)).model
    except (ValueError, OSError, RuntimeError):
        pass  # such as data that are not there: what every model offers is listed
    return choices.usage(config, model, experiment.name)
