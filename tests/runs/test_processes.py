"""Several processes make one run: its numbers and its ends; faults/ has what goes wrong."""

import socket

import jax
import numpy as np
import pytest

from amd_jax.experiment import load_run
from tests.runs import process
from tests.runs.runs import metrics

pytestmark = pytest.mark.slow
NUMBERS = {"batch_size": 16, "num_steps": 20, "evaluate_every": 10}


def pair(folder, numbers=(NUMBERS, NUMBERS), devices=2, environments=({}, {})):
    """Two processes of one run; the second has a workdir of its own, which stays empty."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    return [
        process.start(
            folder / str(i),
            numbers[i],
            devices=devices,
            joined={"coordinator": coordinator, "num_processes": 2, "process": i},
            **environments[i],
        )
        for i in range(2)
    ]


def ends(processes):
    """(exit status, stderr) of both."""
    errors = [p.communicate(timeout=200)[1] for p in processes]
    return [(p.returncode, error) for p, error in zip(processes, errors, strict=True)]


def losses(workdir):
    return [x["loss_bits_per_char"] for x in metrics(workdir) if "loss_bits_per_char" in x]


def test_two_processes_make_the_run_of_one_with_as_many_devices(tmp_path):
    """Parameters within 1e-6, the same losses, and one workdir written."""
    process.train(tmp_path / "alone", NUMBERS, devices=8)
    assert [status for status, _ in ends(pair(tmp_path, devices=4))] == [0, 0]
    runs = [load_run(tmp_path / name)[1] for name in ("alone", "0")]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6), *runs)
    np.testing.assert_allclose(losses(tmp_path / "alone"), losses(tmp_path / "0"), rtol=1e-6)
    assert not (tmp_path / "1").exists()
    process.train(tmp_path / "0", NUMBERS, devices=8)  # loads what two have saved; two load it:
    (tmp_path / "alone").rename(tmp_path / "moved")
    (tmp_path / "0").rename(tmp_path / "alone")
    (tmp_path / "moved").rename(tmp_path / "0")
    assert [status for status, _ in ends(pair(tmp_path, devices=4))] == [0, 0]


def test_one_device_with_parts_makes_the_run_of_eight(tmp_path):
    process.train(tmp_path / "eight", NUMBERS, devices=8)
    process.train(tmp_path / "one", NUMBERS | {"accumulate": 8}, devices=1)
    runs = [load_run(tmp_path / name)[1] for name in ("eight", "one")]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), *runs)
    np.testing.assert_allclose(losses(tmp_path / "eight"), losses(tmp_path / "one"), rtol=1e-5)


@pytest.mark.exhaustive
def test_a_signal_to_one_process_stops_both_at_the_same_step(tmp_path):
    deadly = {"DEADLY_STEP": "6", "DEADLY_SIGNAL": "SIGTERM"}
    result = ends(pair(tmp_path, environments=({}, deadly)))
    assert all("saved. The same command continues" in error for _, error in result), result
    assert len(losses(tmp_path / "0")) == 8  # step 7 was under way, and is told at step 8
    assert [status for status, _ in ends(pair(tmp_path))] == [0, 0]
    process.train(tmp_path / "alone", NUMBERS, devices=4)
    np.testing.assert_allclose(losses(tmp_path / "0"), losses(tmp_path / "alone"), rtol=1e-6)
