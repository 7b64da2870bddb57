"""Our side: a training step of the library as its users run it, and its sampler."""

import sys

import jax

from amd_jax.networks import LinearTransformer
from benchmarks.text_diffusion import BATCH, CLASSES, LENGTH, SIZES, STEPS, TEXTS
from benchmarks.workers import ours


def main() -> None:
    """Builds the paper's model at the size asked for and serves."""
    ours.keep_pages()
    size, parts = sys.argv[1].split(",")
    denoiser = LinearTransformer(CLASSES, *SIZES[size], exact_gelu=True)  # as theirs
    model, params, train = ours.text_diffusion(
        denoiser, BATCH, LENGTH, STEPS, accumulate=int(parts)
    )
    draw = jax.jit(model.sample, static_argnums=(2, 3))
    works = {"train": train}
    for steps in (50, STEPS):
        works[f"sample {steps}"] = lambda steps=steps: jax.block_until_ready(
            draw(params(), jax.random.key(1), (TEXTS, LENGTH), steps)
        )
    ours.serve(works)


if __name__ == "__main__":
    main()
