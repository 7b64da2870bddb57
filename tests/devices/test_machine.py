from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import pytest

from amd_jax.devices import machine, parallel
from amd_jax.host import memory


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


class State(NamedTuple):
    params: Any
    others: Any


def check(size):
    """Of as many float32 as parameters and as others, by the two devices of the tests."""
    shape = jax.ShapeDtypeStruct((size,), jnp.float32)
    x = jax.ShapeDtypeStruct((8, 16), jnp.int32)
    program = jax.make_jaxpr(lambda rng, x: x)(jax.random.key(0), x)
    machine.check_state(program, State(shape, shape), parallel.Copies())


def test_a_state_is_counted_for_every_device(monkeypatch):
    """Two copies of 8 bytes for each number, and one of which they are made."""
    monkeypatch.setattr(memory, "free_bytes", lambda: 24e9)
    check(10**9)
    with pytest.raises(ValueError, match="gradient must fit .* they take 24,000,000,024"):
        check(10**9 + 1)


def test_a_gpu_has_memory_of_its_own(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"bytes_limit": 1200}

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "local_devices", lambda: [Device(), Device()])
    check(100)
    with pytest.raises(ValueError, match=r"of which 1,200 bytes are free; they take 1,212"):
        check(101)
