"""Our text diffusion beside the reference code: time and memory of training and sampling.

    python -m benchmarks.text_diffusion --reference=PATH [--sizes=tiny,small] [--repeats=7]

PATH is a checkout of github.com/ehoogeboom/multinomial_diffusion. Each side runs in a process of
its own, so that memory is its own; they take turns, A B A B, and the idle ones sleep. The
reference runs twice, with the default allocator (as shipped) and with ours (`keep_pages`), and
both ratios are printed: what the code buys is the second. Seconds of CPU time are printed beside
wall time, because they mean something on a busy machine too.
"""

import argparse
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

SIZES = {  # dim, depth, heads, local heads
    "tiny": (128, 2, 4, 2),
    "small": (256, 4, 8, 4),
    "paper": (512, 12, 16, 8),
}
BATCH, LENGTH, CLASSES, STEPS, TEXTS = 32, 256, 27, 1000, 16
NEEDED = {"torch": "torch", "linear_attention_transformer": "linear-attention-transformer==0.16.1"}
SIDES = {  # name: (worker module, keep pages?)
    "ours": ("benchmarks.workers.ours", True),
    "reference, as shipped": ("benchmarks.workers.reference", False),
    "reference, our allocator": ("benchmarks.workers.reference", True),
}


@dataclasses.dataclass
class Worker:
    """A process that holds one side and runs a piece of work when told to."""

    process: subprocess.Popen

    @classmethod
    def start(cls, side: str, size: str, reference: str) -> "Worker":
        """The side's process, set up for a size and waiting."""
        module, keep = SIDES[side]
        keep = keep and size != "paper"  # there it costs gigabytes
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


def missing(reference: str) -> str | None:
    """What to do before a comparison can run; None if nothing."""
    if not (pathlib.Path(reference) / "text_diffusion" / "model.py").is_file():
        return (
            f"--reference={reference!r} holds no checkout of the reference code: run "
            "git clone https://github.com/ehoogeboom/multinomial_diffusion and give its path."
        )
    absent = [pip for module, pip in NEEDED.items() if importlib.util.find_spec(module) is None]
    if absent:
        return f"The reference needs packages that are absent: pip install {' '.join(absent)}"
    return None


def train_gflop(size: str) -> float:
    """Matrix product GFLOPs of one training step: three times those of the forward pass."""
    dim, depth, heads, local = SIZES[size]
    dense = 12 * dim * dim * depth + CLASSES * dim
    near = 2 * LENGTH * (dim // heads) * local * depth
    far = 2 * (dim // heads) ** 2 * (heads - local) * depth
    return 6 * (dense + near + far) * BATCH * LENGTH / 1e9


def compare(size: str, works: list[str], repeats: int, reference: str) -> None:
    """Alternates all sides on every piece of work and prints a table."""
    workers = {side: Worker.start(side, size, reference) for side in SIDES}
    before: dict[str, list[dict]] = {}
    for work in works:
        again = repeats if work == "train" else max(1, repeats // 5)
        names = [side for side in SIDES if side == "ours" or work != "sample 50"]
        for side in names:  # compile and warm up; the reference's sampler has nothing to compile
            if side == "ours" or work == "train":
                workers[side].run("warm " + work)
        runs = {side: [] for side in names}
        for _ in range(again):
            for side in names:
                runs[side].append(workers[side].run(work))
        if work == "sample 50":  # the reference has no such sampler: its 1000 steps stand in
            runs |= {side: rows for side, rows in before.items() if side != "ours"}
        before = runs
        report(f"{size}, {work}", runs, train_gflop(size) if work == "train" else None)
    for worker in workers.values():
        worker.stop()


def report(title: str, runs: dict[str, list[dict]], gflop: float | None) -> None:
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


def main() -> None:
    """Parses the flags, says what runs where, and compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, help="checkout of the reference code")
    parser.add_argument("--sizes", default="tiny,small", help="of " + ",".join(SIZES))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--sampling", action="store_true", help="also sample (tiny only)")
    flags = parser.parse_args()
    reference = os.path.abspath(flags.reference)
    sizes = flags.sizes.split(",")
    if unknown := set(sizes) - set(SIZES):
        parser.error(f"--sizes takes {', '.join(SIZES)}; got {', '.join(sorted(unknown))}.")
    if advice := missing(reference):
        sys.exit(advice)
    versions = [f"{m} {importlib.metadata.version(m)}" for m in ("jax", "flax", "torch")]
    print(f"{platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}, "
          f"{', '.join(versions)}; libc {' '.join(platform.libc_ver())}")  # fmt: skip
    print(f"LD_PRELOAD={os.environ.get('LD_PRELOAD', '')!r}; "
          f"GLIBC_TUNABLES={os.environ.get('GLIBC_TUNABLES', '')!r}")  # fmt: skip
    for size in sizes:
        works = ["train"]
        if flags.sampling and size == "tiny":
            works += ["sample 1000", "sample 50"]
        compare(size, works, flags.repeats, reference)


if __name__ == "__main__":
    main()
