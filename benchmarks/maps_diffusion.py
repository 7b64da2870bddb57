"""Our diffusion of label maps beside the reference code: time and memory of the paper's UNet.

    python -m benchmarks.maps_diffusion --reference=PATH [--dims=64] [--repeats=7]

PATH is a checkout of github.com/ehoogeboom/multinomial_diffusion. The reference runs twice, with
the default allocator (as shipped) and with ours (`keep_pages`), and both ratios are printed: what
the code buys is the second. --nokeep_pages turns ours off on our side.
"""

import argparse
from collections.abc import Iterator, Sequence

from benchmarks import side_by_side
from benchmarks.processes import Worker, stopping
from benchmarks.results import Row

BATCH, SHAPE, CLASSES, STEPS, DROPOUT = 16, (32, 64), 8, 4000, 0.1
MULTIPLIERS = (1, 2, 4, 8)
WALKED = 20  # of the steps
NEEDED = {"torch": "torch", "einops": "einops"}
SIDES = {
    "ours": ("benchmarks.workers.maps_diffusion_ours", True),
    "reference, as shipped": ("benchmarks.workers.maps_diffusion_reference", False),
    "reference, our allocator": ("benchmarks.workers.maps_diffusion_reference", True),
}


def train_gflop(dim: int) -> float:
    """GFLOPs of the 3x3 convolutions of one training step: three times those forward."""
    widths = [dim * m for m in MULTIPLIERS]
    total, pixels = 0, SHAPE[0] * SHAPE[1]
    blocks = [(widths[max(0, i - 1)], w, i) for i, w in enumerate(widths)]  # in, out, level
    blocks.append((widths[-1], widths[-1], len(widths) - 1))
    blocks += [(2 * widths[i], widths[i - 1], i) for i in range(len(widths) - 1, 0, -1)]
    for inner, outer, level in blocks:  # two residual blocks of two convolutions each
        total += 9 * (inner * outer + 3 * outer * outer) * pixels / 4**level
    return 6 * BATCH * (total + 9 * dim * dim * pixels) / 1e9


def measure(
    references: Sequence[str], dims: Sequence[int] = (64,), repeats: int = 7, keep: bool = True
) -> Iterator[Row]:
    """Compares training, bound and sampling at each width; `keep` is about our allocator."""
    repository, file = "ehoogeboom/multinomial_diffusion", "segmentation_diffusion/model.py"
    reference = side_by_side.checkout(references, repository, file, NEEDED)
    for dim in dims:
        workers = {
            side: Worker.start(module, pages and keep, str(dim), reference)
            for side, (module, pages) in SIDES.items()
            if pages is False or side == "ours" or keep
        }
        works = {"train": (repeats, train_gflop(dim))}
        works |= {w: (max(1, repeats // 2), None) for w in ("evaluate", f"sample, {WALKED} steps")}
        with stopping(workers):
            for work, how in works.items():
                runs = side_by_side.compare(f"UNet {dim}, {work}", workers, work, *how)
                size = {"work": work, "dim": dim, "batch": BATCH, "shape": SHAPE}
                yield from side_by_side.rows("maps_diffusion", size, runs)


def main() -> None:
    """Parses the flags, says what runs where, and compares."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, help="checkout of the reference code")
    parser.add_argument("--dims", default="64", help="widths of the UNet")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--nokeep_pages", action="store_true", help="give freed memory back")
    flags = parser.parse_args()
    dims = [int(dim) for dim in flags.dims.split(",")]
    side_by_side.alone(measure([flags.reference], dims, flags.repeats, not flags.nokeep_pages))


if __name__ == "__main__":
    main()
