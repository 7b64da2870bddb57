"""Our side: a training step of the library as its users run it, its bound, and its sampler."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

from amd_jax import models, networks
from amd_jax.ops import scalars
from amd_jax.training import objectives
from amd_jax.transforms import argmax, autoregressive, coupling, elementwise, laws
from amd_jax.transforms.conditioner import OfTokens
from benchmarks.text_argmax import BATCH, CLASSES, COMPONENTS, COUPLINGS, LAYERS, LENGTH, TEXTS
from benchmarks.workers import ours


def build(flow: str, features: int) -> models.Flow:
    """The paper's flow with an LSTM of `features` units."""
    digits = argmax.Digits(CLASSES, base=2)
    network = networks.ContextLSTM if flow == "ar" else networks.PointwiseContext
    encoder = OfTokens(network(CLASSES, 2 * digits.digits), base=2)
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
        "evaluate": lambda: jax.block_until_ready(bound(params, rng, jnp.asarray(x))),
        "sample": lambda: jax.block_until_ready(draw(params, rng, (TEXTS[flow], LENGTH))),
    }
    ours.serve(works)


if __name__ == "__main__":
    main()
