"""A signal, a kill, a pause, a moved folder: at moments that are likely to hurt.

AMD_JAX_KILLS=25 sends 25 kills at each of the moments.
"""

import os
import random
import shutil
import signal
import time

import jax
import numpy as np
import pytest

from amd_jax.runs import checkpoint_files
from tests.cli.command import ROOT
from tests.faults.sending import QUICK, RUN, SMALL, command, experiments, finished, start
from tests.runs.runs import ending, identity, step_logged
from tests.variants import quick

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("AMD_JAX_KILLS", 1))
TRAIN = (
    *(QUICK, *SMALL, "--config.num_steps=120", "--config.log_every=10"),
    *("--config.checkpoint_every=5", "--config.evaluate_every=10", "--config.evaluate_texts=60"),
)
SAVING = (*TRAIN, "--config.checkpoint_every=1")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """What a run that nothing happened to ends with."""
    folder = experiments(tmp_path_factory.mktemp("unbroken"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(*TRAIN).ending is None
        return ending(RUN)


def check_ending(unbroken, go_on=False):
    """The bits of state and metrics, after the same command goes on, are those of `unbroken`."""
    assert not go_on or command(*TRAIN).ending is None
    state, lines = ending(RUN)
    jax.tree.map(np.testing.assert_array_equal, state, unbroken[0])
    assert lines == unbroken[1]


def wait(running, ready, seconds=120):
    """Until something is so; fails if the process ends before."""
    late = time.monotonic() + seconds
    while not ready():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < late, "it never came to this moment"
        time.sleep(0.0005)


def read(running, words):
    """Reads what the process prints, up to a line with some words."""
    for line in running.stdout:
        if words in line:
            return
    raise AssertionError(running.communicate())


def compiling(running):
    read(running, "alphabet of 27")
    time.sleep(1)


MOMENTS = {
    "compilation": compiling,
    "steps": lambda running: wait(running, lambda: step_logged(RUN) >= 25),
    "evaluation": lambda running: wait(running, lambda: step_logged(RUN) >= 30),
    "final sampling": lambda running: read(running, "test: "),
}


SIGNALS = [(name, moment) for name in ("SIGTERM", "SIGINT", "SIGHUP") for moment in MOMENTS]
FEW = [("SIGINT", "steps"), ("SIGTERM", "evaluation")]  # a fresh compilation takes long


@pytest.mark.parametrize("sent", quick(SIGNALS, slow=FEW), ids="-".join)
def test_a_signal(sent, place, unbroken, report):
    name, moment = sent
    fresh = {"JAX_COMPILATION_CACHE_DIR": str(place / "compiled")}
    running = start(*TRAIN, cwd=place, **(fresh if moment == "compilation" else {}))
    MOMENTS[moment](running)
    running.send_signal(getattr(signal, name))
    status, _, error = finished(running, 60)
    seen = f"status {status}: {error.strip().splitlines()[-1:]}"
    report(f"{name} in {moment}", "saved, or nothing to save; the same bits in the end", seen)
    assert status != 0
    if moment in ("steps", "evaluation"):
        assert "saved. The same command continues" in error
    assert "Traceback" not in error
    check_ending(unbroken, go_on=True)


def test_a_closed_pipe_and_a_second_training_in_the_same_workdir(place, unbroken, report):
    """As of `| head -1`; the first goes on to its end."""
    running = start(*TRAIN, cwd=place)
    running.stdout.readline()
    running.stdout.close()
    wait(running, lambda: step_logged(RUN) >= 20)
    seen = command(*TRAIN).error
    report("a second training in the same workdir", "refused; the first goes on", seen)
    assert "is in use by another run that is alive" in seen
    error, status = running.stderr.read(), running.wait(60)
    report("nobody reads what is printed", "the run goes on to its end", f"{status} {error}")
    assert (status, error) == (0, "")
    check_ending(unbroken)


BACK = """
import time
real, calls = time.time, []
def back():
    calls.append(0)
    if len(calls) == 121:
        open("set_back", "w").close()
    return real() - 86400 * (len(calls) > 120)
time.time = back
"""


@pytest.mark.exhaustive
def test_a_clock_that_is_set_back(place, unbroken, report):
    """By a day, in the midst of the run."""
    (place / "clock").mkdir()
    (place / "clock" / "sitecustomize.py").write_text(BACK)
    running = start(*TRAIN, cwd=place, PYTHONPATH=f"{place / 'clock'}:{ROOT}")
    status, _, error = finished(running)
    report("the clock is set back by a day", "goes on to the same bits", f"{status} {error}")
    assert status == 0
    assert (place / "set_back").exists()
    check_ending(unbroken)


@pytest.mark.few(1)
@pytest.mark.parametrize("what", ["deleted", "moved", "replaced"])
def test_the_workdir_is_taken_away(what, place, unbroken, report):
    running = start(*TRAIN, "--config.num_steps=100000", cwd=place)
    wait(running, lambda: step_logged(RUN) >= 20)
    if what == "deleted":
        shutil.rmtree(RUN, ignore_errors=True)
    else:
        running.send_signal(signal.SIGSTOP)  # a save would make the folder again meanwhile
        os.waitpid(running.pid, os.WUNTRACED)  # till it has stopped
        RUN.rename("away")
        if what == "replaced":
            shutil.copytree("away", RUN, ignore=shutil.ignore_patterns("*tmp*"))
        running.send_signal(signal.SIGCONT)
    status, _, error = finished(running, 60)
    report(f"the workdir is {what} in training", "ends in one line; nothing lost", error)
    assert status == 1
    assert "was deleted, moved or replaced while it was trained in" in error
    assert "Traceback" not in error


@pytest.mark.exhaustive
def test_reading_beside_a_training_that_deletes(place, report):
    """Each time there is a newest sound checkpoint, and nothing else is said."""
    running = start(*SAVING, "--config.num_steps=100000", cwd=place)
    wait(running, lambda: len(records()) > 1)
    seen = [command(QUICK, "--mode=sample", "--steps=1").ending for _ in range(8)]
    running.kill()
    running.communicate()
    report("read while old checkpoints are deleted", "8 of 8 times", seen.count(None))
    assert seen == [None] * 8


def records():
    return list((RUN / "checkpoints").glob("*/record.json"))


KILLED = {
    "claim": RUN.exists,
    "first_save": lambda: any((RUN / "checkpoints").glob("1*")),
    "deletion": lambda: len(records()) > 2,  # so that the first is about to go
}


@pytest.mark.few(1)
@pytest.mark.parametrize("moment", KILLED)
def test_kills(moment, place, unbroken, report):
    chance, seen = random.Random(moment), []
    for i in range(KILLS):
        shutil.rmtree("runs", ignore_errors=True)
        running = start(*SAVING, cwd=place)
        wait(running, KILLED[moment])
        time.sleep(chance.uniform(0, 0.03))
        running.kill()
        running.communicate()
        remains = list((RUN / "checkpoints").glob("*"))
        broken = [path.name for path in remains if not (path / "record.json").exists()]
        seen.append(f"{len(remains)} checkpoints, {len(broken)} of them no whole one")
        check_ending(unbroken, go_on=True)
        print(f"{moment}, kill {i + 1}: {seen[-1]}")
        jax.clear_caches()  # of programs, which this process would else hold for every kill
    what = f"{KILLS} times kill -9 in {moment}"
    report(what, "the same bits as unbroken, each time", f"{len(seen)}: {sorted(set(seen))}")
    damaged = checkpoint_files.inspected(RUN / "checkpoints", identity(RUN))[1]
    assert (len(seen), damaged) == (KILLS, {})
