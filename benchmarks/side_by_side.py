"""Two implementations side by side: each in a process of its own, taking turns.

The idle one sleeps, so that memory and cores belong to the one at work. Seconds of CPU time are
printed beside wall time, because they mean something on a busy machine too.
"""

import dataclasses
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time


@dataclasses.dataclass
class Worker:
    """A process that holds one side and runs a piece of work when told to."""

    process: subprocess.Popen

    @classmethod
    def start(cls, module: str, keep: bool, size: str, reference: str) -> "Worker":
        """The process of one side, set up for a size and waiting."""
        command = [sys.executable, "-m", module, size, str(int(keep)), reference]
        root = pathlib.Path(__file__).parents[1]
        return cls(
            subprocess.Popen(
                command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )

    def run(self, work: str) -> dict[str, float]:
        """Wall and CPU seconds of one piece of work, and the peak memory so far in MB."""
        time.sleep(0.5)  # the other sides' threads spin for a while after their last work
        self.process.stdin.write(work + "\n")
        self.process.stdin.flush()
        for line in self.process.stdout:  # the reference prints its progress
            if line.startswith("{"):
                return json.loads(line)
        raise SystemExit(f"The worker stopped with exit code {self.process.wait()}; see above.")

    def stop(self) -> None:
        """Ends the process."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def missing(reference: str, repository: str, file: str, needed: dict[str, str]) -> str | None:
    """What to do before a comparison can run; None if nothing.

    `file` is one that a checkout of the repository has, `needed` maps modules to packages.
    """
    if not (pathlib.Path(reference) / file).is_file():
        return (
            f"--reference={reference!r} holds no checkout of the reference code: run "
            f"git clone https://github.com/{repository} and give its path."
        )
    absent = [pip for module, pip in needed.items() if importlib.util.find_spec(module) is None]
    if absent:
        return f"The reference needs packages that are absent: pip install {' '.join(absent)}"
    return None


def compare(
    title: str,
    workers: dict[str, Worker],
    work: str,
    repeats: int,
    gflop: float | None = None,
    warm: bool = True,
) -> dict[str, list[dict]]:
    """Alternates the sides on a piece of work, prints a table, and returns what was measured.

    `warm` says whether the reference warms up too; ours always does, since it compiles.
    """
    for side, worker in workers.items():
        if warm or side == "ours":
            worker.run("warm " + work)
    runs = {side: [] for side in workers}
    for _ in range(repeats):
        for side, worker in workers.items():
            runs[side].append(worker.run(work))
    report(title, runs, gflop)
    return runs


def report(title: str, runs: dict[str, list[dict]], gflop: float | None = None) -> None:
    """One line per side: median and range, CPU time, peak memory, rate, ratio to ours."""
    ours = statistics.median(r["wall"] for r in runs["ours"])
    ours_cpu = statistics.median(r["cpu"] for r in runs["ours"])
    print(f"\n{title} ({len(runs['ours'])} runs)")
    for side, rows in runs.items():
        wall = [r["wall"] for r in rows]
        median, cpu = statistics.median(wall), statistics.median(r["cpu"] for r in rows)
        text = (
            f"  {side:25s} {1e3 * median:9.1f} ms ({1e3 * min(wall):.1f} to {1e3 * max(wall):.1f})"
        )
        text += f", CPU {1e3 * cpu:8.1f} ms, peak {rows[-1]['peak_mb']:.0f} MB"
        if gflop:
            rate = gflop / median / statistics.median(r["matmul"] for r in rows)
            text += f", {rate:.0%} of its matmul rate"
        if side != "ours":
            text += f"; ours is {median / ours:.2f}x faster (CPU time {cpu / ours_cpu:.2f}x)"
        print(text, flush=True)


def introduce() -> None:
    """Prints the machine, the versions, and the allocator in force."""
    versions = [f"{m} {importlib.metadata.version(m)}" for m in ("jax", "flax", "torch")]
    print(
        f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
        f"{', '.join(versions)}; libc {' '.join(platform.libc_ver())}"
    )
    preload, tunables = (os.environ.get(k, "") for k in ("LD_PRELOAD", "GLIBC_TUNABLES"))
    print(f"LD_PRELOAD={preload!r}; GLIBC_TUNABLES={tunables!r}", flush=True)
