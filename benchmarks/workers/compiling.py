"""Compiles the training step of an experiment for this machine, as a run does when it starts."""

import json
import sys
import time

import jax

from amd_jax.devices import parallel, program_cache
from benchmarks import workers
from benchmarks.workers import shapes


def main() -> None:
    """Prints the seconds that tracing and compiling took, and the peak of memory."""
    program_cache.keep_programs()
    experiment = shapes.opened(json.loads(sys.argv[1])["experiment"])
    config = experiment.config()
    facts = shapes.stand_in(experiment, config)
    parts = experiment.compose(config, facts)
    state, rng = shapes.state(parts, facts)
    number = jax.local_device_count()
    state = jax.tree.map(lambda a: jax.ShapeDtypeStruct((number, *a.shape), a.dtype), state)
    batch = shapes.batch(facts, number, config.batch_size // number)
    step = shapes.train_step(parts, config, parallel.Copies())
    times = [time.perf_counter()]
    lowered = step.lower(state, rng, batch)
    times.append(time.perf_counter())
    lowered.compile()
    times.append(time.perf_counter())
    traced, took = (b - a for a, b in zip(times, times[1:], strict=False))
    print(json.dumps({"traced": traced, "compiled": took, "peak_mb": workers.resident_mb()}))


if __name__ == "__main__":
    main()
