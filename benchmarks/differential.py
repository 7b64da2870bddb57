"""Every experiment's programs as a user compiles them, beside the same without fusion.

    python -m benchmarks.run differential [--only=quickstart,...]

At the shapes of the config, but for the number of rows where a gradient would take minutes. What
two float32 programs may differ by is rounding; a compiler's fault is larger by far. The
last column is how far half a unit of rounding in the parameters moves the gradient. Each
experiment runs in a process of its own, so run it in an environment of each version of JAX.
"""

import json
from collections.abc import Iterator, Sequence

from amd_jax.cli import experiment_files
from benchmarks.processes import ask
from benchmarks.results import Row

WORKER = "benchmarks.workers.differential"
PROGRAMS = ("loss", "gradient", "bound", "log_weight", "sample", "rounding")
HEAD = f"{'experiment':26}{'rows':>6}" + "".join(f"{name:>12}" for name in PROGRAMS)


def measure(only: Sequence[str] = ()) -> Iterator[Row]:
    """A row for each experiment and program: the largest relative difference."""
    print(f"\n{HEAD}   fused to one kernel: products with sums", flush=True)
    for name in only or experiment_files.names():
        result = ask(WORKER, False, json.dumps({"experiment": name}))
        yield from rows(name, result)


def rows(name: str, result: dict) -> Iterator[Row]:
    """Prints and yields what was found of an experiment."""
    cells = "".join(f"{result['programs'].get(p, float('nan')):12.1e}" for p in PROGRAMS)
    print(f"{name:26}{result['rows']:6}{cells}   {result['suspects']}", flush=True)
    where = {"experiment": name, "rows": result["rows"], "suspects": result["suspects"]}
    title = f"differential, jax {result['jax']}"
    for program, value in result["programs"].items():
        of = {**where, "program": program}
        yield Row(title, of, value, value, value, 1, "relative", (value,))
