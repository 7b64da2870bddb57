import pytest

from benchmarks.processes import Failure, Worker, stopping

TROUBLED = "tests.benchmarks.troubled"


def run(size, patience=60.0):
    worker = Worker.start(TROUBLED, False, size, patience=patience)
    with stopping({size: worker}):
        worker.run("warm nap")
        runs = [worker.run("nap") for _ in range(2)]
    assert worker.process.returncode == 0
    return runs


def test_a_worker_times_its_work():
    for took in run("works"):
        assert took.keys() == {"wall", "cpu", "peak_mb", "matmul"}
        assert took["wall"] > 0
        assert took["peak_mb"] > 1


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("size", "line"),
    [
        ("fails", "exit code 1: ValueError: the size is wrong"),
        ("is killed", "SIGKILL"),
        ("hangs", "no answer in 1 s, stopped"),
    ],
)
def test_a_worker_in_trouble_makes_one_line(size, line):
    with pytest.raises(Failure) as caught:
        run(size, patience=1.0 if size == "hangs" else 60.0)
    assert str(caught.value) == f"{TROUBLED} {size}: {line}"


def test_a_worker_that_is_gone_says_so_again():
    worker = Worker.start(TROUBLED, False, "fails")
    with stopping({"it": worker}):
        for _ in range(2):
            with pytest.raises(Failure, match="the size is wrong"):
                worker.run("nap")
