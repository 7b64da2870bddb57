"""Our text diffusion beside the reference code: time and memory of training and sampling.

    python -m benchmarks.text_diffusion --reference=PATH [--sizes=tiny,small] [--repeats=7]

PATH is a checkout of github.com/ehoogeboom/multinomial_diffusion. The reference runs twice, with
the default allocator (as shipped) and with ours (`keep_pages`), and both ratios are printed: what
the code buys is the second.
"""

import argparse
import os
import sys

from benchmarks import side_by_side
from benchmarks.side_by_side import Worker

SIZES = {  # dim, depth, heads, local heads
    "tiny": (128, 2, 4, 2),
    "small": (256, 4, 8, 4),
    "paper": (512, 12, 16, 8),
}
BATCH, LENGTH, CLASSES, STEPS, TEXTS = 32, 256, 27, 1000, 16
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


def run(size: str, repeats: int, reference: str, sampling: bool) -> None:
    """Compares a training step, and with `sampling` 16 texts in 1000 and in 50 steps."""
    keep = size != "paper"  # there it costs gigabytes
    workers = {
        side: Worker.start(module, pages and keep, size, reference)
        for side, (module, pages) in SIDES.items()
    }
    side_by_side.compare(f"{size}, train", workers, "train", repeats, train_gflop(size))
    if sampling:
        again = max(1, repeats // 5)
        title = f"{size}, sample 1000"
        whole = side_by_side.compare(title, workers, "sample 1000", again, warm=False)
        ours = {"ours": workers["ours"]}
        strided = side_by_side.compare(f"{size}, sample 50", ours, "sample 50", again)
        # The reference has no such sampler: its 1000 steps stand in.
        side_by_side.report(f"{size}, sample 50 against their 1000", {**whole, **strided})
    for worker in workers.values():
        worker.stop()


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
    repository, file = "ehoogeboom/multinomial_diffusion", "text_diffusion/model.py"
    if advice := side_by_side.missing(reference, repository, file, NEEDED):
        sys.exit(advice)
    side_by_side.introduce()
    for size in sizes:
        run(size, flags.repeats, reference, flags.sampling and size == "tiny")


if __name__ == "__main__":
    main()
