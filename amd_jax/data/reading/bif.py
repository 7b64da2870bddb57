"""Reads Bayesian networks of the BIF format, version 0.15: `.bif`, or `.bif.gz`.

Of a network: its variables with their values, and the probabilities of each given its parents.
Properties are skipped.
"""

import itertools
import math
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from amd_jax.data.reading import files

RULE = "A Bayesian network is a BIF file: variables with their values, and their probabilities"
MOST_BYTES = 1 << 26  # of the text
MOST_CELLS = 1 << 24  # of the table of one variable
NEAR = 0.02  # how far a sum of probabilities, which are rounded, may be from 1
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_TOKEN = re.compile(r'"[^"]*"|[{}()\[\];,|]|[^\s{}()\[\];,|"]+')


class Node(NamedTuple):
    """A variable of a network."""

    name: str
    states: tuple[str, ...]
    parents: tuple[str, ...]
    table: np.ndarray  # float64 (states of each parent ..., states), sums of 1 over the last axis


def read(path: str | Path) -> list[Node]:
    """The variables of a file, in its order. ValueError, in one line, for another file."""
    file = files.expanded(path)
    files.check_file(file, RULE)
    with files.decoding(RULE, str(file), "Give a .bif or .bif.gz."):
        with file.open("rb") as handle:
            content = handle.read(MOST_BYTES + 1)
        if content.startswith(b"\x1f\x8b"):
            unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            content = unpacker.decompress(content, MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ValueError(f"it has over {MOST_BYTES:,} bytes")
        return parse(content.decode())


def parse(text: str) -> list[Node]:
    """The variables of a text, in its order. ValueError for a text that is no network."""
    tokens = _Tokens(_TOKEN.findall(_COMMENT.sub(" ", text)))
    states: dict[str, tuple[str, ...]] = {}
    laws: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for word in tokens:
        if word == "network":
            list(itertools.takewhile(lambda token: token != "{", tokens))
            tokens.skip_block()
        elif word == "variable":
            name = next(tokens, "")
            if name in states:
                raise ValueError(f"the variable {name:.40} is there twice")
            states[name] = _states(tokens, name)
        elif word == "probability":
            name, parents, table = _law(tokens, states)
            laws[name] = parents, table
        else:
            raise ValueError(f"{word!r:.40} stands where a variable or its probability would")
    for name in states:
        if name not in laws:
            raise ValueError(f"the variable {name:.40} has no probabilities")
    if not states:
        raise ValueError("it has no variable")
    return [Node(name, values, *laws[name]) for name, values in states.items()]


class _Tokens(Iterator[str]):
    """Words and signs, one after another."""

    def __init__(self, tokens: Iterable[str]):
        self.rest = iter(tokens)

    def __next__(self) -> str:
        return next(self.rest).strip('"')

    def expect(self, *signs: str) -> None:
        """Reads these. ValueError for others."""
        for sign in signs:
            got = next(self, "the end")
            if got != sign:
                raise ValueError(f"{got!r:.40} stands where {sign!r} would")

    def until(self, end: str) -> list[str]:
        """What comes before a sign, without commas."""
        result: list[str] = []
        for token in self:
            if token == end:
                return result
            if token != ",":
                result.append(token)
        raise ValueError(f"it ends before {end!r}")

    def skip_block(self) -> None:
        """Reads to the end of a block whose brace has been read."""
        depth = 1
        for token in self:
            depth += (token == "{") - (token == "}")
            if not depth:
                return
        raise ValueError("it ends inside a block")


def _states(tokens: _Tokens, name: str) -> tuple[str, ...]:
    """The values of a variable, whose name has been read."""
    tokens.expect("{")
    result: list[str] = []
    for word in tokens:
        if word == "}":
            break
        if word != "type":
            tokens.until(";")
            continue
        tokens.expect("discrete", "[")
        number = tokens.until("]")
        tokens.expect("{")
        result = tokens.until("}")
        tokens.expect(";")
        if number != [str(len(result))]:
            raise ValueError(f"{name:.40} has {len(result)} values and not {number}")
    if len(set(result)) < max(2, len(result)):
        raise ValueError(f"{name:.40} needs two values or more that differ")
    return tuple(result)


def _law(
    tokens: _Tokens, states: dict[str, tuple[str, ...]]
) -> tuple[str, tuple[str, ...], np.ndarray]:
    """A variable, its parents, and its probabilities."""
    tokens.expect("(")
    name, *rest = tokens.until(")")
    parents = tuple(rest[1:])
    if rest[:1] not in ([], ["|"]):
        raise ValueError(f"the parents of {name:.40} stand behind a |")
    for each in (name, *parents):
        if each not in states:
            raise ValueError(f"{each:.40} has a probability and is no variable")
    shape = [len(states[each]) for each in (*parents, name)]
    if math.prod(shape) > MOST_CELLS:
        raise ValueError(f"the table of {name:.40} has over {MOST_CELLS:,} cells")
    table = np.full(shape, np.nan)
    tokens.expect("{")
    for word in tokens:
        if word == "}":
            break
        place: Any
        if word == "(":
            place = _place(tokens.until(")"), parents, states, name)
        elif word == "default" or (word == "table" and not parents):
            place = np.isnan(table[..., 0]) if parents else ...
        else:
            raise ValueError(f"{name:.40} has {word!r:.40} where (values of its parents) would be")
        table[place] = _numbers(tokens.until(";"), shape[-1], name)
    totals = table.sum(axis=-1, keepdims=True)
    if not (np.abs(totals - 1) < NEAR).all() or table.min() < 0:
        raise ValueError(f"the probabilities of {name:.40} do not add up to 1 for all parents")
    return name, parents, table / totals


def _place(
    values: list[str], parents: tuple[str, ...], states: dict[str, tuple[str, ...]], name: str
) -> tuple[int, ...]:
    """The cell of the values of the parents."""
    if len(values) != len(parents):
        raise ValueError(f"{name:.40} has {len(parents)} parents and not {len(values)}")
    for parent, value in zip(parents, values, strict=True):
        if value not in states[parent]:
            raise ValueError(f"{parent:.40} has no value {value:.40}, which {name:.40} names")
    return tuple(states[p].index(value) for p, value in zip(parents, values, strict=True))


def _numbers(words: list[str], size: int, name: str) -> list[float]:
    """Probabilities, as many as the variable has values."""
    if len(words) != size:
        raise ValueError(f"{name:.40} has {size} values and {len(words)} probabilities")
    return [float(word) for word in words]
