"""What a run writes of itself while it trains."""

import json

import numpy as np
import pytest

from amd_jax.runs import lock
from amd_jax.runs.run_callbacks import Keeper
from tests.runs.events import shown


def test_elapsed_time_is_that_of_all_sittings_and_the_loss_is_in_bits(tmp_path):
    lock.hold(tmp_path)
    earlier = [{"step": 2, "elapsed_seconds": 30.0}, {"step": 4, "elapsed_seconds": 100.0}]
    earlier += [{"step": 6, "elapsed_seconds": 150.0}]  # after the checkpoint: taken again
    lines = "".join(f"{json.dumps(line)}\n" for line in earlier)
    (tmp_path / "metrics.jsonl").write_text(lines)
    with Keeper(tmp_path, "run", nats_per_bit=8 * np.log(2), unit="char") as keeper:
        keeper.begun(5, 10)
        numbers = {"loss_nats": 16 * np.log(2), "elapsed_seconds": 7.0, "steps_per_second": 1.0}
        keeper.log(6, numbers)
    result = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in result] == [2, 4, 6]
    assert result[-1]["elapsed_seconds"] == pytest.approx(107)
    assert result[-1]["loss_bits_per_char"] == pytest.approx(2)


def test_tensorboard_has_the_curves_of_training_and_validation(tmp_path):
    lock.hold(tmp_path)
    with Keeper(tmp_path, "run", nats_per_bit=np.log(2), unit="char") as keeper:
        keeper.begun(0, 4)
        for step in (2, 4):
            numbers = {"elapsed_seconds": 1.0, "steps_per_second": 1.0}
            keeper.log(step, {"loss_nats": step * np.log(2), **numbers})
            keeper.evaluated(step, {"validation_elbo_bits_per_char": step + 0.5})
    seen = shown(tmp_path)
    assert seen["loss_bits_per_char"] == pytest.approx({2: 2.0, 4: 4.0})
    assert seen["validation_elbo_bits_per_char"] == {2: 2.5, 4: 4.5}
