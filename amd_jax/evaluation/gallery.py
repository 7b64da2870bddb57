"""Samples and denoising chains, and how they are shown as text."""

import itertools
from collections.abc import Callable

import jax
import numpy as np

from amd_jax import parallel
from amd_jax.diffusion import samplers
from amd_jax.models import Diffusion
from amd_jax.ops import integers
from amd_jax.types import Key, Model, Params

WIDTH = 80  # columns of the console


def samples(
    model: Model,
    params: Params,
    rng: Key,
    shape: tuple[int, ...],
    batch_size: int | None = None,
) -> np.ndarray:
    """Samples of the given shape (N, ...), int32, drawn in one call, a share on each device.

    Or in as many calls as a batch size asks for, each with a key of its own: then more samples
    start with the same ones, batch by batch, and need no more memory.
    """
    number, *event = shape
    batch = min(number, batch_size or number)
    share = (-(-batch // jax.device_count()), *event)
    draw = parallel.over_devices(lambda params, key: model.sample(params, key, share))
    params = parallel.replicate(params)
    drawn = []
    for i in range(-(-number // batch)):
        keys = parallel.own_keys(jax.random.fold_in(rng, i))
        drawn.append(parallel.gather(draw(params, keys))[:batch])
    return np.concatenate(drawn)[:number]


def unused(drawn: np.ndarray, shown: str) -> list[str]:
    """A line on the codes of samples that stand for no class, shown as said; none if none do."""
    share = (drawn == integers.UNUSED).mean()
    line = f"codes of the samples that stand for no class (shown as {shown}): {share:.2%}; "
    return [f"{line}--redraws=N draws such samples anew"] if share > 0 else []


def text(x: np.ndarray, decode: Callable[[np.ndarray], str]) -> str:
    """The text of tokens x (L,), codes that stand for no class as \ufffd."""
    runs = np.split(x, np.flatnonzero(x == integers.UNUSED))
    return "\ufffd".join(decode(run[run != integers.UNUSED]) for run in runs)


def chain(
    model: Diffusion, params: Params, rng: Key, shape: tuple[int, ...], frames: int = 9
) -> list[tuple[float, np.ndarray]]:
    """States of one denoising walk from noise to data: `frames` pairs (t, x (B, ...))."""
    times = np.asarray(samplers.grid(model.steps))
    stops = np.unique(np.linspace(0, model.steps, frames).round().astype(int))
    rng_noise, rng = jax.random.split(rng)
    x = model.noise(rng_noise, shape)
    denoise = jax.jit(model.denoise)
    found = [(1.0, np.asarray(x))]
    for start, stop in itertools.pairwise(stops):
        x = denoise(params, jax.random.fold_in(rng, start), x, times[start : stop + 1])
        found.append((float(times[stop]), np.asarray(x)))
    return found


def wrapped(text: str, indent: str = "    ") -> str:
    """Text in lines of the console's width; line ends inside it show as a symbol."""
    text = text.replace("\n", "⏎")
    step = WIDTH - len(indent)
    return "\n".join(indent + text[i : i + step] for i in range(0, max(len(text), 1), step))


def marked(before: np.ndarray, after: np.ndarray, decode: Callable[[np.ndarray], str]) -> str:
    """The text of `after` (L,), with ^ under every token that differs from `before`."""
    step, lines = WIDTH - 4, []
    for i in range(0, len(after), step):
        piece = after[i : i + step]
        carets = "".join(np.where(before[i : i + step] != piece, "^", " "))
        lines += [wrapped(decode(piece)), ("    " + carets).rstrip()]
    return "\n".join(line for line in lines if line)
