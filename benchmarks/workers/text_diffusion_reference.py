"""The reference side: its own model, loss, backward pass and Adam, unchanged."""

import argparse
import sys

from amd_jax.devices import allocator
from benchmarks.text_diffusion import BATCH, CLASSES, LENGTH, SIZES, STEPS, TEXTS
from benchmarks.workers import diffusion_reference


def load_model(size: str, reference: str):
    """Their text diffusion."""
    model = diffusion_reference.import_model(reference, "text_diffusion")
    parser = argparse.ArgumentParser()
    model.add_model_args(parser)
    dim, depth, heads, local = SIZES[size]
    flags = {"dim": dim, "depth": depth, "heads": heads, "local_heads": local}
    args = [f"--transformer_{name}={value}" for name, value in flags.items()]
    args = parser.parse_args([*args, f"--diffusion_steps={STEPS}"])
    return model.get_model(args, data_shape=(LENGTH,), num_classes=CLASSES)


def main() -> None:
    """Builds their model at the size asked for and serves."""
    size_and_parts, keep, reference = sys.argv[1:]
    size, parts = size_and_parts.split(",")
    if keep == "1":
        allocator.keep_pages()
    import torch

    torch.manual_seed(0)
    model = load_model(size, reference)
    x = torch.randint(0, CLASSES, (BATCH, LENGTH))
    works = {f"sample {STEPS}": lambda: model.eval().sample(TEXTS)}
    diffusion_reference.serve(model, x, works, int(parts))


if __name__ == "__main__":
    main()
