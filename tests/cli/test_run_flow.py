"""The command line for flows: two bounds, samples with codes of no class, a picture."""

import re

import pytest
from PIL import Image

from tests.cli.command import command
from tests.finished_runs import experiment

FLOW = experiment("argmax_quickstart")


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
def test_a_flow_of_text(finished):
    run = finished("flow")
    assert "corrected" not in run.out
    assert "one draw each" in run.out
    assert "sample 2:" in run.out
    mode = ("--mode=evaluate", "--num_texts=64")
    both = (*mode, "--bound=elbo,iwbo")
    elbo, one = bits(run(*both, "--importance_samples=1").out)
    out = run(*both, "--importance_samples=50").out
    _, many = bits(out)
    assert elbo[0] == pytest.approx(one[0], abs=5 * (elbo[1] + one[1]))
    assert many[0] < one[0]
    assert "k = 50" in out
    assert "k = 5)" in run(*mode, "--importance_samples=5").out  # no other bound has it
    error = run(*mode, "--bound=elbo", "--importance_samples=5").error
    assert "iwbo, which this command does not use" in error
    sample = ("--mode=sample", "--num_samples=100")
    once, again = (run(*sample, f"--redraws={n}").out for n in (0, 200))
    share = re.search(r"stand for no class .*: ([\d.]+)%", once)
    assert 0 < float(share[1]) < 20  # five bits hold 32 codes, and 27 of them are letters
    assert "\ufffd" in once
    assert "\ufffd" not in again
    error = run("--mode=correct").error
    assert "sample, infill, score, grid, report, export for a Flow; got correct" in error
    error = run("--mode=sample", "--chain").error
    assert "--chain shows noise becoming data; a Flow has no steps. Leave it out" in error
    error = run("--mode=grid").error
    assert error == "--mode=grid is for a diffusion; this experiment has a Flow."


@pytest.mark.exhaustive  # test_report.py has a run of points
@pytest.mark.slow
def test_a_toy_draws_a_picture(finished):
    run = finished("points")
    assert "mass of all 9 x 9 cells" in run.out
    assert "points (evidence" in run.out
    image = Image.open(run.workdir / "samples_seed0.png")
    assert image.size[0] > 3 * 9
    assert len(image.getcolors()) > 5
