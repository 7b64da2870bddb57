"""MD4's side: their model and loss; the step around them is AdamW and a moving average."""

import functools
import sys

import jax
import jax.numpy as jnp
import optax

from amd_jax.devices import allocator
from benchmarks.peers import BATCH, CLASSES, LENGTH, SIZES
from benchmarks.workers import ours


def load(size: str, path: str):
    """Their model for text8 at our size, and their config."""
    sys.path.insert(0, path)
    from md4.configs.md4 import text8
    from md4.models import utils

    config = text8.get_config()
    width, config.n_layers, config.num_heads = SIZES[size]
    config.feature_dim = width // config.num_heads
    config.vocab_size, config.data_shape = CLASSES, (LENGTH,)
    return utils.get_model(config), config


def main() -> None:
    """Builds their model at the size asked for and serves."""
    size, keep, path = sys.argv[1:]
    if keep == "1":
        allocator.keep_pages()
    model, config = load(size, path)
    rng, rng_x = jax.random.split(jax.random.key(0))
    x = jax.random.randint(rng_x, (BATCH, LENGTH), 0, CLASSES)
    params = jax.jit(model.init)({"params": rng, "sample": rng}, x)["params"]
    optimizer = optax.adamw(config.learning_rate, b2=config.b2, weight_decay=config.weight_decay)

    def loss(params, rng):
        rngs = {"sample": rng, "dropout": rng}
        return model.apply({"params": params}, x, train=True, rngs=rngs)["loss"]

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state, rng):
        params, ema, opt, n = state
        grads = jax.grad(loss)(params, jax.random.fold_in(rng, n))
        updates, opt = optimizer.update(grads, opt, params)
        params = optax.apply_updates(params, updates)
        return params, optax.incremental_update(params, ema, 1 - config.ema_rate), opt, n + 1

    ema = jax.tree.map(jnp.copy, params)
    held = {"state": (params, ema, jax.jit(optimizer.init)(params), 0)}

    def train() -> None:
        held["state"] = jax.block_until_ready(step(held["state"], rng))

    ours.serve({"train": train})


if __name__ == "__main__":
    main()
