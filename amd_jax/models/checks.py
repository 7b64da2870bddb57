"""Checks of the parts of a model: steps of a kernel, and that a network leaves a token out."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, Protocol, TypeVar, runtime_checkable

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from amd_jax.diffusion import kernels, schedules
from amd_jax.models.declared import Walkable
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Kernel,
    Key,
    LearnedKernel,
    Params,
    PyTree,
    Schedule,
    Support,
    Tokens,
)

T = TypeVar("T")
MOST_STEPS = 2**24


@runtime_checkable
class Network(Protocol):
    """A module of flax.linen, as models call it: a denoiser, or a causal network."""

    def init_with_output(self, rng: Key, /, *x: Any, **more: Any) -> tuple[Array, Params]:
        """The output for inputs x, and its variables."""

    def apply(self, variables: Params, /, *x: Any, **more: Any) -> PyTree:
        """The output for inputs x, or that of another `method`."""

    def clone(self: T, **numbers: Any) -> T:
        """The same with other numbers."""


def check_call(rng: Any, x: Any = None, *, shape: Any = None, real: bool = False) -> None:
    """Raises ValueError unless a model's arguments are a key, and rows of tokens or their shape.

    Of kinds and shapes alone, so that it costs nothing in a compiled function. x is an array of
    integers (B, ...), or for a flow of numbers `real`, and `shape` such a tuple of whole numbers,
    both with a row or more.
    """
    dtype = getattr(rng, "dtype", None)
    if dtype is None or not (dtype == jnp.uint32 or jnp.issubdtype(dtype, jax.dtypes.prng_key)):
        raise ValueError(
            f"rng is a key, as of jax.random.key(0); got {_kind(rng)}. A model takes "
            "(params, rng, x) or (params, rng, shape)."
        )
    if shape is not None:
        whole = isinstance(shape, tuple) and all(isinstance(n, int | np.integer) for n in shape)
        if not whole or len(shape) < 2 or min(shape) < 1:
            raise ValueError(
                "The shape of samples is a tuple (B, ...) of whole numbers, at least 1; got "
                f"{shape!r:.40}. Give (B, *facts.event_shape)."
            )
    elif not isinstance(x, Array | np.ndarray) or not jnp.issubdtype(
        x.dtype, jnp.number if real else jnp.integer
    ):
        raise ValueError(
            f"x is an array of integers, tokens (B, ...); got {_kind(x)}. Give x.astype(int)."
        )
    elif x.ndim < 2 or not x.shape[0]:
        raise ValueError(f"x is rows of tokens (B, ...), one or more; got the shape {x.shape}.")


def _kind(value: object) -> str:
    dtype = getattr(value, "dtype", None)
    return type(value).__name__ if dtype is None else f"an array of {dtype}"


def check_steps(kernel: Kernel | LearnedKernel | Schedule, steps: int | None) -> None:
    """Raises ValueError for steps, or continuous time, that a kernel does not support."""
    if steps is not None and steps < 1:
        raise ValueError(f"A diffusion needs at least 1 step; got steps={steps}.")
    if steps is not None and steps > MOST_STEPS:
        raise ValueError(
            f"A diffusion has at most {MOST_STEPS:,} steps, whose times float32 tells apart; got "
            f"steps={steps}. Use steps=None, continuous time."
        )
    if steps is None and not kernels.differentiable(kernel):
        raise ValueError(
            "Continuous time (steps=None) needs a kernel with a derivative; "
            f"{type(schedules.of(kernel)).__name__} has none. Use another, or a number of steps."
        )
    known = getattr(kernel, "steps", None)
    if known is not None and known % steps:
        raise ValueError(
            f"A kernel with matrices for {known} steps has times for a divisor of {known}; "
            f"got steps={steps}. Use steps={known}."
        )


def check_prior(kernel: Kernel | LearnedKernel) -> None:
    """Raises ValueError unless the prior of a kernel is a law of its states; traced ones pass."""
    prior, classes = (getattr(kernel, name, None) for name in ("prior", "num_classes"))
    if prior is None or classes is None or isinstance(prior, jax.core.Tracer):
        return
    prior = np.atleast_1d(np.asarray(prior, np.float64))
    totals = prior.sum(axis=-1)
    is_law = (prior >= 0).all() and (abs(totals - 1) < 1e-4).all()
    if not is_law or prior.shape[-1] < classes:
        raise ValueError(
            f"The prior of a kernel is a law of {classes} states or more: not negative, and its "
            f"sum is 1; got shape {prior.shape}, sum {totals.flat[0]:.4g}."
        )


def check_learned(part: object, params: Params) -> None:
    """Raises ValueError if what a kernel, or noise levels, learnt fails a `check` of their own."""
    if hasattr(part, "check"):
        part.check(params)


def check_signature(denoiser: object) -> None:
    """Raises ValueError unless a denoiser is a linen module called as (x_t, t, *, train).

    With `sees_known = True` it takes `known`, too.
    """
    name = type(denoiser).__name__
    if not isinstance(denoiser, Network):
        raise ValueError(
            f"A denoiser is a module of flax.linen; got a {name}. Kernels, bounds and samplers "
            "take any function of logits by diffusion.process.of_logits(kernel, function)."
        )
    result = inspect.signature(type(denoiser).__call__).parameters.values()

    def takes(argument: str) -> bool:
        return any(p.name == argument or p.kind is p.VAR_KEYWORD for p in result)

    if not takes("train"):
        raise ValueError(
            "A denoiser is called as (x_t, t, train=...), where train turns dropout on; "
            f"{name}.__call__ takes no train. Add `*, train=False`."
        )
    if sees_known(denoiser) and not takes("known"):
        raise ValueError(
            "A denoiser that sees what is known is called as (x_t, t, train=..., known=...); "
            f"{name}.__call__ takes no known. Add `known=None`, or drop sees_known."
        )


def leave_one_out(denoiser: Network) -> bool:
    """Whether a denoiser promises not to see a position's own token, or numbers."""
    return getattr(denoiser, "leave_one_out", False)


