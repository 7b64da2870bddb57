"""Exact laws and bounds of tiny models by enumeration, in float64.

Only `kernel.push` and the network are taken from the model; Bayes' rule, KL and the chain are
written out anew.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats


def sequences(num_states: int, length: int) -> np.ndarray:
    """Every sequence, (K ** L, L)."""
    return np.array(list(itertools.product(range(num_states), repeat=length)), np.int32)


def matrix(kernel, s: float, t: float) -> np.ndarray:
    """Q(s, t)[x_s, x_t], (K, K); (L, K, K) of a kernel with a prior of each token."""
    *event, states = kernel.prior.shape
    eye = jnp.eye(states)[None]
    if event:
        eye = jnp.broadcast_to(eye[0, :, None], (states, *event, states))
    times = (jnp.full(len(eye), time) for time in (s, t))
    result = np.asarray(_compiled_push(kernel)(eye, *times), np.float64)
    return result.swapaxes(0, 1) if event else result[0]


_pushes = {}  # id of a kernel -> the kernel, which so keeps its id, and its push


def _compiled_push(kernel):
    """`kernel.push`, compiled once for a kernel; the last 32 are remembered."""
    if id(kernel) not in _pushes:
        if len(_pushes) == 32:
            del _pushes[next(iter(_pushes))]
        _pushes[id(kernel)] = kernel, jax.jit(kernel.push)
    return _pushes[id(kernel)][1]


def of_rows(matrix: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The rows of a matrix, or of that of each token, at x: (..., L) -> (..., L, K)."""
    return matrix[x] if matrix.ndim == 2 else matrix[np.arange(matrix.shape[0]), x]


def bayes(kernel, p_0: np.ndarray, x_t: np.ndarray, s: float, t: float) -> np.ndarray:
    """q(x_s | x_t, x_0 ~ p_0): (..., K), (...) -> (..., K); zero where x_t is impossible."""
    p_s = (p_0[..., None, :] @ matrix(kernel, 0.0, s))[..., 0, :]
    joint = p_s * of_rows(matrix(kernel, s, t).swapaxes(-1, -2), x_t)
    total = joint.sum(axis=-1, keepdims=True)
    return np.divide(joint, total, out=np.zeros_like(joint), where=total > 0)


def guesses(model, params, x_t: np.ndarray, t: float) -> np.ndarray:
    """The network's p_0, (N, L, K)."""
    times = jnp.full(len(x_t), t, jnp.float32)
    return np.asarray(model.open(params).predict(jnp.asarray(x_t), times), np.float64)


def kl(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    q = np.maximum(
        q, 1e-30
    )  # absorbing kernels leave e^-30 of the data where their prior has none
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return (p * np.log(ratio)).sum(axis=-1)


def chain(model, params, start: np.ndarray, times, length: int) -> np.ndarray:
    """Law over all sequences after walking `times` down from the law `start`: (K ** L,)."""
    kernel = model.open(params).kernel
    every = sequences(kernel.prior.shape[-1], length)
    law = start
    for t, s in itertools.pairwise(times):
        step = bayes(kernel, guesses(model, params, every, t), every, s, t)
        law = law @ np.prod(step[:, np.arange(length), every], axis=-1)
    return law


def prior(model, params, length: int) -> np.ndarray:
    """Law of x_1 over all sequences, (K ** L,)."""
    prior = np.asarray(model.open(params).kernel.prior, np.float64)
    each = np.broadcast_to(prior, (length, prior.shape[-1]))
    return np.prod(each[np.arange(length), sequences(prior.shape[-1], length)], axis=-1)


def law(model, params, length: int) -> np.ndarray:
    """p(x) of the model over all sequences: (K ** L,)."""
    times = np.arange(model.steps, -1, -1) / model.steps
    return chain(model, params, prior(model, params, length), times, length)


def bound(model, params, x: np.ndarray, times=None) -> np.ndarray:
    """E[elbo] of each sequence, (N,): every x_t of every step, of the model's unless given."""
    kernel = model.open(params).kernel
    if times is None:
        times = np.arange(model.steps, -1, -1) / model.steps
    end, law = of_rows(matrix(kernel, 0.0, 1.0), x), np.asarray(kernel.prior, np.float64)
    total = kl(end, np.broadcast_to(law, end.shape)).sum(axis=-1)
    for t, s in itertools.pairwise(times):
        total += term(model, params, x, s, t)
    return -total


def term(model, params, x: np.ndarray, s: float, t: float) -> np.ndarray:
    """The bound's term of one step of each sequence, (N,): every x_t, weighted."""
    kernel, (_, length) = model.open(params).kernel, x.shape
    states = kernel.prior.shape[-1]
    every = sequences(states, length)
    clean = np.eye(states)[x][:, None]  # (N, 1, L, K)
    noisy = of_rows(matrix(kernel, 0.0, t), x)  # (N, L, K)
    weight = np.prod(noisy[:, np.arange(length), every], axis=-1)  # (N, K ** L)
    true = bayes(kernel, clean, every, s, t)
    guess = bayes(kernel, guesses(model, params, every, t), every, s, t)
    return (weight * kl(true, np.broadcast_to(guess, true.shape)).sum(axis=-1)).sum(axis=1)


def assert_drawn_from(x: np.ndarray, law: np.ndarray) -> None:
    """χ²: the numbers x, any shape, in [0, len(law)) are independent draws from `law`."""
    counts = np.bincount(np.asarray(x).ravel(), minlength=len(law))
    law = np.asarray(law, np.float64) / np.sum(law)
    expected = law * counts.sum()
    assert counts[law == 0].sum() == 0, "draws of probability zero"
    rare = expected < 5  # pooled, and left out if even together they are rare
    observed = np.append(counts[~rare], counts[rare].sum())
    expected = np.append(expected[~rare], expected[rare].sum())
    if expected[-1] < 5:
        assert observed[-1] < 25, f"{observed[-1]} draws where {expected[-1]:.2g} were expected"
        observed, expected = observed[:-1], expected[:-1]
    if len(expected) == 1:
        return  # all the mass is in one place, and so is every draw
    statistic = ((observed - expected) ** 2 / expected).sum()
    p = stats.chi2.sf(statistic, len(expected) - 1)
    assert p > 1e-4, f"p = {p:.2g}: counts {observed}, expected {expected.round(1)}"


def number(x: np.ndarray, num_states: int) -> np.ndarray:
    """The index of each sequence (N, L) in `sequences`: (N,)."""
    length = x.shape[-1]
    return np.asarray(x) @ num_states ** np.arange(length - 1, -1, -1)
