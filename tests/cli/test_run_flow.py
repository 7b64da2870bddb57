"""The command line for flows: two bounds, samples with codes of no class, a picture."""

import re

import pytest
from PIL import Image

from tests.cli.command import command
from tests.finished_runs import experiment

FLOW = experiment("argmax_quickstart")


@pytest.mark.parametrize(
    ("flag", "says"),
    [
        ("--steps=5", "--steps is for a Diffusion; this experiment has a Flow. Leave it out"),
        ("--error_rate=0.1", "--error_rate is for a Diffusion; this experiment has a Flow."),
        ("--bound=all_steps", "The bound must be one of elbo, iwbo, both; got 'all_steps'"),
    ],
)
def test_what_a_flow_has_not_is_refused_before_a_training(flag, says, tmp_path):
    assert says in command(FLOW, flag, f"--workdir={tmp_path / 'run'}").error
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_flow_of_text(finished):
    run = finished("flow")
    for part, is_told in (("corrected", False), ("one draw each", True), ("sample 2:", True)):
        assert (part in run.out) == is_told
    mode = ("--mode=evaluate", "--num_texts=16")
    out = run.told(*mode, "--bound=elbo,iwbo", "--importance_samples=20")
    (elbo, _), (many, _) = re.findall(r"^test: ([\d.]+) ± ([\d.]+) bits/char", out, re.M)
    assert float(many) < float(elbo)
    assert "k = 20" in out
    once, again = (
        run("--mode=sample", "--num_samples=40", f"--redraws={n}").out for n in (0, 200)
    )
    share = re.search(r"stand for no class .*: ([\d.]+)%", once)
    assert 0 < float(share[1]) < 20  # five bits hold 32 codes, and 27 of them are letters
    assert "\ufffd" in once
    assert "\ufffd" not in again
    for flags, says in (
        (
            (*mode, "--bound=elbo", "--importance_samples=5"),
            "iwbo, which this command does not",
        ),
        (
            ("--mode=correct",),
            "score, grid, report, export for a Flow; got correct",
        ),
        (("--mode=sample", "--chain"), "a Flow has no steps. Leave it out"),
        (("--mode=grid",), "--mode=grid is for a diffusion; this experiment has a Flow."),
    ):
        assert says in run(*flags).error


@pytest.mark.exhaustive  # test_report.py has a run of points
@pytest.mark.slow
def test_a_toy_draws_a_picture(finished):
    run = finished("points")
    assert "mass of all 9 x 9 cells" in run.out
    assert "points (evidence" in run.out
    image = Image.open(run.workdir / "samples_seed0.png")
    assert image.size[0] > 3 * 9
    assert len(image.getcolors()) > 5
