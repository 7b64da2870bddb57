"""Our side: a training step of the library as its users run it, and its sampler."""

import sys

import jax
import numpy as np
import optax

from amd_jax import models
from amd_jax.diffusion import kernels, schedules
from amd_jax.networks.linear_transformer import LinearTransformer
from amd_jax.training import objectives
from benchmarks.text_diffusion import BATCH, CLASSES, LENGTH, SIZES, STEPS, TEXTS
from benchmarks.workers import ours


def main() -> None:
    """Builds the paper's model at the size asked for and serves."""
    ours.keep_pages()
    denoiser = LinearTransformer(CLASSES, *SIZES[sys.argv[1]], exact_gelu=False)
    kernel = kernels.uniform(schedules.reference_cosine(STEPS), CLASSES)
    model = models.Diffusion(kernel, denoiser, STEPS)
    objective = objectives.ImportanceSampledElbo(model)
    x = np.random.default_rng(0).integers(0, CLASSES, (BATCH, LENGTH), dtype=np.int32)
    rng = jax.random.key(1)
    params, train = ours.trainer(objective, optax.adam(1e-4), x, rng)
    draw = jax.jit(model.sample, static_argnums=(2, 3))
    works = {"train": train}
    for steps in (50, STEPS):
        works[f"sample {steps}"] = lambda steps=steps: jax.block_until_ready(
            draw(params, rng, (TEXTS, LENGTH), steps)
        )
    ours.serve(works)


if __name__ == "__main__":
    main()
