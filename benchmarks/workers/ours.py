"""Our side of every comparison: training as `experiments.run` does it, and the matrix product."""

import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from amd_jax.training import allocator, step
from amd_jax.types import Key, Objective, Params
from benchmarks import workers


def keep_pages() -> None:
    """Keeps freed memory if the command line says so; call it first."""
    if sys.argv[2] == "1":
        print("ours: allocator:", allocator.keep_pages(), file=sys.stderr)


def trainer(
    objective: Objective, optimizer: optax.GradientTransformation, x: np.ndarray, rng: Key
) -> tuple[Params, Callable[[], None]]:
    """Parameters for data x (B, ...), and a function that takes a training step on x."""
    params = jax.jit(objective.model.init)(jax.random.key(0), jnp.asarray(x))
    state = step.replicate(step.init_state(objective, optimizer, params))
    train_step = step.make_train_step(objective, optimizer, 0.0)
    held = {"state": state}
    del state
    batch = step.shard(x)

    def train() -> None:
        held["state"], metrics = train_step(held["state"], rng, batch)
        jax.block_until_ready((held["state"], metrics))

    return params, train


def serve(works: dict[str, Callable[[], None]]) -> None:
    """Serves the pieces of work until standard input ends."""
    square, dot = jnp.ones((1024, 1024)), jax.jit(jnp.dot)
    workers.serve(works, lambda: jax.block_until_ready(dot(square, square)))
