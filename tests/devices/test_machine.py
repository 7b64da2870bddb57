import re
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
    assert machine.peak() == 197e12


def test_a_matrix_product_is_timed():
    assert machine.peak() > 1e6


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "0 s"), (59.7, "1 min 0 s"), (200, "3 min 20 s"), (7260, "2 h 1 min")],
)
def test_durations(seconds, words):
    assert machine.duration(seconds) == words


def test_a_forecast_has_the_whole_and_its_parts():
    alone = machine.Forecast(compiling=20.0, work=1e9, beside=None)
    assert alone.describe(steps=1000, seconds=0.1) == (
        "about 2 min 0 s in all: 20 s to compile, 1 min 40 s for 1,000 steps"
    )
    beside = machine.Beside("samples and the page", 100e9 * jax.device_count())
    line = alone._replace(beside=lambda: beside).describe(steps=1000, seconds=0.1)
    assert line == (
        "about 2 min 30 s in all: 20 s to compile, 1 min 40 s for 1,000 steps,\n"
        "and 30 s for samples and the page"  # as many products as 100 steps, and compiled as long
    )


def test_the_processor_is_named(monkeypatch):
    assert re.fullmatch(rf"\d+ cores? of {re.escape(machine.cpu())}", machine.processor())

    class Device:
        device_kind = "NVIDIA H100"

    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(jax, "devices", lambda: [Device()])
    assert machine.processor() == "NVIDIA H100"
    monkeypatch.setattr(jax, "devices", lambda: [Device()] * 8)
    assert machine.processor() == "8 × NVIDIA H100"


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
