"""The folder of an exported model: weights, config, card and checksums; no code and no pickle.

model.safetensors (parameters, and arrays that the model is made of), config.json (the model as a
`description`, the facts of its data, what was trained and measured), README.md (the card, which is
for people and may be edited), checksums.json (SHA-256 of the first two). Model hubs expect these
names. The folder may be read from anywhere that epath knows.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from amd_jax import facts as facts_
from amd_jax.exports import description
from amd_jax.facts import Facts
from amd_jax.runs import documents, record
from amd_jax.types import Params

FORMAT = 1  # of config.json; a program reads its own and older ones
WEIGHTS, CONFIG, CARD, CHECKSUMS = (
    "model.safetensors",
    "config.json",
    "README.md",
    "checksums.json",
)
KINDS = {"format": int, "model": dict, "facts": dict, "run": dict}
PARAMS = "params/"  # before the keys of parameters; those of the model's own arrays have none


class Exported(NamedTuple):
    """What an exported folder holds."""

    model: Any
    params: Params
    facts: Facts
    run: dict[str, Any]  # what was trained: experiment, config, step, digests of the data
    results: list[dict[str, Any]]  # figures that were measured


def write(
    folder: Path,
    model: Any,
    params: Params,
    facts: Facts,
    *,
    run: Mapping[str, Any],
    results: list[dict[str, Any]],
    card: str,
    half: bool = False,
) -> int:
    """Writes a folder; how many bytes it has. See `describe` for errors and `half`."""
    described, tensors = describe(model, params, facts, half=half)
    config = {"format": FORMAT, **described, "run": dict(run), "results": results}
    files = {
        WEIGHTS: safetensors.numpy.save(tensors, metadata={"library": "amd_jax"}),
        CONFIG: f"{json.dumps(config, indent=1)}\n".encode(),
        CARD: card.encode(),
    }
    sums = {name: hashlib.sha256(files[name]).hexdigest() for name in (WEIGHTS, CONFIG)}
    files[CHECKSUMS] = f"{json.dumps(sums, indent=1)}\n".encode()  # last: then it is complete
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CHECKSUMS).unlink(missing_ok=True)
    for name, content in files.items():
        documents.write(folder / name, content)
    return sum(map(len, files.values()))


def describe(
    model: Any, params: Params, facts: Facts, *, half: bool
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Model and facts as JSON, and all arrays by name; with `half`, parameters as float16.

    Raises ValueError for a model that is not made of parts of the library alone, for facts of a
    class of their own, and for numbers that halves cannot hold.
    """
    arrays: dict[str, np.ndarray] = {}
    described = description.describe(model, arrays)
    if not type(facts).__module__.startswith("amd_jax."):
        raise ValueError(
            f"An export holds no code; its facts are of a class of their own, "
            f"{type(facts).__name__}. Read the run itself with load_run."
        )
    weights = {f"{PARAMS}{key}": _kept(key, leaf, half) for key, leaf in record.leaves(params)}
    tensors = {k: np.ascontiguousarray(v) for k, v in sorted({**arrays, **weights}.items())}
    return {"model": described, "facts": facts.to_json()}, tensors


def read(folder: str | Path) -> Exported:
    """What a folder holds; its parameters as float32. No code of it is executed.

    Raises ValueError if it is no export, is damaged, or does not fit this version.
    """
    place = documents.at(folder)
    if not (place / CHECKSUMS).is_file():
        raise ValueError(
            f"{folder} holds no exported model: {CHECKSUMS} is missing. Make one of a run with "
            "--mode=export."
        )
    sums = documents.read_json(place / CHECKSUMS, {WEIGHTS: str, CONFIG: str})
    files = {name: _checked(place / name, sums[name]) for name in (WEIGHTS, CONFIG)}
    try:
        return _composed(documents.parsed(files[CONFIG].decode(), KINDS), files[WEIGHTS])
    except (ValueError, KeyError, RecursionError, SafetensorError) as error:
        raise ValueError(f"{folder} does not fit this version of amd_jax: {error}") from error


def _composed(config: dict[str, Any], weights: bytes) -> Exported:
    if config["format"] > FORMAT:
        raise ValueError(
            f"it has the format {config['format']}; this one reads {FORMAT} and older."
        )
    tensors = safetensors.numpy.load(weights)
    model = description.compose(config["model"], tensors)
    if not hasattr(model, "sample"):
        raise ValueError(f"it holds no model, but {type(model).__name__}.")
    facts = facts_.from_json(config["facts"])
    x = jax.ShapeDtypeStruct((1, *facts.event_shape), np.int32)
    template = jax.eval_shape(model.init, jax.random.key(0), x)
    expected = {f"{PARAMS}{key}": leaf for key, leaf in record.leaves(template)}
    found = {key: array for key, array in tensors.items() if key.startswith(PARAMS)}
    for key in sorted(expected.keys() | found.keys()):
        shapes = [getattr(side.get(key), "shape", None) for side in (expected, found)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"{key} has the shape {shapes[1]}, and the model wants {shapes[0]}.")
    leaves = [jnp.asarray(found[key], leaf.dtype) for key, leaf in expected.items()]
    params = jax.tree.unflatten(jax.tree.structure(template), leaves)
    run = facts_.tuples(config["run"])
    if not (isinstance(run.get("config"), dict) and isinstance(run.get("step"), int)):
        raise ValueError("its run must tell config and step.")
    return Exported(model, params, facts, run, config.get("results", []))


def _kept(key: str, leaf: Any, half: bool) -> np.ndarray:
    """A parameter as it is kept; ValueError if halves cannot hold it."""
    array = np.asarray(leaf)
    if not half or array.dtype != np.float32:
        return array
    most = float(np.abs(array).max(initial=0.0))
    if not most < float(np.finfo(np.float16).max):
        raise ValueError(
            f"Halves hold numbers below 65504; {key} has {most:.3g}. Export without --half."
        )
    return array.astype(np.float16)


def _checked(path: documents.Place, digest: str) -> bytes:
    """The bytes of a file; ValueError unless they have the checksum."""
    if not path.is_file():
        raise ValueError(f"{path} belongs to the export, but is gone. Export the run again.")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise ValueError(f"{path} has changed since it was written. Get or export it again.")
    return content
