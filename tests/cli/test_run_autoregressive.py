"""The command line of autoregressive models: two protocols, samples, a page, an export."""

import re

import pytest

from tests.cli.command import ROOT, command

pytestmark = pytest.mark.slow

XL = f"--config={ROOT / 'experiments' / 'own_text_transformer_xl.py'}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short training, and the command that reads it."""
    place = tmp_path_factory.mktemp("autoregressive")
    book = place / "book.txt"
    book.write_text("the quick brown fox jumps over the lazy dog and runs on " * 40)
    numbers = ["data.length=8", "network.width=8", "network.heads=2", "network.blocks=1"]
    numbers += ["network.inner=8", "network.segment=4", "network.memory=4", "batch_size=2"]
    numbers = [f"--config.{number}" for number in [*numbers, "num_steps=6"]]
    workdir = f"--workdir={place / 'run'}"
    done = command(XL, f"--config.data.path={book}", *numbers, workdir, "--num_texts=4")
    return done, lambda *flags: command(XL, workdir, *flags)


def test_every_figure_names_its_protocol(run):
    done, command = run
    assert done.ending is None
    assert re.search(r"^test: .* on 4 texts \(exact likelihood, each by itself\)", done.out, re.M)
    both = command("--mode=evaluate", "--bound=likelihood,long_memory", "--segment=2").out
    assert "(exact likelihood, each by itself)" in both
    told = "exact likelihood as one text, in order: segments of 2, memory 4, no clamp"
    assert f"({told}, not same_length)" in both
    assert "likelihood minus" not in both  # of one text, and of independent rows
    alone = command("--mode=evaluate", "--same_length", "--memory=8", "--clamp=5").out
    assert "memory 8, distances clamped at 5, same_length)" in alone
    assert "each by itself" not in alone
    error = command("--mode=evaluate", "--memory=4000").error
    assert re.fullmatch("The memory must not be longer than the text; got memory=4000 .*", error)
    page = command("--mode=report")
    assert page.ending is None


def test_a_memory_longer_than_the_text_is_refused_before_a_training(tmp_path):
    book = tmp_path / "book.txt"
    book.write_text("the quick brown fox jumps over the lazy dog and runs on " * 40)
    numbers = ["data.length=8", f"data.path={book}", "network.segment=4", "network.memory=4"]
    workdir = tmp_path / "run"
    flags = [f"--config.{number}" for number in [*numbers, "batch_size=2"]]
    error = command(XL, *flags, f"--workdir={workdir}", "--memory=4000").error
    assert re.fullmatch("The memory must not be longer than the text; got memory=4000 .*", error)
    assert not workdir.exists()


def test_samples_and_what_is_no_flag(run):
    _, command = run
    done = command("--mode=sample", "--temperature=0.5", "--top_p=0.9", "--num_samples=2")
    assert "sample 2:" in done.out
    error = command("--mode=sample", "--redraws=3").error
    assert "--redraws is for a Flow; this experiment has an Autoregressive" in error
    error = command("--mode=infill", "--text=a_c").error
    assert error == "--mode=infill is for a diffusion; this experiment has an Autoregressive."


def test_an_export_is_the_same_model(run, tmp_path):
    _, again = run
    assert again("--mode=export", f"--output={tmp_path / 'export'}").ending is None
    done = command(f"--pretrained={tmp_path / 'export'}", "--mode=sample")
    assert "sample 2:" in done.out
