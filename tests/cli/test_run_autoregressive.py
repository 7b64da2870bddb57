"""The command line of autoregressive models: two protocols, samples, a page, an export."""

import re

import pytest

from tests.cli.command import command
from tests.finished_runs import experiment, numbers

pytestmark = pytest.mark.slow


@pytest.fixture
def run(finished):
    return finished("autoregressive")


def test_every_figure_names_its_protocol(run):
    assert re.search(r"^test: .* on 4 texts \(exact likelihood, each by itself\)", run.out, re.M)
    both = run("--mode=evaluate", "--bound=likelihood,long_memory", "--segment=2").out
    assert "(exact likelihood, each by itself)" in both
    told = "exact likelihood as one text, in order: segments of 2, memory 4, no clamp"
    assert f"({told}, not same_length)" in both
    assert "likelihood minus" not in both  # of one text, and of independent rows
    alone = run("--mode=evaluate", "--same_length", "--memory=8", "--clamp=5").out
    assert "memory 8, distances clamped at 5, same_length)" in alone
    assert "each by itself" not in alone
    error = run("--mode=evaluate", "--memory=4000").error
    assert re.fullmatch("The memory must not be longer than the text; got memory=4000 .*", error)
    run.told("--mode=report")


def test_a_memory_longer_than_the_text_is_refused_before_a_training(run):
    flags = numbers("data.length=8", "data.path=book.txt", "network.segment=4", "batch_size=2")
    flags += (*numbers("network.memory=4"), "--workdir=new", "--memory=4000")
    error = command(experiment("own_text_transformer_xl"), *flags).error
    assert re.fullmatch("The memory must not be longer than the text; got memory=4000 .*", error)
    assert not (run.folder / "new").exists()


def test_samples_of_an_export_and_what_is_no_flag(run, tmp_path):
    error = run("--mode=sample", "--redraws=3").error
    assert "--redraws is for a Flow; this experiment has an Autoregressive" in error
    error = run("--mode=infill", "--text=a_c").error
    assert error == "--mode=infill is for a diffusion; this experiment has an Autoregressive."
    run.told("--mode=export", f"--output={tmp_path / 'export'}")
    numbers = ("--temperature=0.5", "--top_p=0.9", "--num_samples=2")
    for place in (f"--workdir={run.workdir}", f"--pretrained={tmp_path / 'export'}"):
        assert "sample 2:" in command(place, "--mode=sample", *numbers).out
