"""Our side: a training step of the library as its users run it, its bound, and its sampler."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from amd_jax import models
from amd_jax.diffusion import kernels, samplers, schedules
from amd_jax.learning import objectives
from amd_jax.networks import UNet
from benchmarks.maps_diffusion import BATCH, CLASSES, DROPOUT, MULTIPLIERS, SHAPE, STEPS, WALKED
from benchmarks.workers import ours


def main() -> None:
    """Builds the paper's model at the width asked for and serves."""
    ours.keep_pages()
    denoiser = UNet(CLASSES, int(sys.argv[1]), MULTIPLIERS, dropout=DROPOUT)
    kernel = kernels.uniform(schedules.reference_cosine(STEPS), CLASSES)
    model = models.Diffusion(kernel, denoiser, STEPS)
    objective = objectives.ImportanceSampledElbo(model)
    x = np.random.default_rng(0).integers(0, CLASSES, (BATCH, *SHAPE), dtype=np.int32)
    rng = jax.random.key(1)
    params, train = ours.trainer(objective, optax.adam(1e-4), x, rng)
    bound = jax.jit(model.elbo)
    denoise = jax.jit(lambda params, *rest: samplers.Ancestral()(model.open(params), *rest))
    times, tokens = samplers.grid(STEPS)[: WALKED + 1], jnp.asarray(x)
    works = {
        "train": train,
        "evaluate": lambda: jax.block_until_ready(bound(params(), rng, tokens)),
        f"sample, {WALKED} steps": lambda: jax.block_until_ready(
            denoise(params(), rng, tokens, times)
        ),
    }
    ours.serve(works)


if __name__ == "__main__":
    main()
