"""Our side: a training step of the library as its users run it, its bound, and its sampler."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from amd_jax import models, networks, recipes
from amd_jax.learning import objectives
from benchmarks.text_argmax import BATCH, CLASSES, COMPONENTS, COUPLINGS, LAYERS, LENGTH, TEXTS
from benchmarks.workers import ours


def build(flow: str, features: int) -> models.Flow:
    """The paper's flow with an LSTM of `features` units."""
    size = dict(features=features, components=COMPONENTS[flow], layers=LAYERS[flow])
    if flow == "ar":
        lift = recipes.argmax_lift(networks.ContextLSTM, CLASSES, 2, {})
        return recipes.autoregressive_flow(lift, networks.AutoregressiveLSTM(**size))
    lift = recipes.argmax_lift(networks.PointwiseContext, CLASSES, 2, {})
    return recipes.coupling_flow(lift, COUPLINGS, size)


def main() -> None:
    """Builds the flow asked for and serves."""
    ours.keep_pages()
    flow, features = sys.argv[1].split(",")
    model = build(flow, int(features))
    optimizer = optax.adam(1e-3) if flow == "ar" else optax.adamax(1e-3)
    x = np.random.default_rng(0).integers(0, CLASSES, (BATCH, LENGTH), dtype=np.int32)
    rng = jax.random.key(1)
    params, train = ours.trainer(objectives.NegativeElbo(model), optimizer, x, rng)
    bound, draw = jax.jit(model.elbo), jax.jit(model.sample, static_argnums=2)
    works = {
        "train": train,
        "evaluate": lambda: jax.block_until_ready(bound(params(), rng, jnp.asarray(x))),
        "sample": lambda: jax.block_until_ready(draw(params(), rng, (TEXTS[flow], LENGTH))),
    }
    ours.serve(works)


if __name__ == "__main__":
    main()
