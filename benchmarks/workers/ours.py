"""Our side of every comparison: training as `experiments.run` does it, and the matrix product."""

import functools
import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import optax

from amd_jax.devices import allocator, parallel
from amd_jax.diffusion import kernels, schedules
from amd_jax.learning import objectives, training_step
from amd_jax.models import Diffusion
from amd_jax.networks import LinearTransformer
from amd_jax.types import Key, Objective, Params
from benchmarks import workers


def keep_pages() -> None:
    """Keeps freed memory if the command line says so; call it first."""
    if sys.argv[2] == "1":
        allocator.keep_pages()


def trainer(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    x: np.ndarray,
    rng: Key,
    devices: int | None = None,
    ema_decay: float = 0.0,
    **others: float,
) -> tuple[Callable[[], Params], Callable[..., None]]:
    """What gives parameters for data x (B, ...), and what takes a training step on x.

    The parameters are the training's, copied when first asked for. The step is taken on the first
    `devices` of the local ones (default: all), and waited for unless told otherwise; `others` are
    numbers of `make_train_step`.
    """
    params = jax.jit(objective.model.init)(jax.random.key(0), jnp.asarray(x, jnp.int32))
    devices = devices or jax.local_device_count()
    state = parallel.replicate(training_step.init_state(objective, optimizer, params), devices)
    batch = x.reshape(devices, -1, *x.shape[1:])
    del params
    train_step = training_step.make_train_step(objective, optimizer, ema_decay, **others)
    allocator.release()  # here and below as the loop does
    train_step.lower(state, rng, batch).compile()
    allocator.release()
    held = {"state": state}
    del state

    def train(wait: bool = True) -> None:
        held["state"] = train_step(held["state"], rng, batch)
        if wait:
            jax.block_until_ready(held["state"])

    @functools.cache
    def parameters() -> Params:
        return jax.tree.map(jnp.array, parallel.unreplicate(held["state"].params))

    return parameters, train


def text_diffusion(
    denoiser: LinearTransformer, batch: int, length: int, steps: int, **others: int | None
) -> tuple[Diffusion, Callable[[], Params], Callable[..., None]]:
    """The paper's diffusion of random texts: model, `trainer`'s parameters, and its step.

    `others` are arguments of `trainer`.
    """
    classes = denoiser.num_classes
    kernel = kernels.uniform(schedules.reference_cosine(steps), classes)
    model = Diffusion(kernel, denoiser, steps)
    objective = objectives.ImportanceSampledElbo(model)
    x = np.random.default_rng(0).integers(0, classes, (batch, length), dtype=np.int32)
    return model, *trainer(objective, optax.adam(1e-4), x, jax.random.key(1), **others)


def peak_mb() -> float:
    """Peak memory so far: of the fullest accelerator, or resident where there is none."""
    stats = [device.memory_stats() or {} for device in jax.local_devices()]
    peak = max(stat.get("peak_bytes_in_use", 0) for stat in stats)
    return peak / 2**20 or workers.resident_mb()


def serve(works: dict[str, Callable[[], None]]) -> None:
    """Serves the pieces of work until standard input ends."""
    square, dot = jnp.ones((1024, 1024)), jax.jit(jnp.dot)
    workers.serve(works, lambda: jax.block_until_ready(dot(square, square)), peak_mb)
