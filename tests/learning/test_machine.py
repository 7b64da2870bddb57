import jax
import pytest

from amd_jax.learning import machine


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
