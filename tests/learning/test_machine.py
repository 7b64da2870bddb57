import jax
import jax.numpy as jnp
import pytest

from amd_jax.learning import machine


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
