"""What the two reference sides of diffusion share: their module, and a training step of it."""

import math
import pathlib
import sys
import types
from collections.abc import Callable

from benchmarks import workers


def import_model(reference: str, folder: str) -> types.ModuleType:
    """Their `model` of a folder; the package's own __init__ asks for plotting and is passed by."""
    root = pathlib.Path(reference)
    package = types.ModuleType("diffusion_utils")
    package.__path__ = [str(root / "diffusion_utils")]
    sys.modules["diffusion_utils"] = package
    sys.path[:0] = [str(root / folder), str(root)]
    import model

    return model


def serve(model, x, works: dict[str, Callable[[], None]], parts: int = 1) -> None:
    """Serves `works` and "train", a step of Adam on the negative bound of x, in bits per token.

    The gradients of x's `parts` are computed one after the other, and add up.
    """
    import torch

    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def train() -> None:
        model.train()
        for part in x.chunk(parts):
            loss = -model.log_prob(part).sum() / (math.log(2) * x.numel())
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()

    square, out = torch.ones(1024, 1024), torch.empty(1024, 1024)
    workers.serve({"train": train, **works}, lambda: torch.mm(square, square, out=out))
