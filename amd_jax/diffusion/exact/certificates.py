"""Certificates: the exact law of a sampler beside the law that it should have.

For data of few classes and tokens, whose law is a table (K,) * L, the guess that a perfect
network would make is known (`exact`), and so is the law of what a sampler draws with it (`law`).
Nothing is drawn: what is left between the two is the sampler's own error.
"""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from amd_jax.diffusion import kernels
from amd_jax.diffusion.exact import enumeration
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base, unmasking
from amd_jax.diffusion.samplers.dilated import Dilated
from amd_jax.diffusion.samplers.remasking import Remasking
from amd_jax.ops import categorical
from amd_jax.types import (
    Array,
    Floats,
    Kernel,
    Key,
    Probs,
    Sampler,
    Support,
    Times,
    Tokens,
)


def exact(
    kernel: Kernel, data: Float[np.ndarray, "..."], support: Support | None = None
) -> Process:
    """The process whose guess is p(x_0[n] | x_t without n) for data of a known law.

    It sees which tokens are known, and takes these for the data that they are. With a support,
    as that of lines, what is drawn first is never noise, so that noise hides nothing of it.

    data (K, …, K) is the law of L tokens. Raises ValueError unless it is one, of the kernel's
    classes.
    """
    data = np.asarray(data)
    if set(data.shape) != {kernel.num_classes} or data.min() < 0 or abs(data.sum() - 1) > 1e-5:
        raise ValueError(
            f"The law of L tokens of {kernel.num_classes} classes is a table of shape "
            f"({kernel.num_classes},) * L that sums to 1; got {data.shape}, sum {data.sum():.3g}."
        )
    length, noise_only = data.ndim, kernel.prior.shape[-1] - kernel.num_classes
    rows, p = np.argwhere(data > 0), data[data > 0]  # (M, L), (M,)

    def predict(
        x_t: Tokens, t: Times, rng: Key | None = None, known: Bool[Array, "..."] | None = None
    ) -> Probs:
        evidence = evidence_of(kernel, x_t, t, known)
        possible = jnp.ones((), bool)
        if support is not None:
            clean = kernels.is_clean(kernel, x_t)
            possible = support.possible(x_t, clean, kernel.num_classes)
            evidence = jnp.where(possible, evidence, 0.0)
        each = evidence[:, np.arange(length), rows]  # of every row that there can be
        guesses = []
        for place in range(length):
            others = jnp.delete(each, place, axis=2).prod(axis=2) * jnp.asarray(p, each.dtype)
            is_token = categorical.one_hot(
                jnp.asarray(rows[:, place]), kernel.num_classes, each.dtype
            )
            guesses.append(jnp.matmul(others, is_token, precision="highest"))
        law = categorical.normalize(jnp.stack(guesses, axis=1) * possible)
        return jnp.pad(law, ((0, 0), (0, 0), (0, noise_only)))

    return Process(kernel, predict, leave_one_out=True, sees_known=True, support=support)


def evidence_of(
    kernel: Kernel, x_t: Tokens, t: Times, known: Bool[Array, "..."] | None = None
) -> Probs:
    """How likely each token of x_t is, given each class of its own at time 0: (B, *event, K).

    Of tokens that are `known` only their own class is possible.
    """
    evidence = kernel.likelihood(x_t, jnp.zeros_like(t), t)[..., : kernel.num_classes]
    if known is None:
        return evidence
    clean = categorical.one_hot(x_t, kernel.num_classes, evidence.dtype)
    return jnp.where(known[..., None], clean, evidence)


def entropy(
    p: Float[np.ndarray, "..."], axes: int | tuple[int, ...] = -1, *, keepdims: bool = False
) -> Float[np.ndarray, "..."]:
    """-Σ p log p over some axes, in nats."""
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1))).sum(axis=axes, keepdims=keepdims))


def distance(p: Floats, q: Floats) -> float:
    """The total variation between two laws."""
    return float(abs(np.asarray(p) - np.asarray(q)).sum() / 2)


def law(
    sampler: Sampler,
    process: Process,
    length: int,
    steps: int | None,
    given: Sequence[int] | np.ndarray | None = None,
) -> Float[np.ndarray, "..."]:
    """The law of what a sampler draws, over data of `length` tokens, (K,) * L.

    In a model of so many steps. With tokens that are `given`, -1 where they are not, the law
    of what is filled in, for samplers that go from step to step. Raises ValueError for a sampler
    whose law is not known here: one of `base.Steps` tells its own, by its method `law`.
    """
    if given is not None:
        rows = process.kernel.prior.shape[-1] ** length
        process = process.holding(jnp.tile(jnp.asarray(given), (rows, 1)))
    if isinstance(sampler, Remasking):
        result = enumeration.remasked(sampler, process, length, sampler.times(steps))
    elif isinstance(sampler, base.Steps):
        result = enumeration.stepped(sampler, process, length, sampler.times(steps))
    elif isinstance(sampler, unmasking.Reveal) and given is None:
        result = enumeration.revealed(sampler, process, length)
    elif isinstance(sampler, Dilated) and given is None:
        result = enumeration.dilated(sampler, process, length)
    elif isinstance(sampler, unmasking.DNDM) and given is None:
        result = enumeration.at_transitions(sampler, process, length)
    else:
        raise ValueError(f"The law of {type(sampler).__name__} is not known here.")
    classes = (slice(process.kernel.num_classes),) * length
    return np.asarray(result).reshape((process.kernel.prior.shape[-1],) * length)[classes]


@functools.cache
def correlated() -> Float[np.ndarray, "3 3"]:
    """A law of two tokens of three classes that depend on each other."""
    law = np.array([[6.0, 1.0, 2.0], [1.0, 5.0, 1.0], [1.0, 2.0, 3.0]])
    return law / law.sum()
