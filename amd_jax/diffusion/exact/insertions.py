"""The exact guess about lines that lose tokens, at few tokens and short lengths."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32

from amd_jax.diffusion import insertion
from amd_jax.diffusion.insertion.alignments import Rows
from amd_jax.ops import categorical
from amd_jax.types import Key, Times


def lines(num_tokens: int, longest: int) -> Int32[np.ndarray, "N {longest}"]:
    """Every line of up to so many tokens, the empty one first; `num_tokens` is the padding."""
    rows = [
        (*line, *(num_tokens,) * (longest - size))
        for size in range(longest + 1)
        for line in itertools.product(range(num_tokens), repeat=size)
    ]
    return np.array(rows, np.int32)


def exact(law: Float[np.ndarray, "N"], num_tokens: int, longest: int) -> insertion.Process:
    """The process of a perfect network for a law of `lines`.

    Its guesses are means over the posterior of the line, p(x | x_t) ∝ p(x) d^|x| times the number
    of alignments of x with x_t. Raises ValueError unless the numbers are a law.
    """
    every, law = lines(num_tokens, longest), np.asarray(law)
    if law.shape != (len(every),) or law.min() < 0 or abs(law.sum() - 1) > 1e-5:
        raise ValueError(
            f"The {len(every)} lines of up to {longest} of {num_tokens} tokens have as many "
            f"probabilities, whose sum is 1; got shape {law.shape}, sum {law.sum():.3g}."
        )
    log_law, size = categorical.log_or_never(jnp.asarray(law)), (every < num_tokens).sum(axis=1)

    def network(x_t: Rows, t: Times, rng: Key | None = None) -> insertion.Guess:
        batch, number = len(x_t), len(every)
        x, x_t = jnp.tile(every, (batch, 1)), jnp.repeat(x_t, number, axis=0)
        log_count, *means = (
            a.reshape(batch, number, *a.shape[1:]) for a in insertion.align(x, x_t, num_tokens)
        )
        log_weight = log_law + log_count + 2 * size * jnp.log(t)[:, None]
        posterior = jax.nn.softmax(log_weight)
        gaps, tokens = (jnp.einsum("bn,bn...->b...", posterior, a) for a in means)
        return insertion.Guess(categorical.log_or_never(gaps), categorical.log(tokens))

    return insertion.Process(num_tokens, network)
