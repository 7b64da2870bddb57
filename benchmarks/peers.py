"""Our masked diffusion of text beside MD4's own code: time and memory of a training step.

    python -m benchmarks.run peers --md4=PATH

PATH is a checkout of github.com/google-deepmind/md4 (Shi et al., 2024). Theirs is their model and
loss, at the numbers of their text8 config but for the size, with AdamW and a moving average; ours
is `experiments/text8_masked.py` at the same width, blocks and heads, without dropout as there.
Both are JAX. Theirs runs twice, with the default allocator (as shipped) and with ours
(`keep_pages`).
"""

from collections.abc import Iterator, Sequence

from benchmarks import side_by_side
from benchmarks.processes import Worker, stopping
from benchmarks.results import Row

SIZES = {  # width, blocks, heads
    "tiny": (128, 2, 2),
    "small": (256, 4, 4),
}
BATCH, LENGTH, CLASSES = 32, 256, 27
NEEDED = {
    "tensorflow_probability": "tfp-nightly",
    "distrax": "distrax",
    "clu": "clu",
    "chex": "chex",
    "seaborn": "seaborn",
}
SIDES = {
    "ours": ("benchmarks.workers.peers_ours", True),
    "reference, as shipped": ("benchmarks.workers.peers_md4", False),
    "reference, our allocator": ("benchmarks.workers.peers_md4", True),
}


def train_gflop(size: str) -> float:
    """Matrix product GFLOPs of one training step: three times those of the forward pass."""
    width, blocks, _ = SIZES[size]
    dense = 12 * width * width * blocks + CLASSES * width
    return 6 * (dense + 2 * LENGTH * width * blocks) * BATCH * LENGTH / 1e9


def measure(md4: Sequence[str], repeats: int = 7) -> Iterator[Row]:
    """Compares a training step at each size."""
    repository, file = "google-deepmind/md4", "md4/models/diffusion/md4.py"
    path = side_by_side.checkout(md4, repository, file, NEEDED, "md4")
    for size in SIZES:
        workers = {
            side: Worker.start(module, pages, size, path)
            for side, (module, pages) in SIDES.items()
        }
        with stopping(workers):
            title = f"masked diffusion, {size}, train"
            runs = side_by_side.compare(title, workers, "train", repeats, train_gflop(size))
            told = {"work": "train", "size": size, "batch": BATCH, "length": LENGTH}
            yield from side_by_side.rows("peers", {**told, "peer": "MD4"}, runs)
