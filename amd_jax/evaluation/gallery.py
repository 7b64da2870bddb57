"""Draws samples, and lays them out as text."""

import functools
import math
import unicodedata
from collections.abc import Callable, Iterable

import jax
import jax.numpy as jnp
import numpy as np

from amd_jax.evaluation import groups
from amd_jax.evaluation.means import Rows
from amd_jax.host import memory
from amd_jax.models import Diffusion
from amd_jax.models.code_lengths import CodeLength
from amd_jax.ops import integers
from amd_jax.options import Named
from amd_jax.types import Flags, Key, Model, Nats, Params, Sampler, Tokens

WIDTH = 80  # columns of the console
INDENT = "    "


def samples(
    model: Model,
    params: Params,
    rng: Key,
    shape: tuple[int, ...],
    sampler: Named | None = None,
) -> Rows:
    """Samples of the given shape (N, ...), int32, by one of the model's samplers or its own way.

    Drawn in groups on all devices, so that many of them need no more memory: the first ones of
    more samples are the same as long as they fill a group, on any number of devices.
    """
    number, *event = shape
    memory.check(4 * math.prod(shape), f"{number:,} samples", "Draw fewer.")
    size = groups.size(number, event, classes=groups.classes(model))
    count = -(-number // size)
    draw = _drawing(model, sampler, (size, *event))  # type: ignore[arg-type]  # as in `likelihood`
    return groups.run(draw, params, rng, count, size)[:number]


def filled(
    model: Diffusion,
    params: Params,
    rng: Key,
    x: Rows,
    sampler: Named | None = None,
) -> Rows:
    """Rows (N, ...) with what is unknown, -1, drawn given the rest of the row: int32.

    In groups on all devices, as `samples` are.
    """
    memory.check(4 * x.size, f"{len(x):,} samples", "Draw fewer.")
    size = groups.size(len(x), x.shape[1:], classes=groups.classes(model))
    count = -(-len(x) // size)
    rows = np.concatenate([x, np.repeat(x[:1], count * size - len(x), axis=0)]).astype(np.int32)
    fill = _filling(model, sampler)  # type: ignore[arg-type]  # as in `likelihood`
    return groups.run(fill, params, rng, count, size, rows)[: len(x)]


@functools.lru_cache(maxsize=16)
def _filling(model: Diffusion, sampler: Sampler | None) -> Callable:
    """Filling what is -1 in a group of rows; kept, as in `likelihood`."""

    def fill(params: Params, rng: Key, x: Tokens) -> Tokens:
        return model.infill(params, rng, jnp.maximum(x, 0), x >= 0, sampler=sampler)

    return fill


@functools.partial(jax.jit, static_argnames=("model", "sampler"))
def infilled(
    model: Diffusion,
    params: Params,
    rng: Key,
    x: Tokens,
    known: Flags,
    wanted: Flags,
    sampler: Sampler | None = None,
) -> tuple[Tokens, Nats | None]:
    """Rows x with what is not `known` drawn, and log p of what is `wanted` of it.

    The nats are exact, in order from left to right, and for masks only: else None.
    """
    drawn, length = model.infill(params, rng, x, known, sampler=sampler), CodeLength(order="left")
    if not length.admits(model.open(params).kernel):
        return drawn, None
    return drawn, length.one(model, params, rng, drawn, known, wanted)


@functools.lru_cache(maxsize=16)
def _drawing(model: Model, sampler: Named | None, shape: tuple[int, ...]) -> Callable:
    """Sampling of a group; kept, as in `likelihood`."""
    chosen = {} if sampler is None else {"sampler": sampler}
    return lambda params, rng: model.sample(params, rng, shape, **chosen)


def unused(drawn: Rows, shown: str) -> list[str]:
    """A line on the codes of samples that stand for no class, shown as said; none if none do."""
    share = (drawn == integers.UNUSED).mean()
    line = f"codes of the samples that stand for no class (shown as {shown}): {share:.2%}; "
    return [f"{line}redraws draw such samples anew"] if share > 0 else []


def wrapped(text: str, marks: str = "") -> str:
    """Text in lines of the console's width, indented; below each its part of the marks, if any.

    `marks` is one sign for each character, " " for none. Line ends inside the text show as a
    symbol; a wide character takes two columns.
    """
    marks = marks or " " * len(text)
    lines: list[str] = []
    text_line, mark_line, used = "", "", 0

    def end() -> Iterable[str]:
        yield INDENT + text_line
        if mark_line.strip():
            yield (INDENT + mark_line).rstrip()

    for sign, mark in zip(text.translate(SHOWN), marks, strict=True):
        width = columns(sign)
        if used + width > WIDTH - len(INDENT):
            lines += end()
            text_line, mark_line, used = "", "", 0
        text_line, used = text_line + sign, used + width
        mark_line += mark + " " * (width - 1) if width else ""
    return "\n".join([*lines, *end()])


SHOWN = {ord("\n"): "⏎", ord("\r"): "␍", ord("\t"): "␉"}  # one column each


def columns(sign: str) -> int:
    """How many columns of a console a character takes."""
    if unicodedata.combining(sign):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in "WF" else 1


def aligned(pieces: list[str], marks: str) -> tuple[str, str]:
    """The text of pieces, one for each token, and the mark of each of its characters.

    A character of several tokens has the mark of any of them.
    """
    text, signs, pending = "", "", " "
    for piece, mark in zip(pieces, marks, strict=True):
        pending = mark if mark != " " else pending
        if piece:
            text, signs, pending = text + piece, signs + pending * len(piece), " "
    return text, signs
