"""Tables of what was measured side by side."""

import pytest

from benchmarks import results, tables

HERE = {"cpu": "a cpu", "cores": 2, "versions": {"jax": "1"}, "commit": "abc"}


def row(side, values, work="train"):
    runs = [{"wall": wall, "cpu": wall, "peak_mb": 1500.0} for wall in values]
    told = {"work": work, "size": "tiny", "side": side}
    return results.timed("text_diffusion", told, runs)


def printed(path, capsys, *sittings):
    results.write(path, sittings)
    tables.main([str(path)])
    return capsys.readouterr().out.splitlines()


def test_a_row_for_each_work_and_a_ratio_for_each_side(tmp_path, capsys):
    shipped = row("reference, as shipped", [0.3] * 7)
    alone = results.spread("growth", {"batch": 2}, [1.0], "s")
    rows = [row("ours", [0.2] * 7), shipped, row("ours", [18.0], "sample"), alone]
    lines = printed(tmp_path / "a.json", capsys, results.Sitting(HERE, rows, {}))
    assert lines[0] == "a cpu, 2 cores; jax 1; commit abc"
    assert lines[4] == (
        "| text diffusion: tiny, train | 200 ms, 1.50 GB "
        "| 300 ms, 1.50 GB; 1.50 (1.50 to 1.50) | not run |"
    )
    assert lines[5].endswith("| 18,000 ms, 1.50 GB | not run | not run |")


def test_a_table_for_each_sitting_that_has_sides(tmp_path, capsys):
    alone = results.spread("growth", {"batch": 2}, [1.0], "s")
    old, new = (results.Sitting(HERE | {"commit": c}, [row("ours", [0.2])], {}) for c in "pq")
    lines = printed(tmp_path / "a.json", capsys, old, results.Sitting(HERE, [alone], {}), new)
    told = [line.rpartition(" ")[2] for line in lines if "commit" in line]
    assert told == ["p", "q"]


def test_a_file_of_something_else_is_refused_with_one_line(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("{}")
    with pytest.raises(SystemExit, match="holds no rows of benchmarks"):
        tables.main([str(file)])