def sees_known(denoiser: Network) -> bool:
    """Whether a denoiser takes `known`: which tokens are data, and not noisy."""
    return getattr(denoiser, "sees_known", False)


def two_sided(denoiser: Network) -> bool:
    """Whether a denoiser takes `after`: what stands after each position."""
    return getattr(denoiser, "two_sided", False)


def denoises(denoiser: Network) -> bool:
    """Whether a denoiser puts out p(x_0 | x_t), and not the guess from the other tokens."""
    return getattr(denoiser, "denoises", False)


def check_output(denoiser: Network) -> None:
    """Raises ValueError for a denoiser with both `denoises` and `leave_one_out`."""
    if denoises(denoiser) and leave_one_out(denoiser):
        raise ValueError(
            f"{type(denoiser).__name__} says both leave_one_out and denoises; a network that does "
            "not see its own token cannot weigh its evidence. Drop denoises = True."
        )


def number_of_steps(model: Walkable) -> int:
    """T of a diffusion; ValueError in continuous time."""
    if model.steps is None:
        raise ValueError(
            "This walks all steps of a diffusion, and continuous time has none. "
            f"Use {type(model).__name__}(..., steps=1000)."
        )
    return model.steps


def check_leaves_out(
    denoiser: Network,
    network: Params,
    rng: Key,
    x: Tokens,
    classes: int,
    read: Callable[[Tokens], Array] = lambda x: x,
) -> None:
    """Raises ValueError if logits at a position of x move with that position's token.

    `read` makes of tokens what the denoiser reads, if that is something else.
    """
    leak = jax.jit(functools.partial(_leak, denoiser, classes, read))
    moved = float(leak(network, rng, x))
    if moved > 1e-4:
        raise ValueError(
            f"{type(denoiser).__name__} says leave_one_out, but its logits moved by "
            f"{moved:.2g} when only their own token changed. Find the path by which a "
            "position sees itself, or drop leave_one_out = True."
        )


def _leak(
    denoiser: Network,
    classes: int,
    read: Callable[[Tokens], Array],
    network: Params,
    rng: Key,
    x: Tokens,
) -> Float[Array, ""]:
    """How far guesses move when only their own token does, at one position per row.

    The parameters are shaken, because zero-initialised layers hide every path.
    """
    rng_noise, rng_place = jax.random.split(rng)
    moved = shaken(network, rng_noise)
    flat = x.reshape(x.shape[0], -1)
    row = jnp.arange(flat.shape[0])
    place = jax.random.randint(rng_place, row.shape, 0, flat.shape[1])
    changed = flat.at[row, place].set((flat[row, place] + 1) % classes)
    t = jnp.full(x.shape[0], 0.5)
    before, after = (
        denoiser.apply({"params": moved}, read(tokens.reshape(x.shape)), t, train=False).reshape(
            *flat.shape, -1
        )[row, place]
        for tokens in (flat, changed)
    )
    return jnp.abs(before - after).max()


def shaken(params: Params, rng: Key) -> Params:
    """Parameters with noise, so that no layer that starts at zero hides a path."""
    flat, restore = jax.flatten_util.ravel_pytree(params)
    return restore(flat + 0.1 * jax.random.normal(rng, flat.shape))


def check_support(support: Support | None, shape: tuple[int, ...], classes: int) -> None:
    """Raises ValueError unless x of a shape are rows of a support, of so many classes."""
    if support is None:
        return
    length, most = support.length, support.num_classes
    if shape[1:] != (length,) or most > classes:
        raise ValueError(
            f"A support of {length} fields of up to {most} tokens is for rows of as many, and "
            f"{most} classes or more; got x of shape {shape}, and {classes} classes."
        )


def check_noise(support: Support | None, kernel: Kernel) -> None:
    """Raises ValueError if noise takes tokens that a support draws first; traced kernels pass."""
    if support is None:
        return
    with jax.ensure_compile_time_eval():
        classes, states = kernel.num_classes, kernel.prior.shape[-1]
        tokens = jnp.broadcast_to(jnp.arange(classes)[:, None], (classes, support.length))
        first = support.known(tokens)  # of a row of each token
        start = jnp.zeros(classes)
        law = kernel.push(categorical.one_hot(tokens, states), start, start + 0.5)
        taken = (law[..., :classes] > 0) & first.T & ~first[..., None]
    if not isinstance(taken, jax.core.Tracer) and np.asarray(taken).any():
        raise ValueError(
            "Noise never takes what a support draws first, such as the padding of lines; this "
            f"{type(kernel).__name__} does. Use kernels.absorbing, or kernels.uniform_within("
            "schedule, support.each(num_classes))."
        )


def check_logits(
    denoiser: Network, kernel: Kernel, shape: tuple[int, ...], logits: tuple[int, ...]
) -> None:
    """Raises ValueError unless logits for x of a shape have one number for each state.

    So it does if the kernel has a prior of each token, of other ones.
    """
    *event, states = kernel.prior.shape
    if event and tuple(event) != shape[1:]:
        raise ValueError(
            f"A kernel with a prior of each token is for x of shape {('B', *event)}; got {shape}."
        )
    if logits != (*shape, states):
        noise = f", {states - kernel.num_classes} of them noise only"
        raise ValueError(
            f"For x of shape {shape} and a kernel of {states} states"
            f"{noise if states > kernel.num_classes else ''} a denoiser gives logits "
            f"{(*shape, states)}; {type(denoiser).__name__} gives {logits}. Build it for {states} "
            "states."
        )
