import pytest

from benchmarks.processes import Failure, Worker, stopping

TROUBLED = "tests.benchmarks.troubled"


def test_a_worker_times_its_work():
    worker = Worker.start(TROUBLED, False, "works", patience=60.0)
    with stopping({"works": worker}):
        worker.run("warm nap")
        for took in (worker.run("nap"), worker.run("nap")):
            assert took.keys() == {"wall", "cpu", "peak_mb", "matmul"}
            assert took["wall"] > 0
            assert took["peak_mb"] > 1
    assert worker.process.returncode == 0


@pytest.mark.few(2)
@pytest.mark.parametrize(
    ("size", "line"),
    [
        ("fails", "exit code 1: ValueError: the size is wrong"),
        ("is killed", "SIGKILL"),
        ("hangs", "no answer in 1 s, stopped"),
    ],
)
def test_a_worker_in_trouble_says_so_in_one_line_and_fails_again(size, line):
    patience = 1.0 if size == "hangs" else 60.0
    worker = Worker.start(TROUBLED, False, size, patience=patience)
    with stopping({size: worker}):
        with pytest.raises(Failure) as caught:
            worker.run("nap")
        assert str(caught.value) == f"{TROUBLED} {size}: {line}"
        with pytest.raises(Failure, match="the size is wrong" if size == "fails" else "SIGKILL"):
            worker.run("nap")
