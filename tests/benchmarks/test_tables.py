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


def chip(dtype, work, seconds, number=8, **more):
    known = {"experiment": "text8", "chip": "v5e", "chips": number, "dtype": dtype, "work": work}
    needs = {"batch": 4, "fits": True, "flops": 2e12, "sent": 3e9, "filling_batch": 900}
    ends = (seconds,) * 3
    return results.Row("tpu", known | needs | more, *ends, 1, "s", ends[:1], peak_mb=5000.0)


def test_what_tpus_need_with_both_dtypes_in_a_row(tmp_path, capsys):
    lost = {"fits": False, "experiment": "large"}
    rows = [chip("float32", "train", 0.04), chip("bfloat16", "train", 0.03)]
    rows += [chip("float32", "sample", 0.006, 1), chip("float32", "train", 0.04, 1)]
    rows += [chip("float32", "train", None, 1, **lost)]
    lines = printed(tmp_path / "a.json", capsys, results.Sitting(HERE, rows, {}))
    assert lines[4:] == [
        "| `text8`, 32 | 8 v5e | 5.00 | 2.00 | 3.00 | 40; 30 | 7,200 | – |",
        "| `text8`, 4 | 1 v5e | 5.00 | 2.00 | – | 40 | 900 | 6.0 |",
        "| `large`, 4 | 1 v5e | 5.00, too large | – | – | – | – | – |",
        "",
    ]


def test_a_file_of_something_else_is_refused_with_one_line(tmp_path):
    file = tmp_path / "a.json"
    file.write_text("{}")
    with pytest.raises(SystemExit, match="holds no rows of benchmarks"):
        tables.main([str(file)])
