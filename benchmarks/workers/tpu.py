"""Compiles the training step and the sampler of an experiment for a TPU that is not there."""

import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

os.environ |= {"TPU_SKIP_MDS_QUERY": "1", "TPU_WORKER_HOSTNAMES": "localhost"}
os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] = "1"  # there is no chip to quarrel over
os.environ.setdefault("JAX_OPTIMIZATION_LEVEL", "O0")

import jax  # noqa: E402  with the variables above
from jax.experimental import topologies  # noqa: E402

from amd_jax.devices import parallel, program_cost, shards  # noqa: E402
from benchmarks.tpu import sent  # noqa: E402
from benchmarks.workers import shapes  # noqa: E402

SAMPLES = 16


def main() -> None:
    """Prints what XLA says of both."""
    asked = json.loads(sys.argv[1])
    experiment = shapes.opened(asked["experiment"])
    config = experiment.config()
    config.update_from_flattened_dict(asked["numbers"])
    if "dtype" in config.network:
        config.network.dtype = asked["dtype"]
    facts = shapes.stand_in(experiment, config)
    parts = experiment.compose(config, facts)
    bounds = {"chips_per_host_bounds": [1, 1, 1]} if asked["topology"].endswith("1x1") else {}
    chips = topologies.get_topology_desc(asked["topology"], "tpu", **bounds).devices
    devices = shards.carried(config.shards, chips)
    state, rng = shapes.state(parts, facts)
    rows = max(config.batch_size // len(chips), 1)  # of a chip
    config.batch_size = rows * len(chips)
    step = shapes.train_step(parts, config, devices)
    batch = shapes.batch(facts, rows)
    copied = isinstance(devices, parallel.Copies)
    arguments = (each(state, chips) if copied else state, rng, each(batch, chips))
    flops = program_cost.flops(devices.traced(step, *arguments)) / len(chips)  # all turns of loops
    result = {"train": told(step.lower(*arguments), rows) | {"flops": flops}}
    if len(chips) == 1:
        draw = jax.jit(
            lambda params, rng: parts.model.sample(params, rng, (SAMPLES, *facts.event_shape)),
            in_shardings=jax.sharding.SingleDeviceSharding(chips[0]),
        )
        result["sample"] = told(draw.lower(state.params, rng), SAMPLES)
    print(json.dumps(result))


def each(tree: Any, chips: Sequence[Any]) -> Any:
    """Shapes with a leading axis of all chips."""
    return jax.tree.map(lambda a: jax.ShapeDtypeStruct((len(chips), *a.shape), a.dtype), tree)


def told(lowered: jax.stages.Lowered, batch: int) -> dict[str, Any]:
    """What one chip has to hold, compute, read and write, and send; loops count once.

    Of what is too large for it, what it would have to hold is all that the compiler says.
    """
    level = os.environ["JAX_OPTIMIZATION_LEVEL"]
    try:
        program = lowered.compile()
    except jax.errors.JaxRuntimeError as error:
        wanted = re.search(r"RESOURCE_EXHAUSTED.*?\(([\d.]+)G\)", str(error))
        if wanted is None:
            raise
        return {"batch": batch, "level": level, "too_large": float(wanted[1]) * 2**30}
    memory, cost = program.memory_analysis(), program.cost_analysis() or {}
    return {
        "batch": batch,
        "level": level,
        "arguments": memory.argument_size_in_bytes,
        "temporary": memory.temp_size_in_bytes
        + memory.output_size_in_bytes
        - memory.alias_size_in_bytes,
        "flops": cost.get("flops", 0.0),
        "bytes": cost.get("bytes accessed", 0.0),
        "sent": sent(program.as_text()),
    }


if __name__ == "__main__":
    main()
