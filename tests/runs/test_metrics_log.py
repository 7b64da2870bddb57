"""The curves of a run: what cannot be written costs lines, and not the run."""

import errno
import json
import os

import pytest
from tensorboardX.event_file_writer import EventsWriter

from amd_jax.runs.metrics_log import Curves
from tests.runs.runs import metrics, train


class Full:
    """A file that takes half a line, and no error, from its `first` write to its `last`."""

    def __init__(self, file, first, last):
        self.file, self.first, self.last, self.writes = file, first, last, 0

    def write(self, line):
        self.writes += 1
        if self.first <= self.writes <= self.last:
            return self.file.write(line[: len(line) // 2])
        return self.file.write(line)

    def __getattr__(self, name):
        return getattr(self.file, name)


def test_a_full_disk_costs_whole_lines_and_is_told_once(tmp_path, capsys):
    curves = Curves(tmp_path, 0)
    curves._file = Full(curves._file, 2, 3)
    for step in range(1, 6):
        curves.write(step, {"loss": float(step)})
    curves.close()
    assert [line["step"] for line in metrics(tmp_path)] == [1, 4, 5]
    error = capsys.readouterr().err
    assert error.count("metrics.jsonl cannot be written: No space left on device") == 1


def test_a_run_goes_on_without_its_curves(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write = EventsWriter.write_event
    with monkeypatch.context() as broken:
        broken.setattr(
            EventsWriter,
            "write_event",
            lambda self, event: full() if event.HasField("summary") else write(self, event),
        )
        broken.setattr(Curves, "_append", full)
        params = train(tmp_path)
    error = capsys.readouterr().err
    assert error.count("metrics.jsonl cannot be written: No space left on device") == 1
    assert error.count("tensorboard/ cannot be written: No space left on device") == 1
    assert metrics(tmp_path) == []
    assert {path.name for path in (tmp_path / "checkpoints").iterdir()} == {"8", "12"}
    assert params is not None


def test_what_is_not_finite_is_null(tmp_path):
    curves = Curves(tmp_path, 0)
    curves.write(1, {"loss": float("nan"), "bits": float("inf"), "norm": 1.0})
    curves.close()
    strict = {"parse_constant": lambda name: pytest.fail(f"{name} is no JSON")}
    (line,) = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(line, **strict) == {"step": 1, "loss": None, "bits": None, "norm": 1.0}


def test_any_bytes_in_the_file_are_survived(tmp_path):
    whole = b'{"step": 1, "elapsed_seconds": 2.0}\n'
    rest = b'\xff\xfe\n{"step": "7"}\nnull\n' + b"[" * 100_000 + b'\n{"step": 9, "lo'
    (tmp_path / "metrics.jsonl").write_bytes(rest + b"\n" + whole)
    curves = Curves(tmp_path, 1)
    assert curves.last["elapsed_seconds"] == 2.0
    curves.close()
    assert (tmp_path / "metrics.jsonl").read_bytes() == whole
