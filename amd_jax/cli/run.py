"""`experiments.run`: trains one experiment, or uses its run."""

import contextlib
import dataclasses
import functools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from ml_collections import ConfigDict

from amd_jax.cli import (
    choices,
    command_line,
    console,
    declared_options,
    experiment_files,
    flags,
    help_text,
    mode_options,
    modes,
    pretrained_runs,
    work_beside,
)
from amd_jax.cli.mode_options import Options, Output, Train, Weights
from amd_jax.cli.run_session import Session
from amd_jax.devices import allocator, jax_settings, joining, parallel
from amd_jax.experiment import Experiment, LoadedModel, Run, open_run, source_file
from amd_jax.host.log import logger
from amd_jax.pages import commands
from amd_jax.runs import lock, run_folder
from amd_jax.runs.event_file import EventFile
from amd_jax.runs.run_callbacks import print_line

MORE = "--helpfull lists samplers, bounds and editors too, with their numbers, as --temperature."


def train(args: Train, rest: Sequence[str], workdir: Path | str) -> None:
    """Trains, or continues; then corrects, evaluates and samples."""
    lock.check_local(workdir)
    experiment, config = _to_train(args, workdir)
    config, rest = flags.override(rest, config)
    experiment.check(config)
    flags.absolute_places(config)
    run = experiment.at(config, experiment.open_data(config))
    choice = choices.choose(args, rest, run.model)
    modes.check(run, args, choice)
    _check_best(args, config, workdir)
    sizes = {split: len(run.data.rows(split)) for split in run.data.splits}
    print_line(run.facts.summary(sizes))  # a training goes on if nobody reads
    if args.extend:
        _print_extension(workdir, config)
    kwargs = {"extend": args.extend, "profile": args.profile}
    beside = functools.partial(work_beside.of, run, choice, args)
    try:
        run, params = run.fit(workdir, init_from=args.init_from, beside=beside, **kwargs)
    except run_folder.NotExtended as error:
        command = commands.shell_line([*sys.argv, "--extend"])
        raise ValueError(f"{str(error).removesuffix('.')}: {command}") from error
    if args.best:
        run, params = run.load(best=True)
    loaded = run.loaded(params)
    board = EventFile(Path(workdir), f".end{loaded.step}") if parallel.is_first() else None
    with board or contextlib.nullcontext():
        modes.end(Session(loaded, choice, args.seed, args.output, board), args)


def use(args: Options, rest: Sequence[str], workdir: Path | str) -> None:
    """Evaluates a run or weights, samples from them, corrects with them; reports or exports."""
    weights = args.pretrained if isinstance(args, Weights) else None
    opened: Run | LoadedModel
    try:
        opened = pretrained_runs.opened(weights, args.config) if weights else open_run(workdir)
    except ValueError:
        declared_options.check_mode(args.mode)
        raise
    if isinstance(opened, Run):
        _warn_of_other_file(args, opened)
    config, rest = flags.override(rest, opened.config)
    flags.absolute_places(config)
    if differing := run_folder.differences(opened.config.to_dict(), config.to_dict()):
        raise ValueError(
            f"{weights or workdir} holds a run of another config: "
            f"{'; '.join(differing)}. Leave these out: --mode={args.mode} takes the numbers from "
            "the run."
        )
    opened = dataclasses.replace(opened, config=config)
    output = args.output if isinstance(args, Output) else None
    choice = choices.choose(args, rest, opened.model, opened.grid)
    choices.check_fit(opened.model, choice.bounds, choice.sampler)
    modes.check_output(output)
    if isinstance(opened, Run):
        run, params = opened.load(best=args.best)
        opened = run.loaded(params)
        choice = choices.choose(args, rest, run.model, run.grid)  # tells of what step a grid is
    modes.do(Session(opened, choice, args.seed, output), args)


def _check_best(args: Train, config: ConfigDict, workdir: Path | str) -> None:
    """ValueError for --best of a run that will not have been evaluated."""
    never = not 0 < config.evaluate_every <= config.num_steps
    if args.best and never and not run_folder.has_checkpoint(workdir):
        raise ValueError(
            "--best is the checkpoint that was best on the validation split, and this run is not "
            f"evaluated: evaluate_every={config.evaluate_every} of {config.num_steps} steps. Give "
            "--config.evaluate_every, or leave --best out."
        )


def _to_train(args: Train, workdir: Path | str) -> tuple[Experiment, ConfigDict]:
    """The experiment to train and its numbers: of --config, or of the run in the workdir."""
    if args.config:
        experiment = Experiment.open(args.config)
        return experiment, experiment.config()
    run = open_run(workdir)
    return run.experiment, run.config


def _print_extension(workdir: Path | str, config: ConfigDict) -> None:
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
    print_line(message)


def _warn_of_other_file(args: Options, run: Run) -> None:
    """Says so if --config names a file that is not the one the run was made with."""
    if args.config and run_folder.differ(_text(args.config), run.experiment.source):
        logger.warning(
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
    if flags.answers(argv[1:], lambda: help_on(argv[1:])):
        return
    args, rest = _read(argv[1:])
    if args.keep_pages:
        allocator.keep_pages()  # before JAX makes its threads
    joining.start(args.coordinator, args.num_processes, args.process_id)
    command_line.start_devices()
    if not parallel.is_first():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  process 0 prints for all
    weights = args.pretrained if isinstance(args, Weights) else None
    if weights and args.workdir:
        raise ValueError("--pretrained and --workdir are two ways to say of what. Give one.")
    if not args.config and not args.workdir and not weights:
        raise ValueError(
            "--config is missing. Try --config=quickstart, or the --workdir of a run."
        )
    location = args.workdir or default_workdir(args.config or "")
    workdir = location if "://" in location else Path(location)
    if isinstance(args, Train):
        train(args, rest, workdir)
    else:
        use(args, rest, workdir)


def _read(arguments: Sequence[str]) -> tuple[Options, list[str]]:
    """The flags of a command line, with the file that --config names, and what else is there."""
    args, rest = mode_options.read(arguments)
    if args.config:
        args = dataclasses.replace(args, config=experiment_files.file(args.config))
    return args, rest


def default_workdir(config: str) -> str:
    """Where a run of an experiment goes unless one says."""
    path, variant = source_file.split_variant(config)
    return "runs/" + "_".join(filter(None, [Path(path).stem, variant]))


def help_on(arguments: Sequence[str]) -> str:
    """The flags; with --config what that experiment has instead, with --helpfull everything."""
    args, rest = _read([argument for argument in arguments if argument not in console.HELP])
    full, config, model, name = console.FULL in arguments, None, None, ""
    if args.config:
        experiment = Experiment.open(args.config)
        config, name = experiment.config(), experiment.name
        with contextlib.suppress(ValueError, OSError, RuntimeError):
            jax_settings.check_devices()
            config, _ = flags.override(rest, config)
            model = experiment.at(config, experiment.open_data(config)).model
        # or data are not there, say: what every model offers is listed
    lines = help_text.usage() if full or not args.config else []
    if full or args.config:
        return "\n".join([*lines, *[""] * bool(lines), *help_text.offers(config, model, name)])
    return "\n".join([*lines, "", MORE])
