"""One piece of work of the text diffusion in any size, in a process of its own."""

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.processes import Worker, stopping
from benchmarks.text_diffusion import SIZES

WORKER = "benchmarks.workers.text_diffusion_sized"


def network(size: str) -> dict[str, int]:
    """The numbers of one of SIZES."""
    return dict(zip(("dim", "depth", "heads", "local_heads"), SIZES[size], strict=True))


def measure(
    work: str, parameters: Mapping[str, Any], repeats: int, keep: bool
) -> list[dict[str, float]]:
    """Wall and CPU seconds and peak memory of each repeat; `keep` keeps freed memory.

    `work` is "train" (a step) or "sample"; `parameters` are batch, length, classes, steps,
    devices, and the fields of the network.
    """
    virtual = {"JAX_NUM_CPU_DEVICES": str(parameters["devices"])}
    worker = Worker.start(WORKER, keep, json.dumps(parameters), **virtual)
    with stopping({work: worker}):
        worker.run(f"warm {work}")
        return [worker.run(work) for _ in range(repeats)]
