"""Two processes of one run, each a command line, and what goes wrong between them.

AMD_JAX_PAIR_KILLS is how often each of the two is killed; from 10 on, what takes minutes is
tested as well.
"""

import contextlib
import os
import pathlib
import random
import signal
import socket
import subprocess
import tempfile
import time
from typing import NamedTuple

import jax
import numpy as np
import pytest

from tests.faults.sending import QUICK, RUN, SMALL, experiments, finished, start
from tests.runs.runs import ending

pytestmark = pytest.mark.slow
KILLS = int(os.environ.get("AMD_JAX_PAIR_KILLS", 1))
LIMIT = 120  # seconds: longer than this is a hang
STEPS = ("--config.num_steps=120", "--config.checkpoint_every=10", "--config.log_every=5")
HOST = "127.0.0.1"
LOST = "so this one stops", "Nobody has answered", "missing: [1]", "is no process 0 that waits"
BY_HAND = pytest.mark.skipif(KILLS < 10, reason="takes minutes: AMD_JAX_PAIR_KILLS=10")


def free_port():
    with socket.socket() as free:
        free.bind((HOST, 0))
        return free.getsockname()[1]


def member(place, process, port, flags=()):
    """One of the processes."""
    joined = f"--coordinator={HOST}:{port}", "--num_processes=2", f"--process_id={process}"
    return start(QUICK, *SMALL, *STEPS, *flags, *joined, cwd=place, devices=1)


@contextlib.contextmanager
def pair(place, port=None, first=0, apart=0, **options):
    """Both processes, of which none is left; one `first`, the other some seconds later."""
    port, processes = port or free_port(), {}
    try:
        for process in (first, 1 - first):
            processes[process] = member(place, process, port, **options)
            time.sleep(apart if process == first else 0)
        yield processes[0], processes[1]
    finally:
        for process in processes.values():
            process.kill()
            process.communicate()


class End(NamedTuple):
    """How a process ended."""

    status: int
    lines: list[str]  # on stderr
    seconds: float

    def __str__(self):
        return f"status {self.status} after {self.seconds:.0f} s: {'; '.join(self.lines)}"


def end(process, limit=LIMIT):
    since = time.monotonic()
    status, _, error = finished(process, limit)
    return End(status, error.split("\n")[:-1], time.monotonic() - since)


def both_end_well(processes):
    """Of which one may be slow where the other compiles."""
    result = [end(process, limit=400) for process in processes]
    assert [one.status for one in result] == [0, 0], result


def assert_one_line(result, *texts):
    assert result.status != 0
    assert len(result.lines) == 1, result
    assert result.lines[0].startswith("error: ")
    assert any(text in result.lines[0] for text in texts), result


def train(place, **options):
    with pair(place, **options) as processes:
        both_end_well(processes)


def until(condition, *processes):
    """Waits for it, as long as the processes live."""
    late = time.monotonic() + 300
    while not condition():
        assert all(process.poll() is None for process in processes), "one has ended too early"
        assert time.monotonic() < late
        time.sleep(0.05)


def step(place):
    path = place / RUN / "metrics.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The place and the ending of a run of two that nothing befell, and how long it took."""
    folder = experiments(tmp_path_factory.mktemp("unbroken"))
    begun = time.monotonic()
    train(folder)
    return folder, ending(folder / RUN), time.monotonic() - begun


def test_configs_that_differ(place, report):
    port = free_port()
    processes = [member(place, i, port, flags=[f"--config.seed={i}"]) for i in range(2)]
    for i, process in enumerate(processes):
        result = end(process)
        report("--config.seed=0 and =1", "status 1, one line", result)
        assert result.status == 1
        assert_one_line(result, f"process {i}: All processes of a run need the same config")
        assert '\'"seed": 0' in result.lines[0]
        assert 'process 1 has \'"seed": 1' in result.lines[0]


