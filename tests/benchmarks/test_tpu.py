"""What is said of a TPU, without its compiler."""

import json

import pytest

from benchmarks import results, tpu

PROGRAM = """
  %all-reduce.3 = (f32[8,4]{1,0}, bf16[]) all-reduce(%a, %b), channel_id=1
  %gather = bf16[16,2]{1,0:T(8,128)} all-gather(%c), dimensions={0}
  %start = f32[10]{0} all-reduce-start(%d)
  %done = f32[10]{0} all-reduce-done(%start)
  %add = f32[1000]{0} add(%e, %f)
"""
ANSWERS = {"train": {"sent": 0}, "sample": {"sent": 0, "temporary": 20e9}}
FOUND = {"batch": 64, "arguments": 4e9, "temporary": 8e9, "flops": 197e12, "bytes": 819e9 / 2}


@pytest.fixture
def asked(monkeypatch):
    """What a compiler is asked, as if it were there."""
    result = []

    def ask(worker, keep, text, *others, **environment):
        assert environment["JAX_PLATFORMS"] == "cpu"
        result.append(json.loads(text))
        return {work: FOUND | found for work, found in ANSWERS.items()}

    monkeypatch.setattr(tpu, "ask", ask)
    monkeypatch.setattr(tpu.importlib.util, "find_spec", lambda name: name)
    return result


def test_what_collectives_put_out():
    assert tpu.sent(PROGRAM) == 4 * 8 * 4 + 2 + 2 * 16 * 2 + 4 * 10


def test_a_row_says_whether_it_fits_and_how_fast_it_is_at_most(asked, capsys):
    rows = list(tpu.measure(["text8_diffusion"], [1, 8], ["v5e"], ["float32"]))
    assert [result["topology"] for result in asked] == ["v5e:1x1", "v5e:2x4"]
    train, sample = rows[:2]
    assert train.median == pytest.approx(1.0)
    assert train.parameters["fits"]
    assert not sample.parameters["fits"]
    assert train.parameters["filling_batch"] == int(64 * (16 * 2**30 - 4e9) / 8e9)
    assert "v5e, 1, float32, train" in capsys.readouterr().out


@pytest.mark.usefixtures("asked")
def test_what_is_too_large_or_fails_costs_no_other_row(monkeypatch, capsys, tmp_path):
    def ask(worker, keep, text, *others, **environment):
        if json.loads(text)["topology"] == "v5e:1x1":
            return {"train": {"batch": 64, "too_large": 66.8e9}}
        if json.loads(text)["dtype"] == "float32":
            raise tpu.Failure("hung")
        return {"train": FOUND | {"sent": 0}}

    monkeypatch.setattr(tpu, "ask", ask)
    measured = tpu.measure(["text8_masked"], [1, 8], ["v5e"])
    rows = tuple(next(measured) for _ in range(3))
    assert [row.parameters["fits"] for row in rows] == [False, False, True]
    results.write(tmp_path / "rows.json", [results.Sitting({}, rows, {})])
    (kept,) = results.read(tmp_path / "rows.json")
    assert [row.median for row in kept.rows] == [None, None, rows[2].median]
    with pytest.raises(tpu.Failure, match="hung"):
        next(measured)
    assert "66.80     NO" in capsys.readouterr().out


def test_what_is_grown_is_divided_among_all_chips(asked):
    names = ["text8_diffusion", "text8_diffusion_1b"]
    rows = list(tpu.measure(names, [64], ["v5e"], ["float32"]))
    assert [row.parameters["experiment"] for row in rows[::2]] == names
    assert [result["experiment"] for result in asked] == ["text8_diffusion", "text8_diffusion"]
    assert [result["numbers"].get("shards") for result in asked] == [None, 64]


def test_a_machine_that_is_not_there_is_refused_and_so_is_a_missing_compiler(asked, monkeypatch):
    with pytest.raises(tpu.Failure, match="1, 4, 8, 16, 64 chips; got 3"):
        list(tpu.measure(["text8_diffusion"], [3], ["v5e"], ["float32"]))
    monkeypatch.setattr(tpu.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(tpu.Failure, match=r"libtpu is absent.*\[tpu-check\]"):
        list(tpu.measure())
