"""The reference side: its own flow, loss, backward pass and optimiser."""

import argparse
import os
import sys
import types

from benchmarks import workers
from benchmarks.text_argmax import BATCH, CLASSES, COMPONENTS, COUPLINGS, LAYERS, LENGTH, TEXTS


def load_model(flow: str, features: int, paths: str):
    """Their argmax flow with the flags of their README, but for the size."""
    sys.path[:0] = paths.split(os.pathsep)
    for name in ("torchvision", "torchvision.utils"):  # asked for by functions that draw pictures
        sys.modules.setdefault(name, types.ModuleType(name))
    sys.modules["torchvision"].utils = sys.modules["torchvision.utils"]
    from model import model
    from model.CategoricalNF.general import mutils

    one_hot = mutils.one_hot  # an integer bound that newer versions of torch turn into a float
    mutils.one_hot = lambda x, *rest, **more: one_hot(x.long(), *rest, **more)
    args = [f"--model={flow}", f"--lstm_size={features}", f"--lstm_layers={LAYERS[flow]}"]
    args += ["--encoder_steps=0", f"--num_steps={1 if flow == 'ar' else COUPLINGS}"]
    if flow == "coupling":
        args.append(f"--num_mixtures={COMPONENTS[flow]}")
    sys.argv = [sys.argv[0], *args]  # their parser reads the command line itself
    parser = argparse.ArgumentParser()
    model.add_model_args(parser)
    return model.get_model(parser.parse_args(), data_shape=(1, LENGTH), num_classes=CLASSES)


def main() -> None:
    """Builds their model and serves."""
    (flow, features), paths = sys.argv[1].split(","), sys.argv[3]
    import torch

    torch.manual_seed(0)
    model = load_model(flow, int(features), paths)
    kind = torch.optim.Adam if flow == "ar" else torch.optim.Adamax
    optimizer = kind(model.parameters(), lr=1e-3)
    x = torch.randint(0, CLASSES, (BATCH, 1, LENGTH))

    def train() -> None:
        model.train()
        optimizer.zero_grad()
        loss = -model.log_prob(x).sum() / x.numel()
        loss.backward()
        optimizer.step()
        loss.item()

    @torch.no_grad()
    def evaluate() -> None:
        model.eval().log_prob(x)

    @torch.no_grad()
    def sample() -> None:
        model.eval().sample(TEXTS[flow])

    square, out = torch.ones(1024, 1024), torch.empty(1024, 1024)
    works = {"train": train, "evaluate": evaluate, "sample": sample}
    workers.serve(works, lambda: torch.mm(square, square, out=out))


if __name__ == "__main__":
    main()