@pytest.mark.few(1)
@pytest.mark.parametrize("victim", [0, 1])
def test_kills_at_random_moments(victim, tmp_path, unbroken, report):
    """Moments from the first to the last of a run: joining, compilation, training, evaluation."""
    chance, last, kills = random.Random(5 + 2 * victim), step(unbroken[0]), 0
    place = fresh(tmp_path)
    while kills < KILLS:
        moment = unbroken[2] * chance.random()
        with pair(place) as processes:
            begun = time.monotonic()
            while time.monotonic() < begun + moment and processes[victim].poll() is None:
                time.sleep(0.01)
            before = step(place)
            processes[victim].kill()
            other = end(processes[1 - victim])
            status = end(processes[victim]).status
        if status and (other.status or before < last):  # else it came too late
            kills += 1
            fault = f"kill -9 of process {victim} after {moment:.0f} s, {before} lines of metrics"
            report(fault, "the other ends by itself, one line", other)
            assert status == -signal.SIGKILL
            assert_one_line(other, *LOST)
        if step(place) == last or kills == KILLS:
            train(place)
            assert_same(place, unbroken)
            place = fresh(tmp_path)


@pytest.mark.exhaustive
def test_divided_between_the_two_and_killed(place, unbroken, report):
    """Parameters and optimiser shared by two processes: the run of two that have all of it."""
    flags = ["--config.shards=2"]
    with pair(place, flags=flags) as processes:
        until(lambda: step(place) > 4, *processes)
        processes[1].kill()
        other = end(processes[0])
    report("kill -9 of one of two that share the state", "the other ends, one line", other)
    assert_one_line(other, *LOST)
    train(place, flags=flags)
    (got, got_lines), (want, want_lines) = ending(place / RUN), unbroken[1]
    losses = [lines[0]["loss_bits_per_char"] for lines in (got_lines, want_lines)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)
    # sums over parts are added in another order, and 120 steps make 1.5e-4 of that
    apart = jax.tree.map(lambda a, b: np.abs(a - b).max(), got.ema, want.ema)
    assert max(jax.tree.leaves(apart)) < 3e-3


def fresh(folder):
    """A new place in a folder."""
    return experiments(pathlib.Path(tempfile.mkdtemp(dir=folder)))


def assert_same(place, unbroken):
    """The bits of parameters and metrics are those of the run that nothing befell."""
    result, (_, expected, _) = ending(place / RUN), unbroken
    jax.tree.map(np.testing.assert_array_equal, result[0], expected[0])
    assert result[1] == expected[1]


@BY_HAND
@pytest.mark.parametrize("victim", [0, 1])
def test_one_that_stops_for_good(victim, place, unbroken, report):
    with pair(place) as processes:
        until(lambda: step(place) > 0, *processes)
        processes[victim].send_signal(signal.SIGSTOP)
        other = end(processes[1 - victim])
        report(f"process {victim} stopped for good", "the other ends, one line", other)
        assert_one_line(other, "so this one stops")
        processes[victim].send_signal(signal.SIGCONT)
        result = end(processes[victim])
        report(f"process {victim} goes on too late", "it ends, one line", result)
        assert_one_line(result, "so this one stops")
    train(place)
    assert_same(place, unbroken)


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", [0, pytest.param(1, marks=BY_HAND)])
def test_one_that_comes_late_a_third_and_one_that_pauses(first, place, unbroken, report):
    """The run goes on; and it listens nowhere but where it was told."""
    port, seconds = free_port(), 30 if KILLS >= 10 else 5
    with pair(place, port, first=first, apart=seconds) as processes:
        until(lambda: (place / RUN).exists(), *processes)
        listening = subprocess.run(["ss", "-ltn"], capture_output=True, text=True).stdout
        for i, result in enumerate(map(end, [member(place, i, port) for i in range(2)])):
            report(f"process {i} started twice", "one line; the run goes on", result)
            assert_one_line(result, "the port", "a run that has begun")
        until(lambda: step(place) > 0, *processes)
        processes[first].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        processes[first].send_signal(signal.SIGCONT)
        report(f"process {first} waits for the other, and pauses", "both end well", listening)
        both_end_well(processes)
    assert_same(place, unbroken)
    places = [line.split()[3] for line in listening.splitlines() if f":{port} " in line]
    report("who may reach the coordinator", f"{HOST} only", places)
    assert places in ([f"[::ffff:{HOST}]:{port}"], [f"{HOST}:{port}"])
