"""The command line with the best grid of some steps: made, kept, and used."""

import json
import re
import shutil

import pytest

from amd_jax import load_run, open_run
from amd_jax.evaluation import gallery
from tests.cli.command import QUICK, command

pytestmark = pytest.mark.slow

GRID = ("--mode=grid", "--steps=3", "--num_texts=4")


@pytest.fixture(scope="module")
def run(finished_runs, tmp_path_factory):
    """A copy of a run, the command that reads it, and what making a grid printed."""
    workdir = tmp_path_factory.mktemp("grids") / "run"
    shutil.copytree(finished_runs("text").workdir, workdir)

    def use(*flags):
        return command(f"--workdir={workdir}", *flags)

    return workdir, use, use(*GRID)


def kept(workdir):
    return json.loads((workdir / "grids.json").read_text())


def test_three_bounds_are_printed_and_the_grid_is_kept(run):
    workdir, _, made = run
    assert made.ending is None
    number = r"(\d\.\d{3}) ± \d\.\d{3} bits/char"
    minus = r"; minus best: ([+-]\d\.\d{3}) ± \d\.\d{3}"
    result = re.fullmatch(
        rf"best     {number} in 3 steps\nuniform  {number} in 3 steps{minus}\n"
        rf"finest   {number} in 8 steps{minus}\non 4 validation texts; kept: (.*)\n",
        made.out,
    )
    best, uniform, above, finest, below = map(float, result.groups()[:5])
    assert above == pytest.approx(uniform - best, abs=2e-3)
    assert below == pytest.approx(finest - best, abs=2e-3)
    assert result[6] == str(workdir / "grids.json")
    (steps, grid), *others = kept(workdir).items()
    assert (steps, others) == ("3", [])
    assert (grid["step"], grid["split"], grid["number"], grid["fine"]) == (6, "validation", 4, 8)
    assert grid["best_bits"] == pytest.approx(float(result[1]), abs=1e-3)
    assert grid["best_bits"] <= grid["uniform_bits"] + 0.01
    assert all(8 * t == int(8 * t) for t in grid["times"])


def test_a_run_has_its_grids_and_one_of_another_step_is_said_to_be_one(run, capsys):
    workdir, use, _ = run
    times = tuple(kept(workdir)["3"]["times"])
    assert load_run(workdir)[0].grid(3) == times
    coarse = ("--mode=grid", "--steps=2", "--num_texts=2", "--fine=4")
    assert use(*coarse).ending is None
    assert list(known := kept(workdir)) == ["3", "2"]
    assert open_run(workdir).grid(3) == times
    assert len(open_run(workdir).grid(2)) == 3
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match="keeps no best grid of 5 steps. Make it: python -m"):
        open_run(workdir).grid(5)
    (workdir / "grids.json").write_text(json.dumps(known | {"2": known["2"] | {"step": 4}}))
    assert use("--mode=sample", "--spacing=best", "--steps=2", "--num_samples=1").ending is None
    assert capsys.readouterr().err.count("the grid of 2 steps was made at step 4, not 6") == 1
    assert use(*coarse).ending is None
    assert kept(workdir) == known


def test_a_run_is_sampled_and_measured_on_it(run, monkeypatch):
    workdir, use, made = run
    times, used = open_run(workdir).grid(3), []
    drawn = gallery.samples
    monkeypatch.setattr(gallery, "samples", lambda *a: used.append(a[-1]) or drawn(*a))
    sample = ("--mode=sample", "--spacing=best", "--steps=3", "--num_samples=1")
    assert use(*sample, "--sampler=euler").ending is None
    assert used[-1].spacing == times
    assert use(*sample, "--chain").ending is None
    flags = ("--bound=all_steps", "--spacing=best", "--grid=3", "--split=validation")
    measured = use("--mode=evaluate", *flags, "--num_texts=4").out
    assert "on 4 texts (all 3 steps, at given times)" in measured
    assert made.out.split()[1] in measured  # of the same seed


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (
            ("--mode=sample", "--spacing=best", "--steps=5"),
            r"keeps no best grid of 5 steps. Make it: python -m experiments.run --workdir=\S*run "
            "--mode=grid --steps=5$",
        ),
        (("--mode=sample", "--spacing=best"), "The best grid is one of some steps: give --steps"),
        (
            ("--mode=evaluate", "--bound=all_steps", "--spacing=best"),
            "The best grid is one of some steps: give --grid, as --grid=16",
        ),
        (("--mode=sample", "--spacing=bst"), "spacing is one of uniform, cosine; got spacing=bst"),
        (("--mode=grid", "--steps=9"), "The best grid is made of 8 steps; got steps=9"),
        (("--mode=grid", "--temperature=0.5"), "--temperature is a number of ancestral"),
        (("--mode=grid", "--split=test"), "--split is for .*; --mode=grid does not heed it"),
        (("--spacing=best", "--steps=3"), "spacing=best is a grid that a run keeps once"),
    ],
)
def test_what_is_no_grid_of_a_run_is_one_line(run, flags, says):
    assert re.search(says, run[1](*flags).error)


def test_help_tells_of_grids():
    out = command(QUICK, "--help").out
    _, _, ways = out.partition("--mode of quickstart.py:\n")
    assert "  grid: The grid of so many steps with the tightest bound" in ways
    assert "      --steps --fine\n" in ways
