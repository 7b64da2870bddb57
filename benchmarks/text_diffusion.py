"""Our text diffusion beside the reference code: time and memory of training and sampling.

    python -m benchmarks.text_diffusion --reference=PATH [--sizes=tiny,small] [--repeats=7]

PATH is a checkout of github.com/ehoogeboom/multinomial_diffusion. The reference runs twice, with
the default allocator (as shipped) and with ours (`keep_pages`), and both ratios are printed: what
the code buys is the second. A training step is also taken in parts, one after the other, whose
gradients are added: `--config.accumulate=4` of an experiment, and the same in their code.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence

from benchmarks import side_by_side
from benchmarks.processes import Worker, stopping
from benchmarks.results import Row

SIZES = {  # dim, depth, heads, local heads
    "tiny": (128, 2, 4, 2),
    "small": (256, 4, 8, 4),
    "paper": (512, 12, 16, 8),
}
BATCH, LENGTH, CLASSES, STEPS, TEXTS = 32, 256, 27, 1000, 16
PARTS = (1, 4)  # of a batch
NEEDED = {"torch": "torch", "linear_attention_transformer": "linear-attention-transformer==0.16.1"}
SIDES = {
    "ours": ("benchmarks.workers.text_diffusion_ours", True),
    "reference, as shipped": ("benchmarks.workers.text_diffusion_reference", False),
    "reference, our allocator": ("benchmarks.workers.text_diffusion_reference", True),
}


def train_gflop(size: str) -> float:
    """Matrix product GFLOPs of one training step: three times those of the forward pass."""
    dim, depth, heads, local = SIZES[size]
    dense = 12 * dim * dim * depth + CLASSES * dim
    near = 2 * LENGTH * (dim // heads) * local * depth
    far = 2 * (dim // heads) ** 2 * (heads - local) * depth
    return 6 * (dense + near + far) * BATCH * LENGTH / 1e9


def measure(
    references: Sequence[str],
    sizes: Sequence[str] = ("tiny", "small"),
    repeats: int = 7,
    sampling: bool = False,
) -> Iterator[Row]:
    """Compares a training step at each size, and with `sampling` texts of the tiny one."""
    repository, file = "ehoogeboom/multinomial_diffusion", "text_diffusion/model.py"
    reference = side_by_side.checkout(references, repository, file, NEEDED)
    for size, parts in itertools.product(sizes, PARTS):
        keep = size != "paper"  # there it costs gigabytes
        workers = {
            side: Worker.start(module, pages and keep, f"{size},{parts}", reference)
            for side, (module, pages) in SIDES.items()
        }
        work = "train" if parts == 1 else f"train in {parts} parts"
        with stopping(workers):
            runs = side_by_side.compare(
                f"{size}, {work}", workers, "train", repeats, train_gflop(size)
            )
            yield from rows(size, work, runs)
            if sampling and size == "tiny" and parts == 1:
                yield from sample(size, workers, max(1, repeats // 5))


def sample(size: str, workers: dict[str, Worker], repeats: int) -> Iterator[Row]:
    """Compares the sampling of 16 texts in 1000 steps, and ours in 50 with theirs in 1000."""
    whole = side_by_side.compare(
        f"{size}, sample {STEPS}", workers, f"sample {STEPS}", repeats, warm=False
    )
    yield from rows(size, f"sample {STEPS}", whole)
    ours = {"ours": workers["ours"]}
    strided = side_by_side.compare(f"{size}, sample 50", ours, "sample 50", repeats)
    # The reference has no such sampler: its 1000 steps stand in.
    side_by_side.report(f"{size}, sample 50 against their {STEPS}", {**whole, **strided})
    yield from rows(size, "sample 50", strided)


def rows(size: str, work: str, runs: dict[str, list[dict]]) -> Iterator[Row]:
    """What was measured of one size."""
    batch = TEXTS if work.startswith("sample") else BATCH
    parameters = {"work": work, "size": size, "batch": batch, "length": LENGTH}
    return side_by_side.rows("text_diffusion", parameters, runs)


def main() -> None:
    """Parses the flags, says what runs where, and compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, help="checkout of the reference code")
    parser.add_argument("--sizes", default="tiny,small", help="of " + ",".join(SIZES))
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--sampling", action="store_true", help="also sample (tiny only)")
    flags = parser.parse_args()
    sizes = flags.sizes.split(",")
    if unknown := set(sizes) - set(SIZES):
        parser.error(f"--sizes takes {', '.join(SIZES)}; got {', '.join(sorted(unknown))}.")
    side_by_side.alone(measure([flags.reference], sizes, flags.repeats, flags.sampling))


if __name__ == "__main__":
    main()
