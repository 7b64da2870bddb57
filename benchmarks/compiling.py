"""What it takes until a run can take its first step: tracing and compiling it.

    python -m benchmarks.run compiling [--only=quickstart,...]

Twice, in processes of their own: into an empty cache, and out of it, as a second start finds it.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence

from amd_jax.cli import experiment_files
from benchmarks.processes import ask
from benchmarks.results import Row

WORKER = "benchmarks.workers.compiling"
HEAD = f"{'experiment':30}traced s  compiled s   peak GB   second start s   of it"


def measure(only: Sequence[str] = ()) -> Iterator[Row]:
    """A row for each experiment: seconds of compiling, the first time and the second."""
    print(f"\n{HEAD}", flush=True)
    for name in only or experiment_files.names():
        with tempfile.TemporaryDirectory() as cache:
            asked = json.dumps({"experiment": name})
            where = {"XDG_CACHE_HOME": cache, "JAX_COMPILATION_CACHE_DIR": ""}
            first, second = (ask(WORKER, False, asked, **where) for _ in range(2))
        yield row(name, first, second)


def row(name: str, first: dict[str, float], second: dict[str, float]) -> Row:
    """Prints what one experiment took."""
    took, again, peak = first["compiled"], second["compiled"], first["peak_mb"]
    print(
        f"{name:30}{first['traced']:8.1f}{took:12.1f}{peak / 1e3:10.2f}{again:17.1f}"
        f"{again / took:8.0%}",
        flush=True,
    )
    told = {"experiment": name, "traced": first["traced"], "again": again}
    return Row("compiling", told, took, took, took, 1, "s", (took,), peak_mb=peak)
