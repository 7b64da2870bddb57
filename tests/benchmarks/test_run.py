import json

import numpy as np
import pytest

from benchmarks import machine, results, run
from benchmarks.processes import Failure

HERE = {
    "cpu": "a cpu",
    "cores": 2,
    **{"versions": {"jax": "0.0"}, "commit": "none", "date": "2026-01-01"},
    **{"backend": "cpu", "devices": ["cpu"]},
    **{"allocator": "malloc", "environment": {"LD_PRELOAD": ""}},
}
SOAK = run.BENCHMARKS["soak"]


def row(value):
    runs = [{"wall": value * k, "cpu": value, "peak_mb": 100.0} for k in (3, 1, 2)]
    return results.timed("table", {"batch": value}, runs)


def good(flags, here):
    yield from results.tabulate("a title", "batch", [row(1), row(4)])


def hung(flags, here):
    yield row(8)
    raise Failure("no answer in 1 s, stopped")


def mistaken(flags, here):
    raise KeyError("two\nlines")
    yield


@pytest.fixture
def benchmarks(monkeypatch):
    result = {
        "hung": run.Benchmark("hangs", hung),
        "mistaken": run.Benchmark("has a mistake", mistaken),
        "good": run.Benchmark("works", good),
        "greedy": run.Benchmark("is left out", mistaken, needs="more"),
    }
    monkeypatch.setattr(run, "BENCHMARKS", result)
    monkeypatch.setattr(machine, "facts", lambda: HERE)


@pytest.mark.usefixtures("benchmarks")
def test_one_that_fails_is_reported_and_the_others_finish(tmp_path, capsys):
    file = tmp_path / "out.json"
    with pytest.raises(SystemExit, match="1"):
        run.main([f"--json={file}"])
    lines = capsys.readouterr().out.splitlines()
    failed = [line for line in lines if "failed" in line]
    assert failed == [
        "hung failed: no answer in 1 s, stopped",
        r"mistaken failed: KeyError: 'two\nlines'",
    ]
    table = lines[lines.index("a title") :]
    assert table[2].split() == ["1", "2000.0", "1000.0", "3000.0", "1000.0", "100"]
    assert table[3].split()[4:] == ["4.00", "4000.0", "4.00", "100", "1.00"]
    (result,) = json.loads(file.read_text())
    assert result["machine"] == HERE
    assert result["failures"].keys() == {"hung", "mistaken"}
    assert [row["parameters"]["batch"] for row in result["rows"]] == [8, 1, 4]
    assert result["rows"][1] == {
        **{"name": "table", "parameters": {"batch": 1}, "unit": "s", "repeats": 3},
        **{"median": 2, "min": 1, "max": 3, "values": [3, 1, 2], "cpu": 1, "peak_mb": 100.0},
    }


@pytest.mark.usefixtures("benchmarks")
def test_what_is_kept_is_of_a_machine_and_a_commit(monkeypatch, tmp_path):
    def other(flags, here):
        yield results.spread("other", {"batch": 5}, [1.0], "s")

    monkeypatch.setattr(run, "KEPT", tmp_path / "results")
    monkeypatch.setitem(run.BENCHMARKS, "other", run.Benchmark("works too", other))
    for names in (["good", "other"], ["good"]):
        run.main([*names, "--keep"])
    (file,) = (tmp_path / "results").iterdir()
    assert file.name == "a-cpu-2-cores.json"
    assert kept(file) == [("none", ["other"]), ("none", ["table", "table"])]
    monkeypatch.setattr(machine, "facts", lambda: HERE | {"commit": "another"})
    run.main(["other", "--keep"])
    assert kept(file) == [("none", ["table", "table"]), ("another", ["other"])]
    for broken in ("{", "{}", "[]", '[{"rows": 1}]'):
        file.write_text(broken)
        with pytest.raises(SystemExit, match="holds no rows of benchmarks. Move it away"):
            run.main(["other", "--keep"])
        assert file.read_text() == broken


def kept(file):
    """Of each sitting the commit, and the names of its rows."""
    result = json.loads(file.read_text())
    return [(s["machine"]["commit"], [row["name"] for row in s["rows"]]) for s in result]


def test_a_ratio_has_an_interval_where_pairs_suffice():
    ours = [1.0, 2.0, 4.0, 1.0, 2.0, 4.0, 1.0, 2.0, 4.0]
    factors = [1.1, 1.4, 1.2, 1.3, 1.0, 1.6, 1.5, 1.8, 1.7]
    theirs = [f * o for f, o in zip(factors, ours, strict=True)]
    result = results.ratio(theirs, ours)
    assert result == pytest.approx((1.4, 1.1, 1.7))  # 96 % between second and eighth of nine
    assert np.isnan(results.ratio(theirs[:5], ours[:5])[1])
    draws = np.random.default_rng(0).lognormal(size=(2000, 12))
    within = [low <= 1 <= high for _, low, high in (results.ratio(d, [1] * 12) for d in draws)]
    assert 0.95 < np.mean(within) < 0.98


@pytest.mark.usefixtures("benchmarks")
def test_those_to_choose_from_are_listed(capsys):
    run.main(["--list"])
    listed = capsys.readouterr().out
    assert "hung            hangs" in listed
    assert "needs more" in listed


@pytest.mark.usefixtures("benchmarks")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["good", "nonsense"], "There is no benchmark 'nonsense'; choose among hung"),
        (["--json=/nowhere/at/all.json"], "--json must be in a folder that exists"),
        (["--minutes=0"], "--minutes must be a positive number; got 0"),
        (["--minutes=nan"], "--minutes must be a positive number; got nan"),
    ],
)
def test_mistakes_are_refused_with_one_line(arguments, line):
    with pytest.raises(SystemExit, match=line) as caught:
        run.main(arguments)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.usefixtures("benchmarks")
def test_an_interruption_leaves_what_was_measured(monkeypatch, tmp_path):
    def interrupted(flags, here):
        yield row(1)
        raise KeyboardInterrupt

    monkeypatch.setitem(run.BENCHMARKS, "good", run.Benchmark("is interrupted", interrupted))
    with pytest.raises(KeyboardInterrupt):
        run.main(["good", f"--json={tmp_path / 'out.json'}"])
    (result,) = json.loads((tmp_path / "out.json").read_text())
    assert len(result["rows"]) == 1


@pytest.mark.parametrize("name", ["text_diffusion", "text_argmax", "maps_diffusion", "peers"])
def test_comparisons_say_what_they_need(name, monkeypatch, capsys):
    monkeypatch.setattr(machine, "facts", lambda: HERE)
    with pytest.raises(SystemExit):
        run.main([name, "--reference=/nowhere", "--md4=/nowhere"])
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith(f"{name} failed: A checkout of the reference code is needed")
    assert "git clone https://github.com/" in last


@pytest.mark.usefixtures("benchmarks")
def test_a_soak_has_to_be_named(monkeypatch):
    asked = []
    monkeypatch.setattr(run, "BENCHMARKS", {"good": run.Benchmark("works", good), "soak": SOAK})
    monkeypatch.setattr(run.soak, "measure", lambda minutes: iter([asked.append(minutes)]))
    run.main([])
    assert not asked
    run.main(["soak", "--minutes=3"])
    assert asked == [3]
