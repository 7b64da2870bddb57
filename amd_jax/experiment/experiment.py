"""Experiments: one file each, from which a run is trained and read again.

An experiment has three functions. `get_config()` gives numbers, `data(config)` a data set, and
`build(config, facts)` the model, the objective and the optimiser, from the numbers and what is to
be known of the data. A run keeps the numbers, the facts and the file itself, so that it can be
sampled from without the data.
"""

import dataclasses
import functools
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
from ml_collections import ConfigDict

from amd_jax import pretrained
from amd_jax.devices import jax_settings, shards
from amd_jax.evaluation.reports.plain_report import content
from amd_jax.experiment import contract, source_file, starting, training
from amd_jax.experiment.loaded_model import LoadedModel
from amd_jax.facts import Facts, Json, from_json
from amd_jax.host.log import logger
from amd_jax.learning import loop
from amd_jax.learning.config_values import check_values
from amd_jax.learning.loop import Parts
from amd_jax.runs import (
    checkpoints,
    manifest,
    run_files,
    run_folder,
    saved_grids,
)
from amd_jax.runs.run_folder import Contents
from amd_jax.types import Config, Dataset, Model, Params


@dataclasses.dataclass(frozen=True, eq=False)
class Run:
    """An experiment at certain numbers, and on certain data: what there is to train or to use."""

    experiment: "Experiment"
    config: ConfigDict
    facts: Facts
    parts: Parts
    digests: dict[str, str]  # of the data, by split
    workdir: str | Path | None = None
    step: int = 0  # that the parameters beside it are of
    held: Dataset | None = None  # the data, if they were read already

    @property
    def model(self) -> Model:
        """The model."""
        return self.parts.model

    @functools.cached_property
    def data(self) -> Dataset:
        """The data; ValueError if they are not those that the run was trained on."""
        if self.held is not None:
            return self.held
        result = self.experiment.open_data(self.config)
        contents = self.contents()
        now = contents._replace(facts=_json(result.facts), digests=digests(result))
        run_folder.check_data(self.workdir or "this run", contents, now)
        return result

    def fit(
        self, workdir: str | Path, *, init_from: str | Path | None = None, **kwargs: Any
    ) -> tuple["Run", Params]:
        """Trains it in a folder, or goes on with what is there: see `Experiment.fit`."""
        start = None if init_from is None else _start(str(init_from))
        params = training.train(self, workdir, start, **kwargs)
        trained = {"workdir": Path(workdir), "step": self.config.num_steps}
        return dataclasses.replace(self, **trained), params

    def load(self, *, best: bool = False) -> tuple["Run", Params]:
        """The run at the step of its newest sound checkpoint, or of its best, and its parameters.

        They are the averaged ones, by way of the host; if devices have shared them in training,
        they do so again (`shards.divided`). Raises ValueError if there is no such checkpoint.
        """
        folder = self.folder
        identity = run_folder.read_notes(folder)["run"]
        step, params = checkpoints.parameters(folder, identity, best=best)
        params = jax.tree.map(jax.numpy.asarray, shards.divided(params, self.config.shards))
        return dataclasses.replace(self, step=step), params

    def grid(self, steps: int) -> tuple[float, ...]:
        """The best grid with this number of steps that the run keeps.

        It is a `spacing` of `samplers.Ancestral`. Warns if it was made at another step of the run.
        Raises ValueError if there is none: `--mode=grid` makes it.
        """
        return saved_grids.find(self.folder, steps, self.step)

    def loaded(self, params: Params) -> LoadedModel:
        """Its model with parameters, to be used."""
        return LoadedModel(
            self.model,
            params,
            self.facts,
            self.config,
            self.digests,
            self.folder,
            self.step,
            lambda config: dataclasses.replace(self, config=config).data,
            self.held,
        )

    @property
    def folder(self) -> str | Path:
        """Its workdir, or the address of that; ValueError for a run that was not trained yet."""
        if self.workdir is None:
            raise ValueError("This run is in no folder yet. Train it first.")
        return self.workdir

    def contents(self) -> Contents:
        """What a folder keeps of it."""
        about = self.config.to_dict(), _json(self.facts), self.experiment.source, self.digests
        return Contents(*about, jax_settings.recorded())


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """The three functions of an experiment, and the file that they stand in.

    `open` takes a file. Without one, as in a notebook, `load_run` has to be given the experiment.
    """

    get_config: Callable[..., ConfigDict]
    data: Callable[[ConfigDict], Dataset]
    build: Callable[[ConfigDict, Facts], tuple]
    source: str = ""  # the text of the file
    file: Path | None = None
    variant: str | None = None  # what `get_config` is called with, if anything

    @classmethod
    def open(cls, file: str | Path | ModuleType) -> "Experiment":
        """The experiment in a Python file, which is executed; or in a module.

        After a colon may stand what `get_config` is to be called with, as in
        "experiments/text8_diffusion.py:enwik8". Raises ValueError if the file is missing, is not
        Python, lacks one of the three functions, or imports what is not there.
        """
        variant = None
        if isinstance(file, ModuleType):
            module, source = file, inspect.getsource(file)
        else:
            path, variant = source_file.split_variant(str(file))
            source = source_file.read(path)
            module = source_file.executed(source, path)
        assert module.__file__ is not None  # its source was there
        place = Path(module.__file__)
        return cls(module.get_config, module.data, module.build, source, place, variant)

    @property
    def name(self) -> str:
        """The name of the file, for messages."""
        return self.file.name if self.file else "this experiment"

    def config(self) -> ConfigDict:
        """The numbers of `get_config()`; ValueError if it returns something else."""
        return contract.config(self.get_config, self.variant, self.name)

    def check(self, config: ConfigDict) -> None:
        """Raises ValueError for numbers that a run of this experiment cannot have."""
        check_values(config, self.config())

    def config_of(self, numbers: Config) -> ConfigDict:
        """The config with the numbers of a run; ValueError, with the first that does not fit."""
        return contract.updated(self.config(), numbers)

    def open_data(self, config: ConfigDict) -> Dataset:
        """The data set of `data(config)`; ValueError for anything else."""
        return contract.data(self.data(config), self.name)

    def compose(self, config: ConfigDict, facts: Facts) -> Parts:
        """What `build(config, facts)` returns; ValueError unless these are a run's parts."""
        return contract.parts(self.build, config, facts, self.name)

    def at(self, config: ConfigDict, data: Dataset) -> Run:
        """The run of these numbers on these data, not yet trained."""
        facts = contract.facts(data.facts, self.name)
        parts = self.compose(config, facts)
        return Run(self, config, facts, parts, digests(data), held=data)

    def fit(
        self,
        workdir: str | Path,
        config: Config | None = None,
        *,
        extend: bool = False,
        init_from: str | Path | None = None,
        profile: bool = False,
        evaluate: loop.Evaluate | None = None,
    ) -> tuple[Run, Params]:
        """Trains in a folder, or goes on with what is there; the run, and its averaged parameters.

        The numbers are those of `get_config()`, but for those given: a config, or a mapping of
        some, in which an unknown name is a ValueError. `extend` goes beyond the number of
        steps that a finished run has; `init_from` is a run, or weights of `amd_jax.pretrained`,
        whose parameters a new one starts from, on other characters too, and learns from if its
        objective is a `Distillation`; `profile` writes a trace of some steps. Every
        config.evaluate_every steps the averaged parameters are evaluated: by the bound on some of
        the validation split, or by `evaluate`, whose first number is a score, lower is better.
        `load_run(workdir)` reads the run again.
        """
        run_files.check_workdir(workdir)
        config = self.config_of(config or {})
        self.check(config)
        run = self.at(config, self.open_data(config))
        kwargs = {"extend": extend, "profile": profile, "evaluate": evaluate}
        return run.fit(workdir, init_from=init_from, **kwargs)


