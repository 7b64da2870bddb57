"""A disk that is full, at each moment, and one that cannot be written."""

import contextlib
import pathlib
import shutil
import subprocess
import time

import pytest

from amd_jax.experiment import load_run
from tests.faults.sending import QUICK, SMALL, command, finished, start
from tests.runs.runs import metrics

pytestmark = pytest.mark.slow
DISK = pathlib.Path("disk")
RUN = DISK / "run"
TRAIN = (QUICK, *SMALL, f"--workdir={RUN}")
READ = (QUICK, f"--workdir={RUN}", "--num_samples=2")


@pytest.fixture
def disk(place):
    """A disk of 4 MB, where the user may make one."""
    DISK.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(DISK)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a disk can be made by root only")
    yield DISK
    subprocess.run(["umount", "-l", str(DISK.absolute())], check=True)


def fill(rest: int = 0) -> None:
    """Fills the disk up, but for so many bytes."""
    with contextlib.suppress(OSError), (DISK / "rubbish").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    with (DISK / "rubbish").open("r+b") as file:
        file.truncate(max(0, file.seek(0, 2) - rest))


def free() -> None:
    (DISK / "rubbish").unlink()


def filled_in_training(place, rest):
    """A training during which the disk becomes full: how it ends."""
    steps = ("--config.num_steps=200", "--config.log_every=1", "--config.checkpoint_every=20")
    running = start(*TRAIN, *steps, cwd=place)
    late = time.monotonic() + 120
    while not list((RUN / "checkpoints").glob("*/record.json")):
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < late
        time.sleep(0.001)
    fill(rest)
    return finished(running, 60)


@pytest.mark.exhaustive
@pytest.mark.few(1)
@pytest.mark.parametrize(("what", "rest"), {"all": 0, "the checkpoints": 30_000}.items())
def test_full_in_training(what, rest, place, disk, report):
    """Metrics, TensorBoard and checkpoints cannot be written; then all can be, again."""
    status, _, error = filled_in_training(place, rest)
    report(f"no room for {what} in training", "ends, status 1; what is saved loads", error)
    assert status == 1
    assert "Traceback" not in error
    assert "could not be saved: it takes" in error
    run, _ = load_run(RUN)
    assert run.step >= 20
    free()
    steps = ("--config.num_steps=200", "--config.log_every=1", "--config.checkpoint_every=20")
    assert command(*TRAIN, *steps).ending is None
    assert metrics(RUN)[-1]["step"] == 200


def test_full_before_anything(place, disk, report):
    fill()
    seen = command(*TRAIN).error
    report("a full disk at the start", "one line", seen)
    assert "No space left on device" in seen


@pytest.mark.few(1)
@pytest.mark.parametrize("mode", ["sample", "evaluate", "correct"])
def test_full_when_a_run_is_read(mode, trained, disk, report):
    """Samples, and figures of results.json, cannot be kept; what was kept stays."""
    shutil.copytree(trained, RUN)
    before = (RUN / "results.json").read_bytes()
    fill()
    flags = {"sample": "--steps=1", "evaluate": "--draws=1", "correct": "--num_texts=2"}[mode]
    read = tuple(flag for flag in READ if mode == "sample" or "samples" not in flag)
    seen = command(*read, f"--mode={mode}", flags, "--seed=3").ending
    report(f"a full disk; {mode}", "one line; results.json is as before", seen)
    assert "No space left on device" in str(seen)
    assert len(seen.splitlines()) == 1
    assert (RUN / "results.json").read_bytes() == before
    assert load_run(RUN)[0].step == 6
    free()
    assert command(*read, f"--mode={mode}", flags, "--seed=3").ending is None


def test_a_disk_that_is_read_only(trained, disk, report):
    """A run on it is read; samples go elsewhere."""
    shutil.copytree(trained, RUN)
    subprocess.run(["mount", "-o", "remount,ro", str(DISK)], check=True)
    refused = command(*READ, "--mode=sample", "--steps=1").ending
    report("a disk that is read-only; sample", "one line, or --output", refused)
    assert "Read-only file system" in refused
    elsewhere = command(*READ, "--mode=sample", "--steps=1", "--output=elsewhere")
    assert elsewhere.ending is None
    assert list(pathlib.Path("elsewhere").iterdir())
    trained = command(*TRAIN, "--extend", "--config.num_steps=8").error
    report("a disk that is read-only; train", "one line", trained)
    assert "a folder that can be written" in trained
