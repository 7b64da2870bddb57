"""Our side: a training step of the library as its users run it, its bound, and its sampler."""

import sys

from amd_jax.training import allocator

if sys.argv[2] == "1":
    print("ours: allocator:", allocator.keep_pages(), file=sys.stderr)

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import optax  # noqa: E402

from amd_jax import models, networks  # noqa: E402
from amd_jax.ops import scalars  # noqa: E402
from amd_jax.training import objectives, step  # noqa: E402
from amd_jax.transforms import argmax, autoregressive, coupling, elementwise, laws  # noqa: E402
from benchmarks import workers  # noqa: E402
from benchmarks.text_argmax import (  # noqa: E402
    BATCH,
    CLASSES,
    COMPONENTS,
    COUPLINGS,
    LAYERS,
    LENGTH,
    TEXTS,
)


def build(flow: str, features: int) -> models.Flow:
    """The paper's flow with an LSTM of `features` units."""
    digits = argmax.Digits(CLASSES, base=2)
    network = networks.ContextLSTM if flow == "ar" else networks.PointwiseContext
    encoder = network(CLASSES, 2 * digits.digits, base=2)
    parts = [digits, argmax.BinaryArgmax(laws.Conditional(laws.NORMAL, encoder))]
    size = dict(components=COMPONENTS[flow], layers=LAYERS[flow])
    bijection = scalars.LogisticMixture(COMPONENTS[flow])
    if flow == "ar":
        network = networks.AutoregressiveLSTM(features, **size)
        parts.append(autoregressive.Autoregressive(network, bijection))
    for i in range(COUPLINGS if flow == "coupling" else 0):
        if i > 0:
            parts += [elementwise.Reverse(), elementwise.Linear1x1()]
        moved = digits.digits - digits.digits // 2
        network = networks.BidirectionalLSTM(features, channels=moved, **size)
        parts.append(coupling.Coupling(network, bijection))
    return models.Flow(tuple(parts), laws.Learned(laws.NORMAL))


def main() -> None:
    """Builds the flow asked for and serves."""
    flow, features = sys.argv[1].split(",")
    model = build(flow, int(features))
    optimizer = optax.adam(1e-3) if flow == "ar" else optax.adamax(1e-3)
    objective = objectives.NegativeElbo(model)
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

    bound, draw = jax.jit(model.elbo), jax.jit(model.sample, static_argnums=2)
    works = {
        "train": train,
        "evaluate": lambda: jax.block_until_ready(bound(params, rng, jnp.asarray(x))),
        "sample": lambda: jax.block_until_ready(draw(params, rng, (TEXTS[flow], LENGTH))),
    }
    square = jnp.ones((1024, 1024))
    dot = jax.jit(jnp.dot)
    workers.serve(works, lambda: jax.block_until_ready(dot(square, square)))


if __name__ == "__main__":
    main()
