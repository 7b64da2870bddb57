"""Exported weights as a loaded model: no code that lies beside them is executed."""

from pathlib import Path

from ml_collections import ConfigDict

from amd_jax import pretrained
from amd_jax.cli import experiment_files
from amd_jax.experiment import Experiment, LoadedModel, digests
from amd_jax.exports.export_folder import Exported
from amd_jax.host.log import logger
from amd_jax.types import Dataset

# what data must agree in
FITTING = ("kind", "num_classes", "event_shape", "alphabet", "padding", "labels")


def opened(name: str, config: str | None) -> LoadedModel:
    """The model of some weights.

    Data are those of `config`, an experiment file, or of the experiment of this package that the
    weights were trained with. Raises ValueError for unknown or damaged weights.
    """
    result = pretrained.read(name)
    experiment = _experiment(result, config)
    return LoadedModel(
        result.model,
        result.params,
        result.facts,
        _fitted(result, experiment),
        result.run.get("digests", {}),
        folder=Path("runs") / Path(name).name,
        step=result.run["step"],
        open_data=_data(result, experiment),
    )


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
            logger.warning(
                f"other data than the weights were trained on: {', '.join(changed)} of "
                f"{read.facts.name}"
            )
        return read

    return data
