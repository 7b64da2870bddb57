"""The reference side: its own model, loss, backward pass and Adam, unchanged."""

import argparse
import sys

from amd_jax.devices import allocator
from benchmarks.maps_diffusion import BATCH, CLASSES, DROPOUT, SHAPE, STEPS, WALKED
from benchmarks.workers import diffusion_reference


def main() -> None:
    """Builds their model at the width asked for and serves."""
    dim, keep, reference = sys.argv[1:]
    if keep == "1":
        allocator.keep_pages()
    import torch

    torch.manual_seed(0)
    module = diffusion_reference.import_model(reference, "segmentation_diffusion")
    parser = argparse.ArgumentParser()
    module.add_model_args(parser)
    args = [f"--diffusion_dim={dim}", f"--diffusion_steps={STEPS}", f"--dp_rate={DROPOUT}"]
    args = parser.parse_args(args)
    args.num_classes = CLASSES
    model = module.get_model(args, data_shape=(1, *SHAPE))
    x = torch.randint(0, CLASSES, (BATCH, 1, *SHAPE))

    @torch.no_grad()
    def evaluate() -> None:
        model.eval().log_prob(x)

    @torch.no_grad()
    def walk() -> None:
        model.eval()
        log_x = torch.zeros(BATCH, CLASSES, 1, *SHAPE)
        log_x = model.log_sample_categorical(log_x)
        for i in range(STEPS - 1, STEPS - 1 - WALKED, -1):
            log_x = model.p_sample(log_x, torch.full((BATCH,), i))

    works = {"evaluate": evaluate, f"sample, {WALKED} steps": walk}
    diffusion_reference.serve(model, x, works)


if __name__ == "__main__":
    main()
