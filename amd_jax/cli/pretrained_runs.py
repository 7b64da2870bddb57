"""Exported weights as a run: no code that lies beside them is executed."""

from pathlib import Path

from ml_collections import ConfigDict

from amd_jax import pretrained
from amd_jax.cli import experiment_files
from amd_jax.experiment import Experiment, Parts, Run, digests
from amd_jax.exports.export_folder import Exported
from amd_jax.facts import Facts
from amd_jax.learning.objectives import NegativeElbo
from amd_jax.runs import checkpoint_files
from amd_jax.types import Dataset, Params

FITTING = ("kind", "num_classes", "event_shape", "alphabet", "padding")  # what data must agree in


def opened(name: str, config: str | None) -> tuple[Run, Params]:
    """The run that weights stand for, and their parameters.

    Data are those of `config`, an experiment file, or of the experiment of this package that the
    weights were trained with. Raises ValueError for unknown or damaged weights.
    """
    result = pretrained.read(name)
    experiment = _experiment(result, config)
    numbers = _fitted(result, experiment)
    run = Run(
        Experiment(lambda: numbers, _data(result, experiment), _build),
        numbers,
        result.facts,
        Parts(result.model, NegativeElbo(result.model), None),
        {},
        workdir=Path("runs") / Path(name).name,
        step=result.run["step"],
    )
    return run, result.params


def _experiment(result: Exported, config: str | None) -> Experiment | None:
    """The experiment that says what the data are; None if that is not known here."""
    if config:
        return Experiment.open(config)
    name = result.run.get("experiment")
    return (
        Experiment.open(experiment_files.file(name)) if name in experiment_files.names() else None
    )


def _fitted(result: Exported, experiment: Experiment | None) -> ConfigDict:
    """The numbers of the weights, in the config of an experiment."""
    numbers = result.run["config"]
    if experiment is None:
        try:
            return ConfigDict(numbers)
        except (AttributeError, ValueError) as error:  # of a name that it has itself
            raise ValueError(f"The weights have a config that is none: {error}") from error
    try:
        return experiment.config_of(numbers)
    except ValueError as error:
        raise ValueError(
            f"The weights are of another experiment than {experiment.name}: {error} Give --config "
            "of the one that they were trained with."
        ) from error


def _build(config: ConfigDict, facts: Facts) -> tuple:
    """Nothing: ValueError, for weights stand for a run that was built already."""
    raise ValueError("Weights are not trained further. Train the experiment that they are of.")


def _data(result: Exported, experiment: Experiment | None):
    """What reads the data, and sees whether they fit the weights."""

    def data(config: ConfigDict) -> Dataset:
        if experiment is None:
            raise ValueError(
                "These weights were trained with an experiment file that is not here, so their "
                "data are not known. Give --config=FILE."
            )
        read = experiment.open_data(config)
        theirs, mine = result.facts.to_json(), read.facts.to_json()
        if differ := [name for name in FITTING if theirs.get(name) != mine.get(name)]:
            raise ValueError(
                f"Data must be as those that the weights were trained on, {result.facts.name}; "
                f"{read.facts.name} has another {' and '.join(differ)}. Give others."
            )
        now, before = digests(read), result.run.get("digests", {})
        if changed := [split for split in now if now[split] != before.get(split)]:
            checkpoint_files.say(
                f"other data than the weights were trained on: {', '.join(changed)} of "
                f"{read.facts.name}"
            )
        return read

    return data
