import json

import jax
import jax.numpy as jnp
import pytest

from amd_jax.training import loop, machine
from amd_jax.training import workdir as workdirs
from tests.training import pairs


def test_work_is_counted():
    x = jnp.ones((64, 32))
    compiled = jax.jit(lambda x: x @ x.T).lower(x).compile()
    assert machine.flops(compiled) == pytest.approx(2 * 64 * 64 * 32, rel=0.05)


def test_a_data_sheet_is_found_by_the_longest_name(monkeypatch):
    class Device:
        device_kind = "TPU v5 lite core"

    monkeypatch.setattr(jax, "devices", lambda: [Device()])
    assert machine.peak() == (197e12, "data sheet")


def test_a_matrix_product_is_timed():
    rate, source = machine.peak()
    assert rate > 1e6
    assert source == "measured"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds, words):
    assert machine.duration(seconds) == words


@pytest.mark.slow
def test_a_run_tells_what_it_does_and_leaves_a_profile(tmp_path, capsys):
    config = pairs.get_config()
    loop.train(pairs.build(config), config, tmp_path, profile=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 devices (cpu): 108 parameters, batch 8"
    assert "GFLOP on each, at" in lines[1]
    assert lines[2].startswith("12 steps: at least")
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert all(line["share_of_peak"] > 0 and line["memory_gb"] > 0 for line in logged)
    assert list((tmp_path / "profile").rglob("perfetto_trace.json.gz"))
    assert workdirs.has_checkpoint(tmp_path)
