"""Our side: a training step of the library as its users run it, and its sampler."""

import sys

from amd_jax.training import allocator

if sys.argv[2] == "1":
    print("ours: allocator:", allocator.keep_pages(), file=sys.stderr)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402

from amd_jax import models  # noqa: E402
from amd_jax.diffusion import kernels, schedules  # noqa: E402
from amd_jax.networks.linear_transformer import LinearTransformer  # noqa: E402
from amd_jax.training import objectives, step  # noqa: E402
from benchmarks import workers  # noqa: E402
from benchmarks.text_diffusion import BATCH, CLASSES, LENGTH, SIZES, STEPS, TEXTS  # noqa: E402


def main() -> None:
    """Builds the paper's model at the size asked for and serves."""
    denoiser = LinearTransformer(CLASSES, *SIZES[sys.argv[1]], exact_gelu=False)
    kernel = kernels.uniform(schedules.reference_cosine(STEPS), CLASSES)
    model = models.Diffusion(kernel, denoiser, STEPS)
    objective, optimizer = objectives.ImportanceSampledElbo(model), optax.adam(1e-4)
    x = np.random.default_rng(0).integers(0, CLASSES, (BATCH, LENGTH), dtype=np.int32)
    params = jax.jit(model.init)(jax.random.key(0), jnp.asarray(x))
    state = step.replicate(step.init_state(objective, optimizer, params))
    train_step = step.make_train_step(objective, optimizer, 0.0)
    held = {"state": state}
    del state
    rng, batch = jax.random.key(1), step.shard(x)

    def train() -> None:
        held["state"], metrics = train_step(held["state"], rng, batch)
        jax.block_until_ready((held["state"], metrics))

    draw = jax.jit(model.sample, static_argnums=(2, 3))
    works = {"train": train}
    for steps in (50, STEPS):
        works[f"sample {steps}"] = lambda steps=steps: jax.block_until_ready(
            draw(params, rng, (TEXTS, LENGTH), steps)
        )
    square = jnp.ones((1024, 1024))
    dot = jax.jit(jnp.dot)
    workers.serve(works, lambda: jax.block_until_ready(dot(square, square)))


if __name__ == "__main__":
    main()
