"""The train step: the one function that knows that there are several devices."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import jax_utils

from amd_jax.types import Array, Key, Objective, Params


class TrainState(NamedTuple):
    """Everything that training carries from step to step; with the seed it is all there is."""

    step: Array  # () int32, steps taken
    params: Params
    ema: Params  # moving average of params, what is evaluated and sampled from
    opt: optax.OptState
    memory: Any  # the objective's


def init_state(objective: Objective, optimizer: optax.GradientTransformation, params: Params):
    """The state before the first step, on one device."""
    start, ema = jnp.zeros((), jnp.int32), jax.tree.map(jnp.copy, params)  # donated: no aliases
    return TrainState(start, params, ema, optimizer.init(params), objective.init())


def make_train_step(
    objective: Objective, optimizer: optax.GradientTransformation, ema_decay: float
) -> Callable[[TrainState, Key, Array], tuple[TrainState, dict[str, Array]]]:
    """One optimiser step on all local devices: (state, rng, x) -> (state, metrics).

    State and metrics are replicated (see `replicate`), x is (devices, B / devices, ...); the key
    never changes: a step's key is folded from it, the step and the device (`step_key`). The moving
    average starts as a plain mean, so that short runs are not dragged back to their
    initialisation. A step whose loss or gradient is not finite leaves the state as it was.
    """

    def train_step(state: TrainState, rng: Key, x: Array):
        rng = step_key(rng, state.step, jax.lax.axis_index("batch"))

        def loss_fn(params):
            nats, evidence = objective.loss(params, state.memory, rng, x.astype(jnp.int32))
            return nats.mean(), evidence

        (loss, evidence), grads = jax.value_and_grad(loss_fn, has_aux=True)(state.params)
        loss, grads = jax.lax.pmean((loss, grads), "batch")
        memory = objective.update(state.memory, jax.lax.psum(evidence, "batch"))
        updates, opt = optimizer.update(grads, state.opt, state.params)
        params = optax.apply_updates(state.params, updates)
        rate = jnp.maximum(1 - ema_decay, 1 / (state.step + 2.0))
        rate = jnp.where(ema_decay > 0, rate, 1.0)
        ema = optax.incremental_update(params, state.ema, rate)
        metrics = {"loss_nats": loss, "grad_norm": optax.tree.norm(grads)}
        new = TrainState(state.step + 1, params, ema, opt, memory)
        fine = jnp.isfinite(metrics["loss_nats"]) & jnp.isfinite(metrics["grad_norm"])
        return jax.tree.map(lambda a, b: jnp.where(fine, a, b), new, state), metrics

    return jax.pmap(train_step, axis_name="batch", in_axes=(0, None, 0), donate_argnums=0)


def step_key(rng: Key, step: Array | int, device: Array | int) -> Key:
    """The key of a training step on a device; `step` counts from 0."""
    return jax.random.fold_in(jax.random.fold_in(rng, step), device)


def replicate(tree: Any) -> Any:
    """The tree on every local device, with a leading device axis.

    By pmap itself, over the axis of the train step: arrays laid out by anything else would have
    that compile once for them, and again for its own output.
    """
    copy = jax.pmap(lambda _, tree: tree, axis_name="batch", in_axes=(0, None))
    return copy(np.arange(jax.local_device_count()), tree)


def unreplicate(tree: Any) -> Any:
    """The first device's copy of a replicated tree."""
    return jax_utils.unreplicate(tree)


def shard(x: Array) -> Array:
    """(B, ...) -> (devices, B / devices, ...).

    Raises ValueError with the nearest batch sizes if the local devices do not divide B.
    """
    devices = jax.local_device_count()
    if x.shape[0] % devices:
        below = x.shape[0] // devices * devices
        near = " or ".join(str(b) for b in (below, below + devices) if b)
        raise ValueError(
            f"The batch must be divisible by the {devices} local devices; got {x.shape[0]}. "
            f"Use --config.batch_size={near}."
        )
    return x.reshape(devices, -1, *x.shape[1:])
