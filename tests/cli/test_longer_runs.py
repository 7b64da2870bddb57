"""A finished run goes on, and another one starts from it."""

import json
import shlex

import jax
import numpy as np
import pytest

from amd_jax.experiment import load_run
from tests.cli.command import QUICK, SMALL, command

pytestmark = pytest.mark.slow

MORE = "--config.num_steps=8"


@pytest.fixture
def run(finished):
    """A finished run of 6 steps, in the default workdir."""
    return finished("text").workdir


def test_a_finished_run_is_extended_by_the_command_that_its_refusal_names(run):
    _, before = load_run(run)
    error = command(QUICK, *SMALL, MORE).error
    assert "holds a run of another config: num_steps was 6, now 8. Give another workdir, " in error
    _, _, copied = error.partition("extend it: python experiments.run ")
    told = command(QUICK, *SMALL, "--extend").out
    assert "the run is of 6 steps already; a larger --config.num_steps extends it" in told
    error = command(QUICK, *SMALL, "--config.num_steps=3", "--extend").error
    assert "A run is extended to more steps than it has" in error
    error = command(QUICK, *SMALL, MORE, "--config.seed=1", "--extend").error
    assert "seed was 0, now 1" in error
    assert "extend" not in error
    result = command(*shlex.split(copied))
    assert "extends the run from 6 to 8 steps: a learning rate that falls" in result.out
    assert "step 8/8" in result.out
    lines = (run / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 9))
    seen, after = load_run(run)
    assert (seen.config.num_steps, seen.step) == (8, 8)
    assert any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True))
    again = command("--workdir=runs/quickstart", "--num_texts=4", "--num_samples=2")
    assert again.ending is None  # the config of the run says 8 from now on
    assert "step 8/8" not in again.out
    again = command(QUICK, *SMALL, MORE, "--extend")
    assert again.ending is None  # the same command may always be given again


def test_another_run_starts_from_it(run):
    _, first = load_run(run)
    started = (*SMALL, "--config.num_steps=1", "--config.optimizer.warmup_steps=1000")
    result = command(QUICK, *started, "--workdir=runs/second", "--init_from=runs/quickstart")
    assert result.ending is None
    _, second = load_run("runs/second")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-3), first, second)
    for flag, message in {
        "--config.network.width=16": "of the same model",
        "--config.length=16": None,
    }.items():
        place = f"--workdir=runs/{flag[9:15]}"
        result = command(QUICK, *started, flag, place, "--init_from=runs/quickstart")
        assert (message in result.error) if message else result.ending is None
