"""The comparisons with the reference code, with workers that answer at once."""

import itertools

import pytest

from benchmarks import maps_diffusion, peers, processes, side_by_side, text_argmax, text_diffusion

DIFFUSION = ("ours", "reference, as shipped", "reference, our allocator")


class Prompt:
    """A worker whose n-th piece of work takes n seconds."""

    def __init__(self, stopped):
        self.count, self.stopped = itertools.count(1), stopped

    def run(self, work):
        wall = 0.0 if work.startswith("warm ") else next(self.count)
        return {"wall": wall, "cpu": wall, "peak_mb": 100.0, "matmul": 50.0}

    def stop(self):
        self.stopped.append(self)


@pytest.fixture
def workers(monkeypatch):
    """Those that were stopped."""
    stopped = []
    start = classmethod(lambda cls, *arguments, **more: Prompt(stopped))
    monkeypatch.setattr(processes.Worker, "start", start)
    monkeypatch.setattr(side_by_side, "checkout", lambda paths, *rest: "/reference")
    monkeypatch.setattr(side_by_side.time, "sleep", lambda seconds: None)
    return stopped


def works_and_sides(rows):
    return [(row.parameters["work"], row.parameters["side"], row.repeats) for row in rows]


def test_text_diffusion(workers, capsys):
    rows = list(text_diffusion.measure([], ["tiny"], repeats=5, sampling=True))
    assert works_and_sides(rows) == [
        *[("train", side, 5) for side in DIFFUSION],
        *[("sample 1000", side, 1) for side in DIFFUSION],
        ("sample 50", "ours", 1),
        *[("train in 4 parts", side, 5) for side in DIFFUSION],
    ]
    assert rows[0].median == 3
    assert rows[0].peak_mb == 100
    assert [row.parameters["batch"] for row in rows[::3]] == [32, 16, 16, 32]
    assert "tiny, sample 50 against their 1000" in capsys.readouterr().out
    assert len(workers) == 6


def test_maps_diffusion(workers):
    rows = list(maps_diffusion.measure([], [8], repeats=4))
    works = (("train", 4), ("evaluate", 2), ("sample, 20 steps", 2))
    assert works_and_sides(rows) == [(w, side, n) for w, n in works for side in DIFFUSION]


def test_peers(workers):
    rows = list(peers.measure([], repeats=3))
    assert works_and_sides(rows) == [("train", side, 3) for side in (*DIFFUSION, *DIFFUSION)]
    told = [(row.parameters["peer"], row.parameters["size"]) for row in rows[::3]]
    assert told == [("MD4", "tiny"), ("MD4", "small")]


def test_text_argmax(workers):
    rows = list(text_argmax.measure([], [], repeats=2, works=["train", "sample"]))
    ar, coupling = rows[:5], rows[5:]
    assert works_and_sides(ar) == [
        *[("train", side, 2) for side in DIFFUSION],
        *[("sample", side, 1) for side in DIFFUSION[:2]],
    ]
    assert works_and_sides(coupling) == [
        (w, side, 2) for w in ("train", "sample") for side in DIFFUSION
    ]
    assert coupling[0].parameters["flow"] == "coupling"
    assert len(workers) == 6


def test_workers_stop_when_one_fails(workers, monkeypatch):
    def fail(self, work):
        raise processes.Failure("no answer")

    monkeypatch.setattr(Prompt, "run", fail)
    with pytest.raises(processes.Failure, match="no answer"):
        list(maps_diffusion.measure([]))
    assert len(workers) == 3


def test_the_first_checkout_counts_and_what_is_missing_is_said_in_one_line(monkeypatch):
    monkeypatch.chdir(processes.ROOT)
    given = "them/it", "pyproject.toml"
    assert side_by_side.checkout(["/nowhere", "."], *given, {}) == str(processes.ROOT)
    for paths, needed, line in (
        ([], {}, "none is given: run git clone https://github.com/them/it and say --their=PATH"),
        (["/nowhere"], {}, "and --their=/nowhere is none"),
        (["/nowhere", "."], {"no_such_module": "no-such==1"}, "pip install no-such==1"),
    ):
        with pytest.raises(processes.Failure, match=line):
            side_by_side.checkout(paths, *given, needed, "their")
