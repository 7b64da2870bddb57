"""The reference side: its own model, loss, backward pass and Adam, unchanged."""

import argparse
import math
import pathlib
import sys
import types

from amd_jax.training import allocator
from benchmarks import workers
from benchmarks.text_diffusion import BATCH, CLASSES, LENGTH, SIZES, STEPS, TEXTS


def load_model(size: str, reference: str):
    """Their text diffusion; the package's own __init__ asks for plotting and is passed by."""
    root = pathlib.Path(reference)
    package = types.ModuleType("diffusion_utils")
    package.__path__ = [str(root / "diffusion_utils")]
    sys.modules["diffusion_utils"] = package
    sys.path[:0] = [str(root / "text_diffusion"), str(root)]
    import model

    parser = argparse.ArgumentParser()
    model.add_model_args(parser)
    dim, depth, heads, local = SIZES[size]
    flags = {"dim": dim, "depth": depth, "heads": heads, "local_heads": local}
    args = [f"--transformer_{name}={value}" for name, value in flags.items()]
    args = parser.parse_args([*args, f"--diffusion_steps={STEPS}"])
    return model.get_model(args, data_shape=(LENGTH,), num_classes=CLASSES)


def main() -> None:
    """Builds their model at the size asked for and serves."""
    size, keep, reference = sys.argv[1:]
    if keep == "1":
        allocator.keep_pages()
    import torch

    torch.manual_seed(0)
    model = load_model(size, reference)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    x = torch.randint(0, CLASSES, (BATCH, LENGTH))

    def train() -> None:
        model.train()
        loss = -model.log_prob(x).sum() / (math.log(2) * x.numel())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    square, out = torch.ones(1024, 1024), torch.empty(1024, 1024)
    works = {"train": train, f"sample {STEPS}": lambda: model.eval().sample(TEXTS)}
    workers.serve(works, lambda: torch.mm(square, square, out=out))


if __name__ == "__main__":
    main()
