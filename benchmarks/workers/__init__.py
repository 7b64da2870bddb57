"""Processes that `benchmarks.processes` starts and tells what to run."""

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable


def resident_mb() -> float:
    """The peak of this process's resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def serve(
    works: dict[str, Callable[[], None]],
    matmul: Callable[[], None],
    peak_mb: Callable[[], float] = resident_mb,
) -> None:
    """Runs the piece of work named on each line of standard input and prints what it took.

    `matmul` multiplies two 1024 x 1024 matrices; its rate is measured before and after. A line
    "warm NAME" runs the work without the clock.
    """
    for line in sys.stdin:
        name = line.strip().removeprefix("warm ")
        if line.startswith("warm "):
            matmul()
            for _ in range(1 if name.startswith("sample") else 3):
                works[name]()
            print("{}", flush=True)
            continue
        before = rate(matmul)
        wall, cpu = time.perf_counter(), time.process_time()
        works[name]()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        matmul_rate = (before + rate(matmul)) / 2
        took = dict(wall=wall, cpu=cpu, peak_mb=peak_mb(), matmul=matmul_rate)
        print(json.dumps(took), flush=True)


def rate(matmul: Callable[[], None]) -> float:
    """GFLOP/s of the matrix product, the median of five."""
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        matmul()
        seconds.append(time.perf_counter() - start)
    return 2 * 1024**3 / 1e9 / statistics.median(seconds)
