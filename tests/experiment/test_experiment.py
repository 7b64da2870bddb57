"""Training from Python: the functions of an experiment, and the folder that `fit` leaves."""

import pathlib

import jax
import numpy as np
import pytest

import amd_jax
from amd_jax.experiment import Experiment, load_run
from tests.runs import pairs
from tests.runs.runs import SOURCE

FIRST = "runs/first"


@pytest.mark.few(1)
@pytest.mark.parametrize("place", [FIRST, pathlib.Path(FIRST)], ids=["str", "Path"])
def test_fit_leaves_a_run_that_load_run_reads_from_anywhere(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    experiment = Experiment.open(SOURCE)
    config = experiment.config()
    config.num_steps = 2
    run, params = experiment.fit(place, config)
    assert run.step == 2
    monkeypatch.chdir("runs")
    for again in ("first", tmp_path / FIRST):
        result, restored = amd_jax.load_run(again)
        assert (result.step, result.config.num_steps, result.facts) == (2, 2, run.facts)
        jax.tree.map(np.testing.assert_array_equal, restored, params)
        assert result.model.sample(restored, jax.random.key(0), (3, 2)).shape == (3, 2)


def test_functions_alone_are_an_experiment(tmp_path):
    """As in a notebook: there is no file to keep, so it has to be given again."""
    experiment = Experiment(pairs.get_config, pairs.data, pairs.build)
    config = experiment.config()
    config.num_steps = 2
    _, params = experiment.fit(tmp_path, config)
    with pytest.raises(ValueError, match="was fitted without an experiment file. Give the"):
        load_run(tmp_path)
    result, restored = load_run(tmp_path, experiment=experiment)
    assert result.step == 2
    jax.tree.map(np.testing.assert_array_equal, restored, params)


def test_the_rooms_of_the_library_are_there_after_one_import():
    for name in ("models", "networks", "diffusion", "data", "learning", "runs", "evaluation"):
        assert getattr(amd_jax, name).__name__ == f"amd_jax.{name}"
    assert amd_jax.diffusion.kernels.uniform is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = amd_jax.nothing


@pytest.mark.parametrize(
    ("workdir", "numbers", "line"),
    [
        ("", {}, "A run has a folder; got ''. Give its path"),
        (None, {}, "A run has a folder; got None"),
        ("run", {"nunber": 3}, '"nunber" does not exist and cannot be added.*locked.$'),
        ("run", {"num_steps": "many"}, "Could not override field 'num_steps'"),
    ],
)
@pytest.mark.usefixtures("any_types")
def test_a_run_needs_a_folder_and_numbers_that_its_config_has(tmp_path, workdir, numbers, line):
    experiment = Experiment.open("experiments/quickstart.py")
    with pytest.raises(ValueError, match=line):
        experiment.fit(workdir and tmp_path / workdir, numbers)
    with pytest.raises(ValueError, match="A run has a folder"):
        load_run("")
    assert not list(tmp_path.iterdir())
