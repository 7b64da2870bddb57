"""The bound of a process that drops and inserts tokens, of lines x (B, L), in nats.

Reversed, and given x, the process is a Markov chain of rows x_t with these rates in u = -log t²,
the posterior expectations of `alignments.align`: a mask is inserted in gap i at the rate g̃_i, the
mean number of tokens dropped there, and mask i becomes token k at the rate q̃_i(k), the posterior
probability that it hides k. It may forget how x_t came about, because all alignments of x with x_t
are equally likely, whatever the history. The model has the rates ĝ_i and p̂_i(k). The KL divergence
of the two laws of paths, which end in x with probability one, bounds -log p(x):

    -log p(x) <= ∫_0^∞ E_q(x_t | x) [Σ_i (ĝ_i - g̃_i + g̃_i log(g̃_i / ĝ_i))
                                     + Σ_masks KL(q̃_i || p̂_i)] du.

It is tight: with ĝ = E[g̃ | x_t] and p̂ = E[q̃ | x_t] over x given x_t the reversal is that of the
data, and the mean over x is their entropy. With the *drawn* gaps and tokens in the places of g̃ and
q̃ it is the loss of FlexMDM (Kim et al., 2025), of the same expected gradient, but larger by what
it costs to say which token went where, for the exact network, too.

The integral has no ends to cut off. With t uniform in (0, 1], u = -2 log t has the density
exp(-u / 2) / 2, and du = (2 / t) dt. The integrand falls like u exp(-u), so that the weighted one
is bounded and a draw of t an unbiased estimate, if the network's ĝ falls like exp(-u) once nothing
is missing. If it does not, more and more tokens are inserted, and the bound is rightly infinite.
"""

import jax
import jax.numpy as jnp

from amd_jax.diffusion import bounds
from amd_jax.diffusion.insertion.alignments import Rows, align
from amd_jax.diffusion.insertion.process import Process
from amd_jax.ops import categorical
from amd_jax.types import Key, Nats, Times


def rate_of(process: Process, rng: Key, x: Rows, x_t: Rows, t: Times) -> Nats:
    """The integrand per unit of t at a given x_t, 2 / t times that per unit of u."""
    found, guess = align(x, x_t, process.padding), process.guess(x_t, t, rng)
    log_ratio = categorical.log(found.gaps) - guess.log_gaps
    gaps = jnp.exp(guess.log_gaps) - found.gaps + found.gaps * log_ratio
    masks = found.tokens * (categorical.log(found.tokens) - guess.log_law)
    return 2 / t * (gaps.sum(axis=1) + categorical.sum_event(masks))


def rate(process: Process, rng: Key, x: Rows, t: Times) -> Nats:
    """The same with x_t drawn anew."""
    rng_noise, rng_network = jax.random.split(rng)
    return rate_of(process, rng_network, x, process.corrupted(rng_noise, x, t), t)


def elbo(process: Process, rng: Key, x: Rows) -> Nats:
    """-rate at times that are stratified over the batch; E[elbo] <= log p(x)."""
    rng_time, rng = jax.random.split(rng)
    return -rate(process, rng, x, 1 - bounds.stratified(rng_time, len(x)))
