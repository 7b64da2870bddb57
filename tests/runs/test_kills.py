"""A run that is killed again and again ends with the bits of one that never was."""

import os
import random
import signal
import time

import jax
import numpy as np
import pytest

from amd_jax.runs import checkpoint_files
from tests.runs import process
from tests.runs.runs import ending, identity, step_logged

NUMBERS = {"num_steps": 1200, "checkpoint_every": 8, "evaluate_every": 40, "log_every": 5}
KILLS = int(os.environ.get("AMD_JAX_KILLS", 4))


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(tmp_path):
    """Steps and saves take turns of milliseconds, so most kills hit a save."""
    cache = process.cache(tmp_path / "compiled")
    process.train(tmp_path / "unbroken", NUMBERS, **cache)
    chance = random.Random(0)
    workdir, saving = tmp_path / "killed", 0
    for _ in range(KILLS):
        target = step_logged(workdir) + chance.randrange(10, 2 * 1100 // KILLS - 10)
        running = process.start(workdir, NUMBERS, **cache)
        while step_logged(workdir) < min(target, 1190) and running.poll() is None:
            time.sleep(0.001)
        time.sleep(chance.uniform(0, 0.05))
        assert running.poll() is None, running.communicate()
        running.send_signal(signal.SIGKILL)
        running.communicate()
        folder = workdir / "checkpoints"
        saving += (
            len(list(folder.glob("*tmp*"))) > 0
            or len(checkpoint_files.inspected(folder, identity(workdir))[1]) > 0
        )
        print(f"killed after step {step_logged(workdir)}")
    print(f"{KILLS} kills, {saving} of them during a save")
    process.train(workdir, NUMBERS, **cache)
    found, expected = ending(workdir), ending(tmp_path / "unbroken")
    assert found[0].step == NUMBERS["num_steps"]
    jax.tree.map(np.testing.assert_array_equal, found[0], expected[0])
    assert found[1] == expected[1]