def open_run(workdir: str | Path, experiment: Experiment | None = None) -> Run:
    """The run in a folder, without its parameters; no data are read.

    The experiment file that lies in the folder is executed, unless the experiment is given.
    Raises ValueError if the folder holds no run, or a damaged one.
    """
    run_files.check_workdir(workdir)
    contents = run_folder.contents(workdir)
    if experiment is None:
        if not contents.source:
            raise ValueError(
                f"{workdir} was fitted without an experiment file. Give the experiment that it is "
                "of: load_run(workdir, experiment=...)."
            )
        file = run_files.at(workdir) / "experiment.py"
        if "://" in str(workdir):
            logger.warning(f"{file} is executed")
        experiment = Experiment.open(file)
    try:
        config = experiment.config_of(contents.config)
    except ValueError as error:
        raise ValueError(
            f"{workdir}/config.json must fit {experiment.name}: {error} "
            "Restore it, or give another workdir."
        ) from error
    try:
        facts = from_json(contents.facts)
    except ValueError as error:
        raise ValueError(
            f"{workdir}/facts.json must be as the run wrote it: {error} "
            "Restore it, or give another workdir."
        ) from error
    parts = experiment.compose(config, facts)
    return Run(experiment, config, facts, parts, contents.digests, workdir)


def load_run(
    workdir: str | Path, *, best: bool = False, experiment: Experiment | None = None
) -> tuple[Run, Params]:
    """The run in a folder and its averaged parameters, ready for `run.model.sample`.

    Of the newest checkpoint whose files are as they were written, or of the `best`, by the bits
    of the validation split. `workdir` may be remote, as gs://bucket/run. The experiment file that
    lies in the folder is executed. Raises ValueError if `workdir` holds no run, or a run without a
    sound checkpoint.
    """
    return open_run(workdir, experiment).load(best=best)


def digests(data: Dataset) -> dict[str, str]:
    """A checksum of each split of a data set, by which its content is known.

    Of all of it, unless the data set has a `digest` of its own, as of files too large to be read.
    """
    digest = getattr(data, "digest", lambda split: manifest.digest(content(data, split)))
    return {split: digest(split) for split in data.splits}


def _json(facts: Facts) -> Json:
    """Facts as they come back from a file."""
    return json.loads(json.dumps(facts.to_json()))


def _start(place: str) -> starting.Start:
    """The averaged parameters of the run in a folder, or exported weights."""
    if pretrained.is_weights(place):
        weights = pretrained.read(place)
        return starting.Start(place, weights.params, weights.facts, weights.model)
    run, params = load_run(place)
    return starting.Start(place, params, run.facts, run.model)
