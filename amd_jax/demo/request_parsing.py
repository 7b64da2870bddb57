"""Parses requests of the page: a text, a map with a hole in it, a seed."""

import base64
import tempfile
from pathlib import Path

import numpy as np

from amd_jax.cli import inputs
from amd_jax.cli.inputs import Partly
from amd_jax.demo import controls
from amd_jax.facts import Facts, Json, MapFacts, TextFacts

LONGEST = 16_384  # characters of a text
UNKNOWN = -1  # a pixel in a hole
GAPS = "_~^|#*@+=<>{}[]\\`"  # signs that can be typed


def seed_of(request: Json) -> int:
    """The seed of a request, or 0."""
    return controls.whole("Seed", request.get("seed"), 0, controls.SEEDS, 0)


def text_of(request: Json) -> str:
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
    """What stands for an unknown character of a text: the first sign that the data do not have.

    One that a keyboard has, unless the data have all of these.
    """
    signs = f"{GAPS}{''.join(map(chr, range(0x2581, 0x2681)))}"  # more than an alphabet has
    alphabet = facts.symbols if isinstance(facts, TextFacts) else None
    return next(sign for sign in signs if sign not in (alphabet or ""))


def partly_of(facts: TextFacts | MapFacts, request: Json) -> Partly:
    """The text with gaps, or the map with a hole, of a request; ValueError for anything else."""
    if not isinstance(facts, MapFacts):
        return inputs.with_gaps(facts, text_of(request), gap_of(facts))
    x = map_of(facts, request)
    unknown = x == UNKNOWN
    if not unknown.any():
        raise ValueError("The map has no hole. Paint over a part of it, or hide a rectangle.")
    return inputs.with_hole(facts, np.where(unknown, 0, x), unknown)


def map_of(facts: MapFacts, request: Json) -> np.ndarray:
    """The map of a request, int32 (H, W), `UNKNOWN` where it is null; ValueError for any other."""
    (height, width), rows = facts.map_shape, request.get("map")
    if rows is None:
        raise ValueError("There is no map yet. Open one, or draw samples and take the first.")
    shaped = isinstance(rows, list) and len(rows) == height
    shaped = shaped and all(isinstance(row, list) and len(row) == width for row in rows)
    pixels = [k for row in rows for k in row] if shaped else [-1]
    if any(
        k is not None and (type(k) is not int or not 0 <= k < facts.categories) for k in pixels
    ):
        raise ValueError(
            f"A map is {height} x {width} categories in [0, {facts.categories}), or null where "
            "it is unknown; this is none."
        )
    tokens = [UNKNOWN if k is None else k for k in pixels]
    return np.array(tokens, np.int32).reshape(height, width)


def opened(facts: MapFacts, request: Json) -> np.ndarray:
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
