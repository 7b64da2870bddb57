"""The paper's text diffusion in the size that the command line says: a training step, samples."""

import json
import sys

import jax

from amd_jax.networks import LinearTransformer
from benchmarks.workers import ours


def main() -> None:
    """Builds the model of the parameters asked for and serves."""
    ours.keep_pages()
    asked = json.loads(sys.argv[1])
    batch, length, classes = (asked.pop(name) for name in ("batch", "length", "classes"))
    steps, devices = asked.pop("steps"), asked.pop("devices")
    denoiser = LinearTransformer(classes, window=min(128, length), exact_gelu=False, **asked)
    model, params, train = ours.text_diffusion(denoiser, batch, length, steps, devices=devices)
    draw, rng = jax.jit(model.sample, static_argnums=2), jax.random.key(1)

    def sample() -> None:
        jax.block_until_ready(draw(params(), rng, (batch, length)))

    ours.serve({"train": train, "sample": sample})


if __name__ == "__main__":
    main()
