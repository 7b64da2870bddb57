"""The command line for flows: two bounds, samples with codes of no class, a picture."""

import re

import pytest
from PIL import Image

from tests.cli.command import ROOT, command

FLOW = f"--config={ROOT / 'experiments' / 'argmax_quickstart.py'}"
TOY = f"--config={ROOT / 'experiments' / 'eight_gaussians.py'}"
SIZE = (
    *("--config.network.features=16", "--config.network.components=2"),
    *("--config.encoder.width=8", "--config.encoder.context=8"),
    *("--config.batch_size=8", "--config.num_steps=4", "--config.log_every=1"),
)


@pytest.mark.parametrize("flag", ["--steps=5", "--grid=5", "--error_rate=0.1"])
def test_what_only_a_diffusion_has_is_refused(flag, tmp_path):
    result = command(FLOW, flag, f"--workdir={tmp_path / 'run'}")
    name = flag.split("=")[0]
    assert f"{name} is for a Diffusion; this experiment has a Flow. Leave it out" in result.error
    assert not (tmp_path / "run").exists()


def test_a_bound_that_a_flow_has_not_is_refused(tmp_path):
    error = command(FLOW, "--bound=all_steps", f"--workdir={tmp_path / 'run'}").error
    assert "The bound must be one of elbo, iwbo, both; got 'all_steps'" in error


def bits(out):
    """The bits and their error of every bound that was printed."""
    seen = re.findall(r"^test: ([\d.]+) ± ([\d.]+) bits/char", out, re.MULTILINE)
    return [tuple(map(float, pair)) for pair in seen]


@pytest.mark.slow
def test_a_flow_of_text(tmp_path):
    workdir = f"--workdir={tmp_path}"
    trained = command(FLOW, *SIZE, "--config.length=16", workdir, "--num_samples=2").out
    assert "corrected" not in trained
    assert "one draw each" in trained
    assert "sample 2:" in trained
    mode = (FLOW, workdir, "--mode=evaluate", "--num_texts=64")
    both = (*mode, "--bound=elbo,iwbo")
    elbo, one = bits(command(*both, "--importance_samples=1").out)
    out = command(*both, "--importance_samples=50").out
    _, many = bits(out)
    assert elbo[0] == pytest.approx(one[0], abs=5 * (elbo[1] + one[1]))
    assert many[0] < one[0]
    assert "k = 50" in out
    assert "k = 5)" in command(*mode, "--importance_samples=5").out  # no other bound has it
    error = command(*mode, "--bound=elbo", "--importance_samples=5").error
    assert "iwbo, which this command does not use" in error
    sample = (FLOW, workdir, "--mode=sample", "--num_samples=100")
    once, again = (command(*sample, f"--redraws={n}").out for n in (0, 200))
    share = re.search(r"stand for no class .*: ([\d.]+)%", once)
    assert 0 < float(share[1]) < 20  # five bits hold 32 codes, and 27 of them are letters
    assert "\ufffd" in once
    assert "\ufffd" not in again
    error = command(FLOW, workdir, "--mode=correct").error
    assert "sample, infill, score, grid, report, export for a Flow; got correct" in error
    error = command(FLOW, workdir, "--mode=sample", "--chain").error
    assert "--chain shows noise becoming data; a Flow has no steps. Leave it out" in error
    error = command(FLOW, workdir, "--mode=grid").error
    assert error == "--mode=grid is for a diffusion; this experiment has a Flow."


@pytest.mark.exhaustive  # test_report.py has a run of points
@pytest.mark.slow
def test_a_toy_draws_a_picture(tmp_path):
    result = command(TOY, *SIZE, "--config.num_classes=9", f"--workdir={tmp_path}")
    assert "mass of all 9 x 9 cells" in result.out
    assert "points (evidence" in result.out
    image = Image.open(tmp_path / "samples_seed0.png")
    assert image.size[0] > 3 * 9
    assert len(image.getcolors()) > 5
