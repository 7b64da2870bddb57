"""Tables of what was measured side by side."""

import json

from benchmarks import tables


def row(side, values, work="train"):
    return {
        **{"name": "text_diffusion", "parameters": {"work": work, "size": "tiny", "side": side}},
        **{"median": sorted(values)[len(values) // 2], "values": values, "peak_mb": 1500.0},
    }


def test_a_row_for_each_work_and_a_ratio_for_each_side(tmp_path, capsys):
    here = {"cpu": "a cpu", "cores": 2, "versions": {"jax": "1"}, "commit": "abc"}
    shipped = row("reference, as shipped", [0.3] * 7)
    rows = [row("ours", [0.2] * 7), shipped, row("ours", [18.0], "sample"), {"parameters": {}}]
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"machine": here, "rows": rows}))
    tables.main([str(file)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a cpu, 2 cores; jax 1; commit abc"
    assert lines[4] == (
        "| text diffusion: tiny, train | 200 ms, 1.50 GB "
        "| 300 ms, 1.50 GB; 1.50 (1.50 to 1.50) | not run |"
    )
    assert lines[5].endswith("| 18,000 ms, 1.50 GB | not run | not run |")


def test_what_has_no_sides_has_no_table(tmp_path, capsys):
    file = tmp_path / "a.json"
    file.write_text(json.dumps({"machine": {}, "rows": [{"parameters": {"batch": 2}}]}))
    tables.main([str(file)])
    assert capsys.readouterr().out.strip() == ""
