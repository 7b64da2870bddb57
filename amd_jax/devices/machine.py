"""What a run logs about its machine: devices, work per step, rates, memory in use."""

import math
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr
from ml_collections import ConfigDict

from amd_jax.devices import parallel, program_cost
from amd_jax.devices.shards import Shards
from amd_jax.host import memory
from amd_jax.types import Array, PyTree

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows
    resource = None

PEAKS = {  # data sheets: dense bfloat16 FLOP/s of a device, by the start of its name
    "NVIDIA A100": 312e12,
    "NVIDIA H100": 989e12,
    "NVIDIA H200": 989e12,
    "TPU v4": 275e12,
    "TPU v5 lite": 197e12,
    "TPU v5": 459e12,
    "TPU v6 lite": 918e12,
}
SMALLER = (  # the way out where memory is short
    "Use a smaller batch_size, take it in parts (accumulate=4), or a smaller network; where it "
    "has remat, remat=True."
)
STATE = "Parameters, optimiser's state and a gradient"
LARGEST = 2**62  # bytes of an array
MATMUL_SIZE = {"cpu": 1024, "gpu": 8192, "tpu": 8192}


def expectations(
    work: float, config: ConfigDict, size: int
) -> tuple[str, Callable[[float], dict[str, float]]]:
    """What is known of a run before it begins, as a line, and of a speed in steps/s, as metrics.

    Of a step whose products take a device `work` FLOP, and a model of `size` parameters.
    """
    rate = peak()
    line = f"{describe()}: {size:,} parameters, batch {config.batch_size}"
    if work:
        line += f", {work / 1e9:.3g} GFLOP a step"

    def rates(speed: float) -> dict[str, float]:
        return {
            "examples_per_second": speed * config.batch_size,
            "share_of_peak": speed * work / rate,
            "memory_gb": memory_gb(),
        }

    return line, rates


class Beside(NamedTuple):
    """What a command does beside the steps of a training, and what its products take."""

    what: str  # such as "evaluation, samples and the page"
    flop: float


class Forecast(NamedTuple):
    """How long a training and what is beside it will take, once its first steps are timed."""

    compiling: float  # seconds until the first step
    work: float  # FLOP of a step, on a device
    beside: Callable[[], Beside] | None  # counted when it is asked for

    def describe(self, steps: int, seconds: float) -> str:
        """The whole, and its parts: of as many steps, each of so many seconds.

        What is beside them computes at the rate of the steps, and has programs of its own: those
        of the quickstart take as long to compile as what comes before its first step.
        """
        trained, rest, last = steps * seconds, 0.0, ""
        if self.beside is not None and self.work:
            what, flop = self.beside()
            rest = seconds * flop / jax.device_count() / self.work + self.compiling
            last = f",\nand {duration(rest)} for {what}"
        return (
            f"about {duration(self.compiling + trained + rest)} in all: "
            f"{duration(self.compiling)} to compile, {duration(trained)} for {steps:,} steps{last}"
        )


class Clock:
    """How fast a run is, from line to line of its metrics, and how long it has trained."""

    def __init__(self, start: int, rates: Callable[[float], dict[str, float]]):
        """From step `start` on; `rates` tells more of a speed in steps per second."""
        self._rates = rates
        self.start, self._began = start, time.monotonic()
        self.restart(start)

    def seconds(self) -> float:
        """Since the first step began."""
        return time.monotonic() - self._began

    def restart(self, step: int) -> None:
        """Counts the speed from here."""
        self._step, self._since = step, time.monotonic()

    def metrics(self, step: int) -> dict[str, float]:
        """Metrics of the steps since the last line."""
        now = time.monotonic()
        speed = (step - self._step) / max(now - self._since, 1e-9)
        self._step, self._since = step, now
        return {"elapsed_seconds": now - self._began, "steps_per_second": speed} | self._rates(
            speed
        )


def describe() -> str:
    """Such as "8 devices (TPU v4) in 2 processes"."""
    devices, processes = jax.device_count(), jax.process_count()
    line = f"{devices} device{'s' * (devices > 1)} ({jax.devices()[0].device_kind})"
    return line + (f" in {processes} processes" if processes > 1 else "")


def processor() -> str:
    """What JAX computes on here, such as "2 cores of Intel(R) Xeon(R) CPU" or "NVIDIA H100"."""
    if jax.default_backend() == "cpu":
        affinity = getattr(os, "sched_getaffinity", None)  # Linux has it
        cores = len(affinity(0)) if affinity else os.cpu_count() or 1
        return f"{cores} core{'s' * (cores > 1)} of {cpu()}"
    devices = jax.devices()
    kind = devices[0].device_kind
    return f"{len(devices)} × {kind}" if len(devices) > 1 else kind


def cpu() -> str:
    """The name of the CPU."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    named = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def parameters(params: PyTree) -> int:
    """How many numbers a tree of parameters holds."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def peak() -> float:
    """FLOP/s of one device at best: of its data sheet, or measured.

    Virtual CPU devices share the rate that is measured.
    """
    kind = jax.devices()[0].device_kind
    sheets = [name for name in PEAKS if kind.startswith(name)]
    if sheets:
        return PEAKS[max(sheets, key=len)]
    rate = matmul_rate(MATMUL_SIZE.get(jax.default_backend(), 1024))
    shared = jax.local_device_count() if jax.default_backend() == "cpu" else 1
    return rate / shared


def matmul_rate(size: int, repeats: int = 5) -> float:
    """FLOP/s of a product of two square float32 matrices, the best of some."""
    x = jnp.ones((size, size))
    product = jax.jit(jnp.dot)
    product(x, x).block_until_ready()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        product(x, x).block_until_ready()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best


def check_state(program: ClosedJaxpr, state: PyTree, devices: parallel.Copies | Shards) -> None:
    """Raises ValueError for a training that memory cannot hold, before any of it is made.

    `program` makes the `state`, of which shapes will do, and `devices` carry it. Counted are the
    state and a gradient; on a GPU or TPU what its memory holds altogether.
    """
    check_sizes(program)
    memory.check_compiler()
    size, gradient = (sum(map(_bytes, jax.tree.leaves(tree))) for tree in (state, state.params))
    needed = devices.memory_needed(size, gradient)
    if jax.default_backend() == "cpu":
        memory.check(needed, STATE, SMALLER)
    else:
        stats = jax.local_devices()[0].memory_stats() or {}
        limit = stats.get("bytes_limit", math.inf)
        memory.check(needed // jax.local_device_count(), STATE, SMALLER, limit)


def check_sizes(program: ClosedJaxpr) -> None:
    """Raises ValueError for a program with an array whose size XLA cannot count."""
    if (size := program_cost.largest(program)) > LARGEST:
        raise ValueError(f"An array has at most 2^62 bytes; one would take {size:.3g}. {SMALLER}")


def _bytes(leaf: Array) -> int:
    return math.prod(leaf.shape) * leaf.dtype.itemsize


def check_memory(compiled: jax.stages.Compiled) -> None:
    """Raises ValueError for a step that a CPU has no memory for: XLA would end the process."""
    parallel.check_memory(compiled, "The numbers of a step, beside the parameters,", SMALLER)


def memory_gb() -> float:
    """Memory in use in GB: of the first device; of a CPU, this process at its largest."""
    stats = jax.local_devices()[0].memory_stats()
    if stats:
        return stats["bytes_in_use"] / 1e9
    if resource is None:
        return float("nan")
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


def duration(seconds: float) -> str:
    """Such as "3 min 20 s"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
