"""Checks of causal networks: that they walk, and depend on the tokens before alone."""

import functools
import inspect

import jax
import jax.numpy as jnp
from jaxtyping import Integer

from amd_jax.models.checks import Network, shaken
from amd_jax.types import Array, Key, Params, PyTree


def check_walks(network: object) -> None:
    """Raises ValueError unless a causal network takes `train`, and has `start` and `advance`."""
    name, result = type(network).__name__, inspect.signature(type(network).__call__).parameters
    if "train" not in result:
        raise ValueError(
            "A causal network is called as (x, train=...), where train turns dropout on; "
            f"{name}.__call__ takes no train. Add `*, train=False`."
        )
    for method in ("start(batch, length)", "advance(carry, previous, p)"):
        if not callable(getattr(network, method.split("(")[0], None)):
            raise ValueError(
                f"A causal network also walks, so that samples are drawn; {name} has no {method}. "
                "Add it, or use a network that has."
            )


def check_causal(network: Network, params: Params, rng: Key, x: Integer[Array, "B L"]) -> None:
    """Raises ValueError if logits at a position of x depend on that token or later ones.

    So it does if the network walks another way. For shaken parameters, and in float32.
    """
    if hasattr(network, "dtype"):
        network = network.clone(dtype="float32")
    name = type(network).__name__
    moved, apart = map(float, jax.jit(functools.partial(_looks_ahead, network))(params, rng, x))
    if not moved < 1e-4:
        raise ValueError(
            f"Logits of a causal network depend on the tokens before only; those of {name} moved "
            f"by {moved:.2g} when only their own token and later ones changed. Find the path."
        )
    if not apart < 1e-4:
        raise ValueError(
            f"A causal network walks to the same logits that it gives at once; those of {name} "
            f"are {apart:.2g} apart. Mend start or advance."
        )


def _looks_ahead(network: Network, params: Params, rng: Key, x: Array) -> tuple[Array, Array]:
    """How far logits move with later tokens, and how far they are from walking's."""
    variables = {"params": shaken(params, rng)}
    batch, length = x.shape
    place, own = jax.random.randint(rng, (batch, 1), 0, length), jnp.arange(length)
    at_once = functools.partial(network.apply, variables, train=False)
    classes = jax.eval_shape(at_once, x).shape[-1]
    changed = jnp.where(own >= place, (x + 1) % classes, x)
    logits, others = jnp.split(at_once(jnp.concatenate([x, changed])), 2)
    moved = jnp.where((own <= place)[..., None], others - logits, 0.0)

    def step(carry: tuple[PyTree, Array], at: tuple[Array, Array]) -> tuple[PyTree, Array]:
        state, previous = carry
        token, p = at
        state, result = network.apply(variables, state, previous, p, method="advance")
        return (state, token), result

    start = network.apply(variables, batch, length, method="start"), x[:, 0]
    walked = jax.lax.scan(step, start, (x.T, own))[1].swapaxes(0, 1)
    apart = jnp.abs(walked - logits).max() / (1 + jnp.abs(logits).max())
    return jnp.abs(moved).max(), apart
