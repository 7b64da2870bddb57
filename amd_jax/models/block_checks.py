"""Checks of networks of blocks: what a block sees, in one call and with a cache."""

import functools
import inspect

import jax
import jax.numpy as jnp
from jaxtyping import Float, Integer

from amd_jax.models.checks import Network, shaken
from amd_jax.types import Array, Key, Params

METHODS = ("start(batch, length, block_size)", "read(carry, x, p)", "guess(carry, x_t, t, p)")


def check_network(network: object, reads_time: bool) -> None:
    """Raises ValueError unless a network takes `train`, goes block by block, and reads the time.

    With `reads_time` False, as for masks, one that does read it is refused.
    """
    name = type(network).__name__
    if "train" not in inspect.signature(type(network).__call__).parameters:
        raise ValueError(
            "A network of blocks is called as (x_t, x_0, block_size, t, train=...), where train "
            f"turns dropout on; {name}.__call__ takes no train. Add `*, train=False`."
        )
    for method in METHODS:
        if not callable(getattr(network, method.split("(")[0], None)):
            raise ValueError(
                f"A network of blocks also goes block by block; {name} has no {method}. Add it, "
                "or use networks.BlockTransformer."
            )
    if getattr(network, "sees_time", reads_time) != reads_time:
        raise ValueError(
            f"Masks show how far the noise is, and other noise does not; got {name} with "
            f"sees_time={not reads_time}. Build it with sees_time={reads_time}."
        )


def check_blocks(
    network: Network, params: Params, rng: Key, x: Integer[Array, "B L"], size: int, states: int
) -> None:
    """Raises ValueError if a block sees itself clean or what follows, or a cache changes logits.

    For shaken parameters, in float32, and any of `states` as noise.
    """
    if hasattr(network, "dtype"):
        network = network.clone(dtype="float32")
    name, size = type(network).__name__, min(size, x.shape[1])
    measured = jax.jit(functools.partial(_leaks, network, size, states))
    moved, apart = map(float, measured(params, rng, x))
    if not moved < 1e-4:
        raise ValueError(
            "Logits of a block depend on the noisy tokens in it and the clean ones before it; "
            f"those of {name} moved by {moved:.2g} when only others changed. Find the path."
        )
    if not apart < 1e-4:
        raise ValueError(
            "A network of blocks gives the same logits block by block that it gives at once; "
            f"those of {name} are {apart:.2g} apart. Mend start, read or guess."
        )


def _leaks(
    network: Network, size: int, states: int, params: Params, rng: Key, x: Integer[Array, "B L"]
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """How far logits move with what they must not see, and how far a cache's are from them."""
    rng_params, rng_noise, rng_block = jax.random.split(rng, 3)
    variables = {"params": shaken(params, rng_params)}
    batch, length = x.shape
    x_t = jax.random.randint(rng_noise, x.shape, 0, states)
    t = jnp.full(x.shape, 0.5)
    index = jnp.arange(length) // size
    chosen = jax.random.randint(rng_block, (batch, 1), 0, index[-1] + 1)

    logits = network.apply(variables, x_t, x, size, t)
    others = jnp.where(index != chosen, (x_t + 1) % states, x_t)
    later = jnp.where(index >= chosen, (x + 1) % states, x)
    moved = network.apply(variables, others, later, size, t) - logits
    moved = jnp.where((index == chosen)[..., None], moved, 0.0)

    carry = network.apply(variables, batch, length, size, method="start")
    apart = jnp.zeros(())
    for p in sorted({0, size * min(1, length // size - 1)}):
        part = slice(p, p + size)
        guess = network.apply(variables, carry, x_t[:, part], t[:, 0], p, method="guess")
        apart = jnp.maximum(apart, jnp.abs(guess - logits[:, part]).max())
        carry = network.apply(variables, carry, x[:, part], p, method="read")
    return jnp.abs(moved).max(), apart / (1 + jnp.abs(logits).max())
