"""Exact laws of samplers over all sequences of few tokens, for each kind of sampler.

A law is a vector over the N = K ** L sequences, in float64 where that is on, and a step of a
sampler a matrix. `certificates.law` knows which kind a sampler is of.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int32

from amd_jax.diffusion import kernels
from amd_jax.diffusion.process import Process
from amd_jax.diffusion.samplers import base, mask_times, unmasking
from amd_jax.diffusion.samplers.dilated import Dilated, bits_of
from amd_jax.diffusion.samplers.remasking import Remasking
from amd_jax.ops import categorical
from amd_jax.types import Array, Grid


def sequences(num_states: int, length: int) -> Int32[np.ndarray, "N {length}"]:
    """Every sequence: N = K ** L of them."""
    return np.array(list(itertools.product(range(num_states), repeat=length)), np.int32)


def _noise(process: Process, every: np.ndarray) -> Array:
    """The law of x_1: (N,)."""
    prior = jnp.asarray(process.kernel.prior, float)
    start = _held(process, jnp.broadcast_to(prior, (*every.shape, prior.shape[-1])))
    return _moves(start[:1], every)[0]


def _held(process: Process, law: Array) -> Array:
    """Independent laws of every token (N, L, K), but for what is given, which is certain."""
    if process.given is None:
        return law
    certain = categorical.one_hot(process.given, law.shape[-1], law.dtype)
    return jnp.where((process.given >= 0)[..., None], certain, law)


def _moves(law: Array, every: np.ndarray) -> Array:
    """From independent laws of every token (N, L, K), the chances to get to each: (N, N)."""
    return jnp.prod(law[:, np.arange(every.shape[1]), every], axis=-1)


def _one_place(law: Array, every: np.ndarray, place: int) -> Array:
    """The chances to get to each sequence if the token of one place is drawn: (N, N)."""
    stay = jax.nn.one_hot(every, law.shape[-1], dtype=law.dtype)
    return _moves(stay.at[:, place].set(law[:, place]), every)


def stepped(sampler: base.Steps, process: Process, length: int, times: Grid) -> Float[Array, "N"]:
    """The law at times[-1]."""
    law = _noise(process, sequences(process.kernel.prior.shape[-1], length))
    step = _step(dataclasses.replace(sampler, steps=None), process, length)
    for t, s in itertools.pairwise(np.asarray(times)):
        law = step(law, t, s)
    return law


@functools.lru_cache(maxsize=32)  # compiled once for any number of steps
def _step(sampler: base.Steps, process: Process, length: int) -> Callable[..., Array]:
    """The law (K ** L,) at s, from that at t."""
    every = sequences(process.kernel.prior.shape[-1], length)
    tokens = jnp.asarray(every)

    @jax.jit
    def step(now: Array, t: Array, s: Array) -> Array:
        is_last = s <= 0
        t, s = (jnp.full(len(every), time) for time in (t, s))
        p_0 = sampler.guess(process, tokens, t)
        chances = sampler.law(process, p_0, tokens, s, t)
        if sampler.greedy:
            clean = kernels.denoising_posterior(process.kernel, p_0, tokens, t).law
            likeliest = jax.nn.one_hot(clean.argmax(axis=-1), clean.shape[-1], dtype=clean.dtype)
            chances = jnp.where(is_last, likeliest, chances)
        now = now @ _moves(_held(process, chances), every)
        for _ in range(sampler.corrections):
            anew = _held(process, sampler.anew(process, tokens, s))
            first, *others = (now @ _one_place(anew, every, place) for place in range(length))
            now = sum(others, first) / length
        return now

    return step


def remasked(sampler: Remasking, process: Process, length: int, times: Grid) -> Float[Array, "N"]:
    """The law at times[-1] of two tokens, each with the sequence in which it was revealed.

    For a guess that does not depend on time, as the exact one does not for masks.
    """
    if length != 2 or sampler.greedy or sampler.corrections or process.given is not None:
        raise ValueError(
            f"The law of {sampler.name} is enumerated for two tokens, neither of them given, "
            f"without greedy and corrections; got {length} tokens, {sampler}."
        )
    every = sequences(process.kernel.prior.shape[-1], length)
    states, masked = len(every), jnp.asarray(every == process.kernel.num_classes)
    x, *where = (i.ravel() for i in np.indices((states,) * 3))  # a sequence, and two of its past
    p_0 = sampler.guess(process, jnp.asarray(every), jnp.full(states, 0.5))
    was = sampler.sharpened(process, jnp.asarray(every), jnp.full(states, 0.5))
    sure = jnp.stack([was[past, n, every[x, n]] for n, past in enumerate(where)], axis=-1)

    @jax.jit
    def step(now: Array, t: Array, s: Array) -> Array:
        t, s = (jnp.full(len(x), time) for time in (t, s))
        chances = sampler.law(process, p_0[x], jnp.asarray(every[x]), s, t, sure)
        chances = _moves(chances, every) * now[:, None]  # [state, next sequence]
        # A token that was a mask has been revealed in what is now x; of masks it is of no account.
        past = [jnp.where(masked[x, n], x, past) for n, past in enumerate(where)]
        index = (jnp.arange(states)[None], past[0][:, None], past[1][:, None])
        return jnp.zeros((states,) * 3, now.dtype).at[index].add(chances).ravel()

    now = jnp.zeros((states,) * 3).at[:, 0, 0].set(_noise(process, every)).ravel()
    for t, s in itertools.pairwise(np.asarray(times)):
        now = step(now, t, s)
    return now.reshape(states, -1).sum(axis=1)


def revealed(sampler: unmasking.Reveal, process: Process, length: int) -> Float[Array, "N"]:
    """The law when all masks are revealed."""
    mask = kernels.mixing(process.kernel).num_classes
    every = sequences(mask + 1, length)
    masked = jnp.asarray(every == mask)
    several = isinstance(sampler, unmasking.Confidence) and sampler.count(length) > 1
    if sampler.at_random and several:
        raise ValueError("The law of several tokens at random at once is not known here.")
    stay = jax.nn.one_hot(every, mask + 1)

    @jax.jit
    def call(now: Array) -> Array:
        count = masked.sum(axis=1)
        tokens = jnp.asarray(every)
        p_0 = sampler.sharpened(process, tokens, mask_times.time_of(process, tokens))
        if sampler.at_random:  # one at a time, all places alike
            drawn = jnp.zeros(len(every))
            for place in range(length):
                chosen = jnp.arange(length) == place
                law = jnp.where((chosen & masked)[..., None], p_0, stay)
                share = jnp.where(masked[:, place], 1 / jnp.maximum(count, 1), 0.0)
                drawn += (now * share) @ _moves(law, every)
            return drawn + now * (count == 0)
        chosen = sampler.chosen(jax.random.key(0), p_0, masked, count) & masked
        return now @ _moves(jnp.where(chosen[..., None], p_0, stay), every)

    now = _noise(process, every)
    for _ in range(length):
        now = call(now)
    return now


def dilated(sampler: Dilated, process: Process, length: int) -> Float[Array, "N"]:
    """The law when all masks are revealed, over every start."""
    mask = process.kernel.num_classes
    every = sequences(mask + 1, length)
    masked = jnp.asarray(every == mask)
    tokens, stay = jnp.asarray(every), jax.nn.one_hot(every, mask + 1)

    @jax.jit
    def walk(start: Array, now: Array) -> Array:
        calls = sampler.calls(start[None, None], jnp.ones((1, length), bool))[0]

        def call(i: Array, now: Array) -> Array:
            p_0 = sampler.sharpened(process, tokens, mask_times.time_of(process, tokens))
            chosen = (calls == i) & masked
            return now @ _moves(jnp.where(chosen[..., None], p_0, stay), every)

        return jax.lax.fori_loop(0, length, call, now)

    starts, noise = range(2 ** bits_of(length)), _noise(process, every)
    return sum((walk(jnp.array(s), noise) for s in starts), 0 * noise) / len(starts)


def at_transitions(sampler: unmasking.DNDM, process: Process, length: int) -> Float[Array, "N"]:
    """The law when all tokens have changed, for two of them."""
    if length != 2:
        raise ValueError(f"The law of {sampler.name} is enumerated for two tokens; got {length}.")
    kernel, steps = kernels.mixing(process.kernel), sampler.steps or 4096  # where that is endless
    every = sequences(kernel.prior.shape[-1], length)
    times = jnp.arange(steps + 1) / steps
    weights = (
        -jnp.diff(jnp.exp(kernel.schedule(times)))
        .at[-1]
        .add(jnp.exp(kernel.schedule(times[-1:]))[0])
    )

    def moves(t: Array) -> tuple[Array, ...]:
        p_0 = sampler.sharpened(process, jnp.asarray(every), jnp.full(len(every), t))
        return tuple(_one_place(p_0, every, place) for place in range(2)) + (_moves(p_0, every),)

    @jax.jit
    def walk(noise: Array) -> Array:
        def step(
            carry: tuple[Array, Array, Array], both: tuple[Array, Array]
        ) -> tuple[tuple[Array, Array, Array], None]:
            untouched, changed, done = carry  # weight, and laws (2, N) and (N,)
            t, weight = both
            first, second, together = moves(t)
            ahead = untouched - weight  # that both change later
            alone = weight * jnp.stack([noise @ first, noise @ second])
            done += weight * (changed[0] @ second + changed[1] @ first)
            if sampler.steps:
                done += weight**2 * (noise @ together)
            else:  # times differ; which comes first is a matter of chance
                done += weight**2 / 2 * (noise @ first @ second + noise @ second @ first)
            return (ahead, changed + alone, done), None

        start = (jnp.ones(()), jnp.zeros((2, len(every))), jnp.zeros(len(every)))
        return jax.lax.scan(step, start, (times[:0:-1], weights[::-1]))[0][2]

    return walk(_noise(process, every))
