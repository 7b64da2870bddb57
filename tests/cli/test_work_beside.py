"""What a training computes beside its steps, as it is counted for the estimate of its time."""

import pytest

from amd_jax.cli import choices, mode_options, work_beside
from amd_jax.experiment import Experiment
from tests.cli.command import ROOT

SMALL = {"length": 16, "timesteps": 8, "evaluate_every": 0, "num_steps": 40}
SMALL |= {"network.width": 8, "network.join_width": 8, "network.blocks": 1}


def counted(*flags, name="quickstart", **numbers):
    """What an experiment computes beside its steps, with some flags and numbers."""
    experiment = Experiment.open(ROOT / "experiments" / f"{name}.py")
    config = experiment.config()
    config.update_from_flattened_dict(SMALL | numbers)
    run = experiment.at(config, experiment.open_data(config))
    args, rest = mode_options.read(["--num_texts=4", "--num_samples=2", "--noreport", *flags])
    return work_beside.of(run, choices.choose(args, rest, run.model), args)


@pytest.mark.slow
def test_samples_are_counted_by_their_steps_and_evaluations_by_their_rows():
    usual = counted()
    assert usual.what == "corrections, evaluation and samples"
    more = counted("--num_samples=4").flop - usual.flop
    assert more == pytest.approx(counted("--num_samples=6").flop - usual.flop - more)
    half = counted("--steps=4").flop
    assert usual.flop - half == pytest.approx(more / 2, rel=0.2)  # 2 samples, 4 steps less
    rows = counted("--num_texts=8").flop - usual.flop
    assert 0 < rows == pytest.approx((counted("--num_texts=12").flop - usual.flop) / 2)


@pytest.mark.slow
def test_evaluations_on_the_way_and_the_page_are_counted():
    usual = counted().flop
    once = counted(evaluate_every=40, evaluate_texts=4).flop - usual
    assert once > 0
    assert counted(evaluate_every=10, evaluate_texts=4).flop - usual == pytest.approx(4 * once)
    page = counted("--report")
    assert page.what.endswith("samples and the page")
    assert page.flop > usual


def test_a_split_that_is_missing_costs_nothing():
    assert counted("--split=none").what == "samples"
