"""Parses requests of the page: a text, a map, a hole in it, a seed."""

import base64
import itertools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from amd_jax.cli import inputs
from amd_jax.cli.inputs import Partly
from amd_jax.demo import controls
from amd_jax.facts import Facts, MapFacts, TextFacts

LONGEST = 16_384  # characters of a text
HOLE = ("top", "left", "height", "width")  # its numbers


def seed_of(request: Mapping[str, Any]) -> int:
    """The seed of a request, or 0."""
    return controls.whole("seed", request.get("seed"), 0, controls.SEEDS, 0)


def text_of(request: Mapping[str, Any]) -> str:
    """The text of a request, without halves of characters; ValueError if it is too long."""
    text = request.get("text")
    if not isinstance(text, str):
        raise ValueError(f"text is a text; got {text!r:.60}.")
    if len(text) > LONGEST:
        raise ValueError(
            f"A text has at most {LONGEST:,} characters here; this one has {len(text):,}. Give it "
            "in parts, or on the command line, by --input=FILE."
        )
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\r\n", "\n")


def gap_of(facts: Facts) -> str:
    """What stands for an unknown character of a text: the first sign that the data do not have."""
    signs = "_~^|" + "".join(map(chr, range(0x2581, 0x2681)))  # more than an alphabet has
    return next(sign for sign in signs if sign not in (getattr(facts, "alphabet", "") or ""))


def partly_of(facts: TextFacts | MapFacts, request: Mapping[str, Any]) -> Partly:
    """The text with gaps, or the map with a hole, of a request; ValueError for anything else."""
    if not isinstance(facts, MapFacts):
        return inputs.with_gaps(facts, text_of(request), gap_of(facts))
    sides = request.get("hole")
    if not isinstance(sides, Mapping):
        raise ValueError(f"hole has the numbers {', '.join(HOLE)}; got {sides!r:.60}.")
    unknown = inputs.hole(
        facts, *(controls.whole(name, sides.get(name), -controls.MOST) for name in HOLE)
    )
    return Partly(map_of(facts, request), ~unknown, unknown)


def map_of(facts: MapFacts, request: Mapping[str, Any]) -> np.ndarray:
    """The map of a request, int32 (H, W); ValueError unless it is one of these data."""
    (height, width), rows = facts.event_shape, request.get("map")
    if rows is None:
        raise ValueError("There is no map yet. Open one, or draw samples and take the first.")
    shaped = isinstance(rows, list) and len(rows) == height
    shaped = shaped and all(isinstance(row, list) and len(row) == width for row in rows)
    pixels = itertools.chain(*rows) if shaped else ()
    if not shaped or any(type(k) is not int or not 0 <= k < facts.num_classes for k in pixels):
        raise ValueError(
            f"A map is {height} x {width} categories in [0, {facts.num_classes}); this is none."
        )
    return np.array(rows, np.int32)


def opened(facts: MapFacts, request: Mapping[str, Any]) -> np.ndarray:
    """The map in a PNG, which is sent in base64, int32 (H, W); or ValueError, with its name."""
    name, content = request.get("name"), request.get("png")
    if not isinstance(name, str) or not isinstance(content, str):
        raise ValueError("A map has a name, and a png in base64.")
    try:
        result = base64.b64decode(content, validate=True)
    except ValueError:
        raise ValueError("The png of a map is in base64; this is none.") from None
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "map.png"
        file.write_bytes(result)
        try:
            return inputs.a_map(facts, file)
        except ValueError as error:
            raise ValueError(str(error).replace(str(file), name)) from error
