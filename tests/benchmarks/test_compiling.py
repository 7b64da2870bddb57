"""What is said of compiling; the shapes of every experiment, without its data."""

import json

import pytest

from amd_jax.cli import experiment_files
from amd_jax.data.download import tokens
from benchmarks import compiling
from benchmarks.workers import shapes


@pytest.mark.few(1)
@pytest.mark.parametrize("name", experiment_files.names())
def test_every_experiment_can_be_asked_without_its_data(name, monkeypatch):
    def read(*args, **kwargs):
        raise AssertionError("data were read")

    monkeypatch.setattr(tokens, "read", read)
    experiment = shapes.opened(name)
    facts = shapes.stand_in(experiment, experiment.config())
    assert len(facts.frequencies or facts.num_classes * [0]) == facts.num_classes
    assert facts.event_shape


def test_a_row_has_both_starts(monkeypatch, capsys):
    asked = []

    def ask(worker, keep, text, **environment):
        asked.append((json.loads(text)["experiment"], environment["XDG_CACHE_HOME"]))
        return {"traced": 1.0, "compiled": 8.0 / len(asked), "peak_mb": 1500.0}

    monkeypatch.setattr(compiling, "ask", ask)
    [row] = compiling.measure(["quickstart"])
    assert len(set(asked)) == 1  # the second start finds what the first has left
    assert (row.median, row.parameters["again"], row.peak_mb) == (8.0, 4.0, 1500.0)
    assert "50%" in capsys.readouterr().out


@pytest.mark.slow
def test_a_step_is_compiled_twice_and_the_second_time_found(capsys):
    [row] = compiling.measure(["eight_gaussians"])
    assert row.parameters["again"] < row.median
    assert row.peak_mb > 100
    assert "eight_gaussians" in capsys.readouterr().out
