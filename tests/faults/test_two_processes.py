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

from tests.faults.sending import QUICK, RUN, SMALL, command, experiments, finished, start
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


def member(place, process, port, number=2, flags=()):
    """One of the processes."""
    joined = f"--coordinator={HOST}:{port}", f"--num_processes={number}", f"--process_id={process}"
    return start(QUICK, *SMALL, *STEPS, *flags, *joined, cwd=place, devices=1)


@contextlib.contextmanager
def pair(place, port=None, **options):
    """Both processes, of which none is left."""
    port = port or free_port()
    processes = [member(place, process, port, **options) for process in range(2)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


class End(NamedTuple):
    """How a process ended."""

    status: int
    lines: list[str]  # on stderr
    seconds: float

    def __str__(self):
        return f"status {self.status} after {self.seconds:.0f} s: {'; '.join(self.lines)}"


def end(process, since=None, limit=LIMIT):
    since = since or time.monotonic()
    status, _, error = finished(process, limit)
    return End(status, error.split("\n")[:-1], time.monotonic() - since)


def assert_one_line(result, *texts):
    assert result.status != 0
    assert len(result.lines) == 1, result
    assert result.lines[0].startswith("error: ")
    assert any(text in result.lines[0] for text in texts), result


def trained(place):
    """The ends of both, of which one may be slow where the other compiles."""
    with pair(place) as processes:
        return [end(process, limit=400) for process in processes]


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
    result = trained(folder)
    assert [one.status for one in result] == [0, 0], result
    return folder, ending(folder / RUN), time.monotonic() - begun


@pytest.fixture(scope="module", autouse=True)
def waiting(tmp_path_factory):
    """Two who wait for each other in different places, as they may while the other tests run."""
    begun = time.monotonic()
    place = experiments(tmp_path_factory.mktemp("waiting"))
    lonely = [member(place, process, free_port()) for process in range(2)]
    yield begun, lonely
    for process in lonely:
        process.kill()
        process.communicate()


JOINED = {  # coordinator, number of processes, this one -> what is said
    **dict.fromkeys(
        [(at, 2, 0) for at in ("nonsense", "host", "host:port", ":1")], "is host:port"
    ),
    **dict.fromkeys([(f"localhost:{port}", 2, 0) for port in (99999, 0)], "from 1 to 65535"),
    ("::1:1234", 2, 0): "is host:port",
    ("nobody.invalid:1234", 2, 0): "No machine is known as nobody.invalid",
    ("203.0.113.1:1234", 2, 0): "Process 0 runs on the machine",
    ("localhost:1234", 1, 0): "got process 0 of 1",
    ("localhost:1234", 2, 2): "got process 2 of 2",
    ("localhost:1234", 2, 7): "got process 7 of 2",
}


@pytest.mark.parametrize(("coordinator", "number", "process"), JOINED)
def test_processes_that_cannot_be(coordinator, number, process, place, said):
    flags = f"--coordinator={coordinator} --num_processes={number} --process_id={process}"
    seen = command(QUICK, *SMALL, *flags.split()).error
    said(flags, JOINED[coordinator, number, process], seen)


def test_a_port_in_use(place, report):
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        result = end(member(place, 0, taken.getsockname()[1]))
    report("port of the coordinator in use", "status 1, one line", result)
    assert result.status == 1
    assert_one_line(result, "Another program has the port")


def test_another_program_at_the_coordinator(place, report):
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        joiner = member(place, 1, other.getsockname()[1])
        with other.accept()[0] as connection:
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        result = end(joiner)
    report("another program at the coordinator", "status 1, one line", result)
    assert result.status == 1
    assert_one_line(result, "is no process 0 that waits for process 1")


def test_numbers_of_processes_that_differ(place, report):
    port = free_port()
    processes = [member(place, 0, port), member(place, 1, port, number=3)]
    for result in map(end, processes):
        report("--num_processes=2 and =3", "status 1, one line", result)
        assert result.status == 1
        assert_one_line(result, "process 0 has 2, process 1 has 3")


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


@pytest.mark.exhaustive
def test_a_third_that_says_it_is_one_of_the_two(place, unbroken, report):
    """The run goes on; and it listens nowhere but where it was told."""
    port = free_port()
    with pair(place, port) as processes:
        until(lambda: (place / RUN).exists(), *processes)
        listening = subprocess.run(["ss", "-ltn"], capture_output=True, text=True).stdout
        for i, result in enumerate(map(end, [member(place, i, port) for i in range(2)])):
            report(f"process {i} started twice", "status 1, one line; the run goes on", result)
            assert result.status == 1
            assert_one_line(result, "the port", "a run that has begun")
        assert [end(process, limit=400).status for process in processes] == [0, 0]
    assert_same(place, unbroken)
    places = [line.split()[3] for line in listening.splitlines() if f":{port} " in line]
    report("who may reach the coordinator", f"{HOST} only", places)
    assert places in ([f"[::ffff:{HOST}]:{port}"], [f"{HOST}:{port}"])


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
            result = trained(place)
            assert [one.status for one in result] == [0, 0], result
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
    with pair(place, flags=flags) as processes:
        result = [end(process, limit=400) for process in processes]
    assert [one.status for one in result] == [0, 0], result
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


@pytest.mark.exhaustive
@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=BY_HAND)])
def test_one_that_pauses(victim, place, unbroken, report):
    seconds = 30 if KILLS >= 10 else 5
    with pair(place) as processes:
        until(lambda: step(place) > 0, *processes)
        processes[victim].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        processes[victim].send_signal(signal.SIGCONT)
        result = [end(process, limit=400) for process in processes]
    report(f"process {victim} stopped for {seconds} s", "both go on", result[victim])
    assert [one.status for one in result] == [0, 0], result
    assert_same(place, unbroken)


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
    result = trained(place)
    assert [one.status for one in result] == [0, 0], result
    assert_same(place, unbroken)


@pytest.mark.exhaustive
@pytest.mark.parametrize("first", [0, pytest.param(1, marks=BY_HAND)])
def test_one_that_comes_late(first, place, unbroken, report):
    port, seconds = free_port(), 60 if KILLS >= 10 else 5
    early = member(place, first, port)
    time.sleep(seconds)
    result = [end(process, limit=400) for process in (early, member(place, 1 - first, port))]
    report(f"process {1 - first} starts {seconds} s late", "both end well", result[0])
    assert [one.status for one in result] == [0, 0], result
    assert_same(place, unbroken)


def test_processes_that_wait_in_different_places(waiting, report):
    begun, lonely = waiting
    for process, text in zip(lonely, ("missing: [1]", "Nobody has answered"), strict=True):
        result = end(process, begun)
        report(f"wrong coordinator, process {process.args[-1]}", "status 1, one line", result)
        assert result.status == 1
        assert_one_line(result, text)
